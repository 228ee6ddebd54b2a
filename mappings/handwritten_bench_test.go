package mappings_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/internal/figure"
	"signalbox/mappings"
)

// decoded is an adapter that hands out the records of another one, decoded before: what is measured with it is the rules alone.
type decoded struct {
	engine.Adapter
	records []engine.Record
}

func (d *decoded) Decode(engine.Message, engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		for _, r := range d.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// twelve is the mapping of testdata/twelve, and as many records of its sample, again and again, as a benchmark translates. The first mapping
// reads a message; the second one has the records of that message already.
func twelve(t testing.TB, rows int) (whole, rules *mappings.Mapping, body []byte) {
	t.Helper()
	sample, err := os.ReadFile("testdata/twelve/sample.csv")
	if err != nil {
		t.Fatal(err)
	}
	header, records, _ := bytes.Cut(sample, []byte("\n"))
	body = append(append(header, '\n'), bytes.Repeat(records, rows/bytes.Count(records, []byte("\n")))...)
	return loadTwelve(t, mustCSV()), loadTwelve(t, &decoded{mustCSV(), recordsOf(t, body)}), body
}

func loadTwelve(t testing.TB, csv engine.Adapter) *mappings.Mapping {
	t.Helper()
	m, err := mappings.Load(os.DirFS("testdata"), "twelve", adapters.New(csv))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func recordsOf(t testing.TB, body []byte) []engine.Record {
	t.Helper()
	header, _, _ := strings.Cut(string(body), "\n")
	src := engine.Schema{Format: "csv"}
	for _, name := range strings.Split(header, ",") {
		src.Fields = append(src.Fields, engine.Field{Name: name})
	}
	var out []engine.Record
	for r, err := range mustCSV().Decode(engine.Message{Body: body}, src) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// rowsOf reads the body as somebody would by hand.
func rowsOf(body []byte, each func(at engine.Place, cells []string)) {
	r := stdcsv.NewReader(bytes.NewReader(body))
	r.ReuseRecord = true
	for n := 0; ; n++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if n == 0 {
			continue
		}
		line, _ := r.FieldPos(0)
		each(engine.Place{Record: n, Line: line, Column: 1}, cells)
	}
}

// BenchmarkRules is what the compiled rules cost on records of twelve columns that are decoded already, condition and expression in CEL and
// each value's place included; the reference is Go written by hand that does the same checks on the same cells and makes the same events.
func BenchmarkRules(b *testing.B) {
	_, m, body := twelve(b, benchRecords)
	msg := message("")
	byHand := newHandwritten(m.Digest())
	var places []engine.Place
	var rows [][]string
	rowsOf(body, func(at engine.Place, cells []string) {
		places, rows = append(places, at), append(rows, append([]string(nil), cells...))
	})
	each := figure.Compare(b, "handwritten", func() { count(m, msg) }, func() {
		for i, cells := range rows {
			byHand.translate(&msg, places[i], cells)
		}
	})
	b.ReportMetric(benchRecords/each.Seconds(), "records/s")
}

func count(m *mappings.Mapping, msg engine.Message) (records int) {
	for range m.Translate(msg) {
		records++
	}
	return records
}

// BenchmarkWholeCSV is the whole path, from bytes to events; the reference reads with encoding/csv and does the rest by hand.
func BenchmarkWholeCSV(b *testing.B) {
	m, _, body := twelve(b, benchRecords)
	msg := message("")
	msg.Body = body
	byHand := newHandwritten(m.Digest())
	each := figure.Compare(b, "handwritten", func() { count(m, msg) }, func() {
		rowsOf(body, func(at engine.Place, cells []string) { byHand.translate(&msg, at, cells) })
	})
	b.ReportMetric(benchRecords/each.Seconds(), "rows/s")
}

// The two sides of the benchmarks do the same work: the same outcomes, the same faults in the same order, the same events, of the sample
// and of whatever else stands in its cells.
func TestHandwrittenDoesWhatTheMappingDoes(t *testing.T) {
	m, _, sample := twelve(t, 100)
	checkByHand(t, m, sample)
	header, _, _ := strings.Cut(string(sample), "\n")
	cell := rapid.SampledFrom([]string{"", " ", "9990000018", "999 000 0026", "9990000019", "01/09/2026", " 30/09/2026", "31/02/2026", "1/2/26", "P", "U", "L", "X",
		"998", "99x", "01632 960101", "+44 1632 960102", "tel:999", "1-2", "12345678901234567890123"})
	good := strings.Split("9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1001,L,998,01632 960101", ",")
	rapid.Check(t, func(t *rapid.T) {
		body := header + "\n"
		for range rapid.IntRange(1, 6).Draw(t, "rows") {
			cells := append([]string(nil), good...)
			for range rapid.IntRange(0, 4).Draw(t, "changes") {
				cells[rapid.IntRange(0, 11).Draw(t, "column")] = cell.Draw(t, "cell")
			}
			body += strings.Join(cells, ",") + "\n"
		}
		checkByHand(t, m, []byte(body))
	})
}

func checkByHand(t interface{ Fatalf(string, ...any) }, m *mappings.Mapping, body []byte) {
	msg := message("")
	msg.Body = body
	byHand := newHandwritten(m.Digest())
	var want []string
	for r := range m.Translate(msg) {
		want = append(want, shortly(r))
	}
	i := 0
	rowsOf(body, func(at engine.Place, cells []string) {
		if got := shortly(byHand.translate(&msg, at, cells)); i >= len(want) || got != want[i] {
			t.Fatalf("row %d by hand:\n%s\nby the mapping:\n%s", i+1, got, want[min(i, len(want)-1)])
		}
		i++
	})
	if i != len(want) {
		t.Fatalf("%d rows by hand, %d by the mapping", i, len(want))
	}
}

// shortly is what a result holds, but for the bytes and the column of its places.
func shortly(r engine.Translated) string {
	out := fmt.Sprintf("%s record %d line %d", r.Outcome, r.Place.Record, r.Place.Line)
	for _, f := range r.Faults {
		out += fmt.Sprintf("\n  %s %s", f.Rule, f.Sentence())
		if f.Place.Line > 0 {
			out += fmt.Sprintf(" in %s of line %d", f.Place.Path, f.Place.Line)
		}
	}
	if r.About != nil {
		out += fmt.Sprintf("\n  about %s %s", r.About.NHSNumber.Reveal(), r.About.LocalID.Reveal())
	}
	if r.Event != nil {
		body, err := r.Event.Encode()
		out += fmt.Sprint("\n  ", string(body), err)
	}
	return out
}
