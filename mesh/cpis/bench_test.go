package cpis

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"time"
)

const benchRecords = 2000

// tokens reads every token with the standard library: the reference, which
// builds nothing and checks nothing.
func tokens(b *testing.B, body []byte) {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

// ratio reports how often f runs in the time of one reference run, both
// measured here and now, and the records a second.
func ratio(b *testing.B, perRun time.Duration, reference func()) {
	const runs = 15
	start := time.Now()
	for range runs {
		reference()
	}
	b.ReportMetric(float64(time.Since(start)/runs)/float64(perRun), "x_ref:encoding/xml-tokens")
	b.ReportMetric(benchRecords/perRun.Seconds(), "records/s")
}

func BenchmarkDecode(b *testing.B) {
	body := encodedUpload(b, sample(benchRecords))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d := NewDecoder(body, Limits{})
		for _, err := range d.Records() {
			if err != nil {
				b.Fatal(err)
			}
		}
		if d.Count() != benchRecords {
			b.Fatal("records are missing")
		}
	}
	ratio(b, b.Elapsed()/time.Duration(b.N), func() { tokens(b, body) })
}

func BenchmarkDecodeAndSelect(b *testing.B) {
	body := encodedUpload(b, sample(benchRecords))
	var selectors []*Selector
	for _, expr := range []string{
		"CP-ISRecord/subject/*/id[@root='2.16.840.1.113883.2.1.4.1']/@extension | .//playedMother/id[1]/@extension",
		"CP-ISRecord/pertinentInformation/contentId/@extension", ".//component/*/value/@value",
		".//component1/*/value/@value", ".//component2/*/value/@value", ".//birthTime/@value", ".//family", ".//given",
	} {
		s, err := CompileSelector(expr)
		if err != nil {
			b.Fatal(err)
		}
		selectors = append(selectors, s)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var matches []Match
	for b.Loop() {
		d := NewDecoder(body, Limits{})
		for r, err := range d.Records() {
			if err != nil {
				b.Fatal(err)
			}
			for _, s := range selectors {
				matches = s.Select(r.Element, d.header.Element, matches[:0])
			}
		}
	}
	ratio(b, b.Elapsed()/time.Duration(b.N), func() { tokens(b, body) })
}

func BenchmarkEncodeResponse(b *testing.B) {
	got := decode(b, string(encodedUpload(b, sample(benchRecords))), Limits{})
	response := answer(got)
	b.ReportAllocs()
	for b.Loop() {
		if err := EncodeResponse(io.Discard, response); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchRecords/(b.Elapsed()/time.Duration(b.N)).Seconds(), "records/s")
}
