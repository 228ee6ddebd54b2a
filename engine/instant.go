package engine

import (
	"errors"
	"strings"
	"time"
)

// Faults of an instant that was sent without its offset, for errors.Is.
var (
	ErrInstantTime  = errors.New("the time of day is missing")
	ErrInstantGap   = errors.New("the clocks of the declared zone never showed this time")
	ErrInstantTwice = errors.New("the clocks of the declared zone showed this time twice: only an offset could tell which is meant")
)

// Instant reads a date and time as one point of time in the given zone. An offset that was sent (layouts hl7ts and iso) counts instead of
// the zone. The hour that the clocks skip in spring and the one that they repeat in autumn are faults: neither is guessed.
func (l Layout) Instant(sent string, zone *time.Location) (time.Time, error) {
	c, err := l.parse(sent)
	if err != nil {
		return time.Time{}, err
	}
	if _, err := newDate(c, ""); err != nil {
		return time.Time{}, err
	}
	if !c.timed {
		return time.Time{}, ErrInstantTime
	}
	if offset, ok := sentOffset(l.name, sent); ok {
		zone = offset
	}
	t := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 0, zone)
	if t.Hour() != c.hour || t.Minute() != c.minute {
		return time.Time{}, ErrInstantGap
	}
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		if other := t.Add(by); other.Hour() == c.hour && other.Minute() == c.minute && other.Day() == c.day {
			return time.Time{}, ErrInstantTwice
		}
	}
	return t, nil
}

// sentOffset reads +0100, +01:00 or Z at the end of a time stamp of a named layout, which has checked its form.
func sentOffset(layout, sent string) (*time.Location, bool) {
	if layout != LayoutHL7TS && layout != LayoutISO {
		return nil, false
	}
	if strings.HasSuffix(sent, "Z") {
		return time.UTC, true
	}
	from := 8 // after the day, whose hyphens are none
	if layout == LayoutISO {
		from = len("2006-01-02")
	}
	at := strings.LastIndexAny(sent, "+-")
	if at < from {
		return nil, false
	}
	digitsOf := strings.ReplaceAll(sent[at+1:], ":", "")
	hours, ok := digits(digitsOf, 2)
	if !ok || len(digitsOf) < 4 {
		return nil, false
	}
	minutes, ok := digits(digitsOf[2:], 2)
	seconds := (hours*60 + minutes) * 60
	if sent[at] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), ok
}
