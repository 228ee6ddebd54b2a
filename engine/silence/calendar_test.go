package silence

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// easter is the date of Easter Sunday (Gregorian computus, Meeus).
func easter(year int) day {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	return dayOf(year, time.Month((h+l-7*m+114)/31), (h+l-7*m+114)%31+1)
}

// ofTheAct are the bank holidays by the Act and its proclamations: those of a weekend move to the next days that are neither.
func ofTheAct(year int) map[day]bool {
	out := map[day]bool{easter(year) - 2: true, easter(year) + 1: true}
	monday := func(d, step day) {
		for d.weekday() != time.Monday {
			d += step
		}
		out[d] = true
	}
	monday(dayOf(year, time.May, 1), 1)
	monday(dayOf(year, time.May, 31), -1)
	monday(dayOf(year, time.August, 31), -1)
	for _, d := range []day{dayOf(year, time.January, 1), dayOf(year, time.December, 25), dayOf(year, time.December, 26)} {
		for d.weekend() || out[d] {
			d++
		}
		out[d] = true
	}
	return out
}

// The file is held against the rule, so that a slip of the pen in it is found; a day that a proclamation adds would be named here.
func TestTheBuiltInHolidaysAreThoseOfTheRule(t *testing.T) {
	c, err := England()
	if err != nil {
		t.Fatal(err)
	}
	want := map[day]bool{}
	for year := range c.years {
		maps.Copy(want, ofTheAct(year))
	}
	if len(c.years) < 4 || c.Until() != time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC) {
		t.Errorf("%d years, until %v", len(c.years), c.Until())
	}
	for d := range want {
		if !c.holiday(d) {
			t.Errorf("%s is missing", d.date().Format(time.DateOnly))
		}
	}
	for d := range c.days {
		if !want[d] {
			t.Errorf("%s is none", d.date().Format(time.DateOnly))
		}
	}
	boxing := time.Date(2026, 12, 28, 10, 0, 0, 0, time.UTC) // a substitute day
	if !c.Holiday(boxing) || c.Holiday(boxing.AddDate(0, 0, 1)) || !c.Covers(boxing) || c.Covers(boxing.AddDate(2, 0, 0)) {
		t.Error("Boxing Day of 2026 is not on its substitute day, or years are covered wrongly")
	}
}

func TestCalendarFilesAreReadStrictly(t *testing.T) {
	good := "# theirs\ndate,name\n2030-01-01,New Year's Day\n2031-01-01,New Year's Day\n"
	c, err := ReadCalendar(strings.NewReader(good))
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(c.years)), []int{2030, 2031}) || !c.Holiday(time.Date(2031, 1, 1, 5, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", c.years, err)
	}
	for text, want := range map[string]string{
		"":                                "header",
		"day,name\n2030-01-01,x\n":        "header",
		"date,name\n":                     "no date",
		"date,name\n01/01/2030,x\n":       "line 2: the date is not such as",
		"date,name\n2030-02-31,x\n":       "line 2: the date is not such as",
		"date,name\n2030-01-01\n":         "wrong number of fields",
		good + "2030-01-01,once more\n":   "line 5: the date stands there twice",
		"date,name\n2030-01-01,\"x\n":     "extraneous or missing",
		"date,name\n2030-01-01,x,extra\n": "wrong number of fields",
	} {
		if _, err := ReadCalendar(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", text, want, err)
		}
	}
	if !(Calendar{}).Until().IsZero() {
		t.Error("an empty calendar has an end")
	}
}

func FuzzReadCalendar(f *testing.F) {
	f.Add(string(builtIn))
	f.Add("date,name\n2030-01-01,x\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadCalendar(strings.NewReader(text))
		if err != nil {
			return
		}
		for d := range c.days {
			if !c.Covers(d.date()) || !d.date().Before(c.Until()) {
				t.Fatal("a holiday is outside of the years that are covered")
			}
		}
	})
}
