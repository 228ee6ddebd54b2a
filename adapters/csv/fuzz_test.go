package csv

import (
	stdcsv "encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// decodeAll returns every record's cells, nil where it was faulty, and checks what must hold of any input: positions ascend from 1,
// ranges lie in the body in order, and a second decoding sees the same.
func decodeAll(t interface{ Fatalf(string, ...any) }, body []byte, src engine.Schema) [][]string {
	var rows [][]string
	last, end := 0, int64(0)
	for rec, err := range New().Decode(engine.Message{Body: body}, src) {
		place := engine.Place{}
		var cells []string
		if err != nil {
			e, ok := errors.AsType[*engine.Error](err)
			if !ok || strings.Contains(e.Error(), "\x00") {
				t.Fatalf("an error of the wrong type")
			}
			if place = e.Place; place.Record == 0 {
				continue
			}
		} else {
			place = rec.Place()
			for _, f := range src.Fields {
				sel, _ := New().Compile(f.Name, src)
				cells = append(cells, sel.Select(rec, nil)[0].Text)
			}
		}
		if place.Record != last+1 || place.Start < end || place.End < place.Start || place.End > int64(len(body)) {
			t.Fatalf("place %+v after record %d ending at %d of %d", place, last, end, len(body))
		}
		last, end = place.Record, place.End
		rows = append(rows, cells)
	}
	return rows
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "a,b\n\"1\n2\",\"3\n", "\ufeffa,b\r\n\"\"\"\",\n", "a,b\n\xff,\x00\n", "\xff\xfea\x00"} {
		f.Add([]byte(seed), uint8(0))
	}
	f.Fuzz(func(t *testing.T, body []byte, pick uint8) {
		src := columns("a", "b")
		src.Encoding = chars.Encodings()[int(pick)%len(chars.Encodings())]
		if pick >= 128 {
			src = columns("col1", "col2")
			src.Options = map[string]string{OptionHeader: "false"}
		}
		first := decodeAll(t, body, src)
		second := decodeAll(t, slices.Clone(body), src)
		if !slices.EqualFunc(first, second, slices.Equal[[]string]) {
			t.Fatalf("two decodings differ")
		}
	})
}

// TestSameAsStandardReader holds the scanner against encoding/csv on files that the standard reader can read to the end.
func TestSameAsStandardReader(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "bc", " ", "é", ",", "\"", "\"\"", "\n", "\r\n", "\"x,y\"", "\"x\ny\"", ""})
	rapid.Check(t, func(rt *rapid.T) {
		body := strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(rt, "body"), "")
		want, ok := standard(body)
		if !ok {
			return
		}
		src := columns("col1", "col2", "col3")
		src.Options = map[string]string{OptionHeader: "false"}
		got := decodeAll(rt, []byte(body), src)
		if len(got) != len(want) {
			rt.Fatalf("%q: %d rows, the standard reader has %d", body, len(got), len(want))
		}
		for i := range want {
			if len(want[i]) != 3 {
				want[i] = nil
			}
			if !slices.Equal(got[i], want[i]) {
				rt.Fatalf("%q row %d: %q, the standard reader has %q", body, i+1, got[i], want[i])
			}
		}
	})
}

func standard(body string) ([][]string, bool) {
	r := stdcsv.NewReader(strings.NewReader(body))
	r.FieldsPerRecord = -1
	var rows [][]string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, true
		}
		if err != nil {
			return nil, false
		}
		rows = append(rows, row)
	}
}

// TestOneBadRowCostsOneRow puts a broken line anywhere into a good file: all the others are still read.
func TestOneBadRowCostsOneRow(t *testing.T) {
	bad := rapid.SampledFrom([]string{"\"open,1", "a\"b,1", "\"a\"b,1", "one", "1,2,3", "\xff,1"})
	rapid.Check(t, func(rt *rapid.T) {
		before, after := rapid.IntRange(0, 20).Draw(rt, "before"), rapid.IntRange(0, 20).Draw(rt, "after")
		body := "a,b\n" + strings.Repeat("1,2\n", before) + bad.Draw(rt, "bad") + "\n" + strings.Repeat("1,2\n", after)
		rows := decodeAll(rt, []byte(body), columns("a", "b"))
		good := 0
		for _, r := range rows {
			if r != nil {
				good++
			}
		}
		if len(rows) != before+after+1 || good != before+after {
			rt.Fatalf("%d rows of which %d good, want %d and %d", len(rows), good, before+after+1, before+after)
		}
	})
}
