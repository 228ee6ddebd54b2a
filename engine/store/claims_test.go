package store_test

import (
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// A record that made no event is known by whom it is about; what its authority said is found with how far each record has come.
func testClaimsOfAnAuthority(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "x")
	refused := rejected(2)
	refused.About = &engine.About{Authority: "999", NHSNumber: number(t, "9990000026"), LocalID: "L2"}
	nameless := rejected(3)
	nameless.About = &engine.About{Authority: "999"}
	stranger := rejected(4)
	stranger.About = &engine.About{Authority: "998"}
	_, err := s.Intake(ctx, m)
	must(t, err)
	claims := func(at time.Time) store.Claims {
		t.Helper()
		c, err := s.Claims(ctx, "999", m.Source, at)
		must(t, err)
		return c
	}
	if c := claims(time.Time{}); len(c.Unread) != 1 || c.Unread[0].State != store.ClaimWaiting || len(c.Records) != 0 {
		t.Errorf("before the translation: %+v", c)
	}
	flag := flagOf(t, m, 1)
	translate(t, s, m, accepted(flag), refused, nameless, stranger)
	c := claims(time.Time{})
	if len(c.Records) != 3 || len(c.Unread) != 0 || c.Records[0].State != store.ClaimWaiting || c.Records[1].About != *refused.About ||
		c.Records[2].About != *nameless.About || len(c.Records[1].Faults) != len(refused.Faults) || c.Records[1].Upstream != "M1" {
		t.Fatalf("after the translation: %+v", c)
	}
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Resolve(flag); err != nil {
			return err
		}
		return tx.PutFlag(store.FlagRow{NHSNumber: flag.Flag.Subject.NHSNumber, Authority: "999", Plan: engine.ChildProtection, Version: "1", Event: flag.ID,
			Message: m.ID, Position: 1})
	}))
	for name, at := range map[string]time.Time{"now": {}, "later": s.Now().Add(time.Hour)} {
		if c := claims(at); len(c.Records) != 3 || c.Records[0].State != store.ClaimApplied {
			t.Errorf("%s, after it was applied: %+v", name, c)
		}
	}
	if c := claims(m.Received.Add(time.Hour)); len(c.Records) != 3 || c.Records[0].State != store.ClaimWaiting {
		t.Errorf("when it had arrived and was not applied: %+v", c)
	}
	if c := claims(m.Received.Add(-time.Hour)); len(c.Records)+len(c.Unread) != 0 {
		t.Errorf("before it arrived: %+v", c)
	}
	// A replay that takes the record after all forgets that it was refused.
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		return tx.Retranslated(store.Translation{Wait: waiting(m), Mapping: "new", Records: func(yield func(engine.Translated) bool) { yield(nameless) }})
	}))
	if c := claims(time.Time{}); len(c.Records) != 2 || c.Records[1].About != *nameless.About {
		t.Errorf("after a replay: %+v", c)
	}
}

// A record that a person gave up is refused from then on.
func testAClaimThatIsGivenUp(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "x")
	_, err := s.Intake(ctx, m)
	must(t, err)
	flag := flagOf(t, m, 1)
	translate(t, s, m, accepted(flag))
	must(t, s.SetAside(ctx, flag, "poison"))
	if c, err := s.Claims(ctx, "999", m.Source, time.Time{}); err != nil || len(c.Records) != 1 || c.Records[0].State != store.ClaimQuarantined {
		t.Errorf("in quarantine: %+v, %v", c, err)
	}
	_, err = s.DropEvent(ctx, flag.ID, "nobody can read it")
	must(t, err)
	c, err := s.Claims(ctx, "999", m.Source, time.Time{})
	if must(t, err); len(c.Records) != 1 || c.Records[0].State != store.ClaimRefused || c.Records[0].About.NHSNumber != flag.Flag.Subject.NHSNumber {
		t.Errorf("given up: %+v", c)
	}
}

func translate(t *testing.T, s *store.Store, m engine.Message, records ...engine.Translated) {
	t.Helper()
	must(t, s.SaveTranslation(ctx, store.Translation{Wait: waiting(m), Mapping: "digest", Records: func(yield func(engine.Translated) bool) {
		for _, r := range records {
			if !yield(r) {
				return
			}
		}
	}}))
}
