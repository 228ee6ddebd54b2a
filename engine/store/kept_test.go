package store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

func testBodiesAreCompressed(t *testing.T, p place) {
	s := p.open(t)
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for name, body := range map[string][]byte{
		"empty": nil, "small": []byte("x"), "repetitive": bytes.Repeat([]byte("<record/>"), 10_000), "noise": noise,
	} {
		m := message(name, string(body))
		_, err := s.Intake(ctx, m)
		must(t, err)
		a, err := s.Arrival(ctx, m.ID)
		must(t, err)
		raw, err := s.Raw(ctx, a.Digest)
		if must(t, err); !bytes.Equal(a.Message.Body, body) || !bytes.Equal(raw, body) || a.Digest != engine.Digest(body) {
			t.Errorf("%s: %d bytes came back as %d and %d", name, len(body), len(a.Message.Body), len(raw))
		}
	}
}

// done brings a message in and gives all that it made its outcome.
func done(t *testing.T, s *store.Store, m engine.Message, records ...engine.Translated) {
	t.Helper()
	_, err := s.Intake(ctx, m)
	must(t, err)
	must(t, s.SaveTranslation(ctx, store.Translation{Wait: waiting(m), Mapping: "m", Records: slices.Values(records)}))
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		for _, r := range records {
			if r.Event == nil {
				continue
			}
			if _, err := tx.Resolve(*r.Event); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, f := range due(t, s, engine.KindFileDone) {
		e, err := engine.DecodeEnvelope(f.Body)
		must(t, err)
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Resolve(e)
			return err
		}))
	}
}

func testRetentionRemovesOnlyWhatNothingNeeds(t *testing.T, p place) {
	s := p.open(t)
	body := func(name string) string { return name + strings.Repeat(" content", 200) }
	of := func(name string) engine.Message { return message(name, body(name)) }
	done(t, s, of("over"), rejected(1))
	done(t, s, of("parked"), engine.Translated{Outcome: engine.Parked, Place: engine.Place{Record: 1}, Faults: []*engine.Error{{Rule: engine.RuleCode, Text: "x"}}})
	standing := flagOf(t, of("standing"), 1)
	done(t, s, of("standing"), accepted(standing))
	noticed, told := flagOf(t, of("noticed"), 1), flagOf(t, of("told"), 1)
	done(t, s, of("noticed"), accepted(noticed))
	done(t, s, of("told"), accepted(told))
	_, err := s.Intake(ctx, of("waiting"))
	must(t, err)
	_, err = s.Intake(ctx, of("refused"))
	must(t, err)
	must(t, s.Refuse(ctx, waiting(of("refused")), &engine.Error{Rule: engine.RuleNoRoute, Text: "no route"}))
	done(t, s, message("recent copy of over", body("twice")), rejected(1))
	recent := message("recent", body("twice"))
	recent.Received = time.Now().Add(24 * time.Hour)
	done(t, s, recent, rejected(1))
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutFlag(store.FlagRow{NHSNumber: number(t, "9990000018"), Authority: "999", Plan: engine.ChildProtection, Version: "1", Event: standing.ID, Message: standing.Origin.Message, Position: standing.Origin.Position}); err != nil {
			return err
		}
		for i, flag := range []engine.Envelope{noticed, told} {
			id := fmt.Sprint("access", i)
			e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/T", Message: engine.NewMessageID("fhir/T", id)})
			e.Access = &engine.Access{ID: id, Subject: flag.Flag.Subject}
			if err := tx.AddFact(e); err != nil {
				return err
			}
			if err := tx.PutNotice(store.Notice{Authority: "999", Access: e, Flag: flag}); err != nil {
				return err
			}
		}
		return tx.TellNotice("999", "access1", "E")
	}))
	planned := strings.Repeat("planned ", 200)
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		return tx.PlanEffect(store.Effect{ID: "E", Kind: store.Notification, Authority: "999", Body: []byte(planned), Due: tx.Now()})
	}))
	if n, err := s.RemoveRaw(ctx, time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("%d bodies were removed before their time, %v", n, err)
	}
	n, err := s.RemoveRaw(ctx, time.Now().Add(time.Hour))
	if must(t, err); n != 2 {
		t.Errorf("%d bodies were removed, want 2", n)
	}
	for name, want := range map[string]bool{"over": false, "told": false, "parked": true, "standing": true, "noticed": true, "waiting": true, "refused": true, "twice": true} {
		_, err := s.Raw(ctx, engine.Digest([]byte(body(name))))
		if (err == nil) != want || err != nil && engine.KindOf(err) != engine.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Raw(ctx, engine.Digest([]byte(planned))); err != nil {
		t.Errorf("the body of a planned effect: %v", err)
	}
	// The same bytes arrive again: they are needed again.
	again := message("again", body("over"))
	_, err = s.Intake(ctx, again)
	must(t, err)
	if a, err := s.Arrival(ctx, again.ID); err != nil || string(a.Message.Body) != body("over") {
		t.Errorf("a body that came back is not there: %v", err)
	}
}

func testHistoryOfAttempts(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "content")
	_, err := s.Intake(ctx, m)
	must(t, err)
	id := waiting(m).ID
	must(t, s.Postpone(ctx, waiting(m), time.Now(), "first"))
	must(t, s.Postpone(ctx, waiting(m), time.Now(), "second"))
	must(t, s.SetAside(ctx, waiting(m), "third"))
	must(t, s.Postpone(ctx, waiting(m), time.Now(), "a late verdict on another copy"))
	aside, err := s.Quarantine(ctx)
	if must(t, err); len(aside) != 1 || aside[0].ID != string(id) || aside[0].Attempts != 3 || aside[0].Reason != "third" || aside[0].Source != m.Source {
		t.Fatalf("quarantine: %+v", aside)
	}
	if ok, err := s.ReleaseEvent(ctx, id); err != nil || !ok {
		t.Fatalf("not released: %v", err)
	}
	if ok, err := s.ReleaseEvent(ctx, id); err != nil || ok {
		t.Errorf("released twice: %v", err)
	}
	if all := due(t, s, engine.KindMessage); len(all) != 1 || all[0].Attempts != 0 {
		t.Errorf("a released event has all attempts before it: %+v", all)
	}
	history, err := s.Attempts(ctx, id)
	must(t, err)
	var said string
	for _, a := range history {
		said += string(a.Step) + ":" + a.Reason + " "
	}
	if said != "retry:first retry:second quarantine:third released:by hand " {
		t.Errorf("history: %s", said)
	}
}

func testDroppedMessageEvent(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "content")
	_, err := s.Intake(ctx, m)
	must(t, err)
	must(t, s.SetAside(ctx, waiting(m), "poison"))
	if ok, err := s.DropEvent(ctx, waiting(m).ID, "not readable"); err != nil || !ok {
		t.Fatalf("not dropped: %v", err)
	}
	aside, err := s.Quarantine(ctx)
	if must(t, err); len(aside) != 1 || !aside[0].Whole || aside[0].Message != m.ID {
		t.Errorf("the message is not kept for a replay: %+v", aside)
	}
}

// A change that panics harms nobody beside it.
func testPanicOfAChange(t *testing.T, p place) {
	s := p.open(t)
	err := s.Write(ctx, func(*store.Tx) error { panic("9990000018") })
	if engine.KindOf(err) != engine.Internal || strings.Contains(fmt.Sprint(err), "999") {
		t.Errorf("got %v", err)
	}
	must(t, s.Write(ctx, func(tx *store.Tx) error { return tx.AddEvent(waiting(message("M1", ""))) }))
}

func testLeaseIsFenced(t *testing.T, p place) {
	s := p.open(t)
	first, err := s.Lease(ctx, "relay", "one", time.Hour)
	must(t, err)
	renewed, err := s.Renew(ctx, first, time.Hour)
	if must(t, err); renewed.Fence != first.Fence {
		t.Errorf("renewing moved the fence from %d to %d", first.Fence, renewed.Fence)
	}
	second, err := s.Lease(ctx, "relay", "one", time.Hour)
	if must(t, err); second.Fence <= first.Fence {
		t.Errorf("the fence stays at %d", second.Fence)
	}
	if _, err := s.Renew(ctx, first, time.Hour); err == nil {
		t.Error("the lease of an earlier life is renewed")
	}
	must(t, s.Release(ctx, second))
}
