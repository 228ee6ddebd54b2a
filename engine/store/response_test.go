package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

func testResponses(t *testing.T, p place) {
	now := time.Now()
	s := p.openAt(t, func() time.Time { return now })
	m := message("1", "a")
	_, err := s.Intake(ctx, m)
	must(t, err)
	kept := store.Response{Message: m.ID, Client: "ed", Endpoint: "https://ed.example/"}
	due := func(want string) {
		t.Helper()
		all, err := s.DueResponses(ctx, 10)
		must(t, err)
		got := ""
		for _, r := range all {
			got += fmt.Sprintf("%s %s %s %d;", r.Client, r.Endpoint, r.State, r.Attempts)
			if r.Message != m.ID {
				t.Errorf("another message")
			}
		}
		if got != want {
			t.Errorf("due: %q, want %q", got, want)
		}
	}
	must(t, s.KeepResponse(ctx, kept))
	due("")
	must(t, s.SaveTranslation(ctx, store.Translation{Wait: waiting(m), Mapping: "m", Records: slices.Values([]engine.Translated(nil))}))
	due("ed https://ed.example/ due 0;")
	must(t, s.ResponseMissed(ctx, m.ID, "away", now.Add(time.Minute), false))
	due("")
	now = now.Add(2 * time.Minute)
	due("ed https://ed.example/ due 1;")
	must(t, s.ResponseDone(ctx, m.ID))
	due("")
	must(t, s.ResponseMissed(ctx, m.ID, "too late", now, false))
	due("")
	must(t, s.KeepResponse(ctx, kept))
	due("ed https://ed.example/ due 0;")
	must(t, s.ResponseMissed(ctx, m.ID, "denied", now, true))
	due("")
	must(t, s.ResponseDone(ctx, engine.MessageID("none")))
}

func testDisagreements(t *testing.T, p place) {
	now := time.Now().Truncate(time.Microsecond)
	s := p.openAt(t, func() time.Time { return now })
	one := store.Disagreement{Digest: "d1", Class: "undecided", Reader: "signalbox", Rule: "code", Place: "Patient.gender", Faults: 2}
	other := one
	other.Digest = "d2"
	must(t, s.KeepDisagreement(ctx, one))
	now = now.Add(time.Second)
	must(t, s.KeepDisagreement(ctx, other))
	now = now.Add(time.Second)
	must(t, s.KeepDisagreement(ctx, one))
	all, err := s.Disagreements(ctx, 10)
	must(t, err)
	one.Times, other.Times = 2, 1
	one.Seen, other.Seen = all[0].Seen, all[1].Seen
	if len(all) != 2 || all[0] != one || all[1] != other || !all[0].Seen.Equal(now) {
		t.Errorf("%+v", all)
	}
	if all, err = s.Disagreements(ctx, 1); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
}
