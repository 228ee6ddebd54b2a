package trace_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/trace"
	"signalbox/fhir/pds"
	"signalbox/fhir/pds/twin"
)

const (
	known, superseded, restricted = "9990000018", "9990000026", "9990000034"
	gone, nobody, unverified      = "9990000042", "9990000050", "9990000069"
)

func subject(t fataler, number, given, family, born string) engine.Subject {
	t.Helper()
	n, err := engine.ParseNHSNumber(number)
	if err != nil {
		t.Fatal(err)
	}
	s := engine.Subject{NHSNumber: n, Given: engine.Personal(given), Family: engine.Personal(family)}
	if born != "" {
		at, err := time.Parse(time.DateOnly, born)
		if err != nil {
			t.Fatal(err)
		}
		if s.BirthDate, err = engine.NewDate(at.Year(), at.Month(), at.Day()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fataler is a test or one run of a property.
type fataler interface {
	Helper()
	Fatal(...any)
}

// tracerOf asks a twin through the real client.
func tracerOf(t *testing.T, there *twin.Server) *trace.Tracer {
	t.Helper()
	cfg := pds.Default()
	cfg.BaseURL, cfg.HTTP, cfg.Attempts, cfg.PerSecond, cfg.Burst = "https://pds.invalid"+twin.BasePath, there.Transport(), 1, 1000, 100
	client, err := pds.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := trace.New(client, trace.Default())
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// The twin behind the real client: what is tested is the whole way from a subject to its outcome.
func TestEachOutcome(t *testing.T) {
	there := twin.New(twin.Config{Patients: []twin.Patient{
		{NHSNumber: known, Given: "Zoë Ann", Family: "O'Neill-Błaszczyk", Former: "Testerly", BirthDate: "2019-03-04"},
		{NHSNumber: superseded, SupersededBy: known}, {NHSNumber: gone, Invalidated: true},
		{NHSNumber: restricted, Given: "Robin", Family: "Testerby", BirthDate: "2018-01-02", Security: "R"},
		{NHSNumber: unverified, Given: "Kim", Family: "Testerby", BirthDate: "2018-01-02", Verification: "02"},
	}})
	tracer := tracerOf(t, there)
	for _, c := range []struct {
		name                        string
		number, given, family, born string
		outcome                     engine.TraceOutcome
		step                        string
	}{
		{"the person, written plainly", known, "ZOE ANN", "ONEILL BLASZCZYK", "2019-03-04", engine.TraceMatched, "given name: whole"},
		{"the first given name", known, "Zoe Marie", "O’Neill-Blaszczyk", "2019-03-04", engine.TraceMatched, "given name: first"},
		{"goes by the middle name", known, "Ann", "O'Neill Błaszczyk", "2019-03-04", engine.TraceMatched, "given name: any"},
		{"another birth date", known, "Zoe", "O'Neill-Blaszczyk", "2019-04-03", engine.TraceNotVerified, trace.StepBirthDate},
		{"no birth date", known, "Zoe", "O'Neill-Blaszczyk", "", engine.TraceNotVerified, trace.StepBirthDate},
		{"a former family name", known, "Zoe", "Testerly", "2019-03-04", engine.TraceNotVerified, trace.StepFamily},
		{"another given name", known, "Zoltan", "O'Neill-Blaszczyk", "2019-03-04", engine.TraceNotVerified, trace.StepGiven},
		{"no names", known, "", "", "2019-03-04", engine.TraceNotVerified, trace.StepFamily},
		{"superseded", superseded, "Zoe", "O'Neill-Blaszczyk", "2019-03-04", engine.TraceSuperseded, ""},
		{"a mistyped number that was another's once", superseded, "Max", "Testerfield", "2017-07-07", engine.TraceNotVerified, trace.StepBirthDate},
		{"restricted", restricted, "Robin", "Testerby", "2018-01-02", engine.TraceSensitive, ""},
		{"restricted, and nothing fits: nothing is said of it", restricted, "Max", "Testerfield", "2017-07-07", engine.TraceSensitive, ""},
		{"nobody's", nobody, "Zoe", "X", "2019-03-04", engine.TraceNoMatch, ""},
		{"nobody's any more", gone, "Zoe", "X", "2019-03-04", engine.TraceInactive, ""},
		{"PDS has not verified it", unverified, "Kim", "Testerby", "2018-01-02", engine.TraceNotVerified, trace.StepStatus},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := tracer.Trace(context.Background(), subject(t, c.number, c.given, c.family, c.born))
			if err != nil || got.Outcome != c.outcome || got.Step != c.step {
				t.Errorf("want %s (%s), got %s (%s), %v", c.outcome, c.step, got.Outcome, got.Step, err)
			}
			if (got.Replacement.Reveal() == known) != (c.outcome == engine.TraceSuperseded) {
				t.Error("the successor's number is told where it should not be, or the other way round")
			}
			if shown := fmt.Sprintf("%v %+v", got, got); strings.Contains(shown, known) || c.family != "" && strings.Contains(shown, c.family) {
				t.Errorf("a trace prints %s", shown)
			}
		})
	}
	there.Break(twin.Fault{Status: http.StatusForbidden, Times: 1})
	for _, f := range []twin.Fault{{Status: 503, Times: 1}, {Cut: true, Times: 1}} {
		_, err := tracer.Trace(context.Background(), subject(t, known, "Zoe", "X", "2019-03-04"))
		if e, ok := errors.AsType[*engine.Error](err); !ok || e.Kind != engine.Unavailable || e.Rule != engine.RuleTraceUnavailable || strings.Contains(err.Error(), known) {
			t.Errorf("want unavailable without a datum, got %v", err)
		}
		there.Break(f)
	}
}

// Who is looked for is found when PDS has one such person, open and verified, and the comparison agrees.
func TestSeekFindsOnePersonOrNobody(t *testing.T) {
	there := twin.New(twin.Config{Patients: []twin.Patient{
		{NHSNumber: known, Given: "Zoe Ann", Family: "Testerly", BirthDate: "2019-03-04"}, {NHSNumber: restricted, Given: "Robin", Family: "Testerby", BirthDate: "2018-01-02", Security: "R"},
		{NHSNumber: unverified, Given: "Kim", Family: "Testerby", BirthDate: "2018-01-02", Verification: "02"},
		{NHSNumber: superseded, Given: "Max", Family: "Twin", BirthDate: "2017-07-07"}, {NHSNumber: gone, Given: "Max", Family: "Twin", BirthDate: "2017-07-07"},
	}})
	tracer := tracerOf(t, there)
	for _, c := range []struct {
		name, given, family, born string
		found                     bool
	}{
		{"one person", "Zoe", "Testerly", "2019-03-04", true}, {"a restricted record", "Robin", "Testerby", "2018-01-02", false},
		{"a number that PDS has not verified", "Kim", "Testerby", "2018-01-02", false}, {"two people", "Max", "Twin", "2017-07-07", false},
		{"nobody", "Nemo", "Testerly", "2019-03-04", false}, {"another day", "Zoe", "Testerly", "2019-03-05", false}, {"no birth date", "Zoe", "Testerly", "", false},
		{"no family name", "Zoe", "", "2019-03-04", false}, {"no given name", "", "Testerly", "2019-03-04", false},
	} {
		who := subject(t, known, c.given, c.family, c.born)
		who.NHSNumber = engine.NHSNumber{}
		n, found, err := tracer.Seek(t.Context(), who)
		if err != nil || found != c.found || found && n.Reveal() != known {
			t.Errorf("%s: found %v, %v", c.name, found, err)
		}
	}
	there.Break(twin.Fault{Status: 503, Times: 1})
	if _, found, err := tracer.Seek(t.Context(), subject(t, known, "Zoe", "Testerly", "2019-03-04")); found || engine.KindOf(err) != engine.Unavailable {
		t.Errorf("while PDS is away: %v, %v", found, err)
	}
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"O'Neill": "oneill", "O’Neill": "oneill", "O`NEILL": "oneill", "Smith-Jones": "smith jones", "Smith – Jones": "smith jones", " Anne  Marie ": "anne marie",
		"Błaszczyk": "blaszczyk", "Åse Ørsted": "ase orsted", "Straße": "strasse", "Æthelred": "aethelred", "Þóra": "thora", "İpek Işık": "ipek isik", "St. John": "st john",
		"Zoe\u0308": "zoe", "Ng\u200bo": "ngo", "Đặng": "dang", "ﬁona": "fiona", "": "", "---": "", "李": "李",
	} {
		if got := trace.Normalise(in); got != want {
			t.Errorf("%q: want %q, got %q", in, want, got)
		}
	}
}

var letters = []rune("abcéèçñöüßłøåæþđıİžŞȘ'’-– .ÅΣς李\u0301")

func name(label string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom(letters), 1, 12).Draw(t, label))
	})
}

func TestNormaliseIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := name("name").Draw(t, "s")
		once := trace.Normalise(s)
		if again := trace.Normalise(once); again != once {
			t.Fatalf("%q becomes %q, and that %q", s, once, again)
		}
		if up := trace.Normalise(strings.ToUpper(s)); up != once && !strings.ContainsAny(s, "ıİßς") {
			t.Fatalf("upper case changes %q: %q, %q", s, once, up)
		}
		if strings.HasPrefix(once, " ") || strings.HasSuffix(once, " ") || strings.Contains(once, "  ") {
			t.Fatalf("%q has gaps: %q", s, once)
		}
	})
}

// Who is sent and who is held may change places, but for the step that looks for one side's name among the other's. More steps never refuse what
// fewer take, and everybody is the same as themselves.
func TestComparisonKeepsItsLaws(t *testing.T) {
	born := "2019-03-04"
	compare := func(steps []string, given, family, otherGiven, otherFamily string) bool {
		who := subject(t, known, given, family, born)
		p := pds.Patient{NHSNumber: known, BirthDate: born, Names: []pds.Name{{Use: "usual", Given: strings.Fields(otherGiven), Family: otherFamily}}}
		_, ok := trace.Config{Given: steps}.Compare(who, p)
		return ok
	}
	all := []string{trace.GivenWhole, trace.GivenFirst, trace.GivenAny, trace.GivenLetters}
	rapid.Check(t, func(t *rapid.T) {
		given, family := name("given").Draw(t, "given"), name("family").Draw(t, "family")
		otherGiven, otherFamily := name("other given").Draw(t, "other given"), family
		if rapid.Bool().Draw(t, "another family") {
			otherFamily = name("other family").Draw(t, "other family")
		}
		for _, step := range []string{trace.GivenWhole, trace.GivenFirst, trace.GivenLetters} {
			if compare([]string{step}, given, family, otherGiven, otherFamily) != compare([]string{step}, otherGiven, otherFamily, given, family) {
				t.Fatalf("step %s depends on which side is which", step)
			}
		}
		before := false
		for i := range all {
			now := compare(all[:i+1], given, family, otherGiven, otherFamily)
			if before && !now {
				t.Fatalf("another step refuses what was taken before it")
			}
			before = now
		}
		if trace.Normalise(given) != "" && trace.Normalise(family) != "" && !compare(all[:1], given, family, given, family) {
			t.Fatal("somebody is not the same as themselves")
		}
		if other := compare(all, given, family, otherGiven, otherFamily); other && strings.ReplaceAll(trace.Normalise(family), " ", "") != strings.ReplaceAll(trace.Normalise(otherFamily), " ", "") {
			t.Fatal("two family names match that are different")
		}
	})
}

func TestConfigurationDecides(t *testing.T) {
	p := pds.Patient{NHSNumber: known, BirthDate: "2019-03-04", Names: []pds.Name{
		{Use: "usual", Given: []string{"Annabel"}, Family: "Testerly"}, {Use: "old", Given: []string{"Annabel"}, Family: "Oldtester", Ended: true}}}
	for _, c := range []struct {
		name, given, family string
		cfg                 trace.Config
		want                bool
	}{
		{"three letters are off", "Anna", "Testerly", trace.Default(), false},
		{"three letters are on", "Anna", "Testerly", trace.Config{Given: []string{trace.GivenLetters}}, true},
		{"former names are off", "Annabel", "Oldtester", trace.Default(), false},
		{"former names are on", "Annabel", "Oldtester", trace.Config{Given: []string{trace.GivenFirst}, FormerNames: true}, true},
		{"names are needed", "", "", trace.Default(), false},
		{"names are optional", "", "", trace.Config{Given: []string{trace.GivenFirst}, NamesOptional: true}, true},
		{"half a name is none", "", "Testerly", trace.Config{Given: []string{trace.GivenFirst}, NamesOptional: true}, false},
	} {
		if _, ok := c.cfg.Compare(subject(t, known, c.given, c.family, "2019-03-04"), p); ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
	if trace.Default().Validate() != nil || (trace.Config{}).Validate() == nil || (trace.Config{Given: []string{"soundex"}}).Validate() == nil {
		t.Error("the configuration is not checked")
	}
}
