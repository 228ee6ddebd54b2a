// Package figure compares two ways of doing the same work: they take turns in one benchmark, and what counts is the processor time of each.
//
// On a busy machine the wall clock measures the neighbours; processor time, the collector's included, is what the work itself costs.
package figure

import (
	"runtime"
	"testing"
	"time"
)

// turn is how long one turn lasts at least: long enough for the collector to run within it, so that each side pays for its own garbage.
const turn = 40 * time.Millisecond

// Compare runs ours and reference in turns for as long as the benchmark asks, reports x_ref:of (above 1: ours is cheaper), and returns
// the processor time of one run of ours.
func Compare(b *testing.B, of string, ours, reference func()) time.Duration {
	b.Helper()
	a, z := side{run: ours}, side{run: reference}
	for b.Loop() {
		a.turn()
		z.turn()
	}
	b.ReportMetric(float64(z.each())/float64(a.each()), "x_ref:"+of)
	return a.each()
}

// side is one of the two.
type side struct {
	run   func()
	runs  int
	spent time.Duration
}

// turn runs it until its turn is over. Garbage that others left is collected before.
func (s *side) turn() {
	runtime.GC()
	begin := processor()
	for spent := time.Duration(0); spent < turn; {
		s.run()
		s.runs++
		spent = processor() - begin
	}
	s.spent += processor() - begin
}

// each is the processor time of one run.
func (s *side) each() time.Duration { return max(s.spent/time.Duration(max(s.runs, 1)), 1) }
