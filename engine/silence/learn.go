package silence

import (
	"slices"
	"time"
)

// earliest is the minute of a day before which something rather belongs to the day that has ended.
const earliest = 6 * 60

// minutesADay of a clock on the wall: a day has as many also when the clocks change.
const minutesADay = 24 * 60

// Cadence is what was learnt of one sender from the times at which it was heard.
type Cadence struct {
	cfg     Config
	signals int       // heard in the time that was learnt from
	last    time.Time // zero: never heard

	begins int // minute of the wall's day at which the sender's own day begins: in the middle of its longest usual quiet
	shift  day // 1: the sender's day is named after the date on which it ends

	on       [7]bool // weekdays on which it is expected; none: no day is like another
	pooled   bool    // by working days, not by weekdays
	holidays bool    // on bank holidays too
	came, of int     // like days that came, of those that were
	by       int     // minutes after the begin of its day by which it usually came

	gap     time.Duration // the longest usual quiet, without days on which it is not expected; 0: too little is known
	seldom  int           // longer quiets, which are not taken as usual
	longest int           // days that were learnt from
}

// Learn makes a cadence of times, in any order; copies and order change nothing. Times after the last one cannot be learnt from, so a sender that
// stops keeps the cadence that it had.
func Learn(times []time.Time, cfg Config) Cadence {
	c := Cadence{cfg: cfg}
	if len(times) == 0 {
		return c
	}
	times = slices.Clone(times)
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	c.last = times[len(times)-1]
	from := c.last.AddDate(0, 0, -cfg.Days)
	start, _ := slices.BinarySearchFunc(times, from, time.Time.Compare)
	times = times[start:]
	c.signals = len(times)
	c.begins = longestQuiet(times, cfg.Zone)
	first := map[day]int{} // by the date on which the sender's day begins: the minute at which it was first heard
	for _, t := range times {
		d, minute := c.place(t)
		if had, ok := first[d]; !ok || minute < had {
			first[d] = minute
		}
	}
	a, b := c.named(first, times[0], 0), c.named(first, times[0], 1)
	// Days that were missed, and days on which it came without being expected.
	switch missedA, missedB := a.of-2*a.came, b.of-2*b.came; {
	case a.daily() != b.daily():
		c = b
		if a.daily() {
			c = a
		}
	case missedA != missedB && a.daily():
		c = b
		if missedA < missedB {
			c = a
		}
	default:
		c = c.named(first, times[0], c.naming(first))
	}
	c.quiets(times)
	return c
}

// named is what is learnt when the sender's days are named after one of their two dates. Of the two that one is better by which it is expected
// at all, and which explains more days: that is how it is seen what a bank holiday means to who sends at night.
func (c Cadence) named(first map[day]int, from time.Time, shift day) Cadence {
	c.shift = shift
	c.longest = int(c.own(c.last)-c.own(from)) + 1
	c.days(first, c.own(from), c.own(c.last))
	return c
}

// longestQuiet returns the middle of the widest arc of the clock in which nothing was heard, in minutes. What comes about midnight then has
// one day, not two.
func longestQuiet(times []time.Time, zone *time.Location) int {
	minutes := make([]int, len(times))
	for i, t := range times {
		at := t.In(zone)
		minutes[i] = at.Hour()*60 + at.Minute()
	}
	slices.Sort(minutes)
	widest, middle := -1, 0
	for i, m := range minutes {
		next := minutes[(i+1)%len(minutes)]
		if i == len(minutes)-1 {
			next += minutesADay
		}
		if next-m > widest {
			widest, middle = next-m, (m+next)/2
		}
	}
	return middle % minutesADay
}

// place returns the date on which the sender's day of a time begins, and the minute in it.
func (c Cadence) place(t time.Time) (day, int) {
	at := t.In(c.cfg.Zone)
	d, minute := dayOf(at.Date()), at.Hour()*60+at.Minute()-c.begins
	if minute < 0 {
		return d - 1, minute + minutesADay
	}
	return d, minute
}

// own returns the name of the sender's day in which a time is.
func (c Cadence) own(t time.Time) day {
	d, _ := c.place(t)
	return d + c.shift
}

// naming decides after which of its two dates a day is named where both fit: the one on which the sender mostly comes, and before six in the
// morning the one before; but the other when that makes it a working day clearly more often, because somebody who sends at eight from Tuesday to
// Saturday sends what was done from Monday to Friday.
func (c Cadence) naming(first map[day]int) day {
	var begin, end, after int
	for d, minute := range first {
		if c.cfg.Holidays.working(d) {
			begin++
		}
		if c.cfg.Holidays.working(d + 1) {
			end++
		}
		if c.begins+minute >= minutesADay+earliest {
			after++
		}
	}
	if 2*after > len(first) && 10*begin <= 11*end || 10*end > 11*begin {
		return 1
	}
	return 0
}

// tally counts like days.
type tally struct{ came, of int }

func (t tally) share(s float64) bool { return float64(t.came) >= s*float64(t.of) }

// days finds on which days the sender is expected, and by when. A working week is judged as a whole where it can be; else each weekday by itself.
func (c *Cadence) days(first map[day]int, from, to day) {
	var weekday [7]tally
	var working, holiday tally
	for d := from; d <= to; d++ {
		_, came := first[d-c.shift]
		of := &weekday[d.weekday()]
		if c.cfg.Holidays.holiday(d) && !d.weekend() {
			of = &holiday
		}
		for _, t := range []*tally{of, &working} {
			if t == &working && !c.cfg.Holidays.working(d) {
				continue
			}
			if t.of++; came {
				t.came++
			}
		}
	}
	c.pooled = working.of >= c.cfg.MinDays && working.share(c.cfg.Share)
	for w, t := range weekday {
		own := t.of >= 4 && t.share(c.cfg.Share)
		c.on[w] = own || c.pooled && w != int(time.Saturday) && w != int(time.Sunday)
	}
	week := c.on[time.Saturday] && c.on[time.Sunday] && c.pooled // who never rests does not rest on bank holidays, unless it was seen to
	c.holidays = holiday.share(c.cfg.Share) && (holiday.of >= 2 || week)
	c.came, c.of = c.like(first, from, to)
	c.by = c.usualMinute(first)
}

// like counts the days on which it is expected, and on which it came.
func (c Cadence) like(first map[day]int, from, to day) (came, of int) {
	for d := from; d <= to; d++ {
		if !c.expected(d) {
			continue
		}
		of++
		if _, ok := first[d-c.shift]; ok {
			came++
		}
	}
	return came, of
}

// usualMinute is the time by which 19 of 20 days had come, or the middle of them with three of their usual deviations where that is later. One
// late day among many moves it little.
func (c Cadence) usualMinute(first map[day]int) int {
	var minutes []int
	for d, minute := range first {
		if c.expected(d + c.shift) {
			minutes = append(minutes, minute)
		}
	}
	if len(minutes) == 0 {
		return 0
	}
	slices.Sort(minutes)
	middle := rank(minutes, 0.5)
	off := make([]int, len(minutes))
	for i, m := range minutes {
		off[i] = max(m-middle, middle-m)
	}
	slices.Sort(off)
	return min(max(rank(minutes, 0.95), middle+int(3*1.4826*float64(rank(off, 0.5)))), minutesADay-1)
}

// rank returns the nearest rank of a share of sorted values.
func rank[T any](sorted []T, share float64) T {
	at := int(share*float64(len(sorted))+0.9999) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}

// expected reports whether the sender is expected on a day of its own.
func (c Cadence) expected(d day) bool {
	if c.cfg.Holidays.holiday(d) && !d.weekend() {
		return c.holidays && c.on[d.weekday()]
	}
	return c.on[d.weekday()]
}

// daily reports whether any weekday is expected.
func (c Cadence) daily() bool { return c.on != [7]bool{} }

// quiets finds the longest usual quiet between two signals. One in four weeks, and one in twenty, may be longer.
func (c *Cadence) quiets(times []time.Time) {
	if len(times) <= c.cfg.MinDays/2 {
		return
	}
	gaps := make([]time.Duration, 0, len(times)-1)
	for i := range times[1:] {
		gaps = append(gaps, c.awake(times[i], times[i+1]))
	}
	slices.Sort(gaps)
	c.seldom = min(c.longest/28, len(gaps)/20)
	c.gap = gaps[len(gaps)-1-c.seldom]
}

// awake is the time between two times, without the days on which the sender is not expected. Of a sender without such days it is all.
func (c Cadence) awake(from, to time.Time) time.Duration {
	total := to.Sub(from)
	if !c.daily() {
		return total
	}
	for d := c.own(from); d <= c.own(to); d++ {
		if c.expected(d) {
			continue
		}
		begin, end := c.start(d), c.start(d+1)
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		total -= end.Sub(begin)
	}
	return total
}

// start is when a day of the sender's begins.
func (c Cadence) start(d day) time.Time { return c.minute(d, 0) }

// minute is a minute of a day of the sender's.
func (c Cadence) minute(d day, minute int) time.Time {
	y, m, at := (d - c.shift).date().Date()
	return time.Date(y, m, at, 0, c.begins+minute, 0, 0, c.cfg.Zone)
}
