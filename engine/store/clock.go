package store

import (
	"context"
	"sync/atomic"
	"time"

	"signalbox/internal/teeth"
)

// clockTolerance is how far this machine's clock may be from the database's before it is corrected: less than that is the length of a
// round trip, and a clock that is corrected all the time runs backwards now and then.
const clockTolerance = 250 * time.Millisecond

// clock is the time of the record. Several processes share a PostgreSQL, and what one of them writes the others compare with: a due date,
// an arrival. So the database's clock is the clock of all, read at the start and with every lease; in between the machine's counts on.
type clock struct {
	given  func() time.Time // nil: the database's
	offset atomic.Int64     // nanoseconds from the machine's clock to the database's
}

func (c *clock) now() time.Time {
	if c.given != nil {
		return c.given()
	}
	return time.Now().Add(time.Duration(c.offset.Load()))
}

// observe takes what the database's clock said between two instants of this machine's.
func (c *clock) observe(theirs int64, before, after time.Time) {
	middle := before.Add(after.Sub(before) / 2)
	offset := fromMicros(theirs).Sub(middle)
	if drift := offset - time.Duration(c.offset.Load()); drift.Abs() > max(clockTolerance, after.Sub(before)) && !teeth.Bite("own-clock") {
		c.offset.Store(int64(offset))
	}
}

func (s *Store) readClock(ctx context.Context) error {
	var theirs int64
	before := time.Now()
	if err := s.row(ctx, `SELECT {clock}`).Scan(&theirs); err != nil {
		return err
	}
	s.clock.observe(theirs, before, time.Now())
	return nil
}

// Now returns the time by the clock of the record: the one that Open was given, or the database's, or the machine's where the database is
// a file on it. Whatever is written into the record or compared with it goes by this clock.
func (s *Store) Now() time.Time { return s.clock.now() }
