package pipeline

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/engine/store"
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
