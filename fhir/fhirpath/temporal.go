package fhirpath

import (
	"fmt"
	"strings"
	"time"
)

// precision is how exactly a date or time is given. Seconds and their fractions are one precision (FHIRPath N1, "Date/Time Equality").
type precision int

const (
	toYear precision = iota + 1
	toMonth
	toDay
	toHour
	toMinute
	toSecond
)

// temporal is a Date, DateTime or Time. Without a zone its time is held as if it were UTC.
type temporal struct {
	typ      string // sysDate, sysDateTime or sysTime
	at       time.Time
	prec     precision
	zoned    bool
	zone     string // as written: Z, +01:00
	fraction int    // digits of the fraction of a second, as written
}

// parseTemporal reads a date, dateTime or time as FHIR writes it, to any precision. The calendar is checked: there is no 30 February.
func parseTemporal(typ, s string) (temporal, bool) {
	t := temporal{typ: typ}
	var date, clock string
	timed := true
	if typ == sysTime {
		clock = s
	} else if date, clock, timed = strings.Cut(s, "T"); timed && (typ == sysDate || len(date) != len("2006-01-02")) {
		return t, false
	}
	year, month, day, ok := t.date(date)
	if !ok {
		return t, false
	}
	var hour, minute, second, nanos int
	location := time.UTC
	if timed {
		if n := zoneStart(clock); n < len(clock) {
			if location, ok = parseZone(clock[n:]); !ok || typ == sysTime {
				return t, false
			}
			t.zoned, t.zone, clock = true, clock[n:], clock[:n]
		}
		if hour, minute, second, nanos, ok = t.clock(clock); !ok {
			return t, false
		}
	}
	t.at = time.Date(year, time.Month(month), day, hour, minute, second, nanos, location)
	return t, t.at.Day() == day
}

func (t *temporal) date(s string) (year, month, day int, ok bool) {
	year, month, day = 1, 1, 1
	if t.typ == sysTime {
		return year, month, day, true
	}
	switch len(s) {
	case 4:
		t.prec = toYear
	case 7:
		t.prec = toMonth
	case 10:
		t.prec = toDay
	default:
		return 0, 0, 0, false
	}
	year, ok = digits(s[:4], 1, 9999)
	if ok && len(s) >= 7 {
		month, ok = digits(s[5:7], 1, 12)
		ok = ok && s[4] == '-'
	}
	if ok && len(s) == 10 {
		day, ok = digits(s[8:10], 1, 31)
		ok = ok && s[7] == '-'
	}
	return year, month, day, ok
}

func (t *temporal) clock(s string) (hour, minute, second, nanos int, ok bool) {
	s, part, split := strings.Cut(s, ".")
	if split && (len(s) != 8 || part == "" || len(part) > 9) {
		return 0, 0, 0, 0, false
	}
	switch len(s) {
	case 2:
		t.prec = toHour
	case 5:
		t.prec = toMinute
	case 8:
		t.prec = toSecond
	default:
		return 0, 0, 0, 0, false
	}
	hour, ok = digits(s[:2], 0, 23)
	if ok && len(s) >= 5 {
		minute, ok = digits(s[3:5], 0, 59)
		ok = ok && s[2] == ':'
	}
	if ok && len(s) == 8 {
		second, ok = digits(s[6:8], 0, 59)
		ok = ok && s[5] == ':'
	}
	if ok && split {
		t.fraction = len(part)
		nanos, ok = digits((part + "000000000")[:9], 0, 999999999)
	}
	return hour, minute, second, nanos, ok
}

func digits(s string, low, high int) (int, bool) {
	v := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, v >= low && v <= high
}

func zoneStart(clock string) int {
	if i := strings.IndexAny(clock, "Z+-"); i >= 0 {
		return i
	}
	return len(clock)
}

func parseZone(s string) (*time.Location, bool) {
	if s == "Z" {
		return time.UTC, true
	}
	if zone(s) != 6 || len(s) != 6 {
		return nil, false
	}
	hours, ok1 := digits(s[1:3], 0, 14)
	minutes, ok2 := digits(s[4:6], 0, 59)
	seconds := (hours*60 + minutes) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone("", seconds), ok1 && ok2
}

// end returns the first instant after the span that the value covers at its precision.
func (t temporal) end() time.Time {
	switch t.prec {
	case toYear:
		return t.at.AddDate(1, 0, 0)
	case toMonth:
		return t.at.AddDate(0, 1, 0)
	case toDay:
		return t.at.AddDate(0, 0, 1)
	case toHour:
		return t.at.Add(time.Hour)
	case toMinute:
		return t.at.Add(time.Minute)
	}
	return t.at
}

// The widest time zones: a value without one may lie so far from UTC (FHIRPath N1, timezone offset in boundaries).
const (
	eastmost = 14 * time.Hour
	westmost = 12 * time.Hour
)

// compare orders two values; known is false where their precision, or a missing zone, leaves it open.
func (t temporal) compare(o temporal) (order int, known bool) {
	if t.prec == o.prec && (t.zoned == o.zoned || t.prec < toHour) {
		return t.at.Compare(o.at), true
	}
	a, b, aEnd, bEnd := t.at, o.at, t.end(), o.end()
	if t.zoned != o.zoned {
		if t.zoned {
			b, bEnd = b.Add(-eastmost), bEnd.Add(westmost)
		} else {
			a, aEnd = a.Add(-eastmost), aEnd.Add(westmost)
		}
	}
	switch {
	case before(aEnd, b, t):
		return -1, true
	case before(bEnd, a, o):
		return 1, true
	}
	return 0, false
}

// before reports whether a span that ends at end lies wholly before start. A second's span holds its end, the others do not.
func before(end, start time.Time, of temporal) bool {
	return end.Before(start) || of.prec != toSecond && end.Equal(start)
}

// String writes the value to its precision, as FHIR does.
func (t temporal) String() string {
	at := t.at
	date := at.Format("2006-01-02")
	if t.prec < toDay {
		return date[:4+3*(int(t.prec)-1)]
	}
	if t.typ != sysTime && t.prec == toDay {
		return date
	}
	clock := at.Format("15:04:05")[:2+3*(int(t.prec)-int(toHour))]
	if t.fraction > 0 {
		clock += "." + fmt.Sprintf("%09d", at.Nanosecond())[:t.fraction]
	}
	if t.typ == sysTime {
		return clock
	}
	return date + "T" + clock + t.zone
}
