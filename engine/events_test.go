package engine_test

import (
	"errors"
	"testing"
	"time"

	"signalbox/engine"
)

func TestIDsAreDeterministicAndDistinct(t *testing.T) {
	base := engine.Origin{Source: "mesh/A/B", Message: engine.NewMessageID("mesh/A/B", "1"), Position: 1}
	id := engine.NewEventID(base, engine.KindFlag)
	if id != engine.NewEventID(base, engine.KindFlag) || len(id) != 64 {
		t.Fatal("an id is not the same twice")
	}
	later := base
	later.Received, later.Mapping = time.Now(), "other"
	if engine.NewEventID(later, engine.KindFlag) != id {
		t.Error("the id depends on when or by which mapping the event was made")
	}
	seen := map[engine.EventID]bool{id: true}
	for _, o := range []engine.Origin{
		{Source: "mesh/A/C", Message: base.Message, Position: 1}, {Source: base.Source, Message: "x", Position: 1},
		{Source: base.Source, Message: base.Message, Position: 11}, {Source: "mesh/A/", Message: "B" + base.Message, Position: 1},
	} {
		if other := engine.NewEventID(o, engine.KindFlag); seen[other] {
			t.Errorf("%+v has the id of another", o)
		} else {
			seen[other] = true
		}
	}
	if seen[engine.NewEventID(base, engine.KindAccess)] {
		t.Error("two kinds share an id")
	}
}

func TestFlagCheck(t *testing.T) {
	good := *samples(t)[0].Flag
	if faults := good.Check(); len(faults) != 0 {
		t.Fatalf("a good flag has faults: %v", faults)
	}
	for path, spoil := range map[string]func(*engine.Flag){
		"subject.nhsNumber":       func(f *engine.Flag) { f.Subject.NHSNumber = engine.NHSNumber{} },
		"subject.birthDate":       func(f *engine.Flag) { f.Subject.BirthDate = engine.Date{} },
		"plan.type":               func(f *engine.Flag) { f.Plan.Type = "" },
		"plan.start":              func(f *engine.Flag) { f.Plan.Start = engine.Date{} },
		"plan.end":                func(f *engine.Flag) { f.Plan.Type, f.Plan.End = engine.UnbornChildProtection, engine.Date{} },
		"authority.odsCode":       func(f *engine.Flag) { f.Authority.ODSCode = "" },
		"authority.name":          func(f *engine.Flag) { f.Authority.Name = "" },
		"authority.emergencyDuty": func(f *engine.Flag) { f.Authority.EmergencyDuty = "" },
	} {
		f := good
		spoil(&f)
		faults := f.Check()
		if len(faults) != 1 || faults[0].Place.Path != path || faults[0].Rule != engine.RuleMandatory {
			t.Errorf("%s: %v", path, faults)
		}
	}
	f := good
	f.Plan.End = day(t, 2020, 1, 1)
	if faults := f.Check(); len(faults) != 1 || faults[0].Rule != engine.RulePlanPeriod {
		t.Errorf("a plan that ends before it starts: %v", faults)
	}
}

func TestAccessCheck(t *testing.T) {
	good := *samples(t)[1].Access
	if faults := good.Check(); len(faults) != 0 {
		t.Fatalf("a good access has faults: %v", faults)
	}
	bad := engine.Access{}
	if faults := bad.Check(); len(faults) != 5 {
		t.Errorf("an empty access has %d faults", len(faults))
	}
}

func TestErrorNamesPlaceAndKind(t *testing.T) {
	cause := errors.New("cause")
	err := &engine.Error{Op: "translate", Kind: engine.Unmapped, Rule: engine.RuleCode, Err: cause,
		Place: engine.Place{Record: 17, Path: "column plan_cat", Line: 18, Column: 9}, Text: "not in table plan-type"}
	want := "translate: record 17, column plan_cat, line 18:9: not in table plan-type: cause"
	if err.Error() != want {
		t.Errorf("got %q", err.Error())
	}
	wrapped := errors.Join(errors.New("other"), err)
	if engine.KindOf(wrapped) != engine.Unmapped || !errors.Is(wrapped, cause) || engine.KindOf(cause) != engine.Internal {
		t.Error("the kind or the cause is lost")
	}
	if engine.Unsure.String() != "unsure" || engine.ErrorKind(99).String() != "unknown" {
		t.Error("a kind has the wrong name")
	}
}

func TestVerdicts(t *testing.T) {
	reason := errors.New("reason")
	for want, v := range map[string]engine.Verdict{
		"ack": engine.Done(), "retry: reason": engine.Later(time.Now(), reason), "quarantine: reason": engine.Aside(reason), "stop: reason": engine.Halt(reason),
	} {
		if v.String() != want {
			t.Errorf("%q is not %q", v, want)
		}
	}
}

func day(t *testing.T, year, month, day int) engine.Date {
	t.Helper()
	d, err := engine.NewDate(year, time.Month(month), day)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
