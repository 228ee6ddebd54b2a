package pipeline

import (
	"context"
	"runtime"
	"sync"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// gate bounds how many files are in memory at once: a file is read, decoded and encoded as a whole, and many may wait.
type gate chan struct{}

func newGate() gate { return make(gate, runtime.GOMAXPROCS(0)+1) }

// smallMessage is how many bytes of a message need no place in the gate once they are read: what a trust tells of one attendance. Many of
// them at once share a commit, which they cannot while each holds a place until it is on disk.
const smallMessage = 32 << 10

// enter waits for a place. leave gives it back; a second time it does nothing.
func (g gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g <- struct{}{}:
		return sync.OnceFunc(func() { <-g }), nil
	case <-ctx.Done():
		return nil, &engine.Error{Op: "handle", Kind: engine.Unavailable, Text: "the engine stops", Err: ctx.Err()}
	}
}

// The bounds of sharing: how many events one transaction takes, and how many transactions run beside each other, so that one gathers while
// another waits for the disk.
const (
	shareMost    = 512
	shareLeaders = 2
	// shareFailures is how many events in a row may fail by themselves, after they failed together, before it counts as the record's fault.
	shareFailures = 3
)

// sharing lets handlers that run beside each other use one transaction: who comes while all leaders are at work waits, and is taken along by
// the next. It has no goroutine of its own.
type sharing struct {
	mu      sync.Mutex
	leaders int
	waiting []*sharer
}

// sharer is one handler with its event.
type sharer struct {
	event engine.Envelope
	turn  chan bool // true: lead the others; false: done
	err   error
}

// do has the event handled by work, alone or with others, and returns its error. When they fail together each is handled by itself, so that
// an error is that event's alone.
func (s *sharing) do(ctx context.Context, e engine.Envelope, work func(context.Context, []engine.Envelope) error) error {
	me := &sharer{event: e, turn: make(chan bool, 1)}
	s.join(me)
	if lead := <-me.turn; lead {
		s.lead(ctx, me, work)
	}
	return me.err
}

// join takes the lead if it is free, and a place in the line otherwise.
func (s *sharing) join(me *sharer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaders < shareLeaders {
		s.leaders++
		me.turn <- true
		return
	}
	s.waiting = append(s.waiting, me)
}

// lead handles its own event and what is waiting, and then gives the lead to the next in line.
func (s *sharing) lead(ctx context.Context, me *sharer, work func(context.Context, []engine.Envelope) error) {
	all := append([]*sharer{me}, s.take()...)
	defer s.pass(all[1:])
	events := make([]engine.Envelope, len(all))
	for i, one := range all {
		events[i], one.err = one.event, errNotHandled
	}
	err := work(ctx, events)
	inARow := 0
	for _, one := range all {
		if one.err = err; err == nil || len(all) == 1 || inARow == shareFailures || teeth.Bite("one-fails-all-fail") {
			continue
		}
		if one.err = work(ctx, []engine.Envelope{one.event}); one.err == nil {
			inARow = 0
		} else {
			inARow++
		}
	}
}

// errNotHandled is what is left with an event whose leader panicked.
var errNotHandled = &engine.Error{Op: "handle", Kind: engine.Unavailable, Text: "another event that shared the transaction broke it"}

// take takes the first out of the line, as many as one transaction has room for beside the leader's.
func (s *sharing) take() []*sharer {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.waiting), shareMost-1)
	taken := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	return taken
}

// pass tells the others that they are done, and the next in line that it leads.
func (s *sharing) pass(others []*sharer) {
	for _, one := range others {
		one.turn <- false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.leaders--
		return
	}
	s.waiting[0].turn <- true
	s.waiting = s.waiting[1:]
}
