package twin

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/engine"
)

// number makes a number of the 999 range that is as sound or unsound as the one it stands for. It reports false where ten figures are a telephone
// number rather.
func (s *random) number(skeleton, text string) (string, bool) {
	_, err := engine.ParseNHSNumber(text)
	if err != nil && skeleton[0] == '0' {
		return "", false
	}
	for {
		stem := fmt.Sprintf("999%03d%03d", s.below(1000), s.below(1000))
		for i, first := 0, s.below(10); i < 10; i++ {
			v := fmt.Sprint(stem, (first+i)%10)
			if _, broken := engine.ParseNHSNumber(v); (broken == nil) == (err == nil) {
				return v, true
			}
		}
	}
}

// telephone makes one of the numbers 01632 960000 to 960999, which are kept for fiction (Ofcom), cut or filled to the length of the other.
func (s *random) telephone(skeleton string) string {
	v := fmt.Sprintf("01632960%03d", s.below(1000))
	if skeleton[0] == '4' {
		v = "44" + v[1:]
	}
	for len(v) < len(skeleton) {
		v += fmt.Sprint(s.below(10))
	}
	return v[:len(skeleton)]
}

// Layouts lists the layouts in which dates are recognised, the surest first.
func Layouts() []string {
	return []string{"yyyy-MM-dd", "dd/MM/yyyy", "MM/dd/yyyy", "dd-MM-yyyy", "dd.MM.yyyy", "yyyy/MM/dd", "yyyy.MM.dd", "dd-MMM-yyyy", "dd MMM yyyy", "yyyyMMdd", "ddMMyyyy", "yyyyMMddHHmm", "yyyyMMddHHmmss",
		"dd/MM/yyyy HH:mm", "dd/MM/yyyy HH:mm:ss", "yyyy-MM-dd HH:mm", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-ddTHH:mm:ss"}
}

// read finds the layout of a date and what it says. It reports false for what is no date; impossible tells of one that has the form of a date and
// is not in the calendar.
func read(text string) (at time.Time, layout string, ok, impossible bool) {
	digits := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits++
		}
	}
	named := digits == 6 && len(text) == len("02-Jan-2006")
	if digits < 8 && !named || digits > 14 || len(text) > 19 {
		return at, "", false, false // most values, at little cost
	}
	for _, name := range Layouts() {
		d, err := engine.MustLayout(name).Parse(text)
		if err == nil && name == "ddMMyyyy" && (d.ISO() < "1900" || d.ISO() > "2100") {
			continue // it is yyyyMMdd out of the calendar
		}
		if err == nil {
			return d.Time(time.UTC), name, true, false
		}
		if errors.Is(err, engine.ErrDateCalendar) && layout == "" {
			layout, impossible = name, true
		}
	}
	return at, layout, false, impossible
}

// date moves a date by as many days as every other date of the message, so that what ends after it starts still does. A date that is not in the
// calendar becomes another that is not.
func (t *maker) date(s *random, skeleton, text string) (string, bool) {
	if len(skeleton) < 8 {
		return "", false
	}
	text, zone := cutZone(text)
	if day, clock, timed := strings.Cut(text, "T"); timed && len(day) == 10 { // ISO: the clock keeps its form, its minutes go
		v, ok := t.date(s, skeletonOf(day), day)
		if digits := skeletonOf(clock); ok && len(digits) >= 4 {
			return v + "T" + digits[:2] + fmt.Sprintf("%02d", s.below(60)) + digits[4:] + skeletonOf(zone), true
		}
		return "", false
	}
	at, layout, ok, impossible := read(text)
	switch {
	case ok:
		return skeletonOf(write(layout, at.AddDate(0, 0, t.shift))) + skeletonOf(zone), true
	case impossible:
		bad := strings.NewReplacer("MMM", "Feb", "MM", "02", "dd", "3"+fmt.Sprint(s.below(2)), "yyyy", fmt.Sprint(1950+s.below(60)), "HH", "00", "mm", "00", "ss", "00").Replace(layout)
		return skeletonOf(bad) + skeletonOf(zone), true
	}
	return "", false
}

// chooseShift finds a number of days by which no date of the message becomes another date of the message.
func (t *maker) chooseShift(dates map[string]bool) {
	s := t.source("shift", 0)
	for try := range 64 {
		t.shift = -(200 + s.below(900) + try*200)
		clash := false
		for text := range dates {
			if at, layout, ok, _ := read(text); ok && t.known[skeletonOf(write(layout, at.AddDate(0, 0, t.shift)))] {
				clash = true
				break
			}
		}
		if !clash {
			return
		}
	}
}

// cutZone splits off a zone, which is nobody's datum: Z, +01:00, +0100.
func cutZone(text string) (rest, zone string) {
	if rest, ok := strings.CutSuffix(text, "Z"); ok {
		return rest, "Z"
	}
	for _, n := range []int{6, 5} {
		if i := len(text) - n; i >= 10 && (text[i] == '+' || text[i] == '-') && allDigits(strings.Replace(text[i+1:], ":", "", 1)) {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// isDate reports whether a text is a day of the calendar in one of the layouts.
func isDate(text string) bool {
	_, _, ok, _ := read(day(text))
	return ok
}

// day is a time stamp without its clock and its zone, where it is written in ISO form.
func day(text string) string {
	text, _ = cutZone(text)
	if d, _, timed := strings.Cut(text, "T"); timed && len(d) == 10 {
		return d
	}
	return text
}

// write is the date in a layout of ours.
func write(layout string, t time.Time) string {
	out := ""
	for i := 0; i < len(layout); {
		n := 1
		for i+n < len(layout) && layout[i+n] == layout[i] {
			n++
		}
		switch layout[i : i+n] {
		case "yyyy":
			out += fmt.Sprintf("%04d", t.Year())
		case "MMM":
			out += t.Format("Jan")
		case "MM":
			out += fmt.Sprintf("%02d", t.Month())
		case "dd":
			out += fmt.Sprintf("%02d", t.Day())
		case "HH":
			out += fmt.Sprintf("%02d", t.Hour())
		case "mm":
			out += fmt.Sprintf("%02d", t.Minute())
		case "ss":
			out += fmt.Sprintf("%02d", t.Second())
		default:
			out += layout[i : i+n]
		}
		i += n
	}
	return out
}

func skeletonOf(text string) string {
	out := make([]rune, 0, len(text))
	for _, r := range text {
		if isFree(r) {
			out = append(out, r)
		}
	}
	return string(out)
}
