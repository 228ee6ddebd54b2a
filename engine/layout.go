package engine

import (
	"fmt"
	"strings"
)

// Layout is a date form ready to read: one of the named forms or a supplier's pattern.
type Layout struct {
	name  string
	parse func(string) (civil, error)
}

// Named layouts. LayoutHL7 is the twelve digits of a CP-IS plan date; LayoutHL7TS is an HL7 V3 time stamp of at least a whole
// day with optional time and zone (birthTime); LayoutISO is yyyy-MM-dd, optionally followed by a time and a zone.
const (
	LayoutHL7   = "hl7"
	LayoutHL7TS = "hl7ts"
	LayoutISO   = "iso"
)

// NewLayout compiles a named layout, or a pattern of yyyy MM dd HH mm ss, each at most once, with literal characters between. MMM is a month
// in three English letters, in any case, as databases write it: 12-MAR-2015.
// A two-digit year is refused, because its century would be a guess.
func NewLayout(pattern string) (Layout, error) {
	switch pattern {
	case LayoutHL7:
		return Layout{pattern, parseHL7}, nil
	case LayoutHL7TS:
		return Layout{pattern, parseHL7TS}, nil
	case LayoutISO:
		return Layout{pattern, parseISO}, nil
	}
	parts, err := splitPattern(pattern)
	if err != nil {
		return Layout{}, err
	}
	return Layout{pattern, func(s string) (civil, error) { return parsePattern(parts, s) }}, nil
}

// MustLayout is NewLayout for the patterns that our own code names.
func MustLayout(pattern string) Layout {
	l, err := NewLayout(pattern)
	if err != nil {
		panic(err)
	}
	return l
}

// Name returns the pattern or name that the layout was compiled from.
func (l Layout) Name() string { return l.name }

// Parse reads text that was sent. The error is ErrDateForm or ErrDateCalendar; it does not hold the text.
func (l Layout) Parse(sent string) (Date, error) {
	c, err := l.parse(sent)
	if err != nil {
		return Date{}, err
	}
	return newDate(c, sent)
}

// part is one run of a pattern: a unit of fixed width, or a literal.
type part struct {
	unit    byte // y M d H m s, or 0 for a literal
	width   int
	literal string
}

func splitPattern(pattern string) ([]part, error) {
	const units = "yMdHms"
	var parts []part
	seen := map[byte]bool{}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if !strings.ContainsRune(units, rune(c)) {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' && c != 'T' {
				return nil, fmt.Errorf("date layout: %q at %d is no unit: use yyyy MM (or MMM) dd HH mm ss", c, i+1)
			}
			parts = append(parts, part{literal: pattern[i : i+1]})
			i++
			continue
		}
		n := 1
		for i+n < len(pattern) && pattern[i+n] == c {
			n++
		}
		if c == 'M' && n == monthLetters && !seen[c] {
			seen[c] = true
			parts = append(parts, part{unit: c, width: n})
			i += n
			continue
		}
		want := 2
		if c == 'y' {
			want = 4
		}
		if n != want {
			return nil, fmt.Errorf("date layout: %q at %d must be written %d times: %s", c, i+1, want, strings.Repeat(string(c), want))
		}
		if seen[c] {
			return nil, fmt.Errorf("date layout: %q at %d appears twice", c, i+1)
		}
		seen[c] = true
		parts = append(parts, part{unit: c, width: n})
		i += n
	}
	if !seen['y'] || !seen['M'] || !seen['d'] {
		return nil, fmt.Errorf("date layout: a day needs yyyy, MM and dd")
	}
	return parts, nil
}

func parsePattern(parts []part, s string) (civil, error) {
	var c civil
	for _, p := range parts {
		if p.unit == 0 {
			if !strings.HasPrefix(s, p.literal) {
				return c, ErrDateForm
			}
			s = s[len(p.literal):]
			continue
		}
		read := digits
		if p.unit == 'M' && p.width == monthLetters {
			read = monthName
		}
		n, ok := read(s, p.width)
		if !ok {
			return c, ErrDateForm
		}
		c.set(p.unit, n)
		s = s[p.width:]
	}
	if s != "" {
		return c, ErrDateForm
	}
	return c, nil
}

// monthLetters is the width of a month that is written in letters.
const monthLetters = 3

// monthName reads the first n letters of s as a month.
func monthName(s string, n int) (int, bool) {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(s) < n {
		return 0, false
	}
	at := strings.Index(names, strings.ToLower(s[:n]))
	return at/n + 1, at >= 0 && at%n == 0
}

func (c *civil) set(unit byte, n int) {
	switch unit {
	case 'y':
		c.year = n
	case 'M':
		c.month = n
	case 'd':
		c.day = n
	case 'H':
		c.hour, c.timed = n, true
	case 'm':
		c.minute = n
	case 's':
		c.second = n
	}
}

// digits reads the first n bytes of s as a decimal number.
func digits(s string, n int) (int, bool) {
	if len(s) < n {
		return 0, false
	}
	v := 0
	for i := range n {
		d := s[i]
		if d < '0' || d > '9' {
			return 0, false
		}
		v = v*10 + int(d-'0')
	}
	return v, true
}

// parseHL7 reads yyyyMMddHHmm with a year of 19xx or 20xx (datatypeflavours.xsd, the plan dates' own pattern).
func parseHL7(s string) (civil, error) {
	if len(s) != 12 || !strings.HasPrefix(s, "19") && !strings.HasPrefix(s, "20") {
		return civil{}, ErrDateForm
	}
	return parseDigits(s)
}

// parseHL7TS reads yyyyMMdd[HHmm[ss]] with an optional fraction and zone, which do not change the civil day.
func parseHL7TS(s string) (civil, error) {
	end := strings.IndexAny(s, "+-.")
	if end < 0 {
		end = len(s)
	}
	if rest := s[end:]; !zoneOrFraction(rest) {
		return civil{}, ErrDateForm
	}
	return parseDigits(s[:end])
}

func zoneOrFraction(s string) bool {
	if strings.HasPrefix(s, ".") {
		s = strings.TrimLeft(s[1:], "0123456789")
	}
	if s == "" {
		return true
	}
	_, ok := digits(s[1:], 4)
	return len(s) == 5 && (s[0] == '+' || s[0] == '-') && ok
}

func parseDigits(s string) (civil, error) {
	var c civil
	widths := []struct {
		unit  byte
		width int
	}{{'y', 4}, {'M', 2}, {'d', 2}, {'H', 2}, {'m', 2}, {'s', 2}}
	if n := len(s); n != 8 && n != 12 && n != 14 {
		return c, ErrDateForm
	}
	for _, w := range widths {
		if s == "" {
			break
		}
		n, ok := digits(s, w.width)
		if !ok {
			return c, ErrDateForm
		}
		c.set(w.unit, n)
		s = s[w.width:]
	}
	return c, nil
}

// parseISO reads yyyy-MM-dd, optionally followed by THH:mm[:ss[.fff]] and Z or ±hh:mm.
func parseISO(s string) (civil, error) {
	if c, ok := parseShortISO(s); ok {
		return c, nil
	}
	day, clock, timed := strings.Cut(s, "T")
	c, err := parsePattern(isoDay(), day)
	if err != nil || !timed {
		return c, err
	}
	clock = strings.TrimSuffix(clock, "Z")
	if i := strings.IndexAny(clock, "+-"); i >= 0 {
		zone := clock[i+1:]
		if len(zone) != 5 || zone[2] != ':' || !allDigits(zone[:2]+zone[3:]) {
			return c, ErrDateForm
		}
		clock = clock[:i]
	}
	clock, fraction, dotted := strings.Cut(clock, ".")
	if dotted && (fraction == "" || !allDigits(fraction)) {
		return c, ErrDateForm
	}
	return c.clock(clock)
}

// parseShortISO reads the two forms that Date.ISO writes, which are most of what is read.
func parseShortISO(s string) (civil, bool) {
	if len(s) != len("2006-01-02") && len(s) != len("2006-01-02T15:04") || s[4] != '-' || s[7] != '-' {
		return civil{}, false
	}
	year, ok1 := digits(s, 4)
	month, ok2 := digits(s[5:], 2)
	day, ok3 := digits(s[8:], 2)
	c := civil{year: year, month: month, day: day}
	if len(s) == len("2006-01-02") {
		return c, ok1 && ok2 && ok3
	}
	hour, ok4 := digits(s[11:], 2)
	minute, ok5 := digits(s[14:], 2)
	c.hour, c.minute, c.timed = hour, minute, true
	return c, ok1 && ok2 && ok3 && ok4 && ok5 && s[10] == 'T' && s[13] == ':'
}

func (c civil) clock(s string) (civil, error) {
	units := "Hms"
	fields := strings.Split(s, ":")
	if len(fields) < 2 || len(fields) > 3 {
		return c, ErrDateForm
	}
	for i, f := range fields {
		n, ok := digits(f, 2)
		if !ok || len(f) != 2 {
			return c, ErrDateForm
		}
		c.set(units[i], n)
	}
	return c, nil
}

func isoDay() []part {
	return []part{{unit: 'y', width: 4}, {literal: "-"}, {unit: 'M', width: 2}, {literal: "-"}, {unit: 'd', width: 2}}
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
