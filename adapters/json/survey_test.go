package json

import (
	"fmt"
	"strings"
	"testing"

	"signalbox/engine"
)

func surveyed(body string, src engine.Schema) string {
	var b strings.Builder
	for c := range New().Survey(engine.Message{Body: []byte(body)}, src) {
		fmt.Fprintf(&b, "%d %s %q fixed=%v apart=%v\n", c.Record, c.Path, body[c.Start:c.End], c.Fixed, c.Apart)
	}
	return b.String()
}

func TestSurvey(t *testing.T) {
	src := engine.Schema{Format: Format, Options: map[string]string{OptionRecords: "$.all[*]"}, Fields: []engine.Field{{Name: "n", Select: "ids[?@.system=='nhs'].value"}}}
	for name, tt := range map[string]struct{ body, want string }{
		"values in records and outside": {`{"run": 7, "all": [{"ids": [{"system": "nhs", "value": "1"}, {"system": "x", "value": null}], "ok": true}, {"a": "b"}]}`,
			"0 $.run \"7\" fixed=false apart=false\n1 $.all[*].ids[*].system \"nhs\" fixed=true apart=false\n1 $.all[*].ids[*].value \"1\" fixed=false apart=false\n" +
				"1 $.all[*].ids[*].system \"x\" fixed=false apart=false\n1 $.all[*].ok \"true\" fixed=true apart=false\n2 $.all[*].a \"b\" fixed=false apart=false\n"},
		"a name that may be data": {`{"all": [{"9990000018": "x"}]}`, "1 $.all[*] name \"9990000018\" fixed=false apart=true\n1 $.all[*].? \"x\" fixed=false apart=false\n"},
		"broken syntax":           {`{"all": [{"a": "b"}, {"c": oops`, "1 $.all[*].a \"b\" fixed=false apart=false\n0 unreadable \"\\\"}, {\\\"c\\\": oops\" fixed=false apart=true\n"},
	} {
		if got := surveyed(tt.body, src); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
	}
	lines := engine.Schema{Format: Format, Options: map[string]string{OptionLines: "true"}}
	want := "1 $.a \"1\" fixed=false apart=false\n2 unreadable \"{bad\" fixed=false apart=true\n3 $.a \"2\" fixed=false apart=false\n"
	if got := surveyed("{\"a\": 1}\n{bad\n{\"a\": 2}\n", lines); got != want {
		t.Errorf("lines: got\n%swant\n%s", got, want)
	}
}

func TestProfile(t *testing.T) {
	for name, tt := range map[string]struct{ body, records, selects string }{
		"a list in an object": {`{"x": {"run": 1, "list": [{"no": "9990000018", "tags": ["a"]}, {"no": "9990000026", "plan": {"from": null}}]}}`, "$.x.list[*]", "no tags[0] plan.from $.x.run"},
		"a list alone":        {`[{"no": "9990000018"}, {"no": "9990000026"}]`, "$[*]", "no"},
		"told apart":          {`[{"ids": [{"system": "nhs", "value": "9990000018"}, {"system": "own", "value": "7"}]}, {"ids": [{"system": "nhs", "value": "9990000026"}]}]`, "$[*]", "ids[?@.system=='nhs'].value ids[?@.system=='own'].value"},
		"one object a line":   {"{\"no\": \"9990000018\"}\n{\"no\": \"9990000026\", \"odd name\": 1}\n", "", "no ['odd name']"},
	} {
		p, ok := New().Profile([]byte(tt.body))
		selects := []string{}
		for _, f := range p.Schema.Fields {
			selects = append(selects, f.Select)
			if _, err := New().Compile(f.Name, p.Schema); err != nil {
				t.Errorf("%s: %s: %v", name, f.Select, err)
			}
		}
		if !ok || p.Schema.Options[OptionRecords] != tt.records || strings.Join(selects, " ") != tt.selects {
			t.Errorf("%s: %v %v %v", name, ok, p.Schema.Options, selects)
		}
		if err := New().Check(p.Schema); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "x", "7", "a,b\n1,2\n", `{"a": `} {
		if _, ok := New().Profile([]byte(bad)); ok {
			t.Errorf("%q is taken for JSON", bad)
		}
	}
}
