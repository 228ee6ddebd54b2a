package lineage_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/lineage"
)

// Whatever the format, every field of every event that a test of a supplier makes has a rule that stands in its folder, and places within the message's
// bytes unless it is a constant, is unscheduled because nothing says more, or is made of the message's own headers.
func TestLineageOfEverySupplier(t *testing.T) {
	tests, err := fs.Glob(mappings.Embedded(), "*/tests/*.txtar")
	if err != nil || len(tests) == 0 {
		t.Fatal(err)
	}
	loaded := map[string]*mappings.Mapping{}
	fields := map[string]int{}
	for _, file := range tests {
		name := path.Dir(path.Dir(file))
		m := loaded[name]
		if m == nil {
			if m, err = mappings.Load(mappings.Embedded(), name, adapters.All()); err != nil {
				t.Fatal(err)
			}
			loaded[name] = m
		}
		raw, _ := fs.ReadFile(mappings.Embedded(), file)
		for _, f := range txtar.Parse(raw).Files {
			if f.Name != "input" {
				continue
			}
			fields[name] += lineageOf(t, file, m, f.Data)
		}
	}
	for name := range loaded {
		if t.Logf("%s: %d fields", name, fields[name]); fields[name] == 0 {
			t.Errorf("%s: no field of any event was looked at", name)
		}
	}
}

func lineageOf(t *testing.T, file string, m *mappings.Mapping, body []byte) int {
	t.Helper()
	n := 0
	for traced := range m.Trace(engine.Message{ID: "1", LocalID: "1", Body: body}) {
		for _, f := range lineage.Of(m, traced) {
			n++
			i := slices.IndexFunc(m.Rules(), func(r mappings.Rule) bool { return r.Target == f.Target })
			r := m.Rules()[i]
			if f.Line != r.Line || cmp.Or(f.Rule, "none") != r.Text {
				t.Errorf("%s: %s is said to be made by line %d, its rule stands on line %d", file, f.Target, f.Line, r.Line)
			}
			if reads := r.From != "" && !r.Const && f.Target != "scheduled"; reads && len(f.From) == 0 {
				t.Errorf("%s: %s has no place in the message", file, f.Target)
			}
			for _, p := range f.From {
				if p.Start < 0 || p.End <= p.Start || int(p.End) > len(body) {
					t.Errorf("%s: %s is said to come from bytes [%d,%d) of %d", file, f.Target, p.Start, p.End, len(body))
				}
			}
		}
	}
	return n
}

// Of a row that counts on some days the lineage says which it was, by which date, and where that date stands; of a rule and a table that are
// taken over it says in whose folder they are.
func TestLineageOfADatedTable(t *testing.T) {
	for _, tt := range []struct{ test, want string }{
		{"testshire-fixed/tests/07-code-that-changed.txtar", "mapping.yaml:16 tables/plan-type.csv:5 by the date in began at characters 63-70, line 2:63, bytes 77-84 declared [source.yaml:19 plan source.yaml:20 began]"},
		{"testshire-json/tests/19-category-no-more.txtar", "mapping.yaml:16 tables/plan-type.csv:3 by the date in plan.start declared [source.yaml:36 category]"},
		{"northshire-pipe/tests/05-code-of-next-year.txtar", "mapping.yaml:13 tables/plan-type.csv:5 by the UTC day on which the message was received declared [source.yaml:23 plan_code]"},
		{"testshire-json/tests/01-three-plans.txtar", "mapping.yaml:16 tables/plan-type.csv:2 declared [source.yaml:36 category]"},
		{"northshire-cpisxml/tests/01-four-records.txtar", "testshire-cpisxml/mapping.yaml:12 testshire-cpisxml/tables/plan-type.csv:2 declared [testshire-cpisxml/source.yaml:17 template]"},
	} {
		m, err := mappings.Load(mappings.Embedded(), path.Dir(path.Dir(tt.test)), adapters.All())
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := fs.ReadFile(mappings.Embedded(), tt.test)
		body := txtar.Parse(raw).Files
		msg := engine.Message{ID: "1", LocalID: "1", Received: time.Date(2027, 1, 2, 2, 0, 0, 0, time.UTC)}
		for _, f := range body {
			if f.Name == "input" {
				msg.Body = f.Data
			}
		}
		got := ""
		for traced := range m.Trace(msg) {
			for _, f := range lineage.Of(m, traced) {
				if f.Target != "plan.type" || got != "" {
					continue
				}
				got = fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Row)
				if f.RowBy != "" {
					got += " by " + f.RowBy
				}
				for _, p := range f.RowFrom {
					got += " at " + p.String()
				}
				got += fmt.Sprintf(" declared %v", f.Declared)
			}
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.test, got, tt.want)
		}
	}
}
