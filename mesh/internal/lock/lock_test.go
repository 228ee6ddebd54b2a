package lock

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestOneHolderAtATime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := Take(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(name); !errors.Is(err, ErrHeld) {
		t.Errorf("a second holder: %v", err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := Take(name)
	if err != nil {
		t.Fatalf("after it was given back: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}

// The name of the file may be an application's and is in no error.
func TestErrorsNameNoFile(t *testing.T) {
	_, err := Take(filepath.Join(t.TempDir(), "ann-smith", "lock"))
	if !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "ann-smith") {
		t.Errorf("%v", err)
	}
}

// Whoever removes a file while others try for its lock leaves none of them with the lock of a file that is gone.
func TestRemovedFileKeepsNobodyOut(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	var inside, most atomic.Int32
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				l, err := Take(name)
				if errors.Is(err, ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				inside.Add(-1)
				if err := l.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if most.Load() != 1 {
		t.Errorf("%d held the lock at once", most.Load())
	}
}
