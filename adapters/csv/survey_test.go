package csv

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"signalbox/engine"
)

// surveyed writes one line a cell: record, path, text and bytes.
func surveyed(body string, src engine.Schema) []string {
	var out []string
	for c := range New().Survey(engine.Message{Body: []byte(body)}, src) {
		out = append(out, fmt.Sprintf("%d %s %q [%d,%d) %v", c.Record, c.Path, c.Text, c.Start, c.End, c.Fixed))
	}
	return out
}

func TestSurveyShowsEveryCell(t *testing.T) {
	for name, tt := range map[string]struct {
		body, header string
		want         []string
	}{
		"headings are fixed": {"a,b\n1,\n", "true", []string{`0 column a "a" [0,1) true`, `0 column b "b" [2,3) true`, `1 column a "1" [4,5) false`, `1 column b "" [6,6) false`}},
		"a row too long":     {"a\n1,2\n", "true", []string{`0 column a "a" [0,1) true`, `1 column a "1" [2,3) false`, `1 column col2 "2" [4,5) false`}},
		"a broken quote":     {"a,b\n\"1,2\n3,4\n", "true", []string{`0 column a "a" [0,1) true`, `0 column b "b" [2,3) true`, `1 column a "\"1" [4,6) false`, `1 column b "2" [7,8) false`, `2 column a "3" [9,10) false`, `2 column b "4" [11,12) false`}},
		"no header":          {"1,2\n", "false", []string{`1 column col1 "1" [0,1) false`, `1 column col2 "2" [2,3) false`}},
		"quotes are in":      {"a\n\"1\"\n", "true", []string{`0 column a "a" [0,1) true`, `1 column a "1" [2,5) false`}},
		"nothing":            {"", "true", nil},
	} {
		got := surveyed(tt.body, engine.Schema{Format: Format, Options: map[string]string{OptionHeader: tt.header}})
		if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// What a selector finds, the survey shows at the same bytes with the same text, in every encoding.
func TestSurveyAgreesWithSelectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.SampledFrom([]string{"", "x", "é", "\"q,q\"", "\"a\"\"b\"", "12"})
		body := "a,b\n"
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			body += strings.Join(rapid.SliceOfN(cell, 1, 3).Draw(t, "row"), ",") + "\n"
		}
		src := columns("a", "b")
		raw := []byte(body)
		if rapid.Bool().Draw(t, "wide") {
			src.Encoding = "utf-16le"
			raw, _ = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().Bytes(raw)
		}
		at := map[int64]engine.Cell{}
		for c := range New().Survey(engine.Message{Body: raw}, src) {
			if c.End > c.Start {
				at[c.Start] = c
			}
		}
		for r := range New().Decode(engine.Message{Body: raw}, src) {
			if r == nil {
				continue
			}
			for _, f := range src.Fields {
				s, _ := New().Compile(f.Name, src)
				for _, v := range s.Select(r, nil) {
					if c := at[v.At.Start]; v.At.End > v.At.Start && (c.Text != v.Text || c.End != v.At.End || c.Record != v.At.Record || c.Path != v.At.Path) {
						t.Fatalf("selector %+v, survey %+v", v, c)
					}
				}
			}
		}
	})
}

func TestProfileTellsHowASampleIsWritten(t *testing.T) {
	rows := "Case Ref;NHS No;in\nE-1;9990000018;1\nE-2;9990000026;2\n"
	wide, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(rows)
	for name, tt := range map[string]struct{ body, want string }{
		"semicolons":      {rows, "utf-8 ; true Case_Ref=Case Ref NHS_No=NHS No in_=in"},
		"UTF-16":          {wide, "utf-16 ; true Case_Ref=Case Ref NHS_No=NHS No in_=in"},
		"tabs":            {strings.ReplaceAll(rows, ";", "\t"), "utf-8 tab true Case_Ref=Case Ref NHS_No=NHS No in_=in"},
		"a bar, no names": {"E-1|9990000018|1\nE-2|9990000026|2\n", "utf-8 | false col1= col2= col3="},
		"windows-1252":    {"name,born\nZo\xeb,12/03/2015\n", "windows-1252 , true name= born="},
		"UTF-8":           {"name,born\nZoë,12/03/2015\n", "utf-8 , true name= born="},
		"names twice":     {"a b,a-b\n1,2\n", "utf-8 , true a_b=a b a_b_2=a-b"},
		"commas in text":  {"a;b\n\"x, y, z\";1\n\"u, v, w\";2\n", "utf-8 ; true a= b="},
	} {
		p, ok := New().Profile([]byte(tt.body))
		got := fmt.Sprintf("%s %s %s", p.Schema.Encoding, p.Schema.Options[OptionDelimiter], p.Schema.Options[OptionHeader])
		for _, f := range p.Schema.Fields {
			got += " " + f.Name + "=" + f.Select
		}
		if !ok || got != tt.want {
			t.Errorf("%s: %v %s, want %s", name, ok, got, tt.want)
		}
		if err := New().Check(p.Schema); err != nil || len(p.Reasons) < 3 {
			t.Errorf("%s: the profile is no schema: %v, reasons %q", name, err, p.Reasons)
		}
	}
	for _, bad := range []string{"", "one column\nonly\n", "<xml/>", "{\"a\": 1}"} {
		if p, ok := New().Profile([]byte(bad)); ok {
			t.Errorf("%q is taken for a table: %+v", bad, p)
		}
	}
}

// FuzzProfile holds the profile of any bytes to its word: it makes a schema that Check takes, and never panics.
func FuzzProfile(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "\xff\xfea\x00;\x00", "a|b\n\"x|y\n", "\x00\x00", "é;è\n1;2\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, ok := New().Profile(body)
		if !ok {
			return
		}
		if err := New().Check(p.Schema); err != nil {
			t.Errorf("%v: %+v", err, p.Schema)
		}
	})
}
