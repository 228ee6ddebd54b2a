//go:build unix

package faults

import (
	"sync"
	"testing"
	"time"
)

// traffic feeds the world: files from both authorities, and looks and messages from the trust, beside each other.
type traffic struct {
	w       *world
	spoiled int // one record in so many fails its check; 0: none
	asks    chan *child
	asking  sync.WaitGroup
	sent    int
}

// perFile is how many records a file holds.
const perFile = 50

func (w *world) traffic(t testing.TB) *traffic {
	f := &traffic{w: w, asks: make(chan *child, 1<<20)}
	for range 4 {
		f.asking.Go(func() {
			for k := range f.asks {
				w.checker.look(t, w.trust, k)
			}
		})
	}
	return f
}

// feed sends so many records and hands the trust the children whose flags stand by now. It waits for no effect.
func (f *traffic) feed(t testing.TB, records int) {
	t.Helper()
	for ; records > 0; records -= perFile {
		a := f.w.las[f.sent%2]
		f.sent++
		u := f.w.checker.plan(f.w, a.index, min(records, perFile), f.spoiled)
		a.send(t, u)
		f.w.checker.mu.Lock()
		u.sent = time.Now()
		f.w.checker.mu.Unlock()
	}
	for _, k := range f.w.checker.waiting() {
		f.asks <- k
	}
}

// keepUp waits until at most so many files have no acknowledgement: a row that strikes for long must not drown the engine.
func (f *traffic) keepUp(t testing.TB, files int) {
	t.Helper()
	f.w.await(t, "files to be acknowledged", func() bool { acks, _, _ := f.w.checker.open(); return acks <= files })
}

// finish waits until everything has arrived, gives late copies a chance to arrive too, looks at every child, and prints and checks the tally.
func (f *traffic) finish(t testing.TB) tally {
	t.Helper()
	w := f.w
	f.keepUp(t, 0)
	for _, k := range w.checker.waiting() {
		f.asks <- k
	}
	close(f.asks)
	f.asking.Wait()
	w.await(t, "every access to be told", func() bool { _, notices, _ := w.checker.open(); return notices == 0 })
	w.await(t, "our mailbox to be empty", func() bool { return len(w.server.Inbox(ourMailbox)) == 0 })
	time.Sleep(4 * time.Second) // longer than the reconciler and the windows of a run: a second copy would arrive now
	r := w.checker.judge(w.flags(t))
	t.Logf("%s: %s", t.Name(), r)
	if r.lost+r.duplicate+r.outOfOrder > 0 || r.visible != r.acked || len(r.notes) > 0 {
		for _, n := range r.notes {
			t.Error(n)
		}
		t.Errorf("the engine's last troubles:\n%s", w.log.troubles())
	}
	return r
}

// await waits for something from outside. It gives up when nothing has arrived for long, and judges what there is.
func (w *world) await(t testing.TB, what string, done func() bool) {
	t.Helper()
	begun := time.Now()
	for !done() {
		acks, notices, news := w.checker.open()
		if time.Since(news) > patience/2 && time.Since(begun) > patience/2 {
			r := w.checker.judge(w.flags(t))
			t.Fatalf("waited too long for %s: %d files and %d accesses are open; %s\n%v\nthe engine's last troubles:\n%s", what, acks, notices, r, r.notes, w.log.troubles())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// flags asks about every child that was ever sent, as a scheduled look that nobody is told of.
func (w *world) flags(t testing.TB) map[*child][]seen {
	t.Helper()
	w.checker.mu.Lock()
	children := w.checker.children
	w.checker.mu.Unlock()
	all := make([][]seen, len(children))
	var looking sync.WaitGroup
	const callers = 16
	for c := range callers {
		looking.Go(func() {
			for i := c; i < len(children) && !t.Failed(); i += callers {
				all[i] = w.trust.look(t, children[i].number, false)
			}
		})
	}
	looking.Wait()
	out := map[*child][]seen{}
	for i, k := range children {
		out[k] = all[i]
	}
	return out
}
