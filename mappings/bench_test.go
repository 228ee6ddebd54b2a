package mappings_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/mappings"
)

const benchRecords = 5_000

// benchmark translates body again and again; x_ref is against reference on the same body in the same run.
func benchmark(b *testing.B, m *mappings.Mapping, body []byte, unit, of string, reference func([]byte)) {
	msg := message("")
	msg.Body = body
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		n := 0
		for r := range m.Translate(msg) {
			if r.Outcome != engine.Accepted {
				b.Fatal(r.Faults)
			}
			n++
		}
		if n != benchRecords {
			b.Fatal(n, "records")
		}
		ours += time.Since(start)
		start = time.Now()
		reference(body)
		theirs += time.Since(start)
	}
	b.ReportMetric(float64(benchRecords)*float64(b.N)/ours.Seconds(), unit)
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x_ref:"+of)
}

// BenchmarkTranslateCSV makes flags of a supplier's CSV, the condition and the expression in CEL; the reference only reads the rows with
// encoding/csv.
func BenchmarkTranslateCSV(b *testing.B) {
	body := northshireHeader + strings.Repeat("9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1001,L,\n", benchRecords)
	benchmark(b, northshire(b), []byte(body), "rows/s", "encoding/csv", readCSV)
}

// BenchmarkTranslateCSVWithoutCEL is the same with neither condition nor expression: what the closures cost.
func BenchmarkTranslateCSVWithoutCEL(b *testing.B) {
	mapping, _ := fs.ReadFile(mappings.Embedded(), model+"/mapping.yaml")
	source, _ := fs.ReadFile(mappings.Embedded(), model+"/source.yaml")
	table, _ := fs.ReadFile(mappings.Embedded(), model+"/tables/plan-type.csv")
	text := string(mapping)
	for old, replacement := range map[string]string{
		"supplier: northshire-csv":         "supplier: s",
		"when: row.record_status == \"L\"": "",
		`{ expr: 'message.localId != "" ? message.localId : message.id', else: park }`: `{ const: "7" }`,
		"ignore:\n": "ignore:\n  - { column: record_status, why: benchmark }\n",
	} {
		text = strings.Replace(text, old, replacement, 1)
	}
	body := northshireHeader + strings.Repeat("9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1001,L,\n", benchRecords)
	benchmark(b, load(b, text, string(source), "plan-type", string(table)), []byte(body), "rows/s", "encoding/csv", readCSV)
}

func readCSV(body []byte) {
	r := stdcsv.NewReader(bytes.NewReader(body))
	r.ReuseRecord = true
	for {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return
		}
	}
}

// BenchmarkTranslateCPIS makes flags of a CP-IS upload, every rule of the message checked; the reference only takes the tokens with
// encoding/xml.
func BenchmarkTranslateCPIS(b *testing.B) {
	m, err := mappings.Load(mappings.Embedded(), "testshire-cpisxml", adapters.All())
	if err != nil {
		b.Fatal(err)
	}
	raw, _ := fs.ReadFile(mappings.Embedded(), "testshire-cpisxml/tests/01-four-records.txtar")
	file := string(txtar.Parse(raw).Files[0].Data)
	from, to := strings.Index(file, "<record>"), strings.Index(file, "</record>")+len("</record>")
	head := strings.Replace(file[:from], `transmissionQuantity value="4"`, fmt.Sprintf(`transmissionQuantity value="%d"`, benchRecords), 1)
	body := head + strings.Repeat(file[from:to]+"\n", benchRecords) + "</File>\n"
	benchmark(b, m, []byte(body), "records/s", "encoding/xml-tokens", func(body []byte) {
		d := xml.NewDecoder(bytes.NewReader(body))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				return
			}
		}
	})
}

// BenchmarkLoad is what one supplier costs at start-up: all of it is checked and compiled.
func BenchmarkLoad(b *testing.B) {
	registry := adapters.All()
	for b.Loop() {
		if _, err := mappings.Load(mappings.Embedded(), model, registry); err != nil {
			b.Fatal(err)
		}
	}
}
