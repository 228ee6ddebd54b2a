package store_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/engine/store"
)

func testKeyIsTakenOnce(t *testing.T, p place) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	later := func(by time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(by)
	}
	s := p.openAt(t, clock)
	stores := []*store.Store{s}
	if s.Shared() {
		stores = append(stores, p.openAt(t, clock)) // another process
	}
	take := func(s *store.Store, key string, want bool) {
		t.Helper()
		fresh, err := s.TakeOnce(ctx, key, clock().Add(10*time.Minute))
		must(t, err)
		if fresh != want {
			t.Errorf("%s: fresh %v", key, fresh)
		}
	}
	take(s, "a", true)
	for _, one := range stores {
		take(one, "a", false)
	}
	take(stores[len(stores)-1], "b", true)
	take(s, "b", false)

	var wg sync.WaitGroup
	won := make([]atomic.Int32, 20)
	for k := range won {
		for i := range 8 {
			wg.Go(func() {
				fresh, err := stores[i%len(stores)].TakeOnce(ctx, "many-"+strconv.Itoa(k), clock().Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				if fresh {
					won[k].Add(1)
				}
			})
		}
	}
	wg.Wait()
	for k := range won {
		if n := won[k].Load(); n != 1 {
			t.Errorf("key %d was taken %d times", k, n)
		}
	}

	later(9 * time.Minute)
	take(s, "a", false)
	later(2 * time.Minute) // its time has passed
	take(s, "a", true)
	take(s, "a", false)
	left, err := s.TakenKeys(ctx)
	must(t, err)
	if left != 1 {
		t.Errorf("%d keys are remembered, of which one counts", left)
	}
}

func testTakenKeySurvivesReopening(t *testing.T, p place) {
	s := p.open(t)
	fresh, err := s.TakeOnce(ctx, "a", time.Now().Add(time.Hour))
	must(t, err)
	must(t, s.Close())
	again, err := p.open(t).TakeOnce(ctx, "a", time.Now().Add(time.Hour))
	must(t, err)
	if !fresh || again {
		t.Errorf("fresh %v, then %v", fresh, again)
	}
	if _, err := s.TakeOnce(ctx, "b", time.Now().Add(time.Hour)); err == nil {
		t.Error("a closed record takes keys")
	}
}
