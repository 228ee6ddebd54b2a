package silence

import (
	"fmt"
	"slices"
	"time"

	"signalbox/engine/store"
)

// leastStay is the shortest stay that is late: MESH is asked ever more seldom whether a message was collected, so a time is known to hours only.
const leastStay = 8 * time.Hour

// Collecting judges an authority by how long messages lie in its mailbox. Days on which it does not work are not counted: those are weekends and
// bank holidays, unless it was seen to collect on at least two of them. Nothing is expected of who has nothing to collect.
func Collecting(stays []store.Stay, now time.Time, cfg Config) Verdict {
	work := Cadence{cfg: cfg, on: [7]bool{true, true, true, true, true, true, true}, holidays: true}
	rest, last := map[day]bool{}, time.Time{}
	for _, s := range stays {
		if d := work.own(s.Collected); !s.Collected.IsZero() && !cfg.Holidays.working(d) {
			rest[d] = true
		}
		if s.Collected.After(last) {
			last = s.Collected
		}
	}
	if len(rest) < 2 {
		work.on[time.Saturday], work.on[time.Sunday], work.holidays = false, false, false
	}
	var usual []time.Duration
	var oldest time.Time
	for _, s := range stays {
		switch {
		case !s.Collected.IsZero():
			usual = append(usual, work.awake(s.Sent, s.Collected))
		case oldest.IsZero() || s.Sent.Before(oldest):
			oldest = s.Sent
		}
	}
	return stay(work, usual, last, oldest, now)
}

func stay(work Cadence, usual []time.Duration, last, oldest, now time.Time) Verdict {
	v := Verdict{State: Heard, Last: last}
	switch {
	case len(usual) == 0 && oldest.IsZero():
		return Verdict{State: Never, Why: "nothing was ever sent, or nobody can be asked whether it was collected"}
	case len(usual) < work.cfg.MinDays:
		v.State, v.Why = Learning, fmt.Sprintf("collected %s: too little to know how long a message lies", times(len(usual)))
		return v
	}
	slices.Sort(usual)
	within := rank(usual, 0.95)
	v.Why = fmt.Sprintf("collected %d of the last %d messages within %s", work.within(usual, within), len(usual), round(within))
	if !work.on[time.Sunday] {
		v.Why += " of working days"
	}
	if oldest.IsZero() {
		return v
	}
	work.last, work.gap = oldest, max(within, leastStay*2/3)
	if v.Due = work.quietOver(); now.Before(v.Due) {
		return v
	}
	v.State, v.Since, v.Due = Silent, v.Due, time.Time{}
	v.Why += "; now " + work.clock(now) + ", and a message has lain there since " + work.clock(oldest)
	return v
}

func (Cadence) within(sorted []time.Duration, most time.Duration) int {
	n, _ := slices.BinarySearch(sorted, most+1)
	return n
}

// Polling judges whether a mailbox of ours is polled. Its rhythm is configured, not learnt: silent is after six times as long, and half an hour at least.
func Polling(last, now time.Time, cfg Config) Verdict {
	if last.IsZero() {
		return Verdict{State: Never, Why: "was never listed"}
	}
	v := Verdict{State: Heard, Last: last, Due: last.Add(max(6*cfg.Poll, 30*time.Minute)), Why: "is listed every " + round(cfg.Poll)}
	if !now.Before(v.Due) {
		clock := Cadence{cfg: cfg}
		v.State, v.Since, v.Due = Silent, v.Due, time.Time{}
		v.Why += "; now " + clock.clock(now) + ", and it was last listed " + clock.clock(last)
	}
	return v
}
