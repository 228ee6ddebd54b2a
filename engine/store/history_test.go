package store_test

import (
	"slices"
	"testing"

	"signalbox/engine"
	"signalbox/engine/store"
)

func testEventsAndFailedLookUpsAreFound(t *testing.T, p place) {
	s := p.open(t)
	m := message("found", "x")
	first, second := flagOf(t, m, 1), flagOf(t, m, 2)
	code := engine.Translated{Outcome: engine.Parked, Place: engine.Place{Record: 3}, Faults: []*engine.Error{
		{Kind: engine.Unmapped, Rule: engine.RuleCode, Place: engine.Place{Record: 3, Path: "column plan_cat", Line: 4, Column: 9, Start: 20, End: 21},
			Text: "plan.type: table plan-type", Err: errUnmapped{}},
		{Kind: engine.Invalid, Rule: engine.RuleDate, Place: engine.Place{Record: 3}, Text: "plan.start"},
	}}
	done(t, s, m, accepted(first), accepted(second), code)
	for _, id := range []string{string(first.ID), string(first.ID[:8]), string(first.ID[:9])} {
		got, err := s.FindEvent(ctx, id)
		if must(t, err); got.Envelope.ID != first.ID || got.Open || got.Withdrawn {
			t.Errorf("%s finds %s", id, got.Envelope.ID)
		}
	}
	for id, want := range map[string]engine.ErrorKind{"ffffffffff": engine.NotFound, "": engine.Invalid, "0123456": engine.Invalid, "ABCDEF0123": engine.Invalid, "xyz": engine.Invalid} {
		if _, err := s.FindEvent(ctx, id); err == nil || engine.KindOf(err) != want {
			t.Errorf("%q: %v", id, err)
		}
	}
	all, err := s.Events(ctx, m.ID)
	if must(t, err); len(all) != 2 || all[0].Envelope.ID != first.ID || all[1].Envelope.ID != second.ID {
		t.Errorf("%d events", len(all))
	}
	codes, err := s.UnmappedCodes(ctx)
	must(t, err)
	want := store.Unmapped{Message: m.ID, Outcome: engine.Parked, Table: "plan-type", Target: "plan.type", Place: code.Faults[0].Place}
	if len(codes) != 1 || codes[0] != want {
		t.Errorf("%+v, want %+v", codes, want)
	}
	// The record is released, the others stay.
	third := flagOf(t, m, 3)
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.AddEvent(third); err != nil {
			return err
		}
		return tx.Released(store.Translation{Wait: waiting(m), Mapping: "n", Records: slices.Values([]engine.Translated{accepted(first), accepted(third)})}, map[int]bool{3: true})
	}))
	codes, err = s.UnmappedCodes(ctx)
	must(t, err)
	a, err := s.Arrival(ctx, m.ID)
	if must(t, err); len(codes) != 0 || a.Mapping != "n" || a.Accepted != 3 || a.Open != 1 || a.Records != 3 {
		t.Errorf("codes %v, message %+v", codes, a)
	}
}

// errUnmapped is the cause that a mapping gives.
type errUnmapped struct{}

func (errUnmapped) Error() string { return "the code is not in the table" }
