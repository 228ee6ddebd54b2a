package silence

import (
	"bytes"
	_ "embed" // the bank holidays that are built in
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"time"
)

//go:embed holidays.csv
var builtIn []byte

// day counts days since 1970, whatever the time zone.
type day int

func dayOf(y int, m time.Month, d int) day {
	return day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// date returns the midnight of a day in UTC, as a carrier of year, month, day and weekday.
func (d day) date() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

func (d day) weekday() time.Weekday { return d.date().Weekday() }

func (d day) weekend() bool { w := d.weekday(); return w == time.Saturday || w == time.Sunday }

// Calendar knows bank holidays of whole years. The zero Calendar knows none.
type Calendar struct {
	days  map[day]bool
	years map[int]bool
	last  int
}

// England returns the bank holidays that are built in: England and Wales, as GOV.UK publishes them.
func England() (Calendar, error) { return ReadCalendar(bytes.NewReader(builtIn)) }

// ReadCalendar reads lines of date (2006-01-02) and name under the header "date,name"; a line that begins with # is a comment. Every year that has
// a line is taken to be there in full. The error names the line.
func ReadCalendar(r io.Reader) (Calendar, error) {
	in := csv.NewReader(r)
	in.Comment, in.FieldsPerRecord = '#', 2
	head, err := in.Read()
	if err != nil || head[0] != "date" || head[1] != "name" {
		return Calendar{}, errors.New("bank holidays: the header is not date,name")
	}
	c := Calendar{days: map[day]bool{}, years: map[int]bool{}}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Calendar{}, fmt.Errorf("bank holidays: %w", err)
		}
		line, _ := in.FieldPos(0)
		at, err := time.Parse(time.DateOnly, row[0])
		if err != nil {
			return Calendar{}, fmt.Errorf("bank holidays: line %d: the date is not such as 2026-12-25", line)
		}
		d := dayOf(at.Date())
		if c.days[d] {
			return Calendar{}, fmt.Errorf("bank holidays: line %d: the date stands there twice", line)
		}
		c.days[d], c.years[at.Year()], c.last = true, true, max(c.last, at.Year())
	}
	if len(c.days) == 0 {
		return Calendar{}, errors.New("bank holidays: there is no date")
	}
	return c, nil
}

// Until returns when the calendar ends: the first of January after its last year, in UTC. Zero: it never began.
func (c Calendar) Until() time.Time {
	if c.last == 0 {
		return time.Time{}
	}
	return time.Date(c.last+1, time.January, 1, 0, 0, 0, 0, time.UTC)
}

// Covers reports whether the bank holidays of a time's year are known.
func (c Calendar) Covers(at time.Time) bool { return c.years[at.Year()] }

// Holiday reports whether the day of a time is a bank holiday.
func (c Calendar) Holiday(at time.Time) bool { return c.holiday(dayOf(at.Date())) }

func (c Calendar) holiday(d day) bool { return c.days[d] }

func (c Calendar) working(d day) bool { return !d.weekend() && !c.days[d] }
