package store

import (
	"testing"
	"time"
)

// A process whose clock is wrong by hours goes by the database's, and little differences do not move it to and fro.
func TestAWrongClockIsCorrected(t *testing.T) {
	for _, wrong := range []time.Duration{2 * time.Hour, -2 * time.Hour, time.Second} {
		var c clock
		before := time.Now()
		theirs := before.Add(wrong)
		c.observe(theirs.UnixMicro(), before, before)
		if off := c.now().Sub(theirs) - time.Since(before); off.Abs() > time.Millisecond {
			t.Errorf("%v: the record's clock is off by %v", wrong, off)
		}
		at := c.offset.Load()
		before = time.Now()
		c.observe(c.now().Add(clockTolerance/2).UnixMicro(), before, before)
		if c.offset.Load() != at {
			t.Errorf("%v: a difference within the tolerance moved the clock", wrong)
		}
	}
}
