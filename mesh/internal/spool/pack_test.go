package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// stepwise writes a journal anew in steps, so that changes come between them.
type stepwise struct {
	t *rapid.T
	s *Spool
	p *packer
}

func (w *stepwise) step() {
	switch rapid.SampledFrom([]string{"nothing", "nothing", "all", "begin", "some", "some", "finish"}).Draw(w.t, "packing") {
	case "all":
		if w.p == nil {
			w.must(w.s.pack())
		}
	case "begin":
		w.begin()
	case "some":
		w.some(rapid.IntRange(1, 3).Draw(w.t, "messages"))
	case "finish":
		w.end()
	}
}

func (w *stepwise) begin() {
	if w.p != nil {
		return
	}
	var err error
	w.p, err = w.s.beginPacking(filepath.Join(w.s.root, compacted))
	w.must(err)
	_, err = w.p.emit(record{Op: "mark", State: &w.p.mark}, nil)
	w.must(err)
}

func (w *stepwise) some(n int) {
	if w.p != nil {
		_, err := w.p.some(n)
		w.must(err)
	}
}

// end does what is left, if something was begun.
func (w *stepwise) end() {
	if w.p == nil {
		return
	}
	w.some(len(w.p.entries))
	w.must(w.s.swap(w.p))
	w.s.endPacking()
	w.p = nil
}

func (w *stepwise) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// Changes go on while the journal is written anew, over and over, and none is lost.
func TestPackingUnderChanges(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 100)
	const hands, each = 4, 60
	stop := make(chan struct{})
	var packs sync.WaitGroup
	packs.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.pack(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var group sync.WaitGroup
	for hand := range hands {
		group.Go(func() {
			for i := range each {
				id := fmt.Sprintf("H%dN%d", hand, i)
				create(t, s, id, 1, "body of "+id)
				if got := read(t, s, id, 1); got != "body of "+id {
					t.Errorf("%s reads %q", id, got)
				}
				if i%2 == 0 {
					if err := s.Acknowledge(id, noon); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	close(stop)
	packs.Wait()
	for range 2 {
		if n := s.Count("B"); n != hands*each/2 {
			t.Errorf("%d wait, want %d", n, hands*each/2)
		}
		for _, m := range s.Inbox("B") {
			if got := read(t, s, m.ID, 1); got != "body of "+m.ID {
				t.Errorf("%s reads %q", m.ID, got)
			}
		}
		_ = s.Close()
		s = open(t, dir, 100)
	}
}

// Nobody waits for Tidy, and Close does not leave it behind.
func TestTidy(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, maxFrameBlob)
	waste(t, s)
	if err := s.Tidy(); err != nil {
		t.Fatal(err)
	}
	create(t, s, "NEXT", 1, "while it goes on or after it")
	_ = s.Close()
	if err := s.Tidy(); s.Wasteful() && !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	s = open(t, dir, maxFrameBlob)
	if info, err := os.Stat(filepath.Join(dir, "journal")); err != nil || info.Size() > compactAt {
		t.Errorf("%v bytes are left, %v", info.Size(), err)
	}
	if read(t, s, "NEXT", 1) != "while it goes on or after it" {
		t.Error("a message of meanwhile is not what it was")
	}
}

// A journal that cannot be written anew stays as it is, says so once, and does not try again at every turn.
func TestTidyFails(t *testing.T) {
	s := open(t, t.TempDir(), maxFrameBlob)
	waste(t, s)
	if err := os.Mkdir(filepath.Join(s.root, compacted), 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	if err := s.Tidy(); err != nil {
		t.Fatal(err)
	}
	s.tidying.Wait()
	if s.Wasteful() {
		t.Error("it would be tried again at once")
	}
	if err := s.Tidy(); err == nil || !strings.Contains(err.Error(), "compact") {
		t.Errorf("the failure is told as %v", err)
	}
	if err := s.Tidy(); err != nil {
		t.Errorf("it is told twice: %v", err)
	}
	create(t, s, "NEXT", 1, "goes on")
	if read(t, s, "NEXT", 1) != "goes on" {
		t.Error("the journal does not go on")
	}
}

// waste lets a spool come so far that Compact has something to do.
func waste(t *testing.T, s *Spool) {
	t.Helper()
	body := strings.Repeat("body ", 100_000)
	for i := 0; !s.Wasteful(); i++ {
		id := fmt.Sprint("WASTE", i)
		create(t, s, id, 1, body)
		if err := s.Acknowledge(id, noon); err != nil {
			t.Fatal(err)
		}
	}
}
