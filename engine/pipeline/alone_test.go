package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/engine/store"
	"signalbox/mesh"
)

func TestRetryWaitsDoubleUpToTheCapWithJitter(t *testing.T) {
	r := Retry{Base: time.Second, Max: time.Minute, Jitter: 0.5, Attempts: 20}
	for attempts, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 6: time.Minute, 1000: time.Minute} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := r.wait(attempts)
			if d > want || d < want/2 {
				t.Errorf("after %d attempts: %v, want %v to %v", attempts, d, want/2, want)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d attempts: only %d different waits of 50", attempts, len(seen))
		}
	}
	r.Jitter = 0
	if r.wait(3) != 8*time.Second {
		t.Error("without jitter the wait is not exact")
	}
}

// A task works only while its lease stands, its context ends with the lease, and it starts again once the lease is back.
func TestTaskEndsWithItsLease(t *testing.T) {
	cfg := store.Default()
	cfg.Path = filepath.Join(t.TempDir(), "record.db")
	s, err := store.Open(context.Background(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Pipeline{Rooms: Rooms{Store: s, Owner: "one", Now: time.Now, Log: slog.New(slog.DiscardHandler)}, cfg: Default()}
	p.cfg.Lease = 60 * time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	var working, most atomic.Int32
	started := make(chan store.Lease, 100)
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.alone(ctx, "work", func(ctx context.Context, l store.Lease) {
			if n := working.Add(1); n > most.Load() {
				most.Store(n)
			}
			started <- l
			<-ctx.Done()
			working.Add(-1)
		})
	}()
	first := <-started
	// Another takes it, as may happen to a process that was frozen: the holder finds out when it renews.
	if _, err := s.Lease(ctx, "work", "two", time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if second := <-started; second.Fence <= first.Fence+1 {
		t.Errorf("the fence went from %d to %d with another holder in between", first.Fence, second.Fence)
	}
	stop()
	<-over
	if working.Load() != 0 || most.Load() != 1 {
		t.Errorf("%d are at work after the end, %d were at once", working.Load(), most.Load())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A process that was frozen between the claim of an effect and its sending thaws when its lease is over. Its context may not have ended yet,
// since that takes a timer; the message must not go out all the same, and is not given up either.
func TestAThawedOwnerSendsNothing(t *testing.T) {
	b := &box{
		send: func(_ int, m mesh.Outgoing) (string, error) {
			if err := m.Proceed(); err != nil {
				return "", &mesh.Error{Op: "send", Kind: mesh.ErrInvalid, Err: err}
			}
			return "MESH1", nil
		},
		track: func(string) (mesh.Tracking, error) {
			return mesh.Tracking{}, &mesh.Error{Op: "track", Kind: mesh.ErrNotFound}
		},
	}
	p := start(t, b)
	ctx := t.Context()
	must(t, p.Store.Write(ctx, func(tx *store.Tx) error { // due later, so that the pipeline's own courier leaves it alone
		return tx.PlanEffect(store.Effect{ID: "effect-1", Kind: store.Acknowledgement, Authority: "999", Body: []byte("x"), Due: time.Now().Add(time.Hour)})
	}))
	e := store.Effect{ID: "effect-1", Kind: store.Acknowledgement, Authority: "999", Body: []byte("x"), State: store.Planned}
	lease, err := p.Store.Lease(ctx, "courier of the test", "one", time.Minute)
	must(t, err)

	var until deadline
	until.set(lease.Until)
	within := context.WithValue(ctx, deadlineKey{}, &until)
	must(t, stands(within))
	until.set(time.Now().Add(-time.Millisecond))
	route, _ := p.Routes.responsible("999")
	if err := p.letter(within, e, route, nil).Proceed(); !errors.Is(err, errLeaseOver) {
		t.Errorf("a body is sent on after the lease: %v", err)
	}
	if err := p.deliver(within, e, lease); err != nil && !errors.Is(err, errLeaseOver) {
		t.Error(err)
	}
	if sends, _ := b.counts(); sends != 0 {
		t.Errorf("%d messages were sent after the lease", sends)
	}
	if n := p.states(t); n[store.Attempted] != 1 {
		t.Errorf("the effect is not left to the next owner: %v", n)
	}
	// Frozen a moment later, when the sending has begun.
	until.set(time.Now().Add(time.Hour))
	b.send = func(int, mesh.Outgoing) (string, error) {
		return "", &mesh.Error{Op: "send", Kind: mesh.ErrInvalid, Err: errLeaseOver}
	}
	e.State, e.Attempts = store.Attempted, 1
	if err := p.deliver(within, e, lease); !errors.Is(err, errLeaseOver) {
		t.Errorf("what stopped the message is not told: %v", err)
	}
	if n := p.states(t); n[store.Attempted] != 1 {
		t.Errorf("the effect is not left to the next owner: %v", n)
	}
}
