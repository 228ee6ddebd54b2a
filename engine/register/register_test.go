package register_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/engine/store"
)

var now = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

// person returns the n-th valid NHS number of the 999 range.
func person(n int) string {
	for stem := 999000000; ; stem++ {
		sum := 0
		for place, c := range fmt.Sprint(stem) {
			sum += int(c-'0') * (10 - place)
		}
		check := (11 - sum%11) % 11
		if check == 10 {
			continue
		}
		if n == 0 {
			return fmt.Sprintf("%d%d", stem, check)
		}
		n--
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func date(t testing.TB, s string) engine.Date {
	t.Helper()
	if s == "" {
		return engine.Date{}
	}
	d, err := engine.MustLayout("iso").Parse(s)
	must(t, err)
	return d
}

// entry is a flag event in short: which LA sent what in which message.
type entry struct {
	la                    string
	plan                  engine.PlanType
	start, end, withdrawn string
	message, position     int
}

func (e entry) envelope(t testing.TB, nhs string) engine.Envelope {
	t.Helper()
	n, err := engine.ParseNHSNumber(nhs)
	must(t, err)
	source := "mesh/SIGNALBOX1/" + e.la
	env := engine.NewEnvelope(engine.KindFlag, engine.Origin{
		Source: source, Message: engine.NewMessageID(source, fmt.Sprint(e.message)), Position: e.position,
		Received: now.Add(time.Duration(e.message) * time.Minute),
	})
	env.Flag = &engine.Flag{
		Subject:   engine.Subject{NHSNumber: n, BirthDate: date(t, "2015-03-12")},
		Plan:      engine.Plan{Type: e.plan, Start: date(t, e.start), End: date(t, e.end), Withdrawn: date(t, e.withdrawn)},
		Authority: engine.Authority{ODSCode: e.la, Name: "LA " + e.la, OfficeHours: "01632960001", EmergencyDuty: "01632960002"},
	}
	return env
}

func apply(t testing.TB, r *register.Register, s *store.Store, events ...engine.Envelope) {
	t.Helper()
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		for _, e := range events {
			if err := tx.AddFact(e); err != nil {
				return err
			}
			if err := r.Apply(tx, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

func ask(t testing.TB, r *register.Register, s *store.Store, nhs, id string, scheduled bool, at time.Time) register.Answer {
	t.Helper()
	n, err := engine.ParseNHSNumber(nhs)
	must(t, err)
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/RXX99", Message: engine.NewMessageID("fhir/RXX99", id), Received: at})
	e.Access = &engine.Access{
		ID: id, Subject: engine.Subject{NHSNumber: n}, At: at, Scheduled: scheduled,
		By: engine.Actor{DeviceID: "999000000001", Organisation: engine.Organisation{ODSCode: "RXX99"}},
	}
	a, err := r.Ask(ctx, s, e, register.Everything)
	must(t, err)
	return a
}

func TestVisibilityWindows(t *testing.T) {
	r, err := register.New(register.Default())
	must(t, err)
	end := date(t, "2025-06-30")
	for _, tc := range []struct {
		plan engine.PlanType
		days int // after the end
		want bool
	}{
		{engine.ChildProtection, 0, true}, {engine.ChildProtection, 364, true}, {engine.ChildProtection, 365, true}, {engine.ChildProtection, 366, false},
		{engine.LookedAfter, 365, true}, {engine.LookedAfter, 366, false},
		{engine.UnbornChildProtection, 28, true}, {engine.UnbornChildProtection, 29, false},
	} {
		f := engine.Flag{Plan: engine.Plan{Type: tc.plan, Start: date(t, "2025-01-01"), End: end}}
		at := end.AddDays(tc.days).Time(time.UTC).Add(12 * time.Hour)
		if got := r.Stands(f, at); got != tc.want {
			t.Errorf("%s, %d days after its end: stands %v, want %v", tc.plan, tc.days, got, tc.want)
		}
	}
}

func TestStands(t *testing.T) {
	r, err := register.New(register.Default())
	must(t, err)
	plan := func(start, end, withdrawn string) engine.Flag {
		return engine.Flag{Plan: engine.Plan{Type: engine.ChildProtection, Start: date(t, start), End: date(t, end), Withdrawn: date(t, withdrawn)}}
	}
	for name, tc := range map[string]struct {
		flag engine.Flag
		want bool
	}{
		"open":               {plan("2020-01-01", "", ""), true},
		"starts tomorrow":    {plan("2026-10-02", "", ""), true},
		"ends in the future": {plan("2020-01-01", "2027-01-01", ""), true},
		"entered in error":   {plan("2020-01-01", "", "2026-09-01"), false},
		"long over":          {plan("2020-01-01", "2021-01-01", ""), false},
	} {
		if got := r.Stands(tc.flag, now); got != tc.want {
			t.Errorf("%s: stands %v", name, got)
		}
	}
	// The day turns at midnight in England: 23:30 UTC on 30 June is 00:30 on 1 July there.
	ended := plan("2020-01-01", "2025-06-30", "")
	if !r.Stands(ended, time.Date(2026, 6, 30, 22, 59, 0, 0, time.UTC)) || r.Stands(ended, time.Date(2026, 6, 30, 23, 1, 0, 0, time.UTC)) {
		t.Error("the last day does not end at midnight in England")
	}
}

func testEveryPlanAndEveryAuthorityStandsApart(t *testing.T, p place) {
	r, s := p.open(t)
	apply(t, r, s,
		entry{la: "998", plan: engine.LookedAfter, start: "2026-01-01", message: 1, position: 1}.envelope(t, "9990000018"),
		entry{la: "999", plan: engine.ChildProtection, start: "2026-02-01", message: 2, position: 1}.envelope(t, "9990000018"),
		entry{la: "999", plan: engine.LookedAfter, start: "2026-03-01", message: 2, position: 2}.envelope(t, "9990000018"),
		entry{la: "999", plan: engine.LookedAfter, start: "2026-03-01", message: 2, position: 3}.envelope(t, "9990000026"),
	)
	a := ask(t, r, s, "9990000018", "q1", false, now)
	var got []string
	for _, f := range a.Flags {
		got = append(got, f.Authority.ODSCode+" "+string(f.Plan.Type))
	}
	if fmt.Sprint(got) != "[998 looked-after 999 child-protection 999 looked-after]" {
		t.Errorf("got %v", got)
	}
	if a := ask(t, r, s, "9990000034", "q2", false, now); len(a.Flags) != 0 {
		t.Error("an unknown child is flagged")
	}
}

func testWithdrawnAndReopened(t *testing.T, p place) {
	r, s := p.open(t)
	step := func(message int, end, withdrawn string, want int) {
		t.Helper()
		apply(t, r, s, entry{la: "999", plan: engine.ChildProtection, start: "2025-01-01", end: end, withdrawn: withdrawn, message: message}.envelope(t, "9990000018"))
		if a := ask(t, r, s, "9990000018", fmt.Sprint("q", message), true, now); len(a.Flags) != want {
			t.Errorf("message %d: %d flags, want %d", message, len(a.Flags), want)
		}
	}
	step(1, "", "", 1)
	step(2, "2025-02-01", "", 0)
	step(3, "", "", 1)
	step(4, "", "2026-09-30", 0)
	step(5, "", "", 1)
}

func testWithinOneFileTheEntryThatProtectsMoreStands(t *testing.T, p place) {
	r, s := p.open(t)
	apply(t, r, s,
		entry{la: "999", plan: engine.ChildProtection, start: "2026-01-01", message: 1, position: 1}.envelope(t, "9990000018"),
		entry{la: "999", plan: engine.ChildProtection, start: "2024-01-01", end: "2024-06-01", message: 1, position: 2}.envelope(t, "9990000018"),
		entry{la: "999", plan: engine.ChildProtection, start: "2026-02-01", withdrawn: "2026-02-02", message: 1, position: 3}.envelope(t, "9990000018"),
	)
	a := ask(t, r, s, "9990000018", "q", true, now)
	if len(a.Flags) != 1 || a.Flags[0].Plan.Start.ISO() != "2026-01-01" {
		t.Errorf("the open plan does not stand: %d flags", len(a.Flags))
	}
}

// Any order and any number of copies of the same events leave the same register.
func testAnyOrderAnyCopies(t *testing.T, p place) {
	events := []entry{
		{la: "999", plan: engine.ChildProtection, start: "2025-01-01", message: 1, position: 1},
		{la: "999", plan: engine.ChildProtection, start: "2025-01-01", end: "2026-08-01", message: 2, position: 1},
		{la: "999", plan: engine.LookedAfter, start: "2025-03-01", message: 2, position: 2},
		{la: "999", plan: engine.LookedAfter, start: "2025-03-01", withdrawn: "2026-01-01", message: 3, position: 1},
		{la: "998", plan: engine.ChildProtection, start: "2026-01-01", message: 3, position: 1},
		{la: "998", plan: engine.UnbornChildProtection, start: "2026-01-01", end: "2026-12-01", message: 4, position: 1},
		{la: "998", plan: engine.UnbornChildProtection, start: "2026-02-01", end: "2026-12-01", message: 4, position: 2},
	}
	r, s := p.open(t)
	round := 0
	// Each round has messages of its own, with the same order among them, and a person of its own.
	look := func(t testing.TB, order []int) string {
		round++
		nhs := person(round)
		for _, i := range order {
			e := events[i]
			e.message += round * 10
			apply(t, r, s, e.envelope(t, nhs))
		}
		var out string
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			out = ""
			n, err := engine.ParseNHSNumber(nhs)
			must(t, err)
			all, err := tx.Flags(n)
			for _, e := range all {
				out += fmt.Sprintf("%s %s %d %v\n", e.Flag.Authority.ODSCode, e.Flag.Plan.Type, e.Origin.Position, e.Origin.Received.Sub(now)-time.Duration(round*10)*time.Minute)
			}
			return err
		}))
		return out
	}
	want := look(t, []int{0, 1, 2, 3, 4, 5, 6})
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6}).Draw(rt, "order")
		order = append(order, rapid.SliceOfN(rapid.IntRange(0, 6), 0, 5).Draw(rt, "copies")...)
		if got := look(t, order); got != want {
			rt.Fatalf("order %v leaves another register", order)
		}
	})
}

func testHistoryHoldsTwentyFiveUnscheduledAccesses(t *testing.T, p place) {
	r, s := p.open(t)
	for i := range 30 {
		a := ask(t, r, s, "9990000018", fmt.Sprintf("q%02d", i), false, now.Add(time.Duration(i)*time.Minute))
		if want := min(i, register.HistoryLength); len(a.History) != want {
			t.Fatalf("access %d sees %d earlier ones, want %d", i, len(a.History), want)
		}
	}
	ask(t, r, s, "9990000018", "scheduled", true, now.Add(time.Hour))
	a := ask(t, r, s, "9990000018", "last", true, now.Add(2*time.Hour))
	if len(a.History) != 25 || a.History[0].ID != "q29" || a.History[24].ID != "q05" {
		t.Errorf("history of %d, from %s", len(a.History), a.History[0].ID)
	}
}

func testRepeatedQueryIsRecordedOnce(t *testing.T, p place) {
	r, s := p.open(t)
	first := ask(t, r, s, "9990000018", "q", false, now)
	second := ask(t, r, s, "9990000018", "q", false, now.Add(time.Minute))
	if first.Repeat || !second.Repeat || len(second.History) != 0 {
		t.Errorf("repeat %v then %v, history %d", first.Repeat, second.Repeat, len(second.History))
	}
	events, err := s.Due(ctx, engine.KindAccess, 10, 10)
	if must(t, err); len(events) != 1 {
		t.Errorf("%d access events, want 1", len(events))
	}
}

func testResponsible(t *testing.T, p place) {
	r, s := p.open(t)
	apply(t, r, s,
		entry{la: "998", plan: engine.LookedAfter, start: "2026-01-01", message: 1, position: 1}.envelope(t, "9990000018"),
		entry{la: "999", plan: engine.ChildProtection, start: "2026-02-01", message: 2, position: 1}.envelope(t, "9990000018"),
		entry{la: "999", plan: engine.LookedAfter, start: "2026-02-01", end: "2026-09-01", message: 2, position: 2}.envelope(t, "9990000018"),
		entry{la: "997", plan: engine.LookedAfter, start: "2026-02-01", end: "2026-09-01", message: 3, position: 1}.envelope(t, "9990000018"),
	)
	n, err := engine.ParseNHSNumber("9990000018")
	must(t, err)
	for name, tc := range map[string]struct {
		access engine.Access
		want   int
	}{
		"now":                          {engine.Access{Subject: engine.Subject{NHSNumber: n}, At: now}, 3},
		"scheduled":                    {engine.Access{Subject: engine.Subject{NHSNumber: n}, At: now, Scheduled: true}, 0},
		"a clock that runs years fast": {engine.Access{Subject: engine.Subject{NHSNumber: n}, At: now.AddDate(30, 0, 0)}, 3},
	} {
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			concerned, err := r.Concerned(tx, tc.access)
			flags := register.Responsible(concerned)
			if len(flags) != tc.want {
				t.Errorf("%s: %d authorities, want %d", name, len(flags), tc.want)
			}
			return err
		}))
	}
}

func TestConfigIsValidated(t *testing.T) {
	bad := register.Config{ChildProtectionDays: -1, LookedAfterDays: 1, UnbornDays: 1, Zone: "Europe/Atlantis"}
	if _, err := register.New(bad); err == nil {
		t.Error("a register opens with a negative window and an unknown zone")
	}
}
