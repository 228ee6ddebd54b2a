package twin_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/twin"
)

// failer is what a helper needs of a test or of a property.
type failer interface {
	Helper()
	Fatal(...any)
}

func adapter(t failer, format string) engine.Adapter {
	t.Helper()
	a, ok := adapters.All().Adapter(format)
	if !ok {
		t.Fatal("no adapter " + format)
	}
	return a
}

// values lists what a message holds and nobody fixed, but for the codes kept.
func values(t failer, format string, body []byte, src engine.Schema, keep twin.Keep) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for c := range adapter(t, format).(engine.Surveyor).Survey(engine.Message{Body: body}, src) {
		if text := strings.TrimSpace(c.Text); !c.Fixed && strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") && (keep == nil || !keep(c)) {
			out[text] = true
		}
	}
	return out
}

// Whatever the file, broken rows, quotes, other encodings: no value of it is in its twin, except codes and headings.
func TestNoValueSurvives(t *testing.T) {
	cell := rapid.OneOf(rapid.SampledFrom([]string{"", "9990000018", "999 000 0026", "9990000019", "12/03/2015", "31/02/2026", "2026-10-01", "01632 960001", "P", "Zoë", "O’Test",
		"\"Worker, Wendy\"", "\"a \"\"b\"\" c\"", "broken\"quote", "7", "-", "   "}), rapid.StringMatching(`[A-Za-z0-9 ]{1,12}`))
	keep := func(c engine.Cell) bool { return c.Path == "column plan" }
	rapid.Check(t, func(t *rapid.T) {
		src := engine.Schema{Format: "csv", Encoding: rapid.SampledFrom([]string{"utf-8", "windows-1252", "utf-16le"}).Draw(t, "encoding")}
		body := "nhs,name,born,plan\n"
		for range rapid.IntRange(0, 12).Draw(t, "rows") {
			body += strings.Join(rapid.SliceOfN(cell, 3, 5).Draw(t, "row"), ",") + "\n"
		}
		raw := []byte(body)
		switch src.Encoding {
		case "windows-1252":
			raw = []byte(strings.NewReplacer("ë", "\xeb", "’", "\x92").Replace(body))
		case "utf-16le":
			raw = nil
			for _, r := range body {
				raw = append(raw, byte(r), byte(r>>8))
			}
		}
		made, err := twin.Make(adapter(t, "csv"), engine.Message{Body: raw}, src, keep)
		if err != nil {
			t.Fatal(err)
		}
		before := values(t, "csv", raw, src, keep)
		for v := range values(t, "csv", made, src, keep) {
			if before[v] {
				t.Fatalf("the value %q is in the twin", v)
			}
		}
		if again, _ := twin.Make(adapter(t, "csv"), engine.Message{Body: raw}, src, keep); string(again) != string(made) {
			t.Fatal("the twin is another one the second time")
		}
	})
}

// shape is what became of each record: outcomes and broken rules with their columns.
func shape(m *mappings.Mapping, body []byte) string {
	var b strings.Builder
	for r := range m.Translate(engine.Message{Source: "test", ID: "1", LocalID: "1", Body: body}) {
		fmt.Fprintf(&b, "%d %s", r.Place.Record, r.Outcome)
		for _, f := range r.Faults {
			if f.Place.Record == 0 {
				fmt.Fprintf(&b, " %s:%d", f.Rule, f.Place.Line) // the names of a broken file are replaced too
				continue
			}
			fmt.Fprintf(&b, " %s:%s:%d", f.Rule, f.Place.Path, f.Place.Line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// suppliers lists the built-in suppliers.
func suppliers(t failer) []string {
	t.Helper()
	entries, err := fs.ReadDir(mappings.Embedded(), ".")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// What a declared field finds in any supplier's test file, the survey shows: within the same bytes, with the same text, in the same record or in none. And its cells do not overlap.
func TestSurveyShowsWhatSelectorsFind(t *testing.T) {
	for _, name := range suppliers(t) {
		m, err := mappings.Load(mappings.Embedded(), name, adapters.All())
		if err != nil {
			t.Fatal(err)
		}
		tests, _ := fs.Glob(mappings.Embedded(), name+"/tests/*.txtar")
		looked := 0
		for _, path := range tests {
			raw, _ := fs.ReadFile(mappings.Embedded(), path)
			i := slices.IndexFunc(txtar.Parse(raw).Files, func(f txtar.File) bool { return f.Name == "input" })
			if i < 0 {
				continue
			}
			msg := engine.Message{Body: txtar.Parse(raw).Files[i].Data}
			var cells []engine.Cell
			last := int64(0)
			for c := range m.Adapter().(engine.Surveyor).Survey(msg, m.Schema()) {
				if c.Start < last || c.End < c.Start || int(c.End) > len(msg.Body) {
					t.Errorf("%s: the cell %s at [%d,%d) overlaps the one before it or the file's end", path, c.Path, c.Start, c.End)
				}
				last = c.End
				cells = append(cells, c)
			}
			for r, err := range m.Adapter().Decode(msg, m.Schema()) {
				if err != nil {
					continue
				}
				for _, f := range m.Schema().Fields {
					s, err := m.Adapter().Compile(cmp.Or(f.Select, f.Name), m.Schema())
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range s.Select(r, nil) {
						text := strings.TrimSpace(v.Text)
						if text == "" || v.At.End == v.At.Start {
							continue
						}
						looked++
						shown := "" // an element's text may stand in several pieces
						for _, c := range cells {
							if c.Start >= v.At.Start && c.End <= v.At.End && !c.Apart && (c.Record == 0 || c.Record == r.Position()) {
								shown += c.Text
							}
						}
						if blank.Replace(shown) != blank.Replace(text) {
							t.Errorf("%s: %s finds a value at [%d,%d) that the survey does not show", path, f.Name, v.At.Start, v.At.End)
						}
					}
				}
			}
		}
		if t.Logf("%s: %d values", name, looked); looked == 0 {
			t.Errorf("%s: nothing was looked at", name)
		}
	}
}

// blank takes white space out.
var blank = strings.NewReplacer(" ", "", "\n", "", "\r", "", "\t", "")

// The twin of every supplier's test file is translated like the file itself: the same records accepted, and the others refused for the same reason.
func TestTwinHasTheSameShapeAndFaults(t *testing.T) {
	for _, name := range suppliers(t) {
		m, err := mappings.Load(mappings.Embedded(), name, adapters.All())
		if err != nil {
			t.Fatal(err)
		}
		tests, _ := fs.Glob(mappings.Embedded(), name+"/tests/*.txtar")
		tried, unlike := 0, []string{}
		for _, path := range tests {
			raw, _ := fs.ReadFile(mappings.Embedded(), path)
			i := slices.IndexFunc(txtar.Parse(raw).Files, func(f txtar.File) bool { return f.Name == "input" })
			if i < 0 {
				continue
			}
			body := txtar.Parse(raw).Files[i].Data
			src := m.Schema()
			src.Encoding = "utf-8" // as the test is written
			msg := engine.Message{Body: body}
			keep := twin.Codes(m, msg)
			made, err := twin.Make(m.Adapter(), msg, src, keep)
			if err != nil {
				continue // nothing of it can be read, so nothing safe can be made of it
			}
			tried++
			before := values(t, m.Schema().Format, body, src, keep)
			for v := range values(t, m.Schema().Format, made, src, twin.Codes(m, engine.Message{Body: made})) {
				if before[v] {
					t.Errorf("%s: a value of %d characters is in the twin", path, len(v))
				}
			}
			if m.Schema().Encoding != "" && !strings.EqualFold(m.Schema().Encoding, "utf-8") && strings.ContainsFunc(string(body), func(r rune) bool { return r > 127 }) {
				continue // written in another encoding than the mapping reads
			}
			if a, b := shape(m, body), shape(m, made); a != b {
				unlike = append(unlike, fmt.Sprintf("%s\n%s---\n%s", path, a, b))
			}
		}
		t.Logf("%s: %d files, %d of them with a twin of another shape", name, tried, len(unlike))
		share := 10
		if slices.ContainsFunc(m.Rules(), func(r mappings.Rule) bool { return r.At.Name != "" }) {
			share = 5 // dates move, and with them the meaning of codes that hang on a date of the message
		}
		if tried == 0 || len(unlike)*share > tried {
			t.Errorf("%s: twins are not alike:\n%s", name, strings.Join(unlike, "\n"))
		}
	}
}
