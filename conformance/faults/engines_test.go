//go:build unix

package faults

import (
	"syscall"
	"testing"
	"time"

	"signalbox/engine/stream/redistest"
)

// Several engines share one PostgreSQL, one Redis and one consumer group. Any of them is killed while all work, and comes back. Two events of
// one child are then with two engines at once, and what a dead one held comes after younger ones: the register must not care.
func TestSeveralEngines(t *testing.T) {
	w := newWorld(t, setup{redis: redistest.Durable(), postgres: true, engines: []string{"", "", ""}})
	f := w.traffic(t)
	for range (figure{4, 200}).size(t) {
		at := w.rng.IntN(len(w.seats))
		w.face(w.seats[(at+1)%len(w.seats)])
		f.feed(t, 500)
		time.Sleep(between(w.rng, 0, 300*time.Millisecond))
		w.checker.hurt()
		w.seats[at].engine.kill()
		f.feed(t, 200)
		w.seat(t, w.seats[at])
		f.keepUp(t, 20)
	}
	f.finish(t)
}

// One of two engines is frozen past every deadline there is: its leases, the time after which its events are claimed, a read that blocks, the
// reconciler, and the publish timeout. The other takes over; then the frozen one thaws in the middle of whatever it was doing.
func TestFrozenOwner(t *testing.T) {
	t.Parallel() // it sleeps most of the time
	w := newWorld(t, setup{redis: redistest.Durable(), postgres: true, engines: []string{"", ""}})
	f := w.traffic(t)
	for n := range (figure{2, 100}).size(t) {
		frozen, other := w.seats[n%2], w.seats[(n+1)%2] // the other of the last round holds the leases
		w.face(other)
		f.feed(t, 500)
		time.Sleep(between(w.rng, 0, 150*time.Millisecond))
		w.checker.hurt()
		frozen.engine.signal(syscall.SIGSTOP)
		begun := time.Now()
		f.feed(t, 500)
		f.keepUp(t, 0) // by the other alone
		time.Sleep(time.Until(begun.Add(max(lease, claim, 10*time.Second) + 2*time.Second)))
		f.feed(t, 200)
		frozen.engine.signal(syscall.SIGCONT)
		f.keepUp(t, 20)
	}
	f.finish(t)
}

// The owner of the leases dies, and its clock is wrong by two hours; whoever takes over is wrong by two hours the other way. What one has
// written down as due must be due for the other.
func TestLeaseOwnerDies(t *testing.T) {
	t.Parallel() // it sleeps most of the time
	w := newWorld(t, setup{redis: redistest.Durable(), postgres: true, engines: []string{"2", "-2"}})
	f := w.traffic(t)
	wrongBy(t, w.seats[0], 2*time.Hour)
	wrongBy(t, w.seats[1], -2*time.Hour)
	for n := range (figure{3, 100}).size(t) {
		owner, other := w.seats[n%2], w.seats[(n+1)%2] // whoever was left alone in the last round has the leases
		w.face(other)
		f.feed(t, 300)
		time.Sleep(between(w.rng, 0, 300*time.Millisecond))
		w.checker.hurt()
		owner.engine.kill()
		f.feed(t, 200)
		f.keepUp(t, 0) // by the other alone
		w.seat(t, owner)
		wrongBy(t, owner, []time.Duration{2 * time.Hour, -2 * time.Hour}[n%2])
	}
	f.finish(t)
}

// wrongBy asks whether the clock that the engine's record goes by, and corrects, really is wrong: with a right one the row would prove nothing.
func wrongBy(t testing.TB, s *seat, want time.Duration) {
	t.Helper()
	by, asked := s.engine.ahead.Load("store")
	if !asked {
		t.Fatal("the record of the engine, which is ready, has not asked for the time")
	}
	if off := (by.(time.Duration) - want).Abs(); off > 10*time.Minute { // a loaded machine reads a line late
		t.Fatalf("the engine's clock is wrong by %v, and not by %v", by, want)
	}
}
