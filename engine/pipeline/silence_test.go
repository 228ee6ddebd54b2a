package pipeline_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"signalbox/engine/pipeline"
	"signalbox/engine/silence"
)

// ear is an observer that keeps what it was told of silence.
type ear struct {
	pipeline.Unobserved
	mu     sync.Mutex
	states map[silence.Kind]silence.State
	ended  bool
}

// Silence keeps the states.
func (e *ear) Silence(reports []silence.Report, _ time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended, e.states = reports == nil, map[silence.Kind]silence.State{}
	for _, r := range reports {
		e.states[r.Kind] = r.State
	}
}

func (e *ear) of(k silence.Kind) silence.State { e.mu.Lock(); defer e.mu.Unlock(); return e.states[k] }

func listening(t *testing.T, e *ear) func(*bench) {
	return func(b *bench) {
		cfg, err := silence.Default()
		must(t, err)
		cfg.Unlearnt, cfg.Poll = 20*time.Minute, 5*time.Minute
		b.watch, b.ears, b.cfg.Poll, b.cfg.Idle = &cfg, e, time.Minute, 15*time.Second
	}
}

// An authority falls silent and is heard again: each is logged once, and the observer is told in every round. The bubble's year is not in the
// calendar, which is logged once and loudly.
func TestASilentAuthorityIsToldOfOnce(t *testing.T) {
	e := &ear{}
	inBubble(t, listening(t, e), func(t *testing.T, b *bench) {
		time.Sleep(2 * time.Minute)
		if got := e.of(silence.File); got != silence.Never {
			t.Errorf("before the first file: %q", got)
		}
		b.upload(t, line(child, 1))
		time.Sleep(5 * time.Minute)
		if got := e.of(silence.File); got != silence.Learning || b.said.count("a sender is silent") != 0 {
			t.Errorf("after the first file: %q", got)
		}
		time.Sleep(30 * time.Minute)
		if got := e.of(silence.File); got != silence.Silent || b.said.count("a sender is silent") != 1 || b.said.count("kind=file sender=999") != 1 {
			t.Errorf("after half an hour: %q, logged %d times", got, b.said.count("a sender is silent"))
		}
		b.upload(t, line(child, 2))
		time.Sleep(3 * time.Minute)
		if got := e.of(silence.File); got != silence.Learning {
			t.Errorf("after the second file: %q", got)
		}
		if n := b.said.count("bank holidays does not cover"); n != 1 {
			t.Errorf("that the calendar does not cover the year is logged %d times", n)
		}
	})
	if !e.ended {
		t.Error("the observer is not told that nobody looks any more")
	}
}

// Our own mailbox is not listed any more, while the engine runs.
func TestAMailboxThatIsNotPolledIsNoticed(t *testing.T) {
	e, away := &ear{}, &outage{}
	inBubble(t, func(b *bench) { listening(t, e)(b); b.box.list = away.listed }, func(t *testing.T, b *bench) {
		time.Sleep(3 * time.Minute)
		if got := e.of(silence.Poll); got != silence.Heard {
			t.Errorf("while it is polled: %q", got)
		}
		away.set(true)
		time.Sleep(40 * time.Minute)
		if got := e.of(silence.Poll); got != silence.Silent || b.said.count("kind=poll sender="+ours) != 1 {
			t.Errorf("while MESH is away: %q", got)
		}
		away.set(false)
		time.Sleep(5 * time.Minute)
		if got := e.of(silence.Poll); got != silence.Heard {
			t.Errorf("after MESH is back: %q", got)
		}
		polled, err := b.store.Polled(context.Background())
		if err != nil || b.now().Sub(polled[ours]) > 5*time.Minute {
			t.Errorf("polled %v, %v", polled, err)
		}
	})
}

// outage lets listings fail.
type outage struct {
	mu   sync.Mutex
	away bool
}

func (o *outage) set(away bool) { o.mu.Lock(); o.away = away; o.mu.Unlock() }

func (o *outage) listed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		return errors.New("MESH is away")
	}
	return nil
}
