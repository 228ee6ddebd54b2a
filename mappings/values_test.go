package mappings

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
)

func TestConversions(t *testing.T) {
	tests := []struct {
		as        kind
		text      string
		want      string // of the member that counts
		wantError error
	}{
		{kindText, "any thing", "any thing", nil},
		{kindNHSNumber, "999 000 0018", "9990000018", nil},
		{kindNHSNumber, "9990000019", "", engine.ErrNHSNumberCheckDigit},
		{kindNHSNumber, "999000001", "", engine.ErrNHSNumberForm},
		{kindInstant, "2026-10-01T02:00:00+01:00", "2026-10-01T02:00:00+01:00", nil},
		{kindInstant, "2026-10-01T02:00:00", "", errNotInstant},
		{kindInstant, "2026-10-01", "", errNotInstant},
		{kindBoolean, "true", "true", nil},
		{kindBoolean, "TRUE", "", errNotBoolean},
		{kindTelephone, "tel:+44 (0)1632-960 001", "+4401632960001", nil},
		{kindTelephone, "01632 960001", "01632960001", nil},
		{kindTelephone, "01632960001 ext 5", "", errNotTelephone},
		{kindTelephone, "0+1632960001", "", errNotTelephone},
		{kindTelephone, "12", "", errNotTelephone},
		{kindTelephone, strings.Repeat("1", 21), "", errNotTelephone},
		{kindODSCode, "RTEST", "RTEST", nil},
		{kindODSCode, "998", "998", nil},
		{kindODSCode, "rtest", "", errNotODSCode},
		{kindODSCode, "R1", "", errNotODSCode},
		{kindODSCode, "ABCDEFGHIJK", "", errNotODSCode},
		{kindPlanType, "looked-after", "looked-after", nil},
		{kindPlanType, "LookedAfter", "", errNotPlanType},
		{kindDate, "31/12/2026", "2026-12-31", nil},
		{kindDate, "12/31/2026", "", engine.ErrDateCalendar},
		{kindDate, "2026-12-31", "", engine.ErrDateForm},
	}
	for _, tt := range tests {
		var v value
		err := newConversion(tt.as, engine.MustLayout("dd/MM/yyyy")).read(tt.text, &v)
		if !errors.Is(err, tt.wantError) || (err == nil) != (tt.wantError == nil) {
			t.Errorf("%s of %q: %v, want %v", tt.as, tt.text, err, tt.wantError)
			continue
		}
		if got := shown(tt.as, v); err == nil && got != tt.want {
			t.Errorf("%s of %q: %q, want %q", tt.as, tt.text, got, tt.want)
		}
	}
}

func shown(k kind, v value) string {
	switch k {
	case kindNHSNumber:
		return v.nhs.Reveal()
	case kindDate:
		return v.date.ISO()
	case kindInstant:
		return v.at.Format("2006-01-02T15:04:05Z07:00")
	case kindBoolean:
		if v.yes {
			return "true"
		}
		return "false"
	}
	return v.text
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string][2]bool{
		"1": {true, true}, "-7": {true, true}, "+7": {false, true}, "1.5": {false, true}, "1e3": {false, true}, "0x10": {false, false},
		"NaN": {false, false}, "Inf": {false, false}, "1_000": {false, false}, "99999999999999999999": {false, true},
	} {
		if got := [2]bool{isInteger(text), isNumber(text)}; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// TestTargetsAreComplete sets every target of every kind and looks for it in the description: no target is lost on its way.
func TestTargetsAreComplete(t *testing.T) {
	number, err := engine.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	date, _ := engine.NewDate(2026, 10, 1)
	for _, emit := range emits() {
		kind := engine.Kind(emit)
		var d draft
		d.begin(kind)
		for _, target := range targets(kind) {
			target.set(&d, &value{text: "text of " + target.path, nhs: number, date: date, at: date.Time(time.UTC), yes: true})
		}
		envelope := engine.NewEnvelope(kind, engine.Origin{})
		d.body(kind, &envelope)
		said := map[string]bool{}
		for _, line := range describeEvent(envelope) {
			said[line[0]] = true
		}
		for _, target := range Targets(kind) {
			if !said[target.Path] {
				t.Errorf("%s: %s is set and is not in the event", emit, target.Path)
			}
		}
		if len(said) != len(targets(kind)) {
			t.Errorf("%s: %d fields are described, %d can be set", emit, len(said), len(targets(kind)))
		}
	}
}

// TestMandatoryTargets holds the table against the engine: an event with only its mandatory targets set breaks no rule of that kind.
func TestMandatoryTargets(t *testing.T) {
	for _, emit := range emits() {
		kind := engine.Kind(emit)
		envelope := engine.NewEnvelope(kind, engine.Origin{})
		asked := map[string]bool{}
		var d draft
		d.begin(kind)
		for _, fault := range d.body(kind, &envelope) {
			asked[fault.Place.Path] = true
		}
		for _, target := range targets(kind) {
			named := asked[target.path]
			for path := range asked {
				named = named || strings.HasPrefix(target.path, path+".") && path == "by.organisation" && target.mandatory
			}
			if named != target.mandatory {
				t.Errorf("%s: %s is mandatory here: %v, in the engine: %v", emit, target.path, target.mandatory, named)
			}
		}
	}
}

func TestDiff(t *testing.T) {
	if got := diff("a\nb\nc\n", "a\nx\nc\n"); got != "    a\n  - b\n  + x\n    c\n" {
		t.Errorf("got\n%s", got)
	}
	long := strings.Repeat("a\n", maxDiff+1)
	if got := diff(long, "b\n"); strings.Count(got, "\n") != maxDiff+2 {
		t.Errorf("a long difference has %d lines", strings.Count(got, "\n"))
	}
	line := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(rt *rapid.T) {
		want, got := rapid.SliceOf(line).Draw(rt, "want"), rapid.SliceOf(line).Draw(rt, "got")
		var left, right []string
		for l := range strings.Lines(diff(join(want), join(got))) {
			l = strings.TrimSuffix(l, "\n")
			if l[2] != '+' {
				left = append(left, l[4:])
			}
			if l[2] != '-' {
				right = append(right, l[4:])
			}
		}
		if join(left) != join(want) || join(right) != join(got) {
			rt.Fatalf("the difference does not hold both texts")
		}
	})
}

func join(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestNearest(t *testing.T) {
	known := []string{"start_dt", "end_dt", "nhs_no"}
	for word, want := range map[string]string{"strat_dt": "start_dt", "START_DT": "start_dt", "nhsno": "nhs_no", "worker": "", "": ""} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
