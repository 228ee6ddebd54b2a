package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func message(upstream, body string) engine.Message {
	const source = "mesh/SIGNALBOX1/TESTLA01"
	return engine.Message{
		ID: engine.NewMessageID(source, upstream), Source: source, Upstream: upstream, From: "TESTLA01", WorkflowID: "TEST_UPLOAD",
		Received: time.Date(2026, 10, 1, 3, 0, 0, 0, time.UTC), Body: []byte(body),
	}
}

func waiting(m engine.Message) engine.Envelope {
	return engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: m.Source, Message: m.ID, Received: m.Received})
}

func number(t testing.TB, s string) engine.NHSNumber {
	t.Helper()
	n, err := engine.ParseNHSNumber(s)
	must(t, err)
	return n
}

func flagOf(t testing.TB, m engine.Message, position int) engine.Envelope {
	t.Helper()
	start, err := engine.MustLayout("hl7").Parse("202609010000")
	must(t, err)
	e := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: m.Source, Message: m.ID, Position: position, Received: m.Received})
	e.Flag = &engine.Flag{
		Subject:   engine.Subject{NHSNumber: number(t, "9990000018")},
		Plan:      engine.Plan{Type: engine.ChildProtection, Start: start},
		Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL"},
	}
	return e
}

func accepted(e engine.Envelope) engine.Translated {
	return engine.Translated{Outcome: engine.Accepted, Place: engine.Place{Record: e.Origin.Position}, Event: &e}
}

func rejected(position int) engine.Translated {
	at := engine.Place{Record: position, Path: "column dob", Line: position + 1, Column: 9}
	return engine.Translated{Outcome: engine.Rejected, Place: at, Faults: []*engine.Error{
		{Op: "translate", Kind: engine.Invalid, Rule: engine.RuleDate, Place: at, Text: "no such day"},
	}}
}

func due(t testing.TB, s *store.Store, k engine.Kind) []store.Pending {
	t.Helper()
	out, err := s.Due(ctx, k, 100, 1000)
	must(t, err)
	return out
}

func testIntakeTakesAMessageOnce(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "content")
	for i, want := range []bool{true, false} {
		if fresh, err := s.Intake(ctx, m); err != nil || fresh != want {
			t.Fatalf("intake %d: fresh %v, %v", i, fresh, err)
		}
	}
	// The same content under another id of the sender's is another message, with the same raw bytes.
	other := message("M2", "content")
	if fresh, err := s.Intake(ctx, other); err != nil || !fresh {
		t.Fatalf("second file: fresh %v, %v", fresh, err)
	}
	a, err := s.Arrival(ctx, m.ID)
	must(t, err)
	if string(a.Message.Body) != "content" || a.State != store.Received || !a.Message.Received.Equal(m.Received) {
		t.Errorf("the message came back changed: %+v", a)
	}
	if got := due(t, s, engine.KindMessage); len(got) != 2 {
		t.Errorf("%d translations are due, want 2", len(got))
	}
	if _, err := s.Arrival(ctx, "none"); engine.KindOf(err) != engine.NotFound {
		t.Errorf("an unknown message: %v", err)
	}
}

// The later file of an authority wins, so a clock that is put back must not turn the order round.
func testTimesOfReceiptOfOneSourceNeverGoBack(t *testing.T, p place) {
	s := p.open(t)
	var last time.Time
	for i, shift := range []time.Duration{0, 0, -2 * time.Hour, time.Minute, 0} {
		m := message(fmt.Sprint(i), "content")
		m.Received = m.Received.Add(shift)
		_, err := s.Intake(ctx, m)
		must(t, err)
		a, err := s.Arrival(ctx, m.ID)
		must(t, err)
		if !a.Message.Received.After(last) {
			t.Errorf("message %d is received at %v, not after %v", i, a.Message.Received, last)
		}
		last = a.Message.Received
		events := due(t, s, engine.KindMessage)
		e, err := engine.DecodeEnvelope(events[len(events)-1].Body)
		must(t, err)
		if !e.Origin.Received.Equal(last) {
			t.Errorf("the event of message %d says %v, the record %v", i, e.Origin.Received, last)
		}
	}
}

func testWhatIsWrittenSurvivesReopening(t *testing.T, p place) {
	s := p.open(t)
	_, err := s.Intake(ctx, message("M1", "content"))
	must(t, err)
	must(t, s.KeepMapping(ctx, "digest", "northshire", []byte("archive")))
	must(t, s.Close())
	s = p.open(t)
	if len(due(t, s, engine.KindMessage)) != 1 {
		t.Error("the outbox is empty after reopening")
	}
	archive, err := s.Mapping(ctx, "digest")
	if err != nil || string(archive) != "archive" {
		t.Errorf("mapping: %q, %v", archive, err)
	}
}

func testFileIsDoneWhenItsLastEventHasItsOutcome(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "content")
	_, err := s.Intake(ctx, m)
	must(t, err)
	first, second := flagOf(t, m, 1), flagOf(t, m, 3)
	translation := store.Translation{Wait: waiting(m), Mapping: "m", Records: slices.Values([]engine.Translated{accepted(first), rejected(2), accepted(second)})}
	must(t, s.SaveTranslation(ctx, translation))
	must(t, s.SaveTranslation(ctx, translation)) // a copy of the event changes nothing
	if n := len(due(t, s, engine.KindFlag)); n != 2 {
		t.Fatalf("%d flags are due, want 2", n)
	}
	resolve := func(e engine.Envelope, want bool) {
		t.Helper()
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			got, err := tx.Resolve(e)
			if got != want {
				t.Errorf("resolved for the first time: %v, want %v", got, want)
			}
			return err
		}))
	}
	resolve(first, true)
	resolve(first, false)
	if n := len(due(t, s, engine.KindFileDone)); n != 0 {
		t.Error("the file is done before its last event")
	}
	resolve(second, true)
	if n := len(due(t, s, engine.KindFileDone)); n != 1 {
		t.Error("the file is not done after its last event")
	}
	a, err := s.Arrival(ctx, m.ID)
	must(t, err)
	if a.State != store.Complete || a.Records != 3 || a.Accepted != 2 || a.Open != 0 {
		t.Errorf("state %s, %d records, %d accepted, %d open", a.State, a.Records, a.Accepted, a.Open)
	}
	faults, err := s.Faults(ctx, m.ID)
	must(t, err)
	if len(faults) != 1 || faults[0].Error.Rule != engine.RuleDate || faults[0].Error.Place.String() != "record 2, column dob, line 3:9" {
		t.Errorf("faults: %+v", faults)
	}
	var positions []int
	for at, failed := range s.AcceptedPositions(ctx, m.ID) {
		positions, err = append(positions, at), errors.Join(err, failed)
	}
	if must(t, err); len(positions) != 2 || positions[0] != 1 || positions[1] != 3 {
		t.Errorf("accepted: %v", positions)
	}
}

func testFileWithoutEventsIsDoneAtOnce(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "content")
	_, err := s.Intake(ctx, m)
	must(t, err)
	must(t, s.SaveTranslation(ctx, store.Translation{Wait: waiting(m), Records: slices.Values([]engine.Translated{rejected(1)})}))
	if n := len(due(t, s, engine.KindFileDone)); n != 1 {
		t.Errorf("%d files are done, want 1", n)
	}
}

func testOutboxPublishesMarksAndReconciles(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "a")
	wait := waiting(m)
	_, err := s.Intake(ctx, m)
	must(t, err)
	events := due(t, s, engine.KindMessage)
	must(t, s.MarkPublished(ctx, events))
	if len(due(t, s, engine.KindMessage)) != 0 {
		t.Error("a published event is due")
	}
	if n, err := s.Reconcile(ctx, time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("reconciled too early: %d, %v", n, err)
	}
	if n, err := s.Reconcile(ctx, time.Now().Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("not reconciled: %d, %v", n, err)
	}
	again := due(t, s, engine.KindMessage)
	if len(again) != 1 || again[0].ID != events[0].ID || again[0].Attempts != 1 {
		t.Errorf("after reconciling: %+v", again)
	}
	must(t, s.Postpone(ctx, wait, time.Now().Add(time.Hour), "later"))
	must(t, s.MarkPublished(ctx, again)) // the mark came after the verdict: the verdict stands
	if n, _ := s.Reconcile(ctx, time.Now().Add(time.Hour)); n != 0 || len(due(t, s, engine.KindMessage)) != 0 {
		t.Error("a postponed event is on its way")
	}
	must(t, s.Postpone(ctx, wait, time.Now(), "once more"))
	if more := due(t, s, engine.KindMessage); len(more) != 1 || more[0].Attempts != 3 {
		t.Errorf("after one reconciling and two late verdicts: %+v", more)
	}
	must(t, s.SetAside(ctx, wait, "poison"))
	b, err := s.Backlog(ctx)
	if must(t, err); b.Quarantined != 1 || b.Open[engine.KindMessage] != 0 {
		t.Errorf("backlog: %+v", b)
	}
}

func testWindowBoundsWhatIsInFlight(t *testing.T, p place) {
	s := p.open(t)
	for i := range 10 {
		_, err := s.Intake(ctx, message(fmt.Sprint(i), "a"))
		must(t, err)
	}
	first, err := s.Due(ctx, engine.KindMessage, 4, 6)
	must(t, err)
	must(t, s.MarkPublished(ctx, first))
	second, err := s.Due(ctx, engine.KindMessage, 4, 6)
	must(t, err)
	must(t, s.MarkPublished(ctx, second))
	third, err := s.Due(ctx, engine.KindMessage, 4, 6)
	if must(t, err); len(first) != 4 || len(second) != 2 || len(third) != 0 {
		t.Errorf("published %d, %d, %d with a window of 6", len(first), len(second), len(third))
	}
}

func testOneFailureLeavesTheOthersOfTheCommit(t *testing.T, p place) {
	s := p.open(t)
	spoilt := errors.New("spoilt")
	var wg sync.WaitGroup
	results := make([]error, 40)
	for i := range results {
		wg.Go(func() {
			results[i] = s.Write(ctx, func(tx *store.Tx) error {
				if err := tx.AddEvent(waiting(message(fmt.Sprint(i), ""))); err != nil {
					return err
				}
				if i%4 == 0 {
					return spoilt
				}
				return nil
			})
		})
	}
	wg.Wait()
	for i, err := range results {
		if (i%4 == 0) != errors.Is(err, spoilt) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if n := len(due(t, s, engine.KindMessage)); n != 30 {
		t.Errorf("%d events were written, want 30", n)
	}
}

func testWriteAfterCloseIsRefused(t *testing.T, p place) {
	s := p.open(t)
	must(t, s.Close())
	err := s.Write(ctx, func(*store.Tx) error { t.Error("the change runs"); return nil })
	if engine.KindOf(err) != engine.Unavailable {
		t.Errorf("got %v", err)
	}
}

func testLedger(t *testing.T, p place) {
	s := p.open(t)
	plan := func(body string) {
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			return tx.PlanEffect(store.Effect{ID: "E1", Kind: store.Acknowledgement, Authority: "999", Body: []byte(body), Due: tx.Now()})
		}))
	}
	plan("first")
	plan("second") // planned twice: the first stands
	effects, err := s.DueEffects(ctx, 10)
	if must(t, err); len(effects) != 1 || string(effects[0].Body) != "first" || effects[0].State != store.Planned {
		t.Fatalf("due: %+v", effects)
	}
	lease, err := s.Lease(ctx, "courier", "one", time.Minute)
	must(t, err)
	claim := func(e store.Effect, by store.Lease, want bool) {
		t.Helper()
		if claimed, err := s.MarkAttempted(ctx, e, by); err != nil || claimed != want {
			t.Errorf("claimed %v, %v, want %v", claimed, err, want)
		}
	}
	planned := effects[0]
	claim(planned, store.Lease{Name: "courier", Owner: "two", Fence: lease.Fence}, false)
	claim(planned, store.Lease{Name: "courier", Owner: "one", Fence: lease.Fence - 1}, false)
	claim(planned, lease, true)
	claim(planned, lease, false) // as it was read before the attempt
	effects, err = s.DueEffects(ctx, 10)
	if must(t, err); len(effects) != 1 || effects[0].State != store.Attempted || effects[0].Attempts != 1 {
		t.Fatalf("an attempted effect has to be looked up: %+v", effects)
	}
	must(t, s.RetryEffect(ctx, "E1", time.Now().Add(time.Hour), true, "no reply"))
	if effects, err = s.DueEffects(ctx, 10); err != nil || len(effects) != 0 {
		t.Fatalf("due before its time: %+v, %v", effects, err)
	}
	must(t, s.MarkSent(ctx, "E1", "MESH1"))
	if ours, err := s.FailReceipt(ctx, "MESH1", "code 14"); err != nil || !ours {
		t.Errorf("the report is not about us: %v", err)
	}
	if ours, err := s.FailReceipt(ctx, "MESH2", "code 14"); err != nil || ours {
		t.Errorf("a stranger's report is about us: %v", err)
	}
	counts, err := s.EffectCounts(ctx)
	if must(t, err); counts[store.Failed] != 1 || len(counts) != 1 {
		t.Errorf("counts: %v", counts)
	}
}

func testOneAccessIsToldToOneAuthorityOnce(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "x")
	flag := flagOf(t, m, 1)
	access := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/RXX99", Message: "Q1"})
	access.Access = &engine.Access{ID: "Q1", Subject: engine.Subject{NHSNumber: number(t, "9990000018")}, At: time.Now()}
	for range 2 {
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			copied := access
			a := *access.Access
			copied.Access = &a
			return errors.Join(tx.AddFact(flag), tx.AddFact(copied), tx.PutNotice(store.Notice{Authority: "999", Access: copied, Flag: flag}))
		}))
	}
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		open, err := tx.OpenNotices("999", 10)
		if len(open) != 1 {
			t.Errorf("%d notices of one access", len(open))
		}
		return err
	}))
}

// What is in quarantine stays there, whatever late verdicts on copies of the event say.
func testQuarantineIsLeftByAPersonAlone(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "a")
	_, err := s.Intake(ctx, m)
	must(t, err)
	e := waiting(m)
	must(t, s.SetAside(ctx, e, "poison"))
	must(t, s.Postpone(ctx, e, time.Now(), "a late verdict"))
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		if first, err := tx.Resolve(e); err != nil || first {
			t.Errorf("a quarantined event was resolved: %v, %v", first, err)
		}
		return nil
	}))
	b, err := s.Backlog(ctx)
	if must(t, err); b.Quarantined != 1 || len(due(t, s, engine.KindMessage)) != 0 {
		t.Errorf("backlog: %+v", b)
	}
}

// The register is the same whatever the order and the number of copies of the versions.
func testRegisterDoesNotDependOnOrder(t *testing.T, p place) {
	s := p.open(t)
	m := message("M1", "x")
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		la := fmt.Sprintf("LA%d", round)
		versions := rapid.Permutation([]int{1, 2, 3, 4, 5}).Draw(rt, "order")
		versions = append(versions, rapid.SliceOf(rapid.IntRange(1, 5)).Draw(rt, "copies")...)
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			for _, v := range versions {
				e := flagOf(t, m, round*10+v)
				if err := tx.AddFact(e); err != nil {
					return err
				}
				row := store.FlagRow{NHSNumber: number(t, "9990000026"), Authority: la, Plan: engine.ChildProtection, Version: fmt.Sprint(v), Event: e.ID, Message: e.Origin.Message, Position: e.Origin.Position}
				if err := tx.PutFlag(row); err != nil {
					return err
				}
			}
			return nil
		}))
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			flags, err := tx.Flags(number(t, "9990000026"))
			if err != nil {
				return err
			}
			found := 0
			for _, f := range flags {
				if f.Origin.Position == round*10+5 {
					found++
				}
			}
			if found != 1 || len(flags) != round {
				rt.Fatalf("the greatest version does not stand: %d of %d", found, len(flags))
			}
			return nil
		}))
	})
}
