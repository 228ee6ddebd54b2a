package csv

import (
	"strings"
	"testing"

	"signalbox/engine"
)

func TestSurveyOfFramedRows(t *testing.T) {
	src := engine.Schema{Format: Format, Options: map[string]string{OptionHeader: "false", OptionSkip: "1", OptionHead: "H", OptionDetail: "D", OptionTrailer: "T", OptionCount: "col2"}}
	want := []string{`0 line 1 "title" [0,5) false`, `0 head.col1 "H" [6,7) true`, `0 head.col2 "x" [8,9) false`, `1 column col1 "D" [10,11) true`, `1 column col2 "a" [12,13) false`,
		`2 column col1 "E" [14,15) false`, `0 trailer.col1 "T" [16,17) true`, `0 trailer.col2 "2" [18,19) true`, `0 trailer.col3 "z" [20,21) false`}
	if got := surveyed("title\nH,x\nD,a\nE\nT,2,z\n", src); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for c := range New().Survey(engine.Message{Body: []byte("title\nH,x\nD,a\nT,1,z\n")}, src) {
		if (c.Path == "line 1" || c.Path == "trailer.col3") != c.Apart {
			t.Errorf("%s: apart=%v", c.Path, c.Apart)
		}
	}
}

func TestProfileOfFramedRows(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want map[string]string
		last string
	}{
		"head, records, trailer": {"H|x|y\nD|1|2|3\nD|4|5|6\nT|2\n", map[string]string{OptionHead: "H", OptionDetail: "D", OptionTrailer: "T", OptionCount: "col2", OptionHeader: "false"}, "head.col3"},
		"no trailer":             {"H|x\nD|1|2\nD|4|5\nD|7|8\n", map[string]string{OptionHead: "H", OptionDetail: "D", OptionTrailer: ""}, "head.col2"},
		"a title":                {"Extract of today\n\nref,name,born\n1,a,b\n2,c,d\n3,e,f\n", map[string]string{OptionSkip: "2", OptionHeader: "true", OptionHead: ""}, ""},
		"a plain table":          {"ref,name\nA,1\nA,2\nA,3\nB,4\n", map[string]string{OptionHead: "", OptionSkip: "", OptionHeader: "true"}, ""},
	} {
		p, ok := New().Profile([]byte(tt.body))
		if !ok {
			t.Errorf("%s: no table", name)
			continue
		}
		for option, want := range tt.want {
			if got := p.Schema.Options[option]; got != want {
				t.Errorf("%s: option %s is %q, want %q", name, option, got, want)
			}
		}
		if err := New().Check(p.Schema); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f := p.Schema.Fields[len(p.Schema.Fields)-1]; tt.last != "" && f.Select != tt.last {
			t.Errorf("%s: the last field reads %q", name, f.Select)
		}
		for _, err := range New().Decode(engine.Message{Body: []byte(tt.body)}, p.Schema) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
