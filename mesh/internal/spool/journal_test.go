package spool

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// After a failed write nothing more is promised, not even what would succeed.
func TestFailureSticks(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100)
	create(t, s, "M1", 1, "one")
	good := s.log.file
	_ = good.Close() // the disk goes away
	if err := s.Create(Meta{ID: "M2", To: "B", Total: 1}, noon, stage(t, s, "M2", 1, "two")); err == nil {
		t.Fatal("a message was taken without a journal")
	}
	if _, ok := s.Get("M2"); ok || s.Count("B") != 1 {
		t.Error("what was refused is visible")
	}
	first := s.Acknowledge("M1", noon)
	second := s.Acknowledge("M1", noon)
	if first == nil || !errors.Is(second, s.log.err) || s.Count("B") != 1 {
		t.Errorf("%v, then %v, with %d waiting", first, second, s.Count("B"))
	}
	_ = s.Close()
	if s = open(t, dir, 100); s.Count("B") != 1 || read(t, s, "M1", 1) != "one" {
		t.Error("what was promised is lost")
	}
}

func TestFrameBounds(t *testing.T) {
	s := open(t, t.TempDir(), 100)
	for name, err := range map[string]error{
		"JSON": s.log.append(make([]byte, maxFrameJSON+1), nil, false, func(int64) {}),
		"blob": s.log.append(nil, make([]byte, maxFrameBlob+1), false, func(int64) {}),
	} {
		if err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever waits for the same flush shares it: the applies run in the order of the file, each with the place of its own blob.
func TestBatchesKeepOrderAndPlace(t *testing.T) {
	s := open(t, t.TempDir(), 100)
	var mu sync.Mutex
	var places []int64
	blobs := map[int64]string{}
	s.log.flush.Lock() // hold the first flush back until all have come
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			blob := strings.Repeat(string(rune('a'+i)), 5)
			err := s.log.append([]byte("{}"), []byte(blob), false, func(at int64) {
				mu.Lock()
				defer mu.Unlock()
				places = append(places, at)
				blobs[at] = blob
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	s.log.flush.Unlock()
	wg.Wait()
	for i, at := range places {
		if i > 0 && at <= places[i-1] {
			t.Errorf("apply %d has place %d after %d", i, at, places[i-1])
		}
		got := make([]byte, 5)
		if _, err := s.log.file.ReadAt(got, at); err != nil || string(got) != blobs[at] {
			t.Errorf("at %d lies %q, want %q", at, got, blobs[at])
		}
	}
	if len(places) != 10 {
		t.Errorf("%d applies", len(places))
	}
}

// What is done before changes is done once for those that are written together; when it fails they fail, and later ones need not.
func TestBeforeChanges(t *testing.T) {
	broken := errors.New("broken")
	var fails error
	calls := 0
	s, err := Open(t.TempDir(), Options{Inline: 100, Before: func() error { calls++; return fails }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	create(t, s, "M1", 1, "one")
	create(t, s, "M2", 1, "two")
	if calls != 2 {
		t.Errorf("called %d times for two changes, one after the other", calls)
	}
	fails = broken
	if err := s.Acknowledge("M1", noon); !errors.Is(err, broken) || s.Count("B") != 2 {
		t.Errorf("%v, with %d waiting", err, s.Count("B"))
	}
	fails, calls = nil, 0
	s.log.flush.Lock() // a flush takes its time, and others come meanwhile
	var group sync.WaitGroup
	for _, id := range []string{"M1", "M2"} {
		group.Go(func() {
			if err := s.Acknowledge(id, noon); err != nil {
				t.Error(err)
			}
		})
	}
	for joined := 0; joined < 2; {
		runtime.Gosched()
		s.log.mu.Lock()
		if s.log.open != nil {
			joined = len(s.log.open.applys)
		}
		s.log.mu.Unlock()
	}
	s.log.flush.Unlock()
	group.Wait()
	if calls != 1 || s.Count("B") != 0 {
		t.Errorf("called %d times for two changes that were written together, with %d waiting", calls, s.Count("B"))
	}
}
