package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// An event whose handler keeps asking for another try gets its tries on the schedule, waits longer each time up to the bound, and then waits
// for a person with its last reason.
func TestRetriesFollowTheirScheduleAndEndInQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := store.Default()
		cfg.Path = filepath.Join(t.TempDir(), "record.db")
		s, err := store.Open(context.Background(), cfg, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		rhythm := Default()
		rhythm.Retry = Retry{Base: time.Second, Max: time.Minute, Attempts: 10}
		p := &Pipeline{cfg: rhythm, Rooms: Rooms{Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler), Observer: Unobserved{}}}
		m := engine.Message{ID: "M1", Source: "mesh/OURS/LA", Upstream: "1", Body: []byte("x"), Received: time.Now()}
		if _, err := s.Intake(context.Background(), m); err != nil {
			t.Fatal(err)
		}
		waits := tries(t, p, 50)
		want := p.cfg.Retry
		if len(waits) != want.Attempts {
			t.Fatalf("%d tries, want %d and then quarantine", len(waits), want.Attempts)
		}
		for i, d := range waits[1:] {
			if from := want.wait(i); d < from || d > from+2*time.Second {
				t.Errorf("try %d comes after %v, want %v", i+2, d, from)
			}
		}
		b, err := s.Backlog(context.Background())
		if err != nil || b.Quarantined != 1 {
			t.Errorf("backlog: %+v, %v", b, err)
		}
	})
}

// tries plays relay and handler for as long as the event comes back, at most so often, and returns how long each try waited for.
func tries(t *testing.T, p *Pipeline, most int) []time.Duration {
	t.Helper()
	ctx := context.Background()
	var waits []time.Duration
	last := time.Now()
	for idle := 0; idle < 90 && len(waits) < most; idle++ {
		due, err := p.Store.Due(ctx, engine.KindMessage, 10, 10)
		if err == nil && len(due) == 1 {
			var e engine.Envelope
			if e, err = engine.DecodeEnvelope(due[0].Body); err == nil {
				err = p.Store.MarkPublished(ctx, due)
			}
			v := engine.Later(time.Time{}, errors.New("away"))
			p.act(ctx, e, due[0].Attempts, v, func(error) {})
			waits, last, idle = append(waits, time.Since(last)), time.Now(), 0
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	return waits
}
