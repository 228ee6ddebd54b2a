package observe

import (
	"context"
	"errors"
	"sync"
	"time"
)

// pulseFor is how long one answer of the record holds: a probe that asks often must not cost a commit each time.
const pulseFor = time.Second

// pulse writes to the record on behalf of all who ask, one write at a time. A disk that hangs holds one goroutine, not one a question.
type pulse struct {
	mu    sync.Mutex
	asked sync.WaitGroup
	last  *answer
}

// answer is one write to the record, under way or done.
type answer struct {
	done chan struct{}
	at   time.Time // when it was done
	err  error
}

// ask returns nil when the record was written within the given time.
func (p *pulse) ask(ctx context.Context, record Record, within time.Duration) error {
	a := p.join(record, within)
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-a.done:
		return a.err
	case <-timer.C:
		return errors.New("the write has not come back in time")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns the write that is under way or fresh, or begins one.
func (p *pulse) join(record Record, within time.Duration) *answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.last; a != nil {
		select {
		case <-a.done:
			if time.Since(a.at) < pulseFor && a.err == nil {
				return a
			}
		default:
			return a
		}
	}
	a := &answer{done: make(chan struct{})}
	p.last = a
	p.asked.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		a.err = record.Pulse(ctx)
		a.at = time.Now()
		close(a.done)
	})
	return a
}

// wait returns when no write is under way.
func (p *pulse) wait() { p.asked.Wait() }
