package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/engine"
)

func numbered(n int) engine.Envelope { return engine.Envelope{ID: engine.EventID(fmt.Sprint(n))} }

// Handlers that run beside each other share transactions, a few at a time; each has the outcome of its own event.
func TestHandlersShareATransactionAndNotItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 2000
		bad := []engine.EventID{"7", "8", "500", "1999"} // fewer in a row than count as the record's fault
		var s sharing
		var mu sync.Mutex
		handled, calls, now, most := map[engine.EventID]int{}, 0, 0, 0
		work := func(_ context.Context, list []engine.Envelope) error {
			mu.Lock()
			calls++
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			now--
			if len(list) > shareMost {
				t.Errorf("%d events in one transaction", len(list))
			}
			for _, e := range list {
				if slices.Contains(bad, e.ID) {
					return errors.New("spoilt")
				}
			}
			for _, e := range list {
				handled[e.ID]++
			}
			return nil
		}
		var all sync.WaitGroup
		for n := range events {
			all.Go(func() {
				e := numbered(n)
				if err := s.do(t.Context(), e, work); (err != nil) != slices.Contains(bad, e.ID) {
					t.Errorf("event %s: %v", e.ID, err)
				}
			})
		}
		all.Wait()
		if len(handled) != events-len(bad) || most > shareLeaders || s.leaders != 0 || len(s.waiting) != 0 {
			t.Errorf("%d events handled, %d transactions at once, %d leaders and %d waiting are left", len(handled), most, s.leaders, len(s.waiting))
		}
		for id, n := range handled {
			if n != 1 {
				t.Errorf("event %s was handled %d times", id, n)
			}
		}
	})
}

// A record that is away fails every event; it is not asked for each by itself.
func TestRecordThatIsAwayIsNotAskedForEachEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing
		var mu sync.Mutex
		calls, away := 0, errors.New("away")
		var all sync.WaitGroup
		for n := range 400 {
			all.Go(func() {
				err := s.do(t.Context(), numbered(n), func(context.Context, []engine.Envelope) error {
					mu.Lock()
					calls++
					mu.Unlock()
					time.Sleep(time.Second)
					return away
				})
				if !errors.Is(err, away) {
					t.Errorf("event %d: %v", n, err)
				}
			})
		}
		all.Wait()
		if calls > 3*(1+shareFailures) {
			t.Errorf("the record was asked %d times for 400 events", calls)
		}
	})
}

// A panic is the leader's; those beside it come back later.
func TestPanicOfOneLeavesTheOthersTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing
		var all sync.WaitGroup
		var mu sync.Mutex
		panics, later := 0, 0
		for n := range 50 {
			all.Go(func() {
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					if recover() != nil {
						panics++
					}
				}()
				err := s.do(t.Context(), numbered(n), func(context.Context, []engine.Envelope) error {
					time.Sleep(time.Millisecond)
					panic("no")
				})
				mu.Lock()
				defer mu.Unlock()
				if engine.KindOf(err) == engine.Unavailable {
					later++
				}
			})
		}
		all.Wait()
		if panics == 0 || panics+later != 50 || s.leaders != 0 {
			t.Errorf("%d panicked, %d come back later, %d leaders are left", panics, later, s.leaders)
		}
	})
}
