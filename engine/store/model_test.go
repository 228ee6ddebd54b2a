package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/store"
)

// machine is the record with a stream and a mailbox that are allowed everything a real one does: lose, copy, turn round. Beside it stands the
// reference: which events were written, and nothing else. Whatever happens in between, each has its effect once in the end.
type machine struct {
	store  *store.Store
	clock  time.Time
	wrote  []engine.Envelope
	stream []engine.Envelope // what is on the way; any of it may be lost, doubled or come late
	hand   []store.Pending   // published and not yet marked: a crash loses this
	posted map[string]int    // what the other side got, by effect
	known  map[string]bool   // what the other side's tracking knows
}

func newMachine(t *rapid.T, dir string) *machine {
	m := &machine{clock: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), posted: map[string]int{}, known: map[string]bool{}}
	records.Lay(t, filepath.Join(dir, "record.db"))
	m.open(t, dir)
	return m
}

func (m *machine) open(t *rapid.T, dir string) {
	cfg := store.Default()
	cfg.Path = filepath.Join(dir, "record.db")
	var err error
	m.store, err = store.Open(ctx, cfg, func() time.Time { return m.clock })
	m.check(t, err)
}

func (m *machine) check(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// write adds a message's event to the record and to the reference.
func (m *machine) write(t *rapid.T) {
	n := len(m.wrote)
	raw := engine.Message{ID: engine.MessageID(fmt.Sprint("M", n)), Source: "mesh/OURS/LA", Upstream: fmt.Sprint(n), Body: []byte("x"), Received: m.clock}
	_, err := m.store.Intake(ctx, raw)
	m.check(t, err)
	a, err := m.store.Arrival(ctx, raw.ID)
	m.check(t, err)
	m.wrote = append(m.wrote, engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: raw.Source, Message: raw.ID, Received: a.Message.Received}))
}

// publish puts what is due on the stream, in part when the line breaks, and keeps the marks for later.
func (m *machine) publish(t *rapid.T) {
	due, err := m.store.Due(ctx, engine.KindMessage, rapid.IntRange(1, 4).Draw(t, "batch"), 6)
	m.check(t, err)
	for _, p := range due {
		e, err := engine.DecodeEnvelope(p.Body)
		m.check(t, err)
		if rapid.IntRange(0, 3).Draw(t, "arrives") > 0 {
			m.stream = append(m.stream, e)
		}
		m.hand = append(m.hand, p)
	}
}

func (m *machine) mark(t *rapid.T) {
	m.check(t, m.store.MarkPublished(ctx, m.hand))
	m.hand = nil
}

// handle takes any entry of the stream, may leave it there as a copy, and gives one of the verdicts.
func (m *machine) handle(t *rapid.T) {
	if len(m.stream) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.stream)-1).Draw(t, "entry")
	e := m.stream[i]
	if rapid.IntRange(0, 2).Draw(t, "copy") > 0 {
		m.stream = slices.Delete(m.stream, i, i+1)
	}
	if rapid.IntRange(0, 4).Draw(t, "later") == 0 {
		m.check(t, m.store.Postpone(ctx, e, m.clock.Add(time.Minute), "later"))
		return
	}
	m.apply(t, e)
}

// apply is a handler: outcome and effect in one transaction.
func (m *machine) apply(t *rapid.T, e engine.Envelope) {
	m.check(t, m.store.Write(ctx, func(tx *store.Tx) error {
		first, err := tx.Resolve(e)
		if err != nil || !first {
			return err
		}
		return tx.PlanEffect(store.Effect{ID: string(e.ID), Kind: store.Acknowledgement, Authority: "999", Body: []byte(e.ID), Due: tx.Now()})
	}))
}

// send delivers what the ledger has due as the courier does: looked up when it was attempted before. The process may die at any step.
func (m *machine) send(t *rapid.T, sure bool) {
	due, err := m.store.DueEffects(ctx, 3)
	m.check(t, err)
	courier, err := m.store.Lease(ctx, "courier", "model", time.Hour)
	m.check(t, err)
	for _, e := range due {
		dies := func(where string) bool { return !sure && rapid.IntRange(0, 3).Draw(t, where) == 0 }
		if e.State == store.Attempted && m.known[e.ID] {
			m.check(t, m.store.MarkSent(ctx, e.ID, "R"))
			continue
		}
		claimed, err := m.store.MarkAttempted(ctx, e, courier)
		if m.check(t, err); !claimed {
			t.Fatalf("the only courier cannot claim an effect")
		}
		if dies("before the send") {
			return
		}
		m.posted[e.ID]++
		m.known[e.ID] = true
		if dies("after the send") {
			return
		}
		m.check(t, m.store.MarkSent(ctx, e.ID, "R"))
	}
}

func (m *machine) reconcile(t *rapid.T) {
	_, err := m.store.Reconcile(ctx, m.clock.Add(-time.Minute))
	m.check(t, err)
}

// crash loses what was in memory, and sometimes the stream with it.
func (m *machine) crash(t *rapid.T, dir string) {
	if rapid.IntRange(0, 2).Draw(t, "crashes") > 0 {
		return // opening takes a while
	}
	m.check(t, m.store.Close())
	m.hand = nil
	if rapid.Bool().Draw(t, "wipe") {
		m.stream = nil
	}
	m.open(t, dir)
}

// drain runs everything in good order until nothing is left to do.
func (m *machine) drain(t *rapid.T) {
	for range 3 {
		m.clock = m.clock.Add(10 * time.Minute)
		m.reconcile(t)
		for {
			due, err := m.store.Due(ctx, engine.KindMessage, 100, 1000)
			m.check(t, err)
			if len(due) == 0 {
				break
			}
			m.check(t, m.store.MarkPublished(ctx, due))
			for _, p := range due {
				e, err := engine.DecodeEnvelope(p.Body)
				m.check(t, err)
				m.apply(t, e)
			}
		}
		for range len(m.wrote) {
			m.send(t, true)
		}
	}
}

// Any interleaving of publish, lose, copy, crash before the mark, verdict, reconcile, and sends that die at any step ends with each effect once.
func TestEachEffectOnceWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := tempDir(t)
		m := newMachine(t, dir)
		defer func() { _ = m.store.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"write":     m.write,
			"publish":   m.publish,
			"mark":      m.mark,
			"handle":    m.handle,
			"send":      func(t *rapid.T) { m.send(t, false) },
			"reconcile": m.reconcile,
			"time": func(t *rapid.T) {
				m.clock = m.clock.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second)
			},
			"crash": func(t *rapid.T) { m.crash(t, dir) },
			"": func(t *rapid.T) {
				for id, n := range m.posted {
					if n > 1 {
						t.Fatalf("an effect happened %d times: %.8s", n, id)
					}
				}
			},
		})
		m.drain(t)
		for _, e := range m.wrote {
			if n := m.posted[string(e.ID)]; n != 1 {
				t.Fatalf("an event had its effect %d times", n)
			}
		}
		if len(m.posted) != len(m.wrote) {
			t.Fatalf("%d effects of %d events", len(m.posted), len(m.wrote))
		}
	})
}

// tempDir is a folder of one try: rapid makes many in one test.
func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "signalbox-model")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
