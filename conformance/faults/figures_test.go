//go:build unix

package faults

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// figure is how large a row is: in continuous integration, and in full ('make faults').
type figure struct{ ci, full int }

// size returns the figure for this run. SIGNALBOX_FAULTS is the share of the full figures, 1 for all of them and 0.1 for a tenth; without
// it the figures of continuous integration are used. A share never goes below those.
func (f figure) size(t testing.TB) int {
	t.Helper()
	text := os.Getenv("SIGNALBOX_FAULTS")
	if text == "" {
		return f.ci
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || share <= 0 || share > 1 {
		t.Fatal("SIGNALBOX_FAULTS: want a share of the full figures above 0 and up to 1")
	}
	return max(f.ci, int(share*float64(f.full)))
}

// seeded returns the run's source of randomness and prints its seed. SIGNALBOX_FAULT_SEED repeats a run.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SIGNALBOX_FAULT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal("SIGNALBOX_FAULT_SEED: want a whole number")
		}
	}
	t.Logf("seed: SIGNALBOX_FAULT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// between draws a time span.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}
