package coverage_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/coverage"
)

func load(t *testing.T, name string) *mappings.Mapping {
	t.Helper()
	m, err := mappings.Load(mappings.Embedded(), name, adapters.All())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func input(t *testing.T, path string) engine.Message {
	t.Helper()
	raw, err := fs.ReadFile(mappings.Embedded(), path)
	if err != nil {
		t.Fatal(err)
	}
	files := txtar.Parse(raw).Files
	i := slices.IndexFunc(files, func(f txtar.File) bool { return f.Name == "input" })
	return engine.Message{ID: "1", LocalID: "1", Body: files[i].Data}
}

func find(r *coverage.Report, path string) coverage.Element {
	i := slices.IndexFunc(r.Elements, func(e coverage.Element) bool { return e.Path == path })
	if i < 0 {
		return coverage.Element{}
	}
	return r.Elements[i]
}

func TestCoverageOfATable(t *testing.T) {
	body := "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name,new_col\n" +
		"9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1,L,A Worker,x\n" +
		"9990000026,Ben,,20/11/2010,X,10/05/2026,,,N-2,L,,y\n" +
		"9990000034,Cara,Testthree,02/01/1999,L,05/08/2026,,,N-3,C,,\n" +
		"broken,row\n"
	run := coverage.New(load(t, "northshire-csv"))
	if n := run.Message(engine.Message{ID: "1", LocalID: "1", Body: []byte(body)}); n != 4 {
		t.Errorf("%d records", n)
	}
	r := run.Report()
	for path, want := range map[string]string{
		"column new_col":       "{column new_col unmapped []  2 2 3}",
		"column plan_cat":      "{column plan_cat used [plan.type]  3 0 3}",
		"column record_status": "{column record_status used [when]  3 0 3}",
		"column surname":       "{column surname used [subject.family]  2 0 3}",
	} {
		if got := fmt.Sprint(find(r, path)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if e := find(r, "column worker_name"); e.Use != coverage.Ignored || e.Why == "" || e.Filled != 1 {
		t.Errorf("%+v", e)
	}
	if r.Elements[0].Path != "column new_col" || r.Complete() || r.Outcomes[engine.Accepted] != 1 || r.Outcomes[engine.Rejected] != 1 {
		t.Errorf("%+v", r)
	}
	codes := fmt.Sprint(r.Codes)
	if !strings.Contains(codes, "{plan-type X unmapped   1}") || !strings.Contains(codes, "{plan-type P used tables/plan-type.csv:2  1}") || !strings.Contains(codes, "{plan-type U used tables/plan-type.csv:4  0}") {
		t.Errorf("codes: %s", codes)
	}
	targets := fmt.Sprint(r.Targets)
	if !strings.Contains(targets, "{plan.type mapping.yaml:15 1 1}") || !strings.Contains(targets, "{plan.end mapping.yaml:17 0 0}") {
		t.Errorf("targets: %s", targets)
	}
}

// In XML and FHIR too, everything that a rule reads is used and what nothing reads is shown.
func TestCoverageOfTrees(t *testing.T) {
	for _, tt := range []struct{ supplier, test, used, unmapped string }{
		{"testshire-cpisxml", "01-four-records", "/File/communicationFunctionSnd/organisation/name", "/File/creationTime/@value"},
		{"testshire-trust-fhir", "01-emergency", "Bundle.entry.resource(Encounter).period.start", "Bundle.entry.fullUrl"},
	} {
		run := coverage.New(load(t, tt.supplier))
		run.Message(input(t, tt.supplier+"/tests/"+tt.test+".txtar"))
		r := run.Report()
		if e := find(r, tt.used); e.Use != coverage.Used || e.Filled == 0 || e.Passed != 0 {
			t.Errorf("%s: %+v\n%v", tt.supplier, e, r.Elements)
		}
		if e := find(r, tt.unmapped); e.Use != coverage.Unmapped || e.Filled == 0 {
			t.Errorf("%s: %+v\n%v", tt.supplier, e, r.Elements)
		}
		for _, target := range r.Targets {
			if target.Filled > 0 && target.Rule == "" {
				t.Errorf("%s: %s is filled by nobody", tt.supplier, target.Path)
			}
		}
	}
}

// In the first test of every supplier each value is used or ignored on purpose, whatever the format; what is left over is told here by name.
func TestCoverageOfEverySupplier(t *testing.T) {
	entries, err := fs.ReadDir(mappings.Embedded(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		paths, _ := fs.Glob(mappings.Embedded(), e.Name()+"/tests/01-*.txtar")
		if len(paths) != 1 {
			continue
		}
		run := coverage.New(load(t, e.Name()))
		run.Message(input(t, paths[0]))
		r := run.Report()
		used, left := 0, []string{}
		for _, x := range r.Elements {
			switch x.Use {
			case coverage.Used:
				used++
			case coverage.Unmapped:
				left = append(left, x.Path)
			}
		}
		t.Logf("%s: %d places used, %d left over: %v", e.Name(), used, len(left), left)
		if r.Unsurveyed || used < 5 {
			t.Errorf("%s: unsurveyed=%v, %d places used", e.Name(), r.Unsurveyed, used)
		}
	}
}

// A row that counts on some days is a line of its own, and a code that was sent on another day is unmapped.
func TestCoverageOfADatedTable(t *testing.T) {
	run := coverage.New(load(t, "testshire-fixed"))
	run.Message(input(t, "testshire-fixed/tests/07-code-that-changed.txtar"))
	codes := fmt.Sprint(run.Report().Codes)
	for _, want := range []string{"{plan-type CA used tables/plan-type.csv:5 until 2024-03-31 1}", "{plan-type CA used tables/plan-type.csv:6 from 2024-04-01 1}", "{plan-type LA used tables/plan-type.csv:3  0}"} {
		if !strings.Contains(codes, want) {
			t.Errorf("%s is not among %s", want, codes)
		}
	}
	if began := find(run.Report(), "characters 63-70"); fmt.Sprint(began.By) != "[plan.start plan.type]" {
		t.Errorf("the date is read by %v", began.By)
	}
	run = coverage.New(load(t, "testshire-json"))
	run.Message(input(t, "testshire-json/tests/19-category-no-more.txtar"))
	codes = fmt.Sprint(run.Report().Codes)
	if !strings.Contains(codes, "{plan-type LAC unmapped   2}") || !strings.Contains(codes, "{plan-type LAC used tables/plan-type.csv:3 until 2026-12-31 1}") || run.Report().Complete() {
		t.Errorf("%s", codes)
	}
}
