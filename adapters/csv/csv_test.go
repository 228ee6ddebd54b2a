package csv

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"signalbox/engine"
)

// columns declares string fields of those names.
func columns(names ...string) engine.Schema {
	src := engine.Schema{Format: Format}
	for _, n := range names {
		src.Fields = append(src.Fields, engine.Field{Name: n})
	}
	return src
}

// show decodes and writes one line a record: its cells, or its fault with its place.
func show(t testing.TB, body string, src engine.Schema) []string {
	t.Helper()
	if err := (Adapter{}).Check(src); err != nil {
		t.Fatalf("check: %v", err)
	}
	var out []string
	for rec, err := range New().Decode(engine.Message{Body: []byte(body)}, src) {
		if err != nil {
			e := err.(*engine.Error)
			out = append(out, fmt.Sprintf("%d %s %s %d:%d [%d,%d)", e.Place.Record, e.Rule, e.Place.Path, e.Place.Line, e.Place.Column, e.Place.Start, e.Place.End))
			continue
		}
		var cells []string
		for _, f := range src.Fields {
			sel, err := New().Compile(f.Name, src)
			if err != nil {
				t.Fatalf("compile %s: %v", f.Name, err)
			}
			v := sel.Select(rec, nil)
			cells = append(cells, fmt.Sprintf("%q@%d:%d", v[0].Text, v[0].At.Line, v[0].At.Column))
		}
		p := rec.Place()
		out = append(out, fmt.Sprintf("%d %s [%d,%d)", rec.Position(), strings.Join(cells, " "), p.Start, p.End))
	}
	return out
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, body string
		want       []string
	}{
		{"plain", "a,b\n1,2\n3,4\n", []string{`1 "1"@2:1 "2"@2:3 [4,7)`, `2 "3"@3:1 "4"@3:3 [8,11)`}},
		{"no last newline", "a,b\n1,2", []string{`1 "1"@2:1 "2"@2:3 [4,7)`}},
		{"crlf", "a,b\r\n1,2\r\n", []string{`1 "1"@2:1 "2"@2:3 [5,8)`}},
		{"cr at the end", "a,b\n1,2\r", []string{`1 "1"@2:1 "2"@2:3 [4,7)`}},
		{"byte order mark", "\ufeffa,b\n1,2\n", []string{`1 "1"@2:1 "2"@2:3 [7,10)`}},
		{"empty lines are no rows", "\na,b\n\n\r\n1,2\n\n", []string{`1 "1"@5:1 "2"@5:3 [8,11)`}},
		{"no rows", "a,b\n", nil},
		{"column order is the file's", "b,a\n2,1\n", []string{`1 "1"@2:3 "2"@2:1 [4,7)`}},
		{"an undeclared column is passed over", "x,a,y,b\n9,1,9,2\n", []string{`1 "1"@2:3 "2"@2:7 [8,15)`}},
		{"empty cells have a place", "a,b\n,\n", []string{`1 ""@2:1 ""@2:2 [4,5)`}},
		{"quotes", "a,b\n\"1,1\",\"say \"\"2\"\"\"\n", []string{`1 "1,1"@2:1 "say \"2\""@2:7 [4,21)`}},
		{"quoted line break", "a,b\n\"1\r\n1\",2\n3,4\n", []string{`1 "1\n1"@2:1 "2"@3:4 [4,12)`, `2 "3"@4:1 "4"@4:3 [13,16)`}},
		{"columns are characters", "a,b\nZoë,2\n", []string{`1 "Zoë"@2:1 "2"@2:5 [4,10)`}},
		{"too few", "a,b\n1\n3,4\n", []string{`1 column-count  2:1 [4,5)`, `2 "3"@3:1 "4"@3:3 [6,9)`}},
		{"too many", "a,b\n1,2,3\n3,4\n", []string{`1 column-count  2:1 [4,9)`, `2 "3"@3:1 "4"@3:3 [10,13)`}},
		{"bare quote", "a,b\n1,2\"\n3,4\n", []string{`1 syntax  2:4 [4,8)`, `2 "3"@3:1 "4"@3:3 [9,12)`}},
		{"text after a quote", "a,b\n\"1\"x,2\n3,4\n", []string{`1 syntax  2:4 [4,10)`, `2 "3"@3:1 "4"@3:3 [11,14)`}},
		{"a quote that never closes costs its line", "a,b\n\"1,2\n3,4\n5,6\n",
			[]string{`1 syntax  2:1 [4,8)`, `2 "3"@3:1 "4"@3:3 [9,12)`, `3 "5"@4:1 "6"@4:3 [13,16)`}},
		{"bytes that are no UTF-8", "a,b\n1,\xff\n3,4\n", []string{`1 encoding column b 2:3 [4,7)`, `2 "3"@3:1 "4"@3:3 [8,11)`}},
		{"the character of loss", "a,b\n1,x\ufffd\n", []string{`1 encoding column b 2:4 [4,10)`}},
		{"a NUL", "a,b\n1,\x00\n", []string{`1 encoding column b 2:3 [4,7)`}},
		{"missing column", "a,c\n1,2\n", []string{`0 column-count column b 1:1 [0,0)`}},
		{"column twice", "a,b,b\n1,2,3\n", []string{`0 column-count column b 1:1 [0,0)`}},
		{"all missing columns", "x\n1\n", []string{`0 column-count column a 1:1 [0,0)`, `0 column-count column b 1:1 [0,0)`}},
		{"empty file", "", []string{`0 column-count  0:0 [0,0)`}},
		{"UTF-16 under another name", "\xff\xfea\x00", []string{`0 encoding  0:0 [0,0)`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(t, tt.body, columns("a", "b")); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	tests := []struct {
		encoding, body string
		want           []string
	}{
		{"windows-1252", "a,b\nZo\xeb,\x80\n", []string{`1 "Zoë"@2:1 "€"@2:5 [4,9)`}},
		{"windows-1252", "a,b\n1,\x81\n\x8d,2\n\x8f,2\n\x90,2\n\x9d,2\nx,2\n", []string{
			`1 encoding column b 2:3 [4,7)`, `2 encoding column a 3:1 [8,11)`, `3 encoding column a 4:1 [12,15)`,
			`4 encoding column a 5:1 [16,19)`, `5 encoding column a 6:1 [20,23)`, `6 "x"@7:1 "2"@7:3 [24,27)`}},
		{"windows-1252", "\xef\xbb\xbfa,b\n", []string{`0 encoding  0:0 [0,0)`}},
		{"iso-8859-1", "a,b\nZo\xeb,\x80\n", []string{`1 encoding column b 2:5 [4,9)`}},
		{"iso-8859-15", "a,b\n1,\xa4\n", []string{`1 "1"@2:1 "€"@2:3 [4,7)`}},
		{"us-ascii", "a,b\n1,\xe9\n", []string{`1 encoding column b 2:3 [4,7)`}},
		{"utf-16", "a\x00,\x00b\x00\n\x00", []string{`0 encoding  0:0 [0,0)`}},
		{"utf-16le", "a\x00,\x00b\x00\n\x001\x00,\x00\xeb\x00\n\x00", []string{`1 "1"@2:1 "ë"@2:3 [8,14)`}},
		{"utf-16be", "\x00a\x00,\x00b\x00\n\x001\x00,\xd8\x00\x00\n\x003\x00,\x004", []string{
			`1 encoding column b 2:3 [8,14)`, `2 "3"@3:1 "4"@3:3 [16,22)`}},
	}
	for _, tt := range tests {
		src := columns("a", "b")
		src.Encoding = tt.encoding
		if got := show(t, tt.body, src); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.encoding, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

// TestRangesAreRaw cuts every record and cell out of the raw bytes by its range, for each family of encodings.
func TestRangesAreRaw(t *testing.T) {
	text := "a,b\nZoë,one\nx,\"Ł, 𝄞\"\nlast,é"
	src := columns("a", "b")
	for _, enc := range []string{"utf-8", "utf-16"} {
		raw := text
		if enc == "utf-16" {
			raw, _ = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
		}
		src.Encoding = enc
		lines := strings.Split(text, "\n")[1:]
		i := 0
		for rec, err := range New().Decode(engine.Message{Body: []byte(raw)}, src) {
			if err != nil {
				t.Fatal(err)
			}
			check := func(p engine.Place, want string) {
				got := raw[p.Start:p.End]
				if enc == "utf-16" {
					got, _ = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().String(got)
				}
				if got != want {
					t.Errorf("%s: range holds %q, want %q", enc, got, want)
				}
			}
			check(rec.Place(), lines[i])
			sel, _ := New().Compile("b", src)
			_, cell, _ := strings.Cut(lines[i], ",")
			check(sel.Select(rec, nil)[0].At, cell)
			i++
		}
		if i != len(lines) {
			t.Errorf("%s: %d records, want %d", enc, i, len(lines))
		}
	}
	if raw, _ := charmap.Windows1252.NewEncoder().String("Zoë"); len(raw) != 3 {
		t.Fatal("the premise that windows-1252 is one byte a character")
	}
}

func TestOptions(t *testing.T) {
	src := columns("a", "b")
	src.Options = map[string]string{OptionDelimiter: "tab", OptionQuote: "'"}
	if got := show(t, "a\tb\n'1\t1'\t\"2\n", src); got[0] != `1 "1\t1"@2:1 "\"2"@2:7 [4,12)` {
		t.Errorf("tab and single quote: %v", got)
	}
	src.Options = map[string]string{OptionQuote: "none"}
	if got := show(t, "a,b\n\"1,2\"\n", src); got[0] != `1 "\"1"@2:1 "2\""@2:4 [4,9)` {
		t.Errorf("no quotes: %v", got)
	}
	src = columns("col2", "col1")
	src.Options = map[string]string{OptionHeader: "false", OptionDelimiter: "|"}
	if got := show(t, "1|2\n1|2|3\n", src); got[0] != `1 "2"@1:3 "1"@1:1 [0,3)` || got[1] != `2 column-count  2:1 [4,9)` {
		t.Errorf("positions: %v", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	tests := map[string]func(*engine.Schema){
		"option \"quotes\" is unknown":          func(s *engine.Schema) { s.Options = map[string]string{"quotes": "x"} },
		"option delimiter is one ASCII":         func(s *engine.Schema) { s.Options = map[string]string{"delimiter": ";;"} },
		"option quote is one ASCII":             func(s *engine.Schema) { s.Options = map[string]string{"quote": "\n"} },
		"option header is true or false":        func(s *engine.Schema) { s.Options = map[string]string{"header": "yes"} },
		"are the same character":                func(s *engine.Schema) { s.Options = map[string]string{"quote": ","} },
		"encoding \"ebcdic\" is unknown":        func(s *engine.Schema) { s.Encoding = "ebcdic" },
		"fields a and c both name the column":   func(s *engine.Schema) { s.Fields = append(s.Fields, engine.Field{Name: "c", Select: "a"}) },
		"field a: without a header a column is": func(s *engine.Schema) { s.Options = map[string]string{"header": "false"} },
	}
	for want, change := range tests {
		src := columns("a", "b")
		change(&src)
		if err := New().Check(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestCompile(t *testing.T) {
	src := columns("nhs_no", "start_dt")
	src.Fields = append(src.Fields, engine.Field{Name: "family", Select: "Family name"})
	for _, expr := range []string{"nhs_no", "family", "Family name"} {
		if _, err := New().Compile(expr, src); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
	_, err := New().Compile("strat_dt", src)
	refusal, ok := err.(*engine.CompileError)
	if !ok || refusal.Suggest != "start_dt" || refusal.Length != len("strat_dt") {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	src := columns("a", "b")
	long := strings.Repeat("x", MaxRowBytes+1)
	got := show(t, "a,b\n"+long+",2\n3,4\n", src)
	if len(got) != 2 || !strings.HasPrefix(got[0], "1 limit") || !strings.HasPrefix(got[1], `2 "3"`) {
		t.Errorf("a long row: %d records", len(got))
	}
	for _, wide := range []string{strings.Repeat(",", MaxColumns+5), `"",` + strings.Repeat(",", MaxColumns+5)} {
		got = show(t, "a,b\n"+wide+"\n3,4\n", src)
		if len(got) != 2 || !strings.HasPrefix(got[0], "1 limit") || !strings.HasPrefix(got[1], `2 "3"`) {
			t.Errorf("a wide row: %v", got)
		}
	}
	got = show(t, "a,b\n\""+strings.Repeat("x\n", MaxRowBytes)+"\",2\n", src)
	if !strings.HasPrefix(got[0], "1 syntax") {
		t.Errorf("a quote over too many lines: %v", got[0])
	}
}

// framed is a source with a title, a head, records and a trailer that counts them.
func framed() engine.Schema {
	src := columns("col1", "col2", "head.col2")
	src.Options = map[string]string{OptionHeader: "false", OptionDelimiter: "|", OptionSkip: "1", OptionHead: "HDR", OptionDetail: "DET", OptionTrailer: "TRL",
		OptionCount: "col2"}
	return src
}

func TestFraming(t *testing.T) {
	record := func(n, line, start int) string {
		return fmt.Sprintf(`%d "DET"@%d:1 "a"@%d:5 "42"@2:5 [%d,%d)`, n, line, line, start, start+5)
	}
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"sound":             {"title\nHDR|42\nDET|a\nTRL|1\n", []string{record(1, 3, 13)}},
		"an empty title":    {"\nHDR|42\nDET|a\nTRL|1\n", []string{record(1, 3, 8)}},
		"no records":        {"title\nHDR|42\nTRL|0\n", nil},
		"wrong count":       {"title\nHDR|42\nDET|a\nTRL|2\n", []string{record(1, 3, 13), "0 record-count  4:1 [19,24)"}},
		"no count":          {"title\nHDR|42\nDET|a\nTRL\n", []string{record(1, 3, 13), "0 record-count  4:1 [19,22)"}},
		"no trailer":        {"title\nHDR|42\nDET|a\n", []string{record(1, 3, 13), "0 record-count  0:0 [0,0)"}},
		"after the trailer": {"title\nHDR|42\nTRL|0\nDET|a\n", []string{"0 record-count  4:1 [19,24)"}},
		"no head":           {"title\nDET|a\nTRL|1\n", []string{"0 column-count  2:1 [0,0)"}},
		"a short head":      {"title\nHDR\nTRL|0\n", []string{"0 column-count  2:1 [0,0)"}},
		"empty":             {"", []string{"0 column-count  0:0 [0,0)"}},
		"another row":       {"title\nHDR|42\nXXX|a\nTRL|1\n", []string{"1 syntax  3:1 [13,18)"}},
	} {
		if got := show(t, tt.body, framed()); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

func TestFramingRefuses(t *testing.T) {
	for want, change := range map[string]func(*engine.Schema){
		"option skip is a number":         func(s *engine.Schema) { s.Options[OptionSkip] = "-1" },
		"option head is the text":         func(s *engine.Schema) { s.Options[OptionHead] = " H" },
		"trailer-count is a column":       func(s *engine.Schema) { s.Options[OptionCount] = "2" },
		"trailer-count needs option":      func(s *engine.Schema) { delete(s.Options, OptionTrailer) },
		"are the same text":               func(s *engine.Schema) { s.Options[OptionTrailer] = "DET" },
		"and there is no option head":     func(s *engine.Schema) { delete(s.Options, OptionHead) },
		"col2 is not declared: without a": func(s *engine.Schema) { s.Fields[1].Name = "col3" },
	} {
		src := framed()
		change(&src)
		if err := New().Check(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	src := framed()
	src.Fields[2].Name = "head.cool2"
	if _, err := New().Compile("head.cool2", src); err == nil || !strings.Contains(err.Error(), "a column of the head is") {
		t.Errorf("got %v", err)
	}
}
