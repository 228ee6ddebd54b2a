package fixed

import (
	"slices"
	"strings"
	"testing"

	"signalbox/adapters/internal/adaptertest"
	"signalbox/engine"
)

func source(options ...string) engine.Schema {
	s := adaptertest.Source(Format, "kind", "1-2", "name", "3-8", "code", "9")
	s.Options = map[string]string{}
	for pair := range slices.Chunk(options, 2) {
		s.Options[pair[0]] = pair[1]
	}
	return s
}

func framed() engine.Schema {
	s := source(OptionHead, "HD", OptionTrailer, "TR", OptionDetail, "DT", OptionCount, "3-6")
	s.Fields = append(s.Fields, engine.Field{Name: "mark", Select: "head.1-2"}, engine.Field{Name: "number", Select: "head.3-6"})
	return s
}

func TestDecode(t *testing.T) {
	latin, trimmed := source(), source(OptionTrimmed, "true")
	latin.Encoding = "windows-1252"
	for name, tt := range map[string]struct {
		src  engine.Schema
		body string
		want []string
	}{
		"lines":             {source(), "DTAda   P\r\n\nDTZoë   L", []string{`1 "DT"@1:1 "Ada   "@1:3 "P"@1:9`, `2 "DT"@3:1 "Zoë   "@3:3 "L"@3:9`}},
		"windows-1252":      {latin, "DTZo\xeb   L\nDTZo\x81   L\nDTBen   P\n", []string{`1 "DT"@1:1 "Zoë   "@1:3 "L"@1:9`, "2 encoding 2:5", `3 "DT"@3:1 "Ben   "@3:3 "P"@3:9`}},
		"width":             {source(), "DTAda  P\nDTAda    P\nDTAda   P\n", []string{"1 column-count 1:1", "2 column-count 2:1", `3 "DT"@3:1 "Ada   "@3:3 "P"@3:9`}},
		"trimmed":           {trimmed, "DTAda\n", []string{`1 "DT"@1:1 "Ada"@1:3 ""@1:6`}},
		"framed":            {framed(), "HD0042\nDTAda   P\nTR0001\n", []string{`1 "DT"@2:1 "Ada   "@2:3 "P"@2:9 "HD"@1:1 "0042"@1:3`}},
		"wrong count":       {framed(), "HD0042\nDTAda   P\nTR0002\n", []string{`1 "DT"@2:1 "Ada   "@2:3 "P"@2:9 "HD"@1:1 "0042"@1:3`, "0 record-count 3:1"}},
		"no trailer":        {framed(), "HD0042\nDTAda   P\n", []string{`1 "DT"@2:1 "Ada   "@2:3 "P"@2:9 "HD"@1:1 "0042"@1:3`, "0 record-count 2:1"}},
		"after the trailer": {framed(), "HD0042\nTR0000\nDTAda   P\n", []string{"0 record-count 3:1"}},
		"no head":           {framed(), "DTAda   P\nTR0001\n", []string{"0 column-count 1:1"}},
		"empty":             {framed(), "", []string{"0 column-count 0:0"}},
		"neither":           {framed(), "HD0042\nXXAda   P\nTR0001\n", []string{"1 syntax 2:1"}},
	} {
		if got := adaptertest.Show(t, New(), tt.body, tt.src); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// TestRawRanges takes every value's bytes out of a message in another encoding than UTF-8.
func TestRawRanges(t *testing.T) {
	src := source()
	src.Encoding = "iso-8859-1"
	body := "D\xe9Zo\xeb   P\nD\xe9Ben   L\n"
	for rec := range New().Decode(engine.Message{Body: []byte(body)}, src) {
		s, _ := New().Compile("code", src)
		at := s.Select(rec, nil)[0].At
		if got := body[at.Start:at.End]; got != map[int]string{1: "P", 2: "L"}[rec.Position()] {
			t.Errorf("record %d: the range holds %q", rec.Position(), got)
		}
	}
}

func TestRefusals(t *testing.T) {
	adaptertest.Refusals(t, New(), source(), map[string]string{"name": "", "3-8": "", "nmae": `0+4 no field "nmae" ?name`, "3-7": `0+3 no field "3-7"`})
	bad := adaptertest.Source(Format, "a", "1-x")
	adaptertest.Refusals(t, New(), bad, map[string]string{"1-x": "0+3 a range of characters is like"})
	for want, change := range map[string]func(*engine.Schema){
		"field name overlaps":                        func(s *engine.Schema) { s.Fields[1].Select = "2-8" },
		"field code leaves a gap: characters 9 to 9": func(s *engine.Schema) { s.Fields[2].Select = "10" },
		`option "width" is unknown`:                  func(s *engine.Schema) { s.Options["width"] = "9" },
		"option trimmed is true or false":            func(s *engine.Schema) { s.Options["trimmed"] = "1" },
		"trailer-count needs option trailer":         func(s *engine.Schema) { s.Options["trailer-count"] = "1-2" },
		"trailer-count is a range":                   func(s *engine.Schema) { s.Options["trailer-count"] = "0-2" },
		"trailer needs option detail":                func(s *engine.Schema) { s.Options["trailer"] = "T" },
		"option head is the text":                    func(s *engine.Schema) { s.Options["head"] = "" },
		"reads the head, and there is no":            func(s *engine.Schema) { s.Fields[2].Select = "head.1-2" },
		"encoding is one byte":                       func(s *engine.Schema) { s.Encoding = "utf-16" },
	} {
		src := source()
		change(&src)
		if err := New().Check(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{"HD0042\nDTAda   P\nTR0001\n", "DTZo\xeb   L\n", "\r\n\x00"} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, frames bool) {
		src := source(OptionTrimmed, "true")
		src.Encoding = "windows-1252"
		if frames {
			src = framed()
		}
		adaptertest.Hold(t, New(), body, src)
	})
}
