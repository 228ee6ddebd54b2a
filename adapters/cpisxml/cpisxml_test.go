package cpisxml

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"signalbox/engine"
	"signalbox/mesh/cpis"
)

func upload(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/upload.xml")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// decode returns the records and, one text each, the faults: "record rule line:column".
func decode(t testing.TB, body string) (records []engine.Record, faults []string) {
	t.Helper()
	for rec, err := range New().Decode(engine.Message{Body: []byte(body)}, engine.Schema{Format: Format}) {
		if err == nil {
			records = append(records, rec)
			continue
		}
		if rec != nil {
			t.Fatal("a faulty record is yielded as a good one")
		}
		e, ok := errors.AsType[*engine.Error](err)
		if !ok {
			t.Fatalf("an error of another type: %v", err)
		}
		text := fmt.Sprintf("%d %s", e.Place.Record, e.Rule)
		if list, ok := e.Err.(interface{ Unwrap() []error }); ok && len(list.Unwrap()) > 0 {
			text += fmt.Sprintf(" and %d more", len(list.Unwrap()))
		}
		if e.Place.Line == 0 || e.Text == "" {
			t.Errorf("%s has no line or no sentence", text)
		}
		faults = append(faults, text)
	}
	return records, faults
}

func find(t testing.TB, r engine.Record, expr string) []engine.Value {
	t.Helper()
	s, err := New().Compile(expr, engine.Schema{})
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return s.Select(r, nil)
}

func TestDecode(t *testing.T) {
	body := upload(t)
	records, faults := decode(t, body)
	if len(records) != 4 || len(faults) != 0 {
		t.Fatalf("%d records, faults %v", len(records), faults)
	}
	for i, rec := range records {
		p := rec.Place()
		if rec.Position() != i+1 || p.Record != i+1 || p.Line == 0 {
			t.Errorf("record %d stands at %+v", i+1, p)
		}
		if cut := body[p.Start:p.End]; !strings.HasPrefix(cut, "<record>") || !strings.HasSuffix(cut, "</record>") {
			t.Errorf("record %d: its range is not the element", i+1)
		}
		number := find(t, rec, ".//id[@root='2.16.840.1.113883.2.1.4.1']/@extension")
		want := []string{"9990000018", "9990000026", "9990000034", "9990000042"}[i]
		if len(number) != 1 || number[0].Text != want || body[number[0].At.Start:number[0].At.End] != want || number[0].At.Record != i+1 {
			t.Errorf("record %d: the number's place is %+v", i+1, number)
		}
		if file := find(t, rec, "/File/id/@extension"); len(file) != 1 || file[0].Text != "1042" {
			t.Errorf("record %d does not see the header", i+1)
		}
		if gone := find(t, rec, "CP-ISRecord/pertinentInformation/*/component2/*/value/@value"); (len(gone) == 1) != (i == 3) {
			t.Errorf("record %d: %d delete dates", i+1, len(gone))
		}
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name, old, replacement string
		records                int
		want                   []string
	}{
		{"one record", `birthTime value="20150312"`, `birthTime value="soon"`, 3, []string{"1 " + cpis.RuleValue}},
		{"two faults of one record", `<birthTime value="20150312"/><name><given>Ada</given>`, `<birthTime value="today"/><name>`, 3, []string{"1 " + cpis.RuleValue + " and 1 more"}},
		{"quantity", `transmissionQuantity value="4"`, `transmissionQuantity value="5"`, 4, []string{"0 " + engine.RuleCount}},
		{"header", `value="tel:01632960002" use="EC"`, `value="tel:01632960002" use="WP"`, 0, []string{"0 " + cpis.RuleTelecomEC}},
		{"doctype", "<File ", "<!DOCTYPE File><File ", 0, []string{"0 " + cpis.RuleDoctype}},
		{"cut off", "</File>", "", 4, []string{"0 " + cpis.RuleWellFormed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.Replace(upload(t), tt.old, tt.replacement, 1)
			records, faults := decode(t, body)
			if len(records) != tt.records || strings.Join(faults, "; ") != strings.Join(tt.want, "; ") {
				t.Errorf("%d records, faults %v; want %d, %v", len(records), faults, tt.records, tt.want)
			}
			again, same := decode(t, body)
			if len(again) != len(records) || strings.Join(same, "; ") != strings.Join(faults, "; ") {
				t.Error("a second decoding sees something else")
			}
		})
	}
	if _, faults := decode(t, ""); len(faults) != 1 || !strings.HasPrefix(faults[0], "0 ") {
		t.Errorf("an empty file: %v", faults)
	}
}

func TestStopEarly(t *testing.T) {
	for _, body := range []string{upload(t), strings.Replace(upload(t), `use="EC"`, `use="X"`, 1), ""} {
		for range New().Decode(engine.Message{Body: []byte(body)}, engine.Schema{}) {
			break
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		expr    string
		under   string // the text under the caret
		suggest string
	}{
		{".//birthtime/@value", "birthtime", "birthTime"},
		{".//birthTime/@valeu", "valeu", "value"},
		{"/Flie/id/@extension", "Flie", "File"},
		{".//given[", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		_, err := New().Compile(tt.expr, engine.Schema{})
		refusal, ok := err.(*engine.CompileError)
		if !ok {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		end := min(refusal.Offset+refusal.Length, len(tt.expr))
		if refusal.Suggest != tt.suggest || tt.under != "" && tt.expr[refusal.Offset:end] != tt.under || strings.Contains(refusal.Text, "did you mean") {
			t.Errorf("%s: %+v", tt.expr, refusal)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := New().Check(engine.Schema{Format: Format, Encoding: "UTF-8"}); err != nil {
		t.Error(err)
	}
	for _, src := range []engine.Schema{{Encoding: "windows-1252"}, {Options: map[string]string{"header": "true"}}} {
		if New().Check(src) == nil {
			t.Errorf("%+v is accepted", src)
		}
	}
}

// FuzzDecode holds what must be so for any bytes: positions ascend, ranges lie in the body, every error is the engine's.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(upload(f)))
	f.Add([]byte(`<File xmlns="urn:hl7-org:v3"><record/></File>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		last := 0
		for rec, err := range New().Decode(engine.Message{Body: body}, engine.Schema{}) {
			var place engine.Place
			if err != nil {
				e, ok := errors.AsType[*engine.Error](err)
				if !ok {
					t.Fatal("an error of another type")
				}
				place = e.Place
			} else {
				place = rec.Place()
			}
			if place.Record != 0 && place.Record != last+1 || place.Start > place.End || place.End > int64(len(body)) {
				t.Fatalf("place %+v after record %d", place, last)
			}
			last = max(last, place.Record)
		}
	})
}

// A record that the codec refuses still says whose it is, and does not print it.
func TestARefusedRecordSaysWhoseItIs(t *testing.T) {
	n, err := engine.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine.Error{Err: refused{about: engine.About{NHSNumber: n, LocalID: "LA-1"}}}
	known, ok := e.Err.(interface{ About() engine.About })
	if !ok || known.About().LocalID.Reveal() != "LA-1" || known.About().NHSNumber.Reveal() != "9990000018" {
		t.Fatal("the record is nameless")
	}
	if text := e.Error(); strings.Contains(text, "LA-1") || strings.Contains(text, "9990000018") {
		t.Error("the error prints a datum")
	}
}

// Records that take each other's memory say the same while they are valid as records that are kept.
func TestDecodeReusing(t *testing.T) {
	body := upload(t)
	msg := engine.Message{Body: []byte(body)}
	said := func(rec engine.Record, err error) string {
		if err != nil {
			return err.Error()
		}
		text := fmt.Sprint(rec.Position(), rec.Place())
		for _, expr := range []string{".//id[@root='2.16.840.1.113883.2.1.4.1']/@extension", "/File/id/@extension",
			"CP-ISRecord/pertinentInformation/*/component2/*/value/@value"} {
			for _, v := range find(t, rec, expr) {
				text += " " + v.Text
			}
		}
		return text
	}
	var kept, reused []string
	for rec, err := range New().Decode(msg, engine.Schema{Format: Format}) {
		kept = append(kept, said(rec, err))
	}
	for rec, err := range New().DecodeReusing(msg, engine.Schema{Format: Format}) {
		reused = append(reused, said(rec, err))
	}
	if len(kept) < 2 || fmt.Sprint(kept) != fmt.Sprint(reused) {
		t.Errorf("kept: %q\nreused: %q", kept, reused)
	}
}
