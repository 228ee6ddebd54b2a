package store_test

import (
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// notified plans a notification of one access.
func notified(t *testing.T, s *store.Store) {
	t.Helper()
	m := message("M1", "x")
	_, err := s.Intake(ctx, m)
	must(t, err)
	f := flagOf(t, m, 1)
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/T", Message: engine.NewMessageID("fhir/T", "A1")})
	e.Access = &engine.Access{ID: "A1", Subject: f.Flag.Subject, At: time.Now()}
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		for _, fact := range []engine.Envelope{f, e} {
			if err := tx.AddFact(fact); err != nil {
				return err
			}
		}
		if err := tx.PutNotice(store.Notice{Authority: "999", Access: e, Flag: f}); err != nil {
			return err
		}
		if err := tx.PlanEffect(store.Effect{ID: "N1", Kind: store.Notification, Authority: "999", Body: []byte("told"), Due: tx.Now()}); err != nil {
			return err
		}
		return tx.TellNotice("999", "A1", "N1")
	}))
}

// What was not collected is told again under one id, by whomever and however often that is reported; what was collected is not.
func testUncollectedIsToldAgainOnce(t *testing.T, p place) {
	s := p.open(t)
	notified(t, s)
	must(t, s.MarkHanded(ctx, "N1", "MESH1", time.Now().Add(-time.Minute)))
	due, err := s.DueDeliveries(ctx, 10)
	if must(t, err); len(due) != 1 || due[0].ID != "N1" || due[0].Receipt != "MESH1" || due[0].Since.IsZero() || !due[0].Collected.IsZero() {
		t.Fatalf("to be asked about: %+v", due)
	}
	if first, err := s.MarkAlarmed(ctx, "N1"); err != nil || !first {
		t.Errorf("the first alarm: %v, %v", first, err)
	}
	if first, err := s.MarkAlarmed(ctx, "N1"); err != nil || first {
		t.Errorf("the second alarm: %v, %v", first, err)
	}
	for i, want := range []string{"N1-again-1", ""} { // the report, and the tracking that says the same
		if next, err := s.Reopen(ctx, "MESH1", "code 14"); err != nil || next != want {
			t.Errorf("report %d: %q, %v", i, next, err)
		}
	}
	if ours, err := s.FailReceipt(ctx, "MESH1", "code 14"); err != nil || ours {
		t.Errorf("what is told again failed too: %v, %v", ours, err)
	}
	effects, err := s.DueEffects(ctx, 10)
	if must(t, err); len(effects) != 1 || effects[0].ID != "N1-again-1" || string(effects[0].Body) != "told" || effects[0].State != store.Planned {
		t.Fatalf("due: %+v", effects)
	}
	must(t, s.MarkHanded(ctx, "N1-again-1", "MESH2", time.Now().Add(-time.Minute)))
	if next, err := s.Reopen(ctx, "MESH2", "code 14"); err != nil || next != "N1-again-2" {
		t.Errorf("the second time: %q, %v", next, err)
	}
	must(t, s.MarkHanded(ctx, "N1-again-2", "MESH3", time.Now().Add(-time.Minute)))
	must(t, s.MarkCollected(ctx, "N1-again-2", time.Now()))
	if next, err := s.Reopen(ctx, "MESH3", "code 14"); err != nil || next != "" {
		t.Errorf("what was collected is told again: %q, %v", next, err)
	}
	all, err := s.Deliveries(ctx, "999", time.Time{}, false)
	if must(t, err); len(all) != 3 || all[2].Accesses != 1 || all[0].Accesses+all[1].Accesses != 0 || all[2].Round != 2 || !all[2].Since.Equal(all[0].Since) {
		t.Errorf("deliveries: %+v", all)
	}
	if open, err := s.Deliveries(ctx, "", time.Time{}, true); err != nil || len(open) != 0 {
		t.Errorf("open: %+v, %v", open, err)
	}
}

// What nobody collects keeps its body, because it may have to be told again; what nobody asks about any more does not.
func testRetentionWaitsForTheCollection(t *testing.T, p place) {
	s := p.open(t)
	notified(t, s)
	body := engine.Digest([]byte("told"))
	must(t, s.MarkHanded(ctx, "N1", "MESH1", time.Now().Add(time.Hour)))
	_, err := s.RemoveRaw(ctx, time.Now().Add(time.Hour))
	must(t, err)
	if _, err := s.Raw(ctx, body); err != nil {
		t.Errorf("the body of what waits: %v", err)
	}
	if u, err := s.Uncollected(ctx); err != nil || len(u) != 1 || u[0].Count != 1 || u[0].Kind != store.Notification || u[0].Oldest.IsZero() {
		t.Errorf("uncollected: %+v, %v", u, err)
	}
	must(t, s.AskAgain(ctx, "N1", time.Time{}))
	_, err = s.RemoveRaw(ctx, time.Now().Add(time.Hour))
	must(t, err)
	if _, err := s.Raw(ctx, body); engine.KindOf(err) != engine.NotFound {
		t.Errorf("the body of what nobody asks about: %v", err)
	}
}
