package figure

import (
	"testing"
	"time"
)

// A side that does three times the work of the other is told as about three times as dear; sleeping costs nothing.
func TestCompareTellsTheRatioOfTheWork(t *testing.T) {
	sink := 0
	work := func(n int) func() {
		return func() {
			for i := range n * 200_000 {
				sink += i % 7
			}
		}
	}
	result := testing.Benchmark(func(b *testing.B) {
		Compare(b, "other", work(1), func() { time.Sleep(time.Millisecond); work(3)() })
	})
	if ratio := result.Extra["x_ref:other"]; ratio < 2 || ratio > 4.5 {
		t.Errorf("three times the work is told as %.2f times", ratio)
	}
}
