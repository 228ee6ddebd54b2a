package lineage_test

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"testing"

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
