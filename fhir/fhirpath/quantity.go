package fhirpath

import (
	"strings"
	"time"
)

// quantity is a number with a unit: a UCUM code in quotes ('mg'), or a word of the calendar (week).
type quantity struct {
	value decimal
	unit  string
}

// unitless is UCUM's unity, the unit of a bare number.
const unitless = "'1'"

func quoteUnit(code string) string { return "'" + code + "'" }

// parseQuantity reads FHIRPath's text form: 4, 4.5 'mg', 1 week.
func parseQuantity(s string) (quantity, bool) {
	number, unit, found := strings.Cut(s, " ")
	value, ok := parseDecimal(number)
	unit = strings.TrimLeft(unit, " ")
	if !found {
		unit = unitless
	}
	quoted := len(unit) > 2 && unit[0] == '\'' && unit[len(unit)-1] == '\''
	return quantity{value, unit}, ok && (quoted || calendarUnit(unit) != "")
}

func (q quantity) String() string { return q.value.String() + " " + q.unit }

// calendarUnit returns the singular of one of FHIRPath's calendar words, or nothing.
func calendarUnit(word string) string {
	switch s := strings.TrimSuffix(word, "s"); s {
	case "year", "month", "week", "day", "hour", "minute", "second", "millisecond":
		return s
	}
	return ""
}

// unitSpan returns how long one unit lasts where that is the same in the calendar and in UCUM. Years and months are not: a calendar year
// is no 'a' (FHIRPath N1, "Time-valued Quantities").
func unitSpan(unit string) (time.Duration, bool) {
	switch strings.TrimSuffix(unit, "s") {
	case "week", "'wk'":
		return 7 * 24 * time.Hour, true
	case "day", "'d'":
		return 24 * time.Hour, true
	case "hour", "'h'":
		return time.Hour, true
	case "minute", "'min'":
		return time.Minute, true
	case "second", "'s'":
		return time.Second, true
	case "millisecond", "'ms'":
		return time.Millisecond, true
	}
	return 0, false
}

// sameUnit brings two quantities to one unit; ok is false where that would take UCUM's tables, open where FHIRPath itself leaves it open.
func sameUnit(a, b quantity) (x, y decimal, ok, open bool) {
	if a.unit == b.unit || calendarUnit(a.unit) != "" && calendarUnit(a.unit) == calendarUnit(b.unit) {
		return a.value, b.value, true, false
	}
	s, isSpan := unitSpan(a.unit)
	t, isSpan2 := unitSpan(b.unit)
	if isSpan && isSpan2 {
		return a.value.mul(whole(int(s / time.Millisecond))), b.value.mul(whole(int(t / time.Millisecond))), true, false
	}
	vague := func(u string) bool {
		c := calendarUnit(u)
		return c == "year" || c == "month"
	}
	return decimal{}, decimal{}, false, vague(a.unit) || vague(b.unit)
}
