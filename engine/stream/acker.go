package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ackQueue collects the ids to be acknowledged. It is a slice under a lock and not a channel, so that the lanes wake the
// acknowledging goroutine twice for a batch, at its first id and when it is full, and not once for each id.
type ackQueue struct {
	batch int
	some  chan struct{} // one token: there is an id
	full  chan struct{} // one token: there is a batch

	mu  sync.Mutex
	ids []string
}

func newAckQueue(batch int) *ackQueue {
	return &ackQueue{batch: batch, some: make(chan struct{}, 1), full: make(chan struct{}, 1)}
}

func (q *ackQueue) put(id string) {
	q.mu.Lock()
	q.ids = append(q.ids, id)
	n := len(q.ids)
	q.mu.Unlock()
	switch n {
	case 1:
		signal(q.some)
	case q.batch:
		signal(q.full)
	}
}

// take empties the queue.
func (q *ackQueue) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := q.ids
	q.ids = make([]string, 0, q.batch)
	select {
	case <-q.full:
	default:
	}
	return ids
}

// signal leaves a token, unless one lies there.
func signal(token chan<- struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

// acknowledge sends acknowledgements in batches, by count or linger, until done is closed and none is left. An entry
// stays held until Redis has confirmed, so a failed command is repeated (XACK may be) and nothing is handled twice for it.
func (s *subscription) acknowledge(done <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for last := false; !last; {
		select {
		case <-s.acks.some:
			last = s.linger(timer, done)
		case <-done:
			last = true
		}
		ids := s.acks.take()
		for batch := range slices.Chunk(ids, s.cfg.AckBatch) {
			if err := s.confirm(batch); err != nil {
				s.err = fmt.Errorf("stream: close: %d acknowledgements of %s not sent, these will be delivered again: %w",
					len(ids), s.topic, err)
				return
			}
			s.held.remove(batch)
			ids = ids[len(batch):]
		}
	}
}

// linger waits until a batch is full or the time is over, and reports whether there will be no more.
func (s *subscription) linger(timer *time.Timer, done <-chan struct{}) (last bool) {
	timer.Reset(s.cfg.AckLinger)
	select {
	case <-s.acks.full:
	case <-timer.C:
	case <-done:
		return true
	}
	return false
}

// confirm sends one batch until Redis takes it; it gives up when the subscription is closed for longer than allowed.
func (s *subscription) confirm(ids []string) error {
	delay := backoff{base: s.cfg.RetryDelay, max: s.cfg.RetryMaxDelay}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
		err := clean(s.client.XAck(ctx, s.stream, s.group, ids...).Err())
		cancel()
		s.trouble("acknowledge", err)
		if err == nil {
			return nil
		}
		if !pause(context.Background(), s.kill, delay.next()) {
			return err
		}
	}
}
