package silence

import (
	"fmt"
	"strings"
	"time"
)

// State is what is made of a sender at a time.
type State string

// The states. Only Silent is an alarm.
const (
	Heard    State = "heard"    // as usual
	Silent   State = "silent"   // it should have been heard by now
	Learning State = "learning" // too little is known of it
	Never    State = "never"    // it was never heard
)

// Verdict is what is made of a sender, with what it rests on.
type Verdict struct {
	State State
	Last  time.Time // when it was heard last; zero: never
	Since time.Time // since when it should have been heard; zero: it is not silent
	Due   time.Time // when it will be silent unless it is heard before; zero: not known, or it is silent
	Why   string    // a sentence of counts and times
}

// most is how many days ahead, and back, are looked at for the next that is expected.
const most = 400

// Judge says what to make of the sender at a time.
func (c Cadence) Judge(now time.Time) Verdict {
	v := Verdict{Last: c.last, State: Heard}
	if c.last.IsZero() {
		return Verdict{State: Never, Why: "nothing was ever heard"}
	}
	day, quiet := c.nextDay(), c.quietOver()
	if day.IsZero() && quiet.IsZero() {
		return c.unlearnt(v, now)
	}
	v.Due = day
	if day.IsZero() || !quiet.IsZero() && quiet.Before(day) {
		v.Due = quiet
	}
	v.Why = c.habit(v.Due.Equal(day))
	if now.Before(v.Due) {
		return v
	}
	v.State, v.Since, v.Due = Silent, v.Due, time.Time{}
	v.Why += "; now " + c.clock(now) + ", and nothing since " + c.clock(c.last)
	if at := now.In(c.cfg.Zone); !c.cfg.Holidays.Covers(at) {
		v.Why += fmt.Sprintf("; THE BANK HOLIDAYS OF %d ARE NOT KNOWN, so it may be one", at.Year())
	}
	return v
}

// unlearnt judges a sender of which too little is known.
func (c Cadence) unlearnt(v Verdict, now time.Time) Verdict {
	v.State, v.Why = Learning, fmt.Sprintf("heard %s in %s: too little to know when it comes", times(c.signals), count(c.longest, "day"))
	if c.cfg.Unlearnt == 0 {
		return v
	}
	if v.Due = c.last.Add(c.cfg.Unlearnt); !now.Before(v.Due) {
		v.State, v.Since, v.Due = Silent, v.Due, time.Time{}
		v.Why += "; now " + c.clock(now) + ", and nothing since " + c.clock(c.last)
	}
	return v
}

// nextDay is the deadline of the first day after the last that was heard on which the sender is expected; zero: no day is.
func (c Cadence) nextDay() time.Time {
	if !c.daily() {
		return time.Time{}
	}
	for d, end := c.own(c.last)+1, c.own(c.last)+most; d < end; d++ {
		if c.expected(d) {
			return c.minute(d, c.by).Add(c.cfg.Grace)
		}
	}
	return time.Time{}
}

// quietOver is when the sender has been quiet for half as long again as it usually is, without the days on which it is not expected.
func (c Cadence) quietOver() time.Time {
	if c.gap == 0 {
		return time.Time{}
	}
	left, at := max(c.gap+c.gap/2, c.gap+c.cfg.Grace), c.last
	if !c.daily() {
		return at.Add(left)
	}
	for range most {
		end := c.start(c.own(at) + 1)
		if c.expected(c.own(at)) {
			if over := at.Add(left); !over.After(end) {
				return over
			}
			left -= end.Sub(at)
		}
		at = end
	}
	return time.Time{}
}

// habit says what was learnt: of days, or of quiets.
func (c Cadence) habit(days bool) string {
	if !days {
		out := "never quiet for longer than " + round(c.gap) + " in " + count(c.longest, "day")
		if c.seldom > 0 {
			out += ", but " + times(c.seldom)
		}
		if c.daily() {
			out += ", days off not counted"
		}
		return out
	}
	by := (c.begins + c.by) % minutesADay
	out := fmt.Sprintf("came on %d of the last %d %s, by %02d:%02d", c.came, c.of, c.names(), by/60, by%60)
	if c.shift == 0 && c.begins+c.by >= minutesADay {
		out += " of the day after"
	}
	return out
}

// names are the days on which the sender is expected.
func (c Cadence) names() string {
	switch {
	case c.pooled && c.on[time.Saturday] && c.on[time.Sunday] && c.holidays:
		return "days"
	case c.pooled && c.on[time.Saturday] && c.on[time.Sunday]:
		return "days but bank holidays"
	case c.pooled && !c.on[time.Saturday] && !c.on[time.Sunday] && !c.holidays:
		return "working days"
	}
	var names []string
	for i := range 7 {
		if w := time.Weekday((i + 1) % 7); c.on[w] {
			names = append(names, w.String()+"s")
		}
	}
	if c.holidays {
		return strings.Join(names, ", ")
	}
	return strings.Join(names, ", ") + " but bank holidays"
}

func (c Cadence) clock(t time.Time) string { return t.In(c.cfg.Zone).Format("Mon 2 Jan 15:04") }

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// round writes a span as a person says it.
func round(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return count(int((d+12*time.Hour)/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return count(int((d+30*time.Minute)/time.Hour), "hour")
	}
	return count(max(1, int((d+30*time.Second)/time.Minute)), "minute")
}
