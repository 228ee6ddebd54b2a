package oracle

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

// BenchmarkSecondOpinion is the cost of asking google/fhir; x_ref is how many times our own reader and check fit into it.
func BenchmarkSecondOpinion(b *testing.B) {
	raw, err := os.ReadFile("../../mappings/suppliers/testshire-trust-fhir/sample/attendance.json")
	require.NoError(b, err)
	v := newValidator(b)
	n, start := 0, time.Now()
	for time.Since(start) < 200*time.Millisecond {
		_, faults := fhir.Examine(raw, fhir.Limits{}, nil)
		require.Empty(b, faults)
		n++
	}
	own := float64(time.Since(start).Nanoseconds()) / float64(n)
	for b.Loop() {
		if len(v.Check(raw)) > 0 {
			b.Fatal("refused")
		}
	}
	b.ReportMetric(own/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "x_ref:own-reader")
}
