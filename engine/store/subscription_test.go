package store_test

import (
	"fmt"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

func subscription(id string) store.Subscription {
	return store.Subscription{ID: id, Authority: "999", Client: "eds", Endpoint: "https://la.example/", Headers: []string{"A: b", "C: d"}, Content: "id-only",
		Why: "why", Heartbeat: time.Minute, Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)}
}

// told plans a notification of so many accesses.
func told(t *testing.T, s *store.Store, effect string, accesses int) store.Effect {
	t.Helper()
	flag := flagOf(t, message("F"+effect, "flag"), 1)
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.AddFact(flag); err != nil {
			return err
		}
		for i := range accesses {
			e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/x", Message: engine.NewMessageID(effect, fmt.Sprint(i)), Received: time.Now()})
			e.Access = &engine.Access{ID: fmt.Sprint(effect, i), Subject: engine.Subject{NHSNumber: number(t, "9990000018")}, At: time.Now(),
				By: engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: "RXX99"}}}
			if err := tx.AddFact(e); err != nil {
				return err
			}
			if err := tx.PutNotice(store.Notice{Authority: "999", Access: e, Flag: flag}); err != nil {
				return err
			}
			if err := tx.TellNotice("999", e.Access.ID, effect); err != nil {
				return err
			}
		}
		return tx.PlanEffect(store.Effect{ID: effect, Kind: store.Notification, Authority: "999", Body: []byte(effect), Due: tx.Now()})
	}))
	due, err := s.DueEffects(ctx, 10)
	must(t, err)
	for _, e := range due {
		if e.ID == effect {
			return e
		}
	}
	t.Fatal("the effect is not due")
	return store.Effect{}
}

func testSubscriptions(t *testing.T, p place) {
	s := p.open(t)
	want := subscription("S1")
	for i, n := range []store.Subscription{want, subscription("S2")} {
		if created, err := s.CreateSubscription(ctx, n); err != nil || created != (i == 0) {
			t.Fatalf("%s: %v %v", n.ID, created, err)
		}
	}
	got, err := s.SubscriptionOf(ctx, "999")
	must(t, err)
	want.State = store.SubscriptionRequested
	if fmt.Sprintf("%q", got.Headers) != fmt.Sprintf("%q", want.Headers) || got.Heartbeat != want.Heartbeat || got.State != want.State || got.Endpoint != want.Endpoint || !got.Expires.Equal(want.Expires) {
		t.Errorf("%+v", got)
	}
	if all, err := s.DueSubscriptions(ctx); err != nil || len(all) != 1 {
		t.Errorf("%d wait for a handshake: %v", len(all), err)
	}
	must(t, s.HeardSubscription(ctx, "S1", time.Now().Add(time.Hour)))
	if all, err := s.DueSubscriptions(ctx); err != nil || len(all) != 0 {
		t.Errorf("%d are due though the heartbeat is far: %v", len(all), err)
	}
	must(t, s.MissedSubscription(ctx, "S1", "why not", time.Now().Add(-time.Second), false))
	if all, err := s.DueSubscriptions(ctx); err != nil || len(all) != 1 || all[0].Failures != 1 || all[0].Reason != "why not" || all[0].State != store.SubscriptionActive {
		t.Errorf("after a miss: %v %v", all, err)
	}
	must(t, s.MissedSubscription(ctx, "S1", "gone", time.Now(), true))
	must(t, s.HeardSubscription(ctx, "S1", time.Now())) // too late: it is given up
	if got, err = s.Subscription(ctx, "S1"); err != nil || got.State != store.SubscriptionError || got.Failures != 2 {
		t.Errorf("given up: %v %v", got.State, err)
	}
	must(t, s.EndSubscription(ctx, "S1"))
	if _, err = s.Subscription(ctx, "S1"); engine.KindOf(err) != engine.NotFound || err == nil {
		t.Errorf("off: %v", err)
	}
	over := subscription("S3")
	over.Expires, over.Heartbeat = time.Now().Add(-time.Second), 0
	if created, err := s.CreateSubscription(ctx, over); err != nil || !created {
		t.Fatal(created, err)
	}
	must(t, s.HeardSubscription(ctx, "S3", time.Now().Add(time.Hour)))
	if all, err := s.DueSubscriptions(ctx); err != nil || len(all) != 1 {
		t.Errorf("one is over: %v %v", all, err)
	}
}

func testToldUnderOneNumber(t *testing.T, p place) {
	s := p.open(t)
	if created, err := s.CreateSubscription(ctx, subscription("S1")); err != nil || !created {
		t.Fatal(created, err)
	}
	lease, err := s.Lease(ctx, "courier", "me", time.Minute)
	must(t, err)
	for i, effect := range []string{"E1", "E2"} {
		e := told(t, s, effect, 2+i)
		for attempt := range 3 {
			if claimed, err := s.ClaimTold(ctx, e, lease, "S1"); err != nil || claimed != (attempt != 1) {
				t.Fatalf("%s attempt %d: %v %v", effect, attempt, claimed, err)
			}
			if attempt == 1 {
				e.Attempts++ // as DueEffects would return it
			}
		}
		if by, err := s.ToldBy(ctx, effect, "S1"); err != nil || !by {
			t.Errorf("told by: %v %v", by, err)
		}
	}
	for want, asked := range map[string][3]any{"[1 2]": {"E1", 1, 100}, "[3 4 5]": {"E2", 1, 100}, "[2 3]": {"", 2, 3}, "[]": {"", 6, 100}} {
		all, err := s.ToldTo(ctx, "S1", asked[0].(string), asked[1].(int), asked[2].(int), 10)
		must(t, err)
		numbers := []int{}
		for _, one := range all {
			numbers = append(numbers, one.Number)
			if one.Access.Access == nil || one.Flag.Flag == nil {
				t.Error("what was told is not whole")
			}
		}
		if fmt.Sprint(numbers) != want {
			t.Errorf("%v: %v, want %s", asked, numbers, want)
		}
	}
	if got, err := s.Subscription(ctx, "S1"); err != nil || got.Events != 5 {
		t.Errorf("%d events: %v", got.Events, err)
	}
	must(t, s.Release(ctx, lease))
	other, err := s.Lease(ctx, "courier", "another", time.Minute)
	must(t, err)
	e := told(t, s, "E3", 1)
	if claimed, err := s.ClaimTold(ctx, e, lease, "S1"); err != nil || claimed {
		t.Errorf("claimed under a lease that is over: %v %v", claimed, err)
	}
	if _, err := s.ClaimTold(ctx, e, other, "nobody"); engine.KindOf(err) != engine.NotFound {
		t.Errorf("a subscription that is not there: %v", err)
	}
}
