package json

import (
	"slices"
	"strings"
	"testing"

	"signalbox/adapters/internal/adaptertest"
	"signalbox/engine"
)

const structure = `
header
  sequence
children[]
  nhsNumber
  plan
    start
  ids[]
    system
    value
  names[]
`

func source() engine.Schema {
	s := adaptertest.Source(Format, "number", "nhsNumber", "start", "plan.start", "local", "ids[?@.system=='LA'].value", "name", "names[0]",
		"sequence", "$.header.sequence")
	s.Options = map[string]string{OptionRecords: "$.children[*]"}
	s.Structure = adaptertest.Structure(structure)
	return s
}

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"two records": {"{\"header\":{\"sequence\":7},\n\"children\":[{\"nhsNumber\":\"9990000018\",\"plan\":{\"start\":\"x\"},\"ids\":[{\"system\":\"A\",\"value\":1},{\"system\":\"LA\",\"value\":true}]},\n{\"names\":[\"Zo\\u00eb\",\"b\"],\"nhsNumber\":null}]}",
			[]string{`1 "9990000018"@2:27 "x"@2:56 "true"@2:115 "7"@1:23`, `2 ""@3:39 "Zoë"@3:12 "7"@1:23`}},
		"no children":           {`{"children":[]}`, nil},
		"another document":      {`{"kids":[]}`, []string{"0 mandatory 0:0"}},
		"empty":                 {"", []string{"0 syntax 1:1"}},
		"cut in the second":     {`{"children":[{"nhsNumber":"1"},{"nhsNumber":"2`, []string{`1 "1"@1:28`, "0 syntax 1:47"}},
		"a comma too many":      {`{"children":[{"nhsNumber":"1"},]}`, []string{`1 "1"@1:28`, "0 syntax 1:31"}},
		"more after the end":    {`{"children":[{"nhsNumber":"1"}]} {}`, []string{`1 "1"@1:28`, "0 syntax 1:34"}},
		"a name twice":          {`{"children":[{"nhsNumber":"1","nhsNumber":"2"},{"nhsNumber":"3"}]}`, []string{"1 syntax 1:31", `2 "3"@1:62`}},
		"a name twice above":    {`{"header":{},"header":{},"children":[{"nhsNumber":"1"}]}`, []string{"0 syntax 1:14"}},
		"a broken character":    {"{\"children\":[{\"nhsNumber\":\"\xff\"},{\"nhsNumber\":\"3\"}]}", []string{"1 encoding 1:27", `2 "3"@1:46`}},
		"half a surrogate":      {`{"children":[{"nhsNumber":"\ud800"}]}`, []string{"1 encoding 1:27"}},
		"a record is no object": {`{"children":[1,{"nhsNumber":"3"}]}`, []string{"1 wrong-type 1:14", `2 "3"@1:30`}},
		"an object for a value": {`{"children":[{"nhsNumber":{"9990000018":1}}]}`, []string{"1"}},
		"a mark before":         {"\ufeff" + `{"children":[{"nhsNumber":"1"}]}`, []string{`1 "1"@1:29`}},
		"too deep":              {strings.Repeat("[", 70), []string{"0 limit 1:65"}},
	} {
		if got := adaptertest.Show(t, New(), tt.body, source()); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

func TestLines(t *testing.T) {
	src := adaptertest.Source(Format, "a", "a")
	src.Options = map[string]string{OptionLines: "true"}
	got := adaptertest.Show(t, New(), "{\"a\":1}\n\n{\"a\":\n{\"a\":[2]}\r\n{\"a\":3} x\n{\"a\":4}", src)
	want := []string{`1 "1"@1:6`, "2 syntax 3:6", "3", "4 syntax 5:9", `5 "4"@6:6`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestArrayAtTheRoot(t *testing.T) {
	src := adaptertest.Source(Format, "a", "a")
	src.Options = map[string]string{OptionRecords: "$[*]"}
	src.Structure = []engine.Element{{Many: true, Children: []engine.Element{{Name: "a"}}}}
	if got := adaptertest.Show(t, New(), `[{"a":1},{"a":-2.5e1}]`, src); !slices.Equal(got, []string{`1 "1"@1:7`, `2 "-2.5e1"@1:15`}) {
		t.Errorf("got %v", got)
	}
}

func TestCompile(t *testing.T) {
	adaptertest.Refusals(t, New(), source(), map[string]string{
		"nhsNumber": "", "number": "", "$.header.sequence": "", "ids[*].value": "", "ids[?(@.system != 'x')].value": "", "@['nhsNumber']": "", "names[-1]": "",
		"ids[?@.value].value":      "",
		"nhsNumbr":                 `0+8 no "nhsNumbr" is declared here ?nhsNumber`,
		"plan.strat":               `5+5 no "strat" is declared here ?start`,
		"$.headr.sequence":         `2+5 no "headr" is declared here ?header`,
		"ids[?@.sytem=='x'].value": `7+5 no "sytem" is declared here ?system`,
		"ids.value":                "4+5 the value before this is a list",
		"ids":                      "0+3 this is a list",
		"plan":                     "0+4 this is an object",
		"nhsNumber.x":              "10+1 the structure declares a value here",
		"plan[0]":                  "5+1 the structure declares no list here",
		"$..nhsNumber":             "1+1 descendants",
		"":                         "0+1 a path begins with",
		"ids[0":                    "4+1 in brackets belongs",
		"ids[*":                    "3+1 the bracket is not closed",
		"ids[01]":                  "4+1 in brackets belongs",
		"ids['a":                   "4+1 the quote is not closed",
		"ids[?system=='x']":        "5+1 a filter begins with @",
		"ids[?@.system==x]":        "15+1 a filter compares with",
		"plan.":                    "5+1 here belongs a name",
		"plan start":               "4+1 here belongs . or [",
	})
	bare := adaptertest.Source(Format, "number", "nhsNumber")
	adaptertest.Refusals(t, New(), bare, map[string]string{"nhsNumber": "", "number": "", "nhsNumer": "0+8 no declared field", "numbr": "0+5 no declared field has this path, and the source declares no structure ?number"})
	for expr, want := range map[string]bool{"nhsNumber": true, "ids[0].value": true, "ids[*].value": false, "ids[?@.value].value": false} {
		s, err := New().Compile(expr, source())
		if err != nil || s.(selector).Single() != want {
			t.Errorf("%s: single is %v", expr, !want)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for want, change := range map[string]func(*engine.Schema){
		`option "record" is unknown`:             func(s *engine.Schema) { s.Options = map[string]string{"record": "$"} },
		"option records: at 3: no \"childrn\"":   func(s *engine.Schema) { s.Options[OptionRecords] = "$.childrn[*]" },
		"option records: the path finds a list":  func(s *engine.Schema) { s.Options[OptionRecords] = "$.children" },
		"option records: at 1: it begins with $": func(s *engine.Schema) { s.Options[OptionRecords] = "children[*]" },
		"option lines is true or false":          func(s *engine.Schema) { s.Options[OptionLines] = "yes" },
		"encoding: JSON is UTF-8":                func(s *engine.Schema) { s.Encoding = "windows-1252" },
	} {
		src := source()
		change(&src)
		if err := New().Check(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestNothingOfTheMessageInFaults keeps names of members, which may be data where they are not declared, out of faults and places.
func TestNothingOfTheMessageInFaults(t *testing.T) {
	for _, body := range []string{`{"SECRET":1,"SECRET":2}`, `{"children":[{"SECRET":1,"SECRET":"\ud800"}]}`, `{"children":[{"SECRET":tru}]}`, `{SECRET`} {
		for _, err := range New().Decode(engine.Message{Body: []byte(body)}, source()) {
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{"header":{"sequence":7},"children":[{"nhsNumber":"1","names":["é"]}]}`, `[`, "\ufeff{}", `{"children":[{"a":"\ud800"},{}`} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		src := source()
		if lines {
			src = adaptertest.Source(Format, "a", "a", "b", "b[*].c")
			src.Options = map[string]string{OptionLines: "true"}
		}
		adaptertest.Hold(t, New(), body, src)
	})
}

func FuzzCompile(f *testing.F) {
	for _, expr := range []string{"a.b[0]['c'][?@.d=='e']", "$..", "[?(@.a!=1)]", "ids[?@.system=='LA'].value"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		for _, src := range []engine.Schema{source(), {}} {
			if _, err := New().Compile(expr, src); err != nil {
				if e, ok := err.(*engine.CompileError); !ok || e.Offset < 0 || e.Offset > len(expr) || e.Text == "" {
					t.Fatalf("%#v", err)
				}
			}
		}
	})
}
