package mappings_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox/mappings"
)

// FuzzLoad gives lint any text: it never panics, what it says has a place inside the file, and it can be rendered.
func FuzzLoad(f *testing.F) {
	folder := copyOf(f, model)
	mapping, source := string(folder[model+"/mapping.yaml"].Data), string(folder[model+"/source.yaml"].Data)
	f.Add(mapping, source, "source,target,note\nP,child-protection,\n")
	f.Add("when: |\n  row.x ==\n    'é' &&\n  rwo\n"+mapping, source, "source,target,note\n\"P\n")
	f.Add("when: \"row.\\u0041 == \\\"\\\\\\\"\\\" && x\"\nset: {a: [b], ? c : d}\n", "fields: [{name: é}, {name: 'it''s'}]\n", "")
	f.Add("when: >\n  row.a\n  && b\nset: *a\n", "format: csv\nfields: [{name: a, layout: x}]\n", "\xff")
	f.Fuzz(func(t *testing.T, mapping, source, table string) {
		folder := folderOf(mapping, source, "plan-type", table)
		_, err := mappings.Load(folder, "s", formats())
		if err == nil {
			return
		}
		problems, ok := errors.AsType[mappings.Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("an error of another type: %v", err)
		}
		var b strings.Builder
		if err := problems.Render(&b, folder); err != nil || b.Len() == 0 {
			t.Fatal("the problems cannot be rendered")
		}
		for _, p := range problems {
			text := string(folder[p.File].Data)
			lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
			if p.Line < 0 || p.Line > len(lines)+1 || p.Text == "" || p.Code == "" {
				t.Fatalf("%+v in a file of %d lines", p, len(lines))
			}
			if utf8.ValidString(text) && p.Line > 0 && p.Line <= len(lines) && p.Column > utf8.RuneCountInString(lines[p.Line-1])+2 {
				t.Fatalf("%+v in a line of %d characters", p, utf8.RuneCountInString(lines[p.Line-1]))
			}
		}
	})
}
