package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Many events in one change have the same outcome as one after the other: each once, whatever copies stand beside it, and neither one that
// waits for a person nor a copy that a replay has overtaken.
func testManyAreResolvedAsOneByOne(t *testing.T, p place) {
	s := p.open(t)
	var all []engine.Envelope
	const files, records = 3, 300
	for f := range files {
		m := message(fmt.Sprint("M", f), "content")
		_, err := s.Intake(ctx, m)
		must(t, err)
		var made []engine.Translated
		for i := range records {
			e := flagOf(t, m, i+1)
			e.Origin.Mapping = "new"
			made, all = append(made, accepted(e)), append(all, e)
		}
		must(t, s.SaveTranslation(ctx, store.Translation{Wait: waiting(m), Mapping: "new", Records: slices.Values(made)}))
	}
	aside, overtaken := all[17], all[records+1]
	must(t, s.SetAside(ctx, aside, "poison"))
	old := overtaken
	old.Origin.Mapping = "old"
	must(t, s.Write(ctx, func(tx *store.Tx) error { return tx.Supersede(old) }))
	copies := slices.Concat(all, all, all)
	rand.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
	var first []engine.Envelope
	resolve := func() {
		must(t, s.Write(ctx, func(tx *store.Tx) (err error) {
			first, err = tx.ResolveAll(copies)
			return err
		}))
	}
	resolve()
	seen := map[engine.EventID]int{}
	for _, e := range first {
		seen[e.ID]++
	}
	if len(first) != len(all)-2 || len(seen) != len(first) || seen[aside.ID]+seen[overtaken.ID] != 0 {
		t.Errorf("%d of %d events have their outcome, %d of them different; in quarantine %d, overtaken %d", len(first), len(all), len(seen), seen[aside.ID], seen[overtaken.ID])
	}
	if resolve(); len(first) != 0 {
		t.Errorf("%d events have a second outcome", len(first))
	}
	if done := due(t, s, engine.KindFileDone); len(done) != files-2 {
		t.Errorf("%d files are done", len(done))
	}
}

// Many rows at once leave the register that they leave one by one, in any order, with many versions of one row among them.
func testManyRowsAreRaisedAsOneByOne(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "content")
	var rows []store.FlagRow
	const people, versions = 40, 7
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		for v := range versions {
			for la := range people {
				e := flagOf(t, m, v*people+la+1)
				if err := tx.AddFact(e); err != nil {
					return err
				}
				rows = append(rows, store.FlagRow{NHSNumber: number(t, "9990000018"), Authority: fmt.Sprint("LA", la), Plan: engine.ChildProtection,
					Version: fmt.Sprintf("%06d", v), Event: e.ID, Message: m.ID, Position: e.Origin.Position})
			}
		}
		return nil
	}))
	for len(rows) > 0 {
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		n := min(len(rows), people*versions/2)
		must(t, s.Write(ctx, func(tx *store.Tx) error { return tx.PutFlags(rows[:n]) }))
		rows = rows[n:]
	}
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		for la := range people {
			row, found, err := tx.FlagVersion(number(t, "9990000018"), fmt.Sprint("LA", la), engine.ChildProtection)
			if must(t, err); !found || row.Version != fmt.Sprintf("%06d", versions-1) || row.Position != (versions-1)*people+la+1 {
				t.Errorf("LA%d: %+v", la, row)
			}
		}
		return nil
	}))
}

// The window is not counted for each batch, and holds all the same when another process relays in between.
func testWindowHoldsWhenAnotherProcessRelays(t *testing.T, p place) {
	one := p.open(t)
	for i := range 10 {
		_, err := one.Intake(ctx, message(fmt.Sprint(i), "a"))
		must(t, err)
	}
	take := func(s *store.Store, want int) {
		t.Helper()
		got, err := s.Due(ctx, engine.KindMessage, 4, 6)
		if must(t, err); len(got) != want {
			t.Errorf("%d events are due, want %d", len(got), want)
		}
		must(t, s.MarkPublished(ctx, got))
	}
	take(one, 4)
	other := p.open(t)
	take(other, 2)
	take(other, 0)
	time.Sleep(1100 * time.Millisecond) // a count is good for a second
	take(one, 0)
	if n, err := other.Reconcile(ctx, time.Now().Add(time.Hour)); err != nil || n != 6 {
		t.Fatalf("reconciled %d, %v", n, err)
	}
	time.Sleep(1100 * time.Millisecond)
	take(one, 4)
}
