package fhir

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// perOp measures f by itself for about 200 ms and returns nanoseconds a call: the reference that a figure is held against.
func perOp(f func()) float64 {
	n := 0
	start := time.Now()
	for time.Since(start) < 200*time.Millisecond {
		for range 16 {
			f()
		}
		n += 16
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func ratio(b *testing.B, reference float64) {
	b.ReportMetric(reference/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "x_ref:encoding/json")
}

// BenchmarkRead reads a message Bundle into nodes. The reference is encoding/json into map[string]any, which checks less and keeps no places.
func BenchmarkRead(b *testing.B) {
	raw := sampleBundle(b)
	reference := perOp(func() {
		var v map[string]any
		require.NoError(b, json.Unmarshal(raw, &v))
	})
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(raw, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
	ratio(b, reference)
}

// BenchmarkExamine adds the check against R4's element table to BenchmarkRead.
func BenchmarkExamine(b *testing.B) {
	raw := sampleBundle(b)
	reference := perOp(func() {
		var v map[string]any
		require.NoError(b, json.Unmarshal(raw, &v))
	})
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, faults := Examine(raw, Limits{}, nil); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
	ratio(b, reference)
}
