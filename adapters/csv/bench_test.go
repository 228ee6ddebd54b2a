package csv

import (
	"bytes"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"signalbox/engine"
)

func benchFile(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\n")
	for i := range rows {
		fmt.Fprintf(&b, "9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-%06d,L,\"Worker, A\"\n", i)
	}
	return b.Bytes()
}

// standardRows reads the body as encoding/csv does at its fastest, and returns the number of rows.
func standardRows(body []byte) int {
	r := stdcsv.NewReader(bytes.NewReader(body))
	r.ReuseRecord = true
	n := 0
	for {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return n
		}
		n++
	}
}

// BenchmarkDecode reads 10,000 rows into records; BenchmarkDecodeSelect also takes text and place of all eleven cells of each. x_ref is
// against encoding/csv with ReuseRecord, which checks no encoding and gives no place, on the same bytes in the same run.
func BenchmarkDecode(b *testing.B)       { benchmarkDecode(b, false) }
func BenchmarkDecodeSelect(b *testing.B) { benchmarkDecode(b, true) }

func benchmarkDecode(b *testing.B, every bool) {
	const rows = 10_000
	body := benchFile(rows)
	src := columns("nhs_no", "forename", "surname", "dob", "plan_cat", "start_dt", "end_dt", "withdrawn_dt", "case_ref", "record_status", "worker_name")
	var selectors []engine.Selector
	for _, f := range src.Fields {
		s, _ := New().Compile(f.Name, src)
		selectors = append(selectors, s)
	}
	if !every {
		selectors = nil
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var ours, theirs time.Duration
	var found []engine.Value
	for b.Loop() {
		start := time.Now()
		n := 0
		for rec, err := range New().Decode(engine.Message{Body: body}, src) {
			if err != nil {
				b.Fatal(err)
			}
			for _, s := range selectors {
				found = s.Select(rec, found[:0])
			}
			n++
		}
		ours += time.Since(start)
		start = time.Now()
		if standardRows(body) != n+1 {
			b.Fatal("the two readers count differently")
		}
		theirs += time.Since(start)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/ours.Seconds(), "rows/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x_ref:encoding/csv")
}
