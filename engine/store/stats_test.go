package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

func accessOf(t testing.TB, id string, at time.Time) engine.Envelope {
	t.Helper()
	const source = "fhir/testshire-infirmary"
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: source, Message: engine.NewMessageID(source, id), Received: at})
	e.Access = &engine.Access{ID: id, Subject: engine.Subject{NHSNumber: number(t, "9990000018")}, At: at}
	return e
}

func testStatsFollowTheWork(t *testing.T, p place) {
	s := p.open(t)
	began := time.Now().Add(-time.Second)
	empty, err := s.Stats(ctx)
	must(t, err)
	if len(empty.Topics) != len(engine.Kinds()) || len(empty.Effects) != len(store.EffectKinds()) || empty.QuarantineMessages != 0 || len(empty.OldestNotice) != 0 {
		t.Errorf("an empty record has the figures %+v", empty)
	}
	m := message("M1", "content")
	if _, err := s.Intake(ctx, m); err != nil {
		t.Fatal(err)
	}
	stats := func(k engine.Kind) store.TopicStats {
		t.Helper()
		all, err := s.Stats(ctx)
		must(t, err)
		return all.Topics[k]
	}
	if got := stats(engine.KindMessage); got.Waiting != 1 || got.OldestWaiting.Before(began) || !got.OldestStreamed.IsZero() {
		t.Errorf("after intake: %+v", got)
	}
	must(t, s.MarkPublished(ctx, due(t, s, engine.KindMessage)))
	if got := stats(engine.KindMessage); got.Waiting != 0 || got.Streamed != 1 || !got.OldestWaiting.IsZero() || got.OldestStreamed.Before(began) {
		t.Errorf("after publishing: %+v", got)
	}
	must(t, s.SaveTranslation(ctx, store.Translation{Wait: waiting(m), Mapping: "digest", Records: slices.Values([]engine.Translated{accepted(flagOf(t, m, 1)), accepted(flagOf(t, m, 2))})}))
	must(t, s.SetAside(ctx, flagOf(t, m, 2), "no"))
	if got := stats(engine.KindFlag); got.Waiting != 1 || got.Quarantined != 1 {
		t.Errorf("after translation and quarantine: %+v", got)
	}
	stranger := message("M2", "who am I")
	if _, err := s.Intake(ctx, stranger); err != nil {
		t.Fatal(err)
	}
	must(t, s.Refuse(ctx, waiting(stranger), &engine.Error{Op: "route", Kind: engine.Unmapped}))
	if all, err := s.Stats(ctx); err != nil || all.QuarantineMessages != 1 || all.Topics[engine.KindMessage].Waiting != 0 {
		t.Errorf("after a refusal: %+v, %v", all, err)
	}
}

func testStatsOfEffectsAndTheirCauses(t *testing.T, p place) {
	s := p.open(t)
	at := time.Date(2026, 10, 2, 9, 0, 0, 0, time.UTC)
	flag := flagOf(t, message("M1", "x"), 1)
	late, early, open := accessOf(t, "late", at.Add(time.Hour)), accessOf(t, "early", at), accessOf(t, "open", at)
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.AddFact(flag); err != nil {
			return err
		}
		for _, e := range []engine.Envelope{late, early, open} {
			_, err := tx.PutAccess(e)
			if err = errors.Join(err, tx.AddFact(e), tx.PutNotice(store.Notice{Authority: "999", Access: e, Flag: flag})); err != nil {
				return err
			}
		}
		return errors.Join(tx.TellNotice("999", "late", "N1"), tx.TellNotice("999", "early", "N1"),
			tx.PlanEffect(store.Effect{ID: "N1", Kind: store.Notification, Authority: "999", Body: []byte("n"), Due: tx.Now()}),
			tx.PlanEffect(store.Effect{ID: "A1", Kind: store.Acknowledgement, Authority: "999", Body: []byte("a"), Due: tx.Now()}),
			tx.PlanEffect(store.Effect{ID: "A2", Kind: store.Acknowledgement, Authority: "999", Body: []byte("b"), Due: tx.Now()}),
			tx.PlanEffect(store.Effect{ID: "A3", Kind: store.Acknowledgement, Authority: "999", Body: []byte("c"), Due: tx.Now()}))
	}))
	lease, err := s.Lease(ctx, "courier", "one", time.Hour)
	must(t, err)
	if claimed, err := s.MarkAttempted(ctx, store.Effect{ID: "N1"}, lease); err != nil || !claimed {
		t.Fatalf("not claimed: %v", err)
	}
	must(t, errors.Join(s.MarkSent(ctx, "A1", "MESH1"), s.FailEffect(ctx, "A2", "refused")))
	all, err := s.Stats(ctx)
	must(t, err)
	if got := all.Effects[store.Acknowledgement]; got.Planned != 1 || got.Attempted != 0 || got.Failed != 1 || got.OldestOpen.IsZero() {
		t.Errorf("acknowledgements: %+v", got)
	}
	if got := all.Effects[store.Notification]; got.Planned != 0 || got.Attempted != 1 || got.OldestOpen.IsZero() {
		t.Errorf("notifications: %+v", got)
	}
	if since := all.OldestNotice["999"]; since.IsZero() {
		t.Errorf("the notice that nothing tells of is missing: %+v", all.OldestNotice)
	}
	causes, err := s.Causes(ctx, "N1")
	must(t, err)
	want := []store.Cause{{Message: early.Origin.Message, Access: at}, {Message: late.Origin.Message, Access: at.Add(time.Hour)}}
	if len(causes) != 2 || causes[0] != want[0] || causes[1] != want[1] {
		t.Errorf("the notification tells of %+v, want %+v", causes, want)
	}
	for _, id := range []string{"", "A1", "nothing"} {
		if causes, err := s.Causes(ctx, id); err != nil || len(causes) != 0 {
			t.Errorf("%q tells of %v, %v", id, causes, err)
		}
	}
}

func TestPulseWritesAndCommitsAreTold(t *testing.T) {
	var changes int
	var failed []error
	cfg := store.Default()
	cfg.Path = filepath.Join(t.TempDir(), "record.db")
	cfg.Committed = func(n int, took time.Duration, err error) {
		if err != nil {
			failed = append(failed, err)
			return
		}
		if changes += n; took <= 0 {
			t.Errorf("a commit took %s", took)
		}
	}
	s, err := store.Open(ctx, cfg, time.Now)
	must(t, err)
	must(t, s.Pulse(ctx))
	must(t, s.Pulse(ctx))
	no := errors.New("no")
	if err := s.Write(ctx, func(*store.Tx) error { return no }); !errors.Is(err, no) {
		t.Errorf("the change's own error is %v", err)
	}
	must(t, s.Close())
	if changes != 2 || len(failed) != 0 {
		t.Errorf("%d changes were told and the failures %v: a change that fails by itself is no commit that fails", changes, failed)
	}
	if err := s.Pulse(ctx); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("a closed record has a pulse: %v", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Stats(over); err == nil {
		t.Error("a reading goes on after its time")
	}
}
