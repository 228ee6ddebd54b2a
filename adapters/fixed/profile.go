package fixed

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// profiled is how many lines a profile reads.
const profiled = 500

// sketch is a profile in the making: the lines of a sample cut into ranges.
type sketch struct {
	engine.Profile
	lines   [][]rune // the records
	head    []rune
	trailer []rune
	kind    int // characters that tell kinds of lines apart
}

// Profile finds where the fields of lines of one width begin: at NHS numbers by their check digit, at days of the calendar, and where every line has a space
// before and most have none after. What it cannot see is where two fields touch.
func (Adapter) Profile(sample []byte) (engine.Profile, bool) {
	p := &sketch{Profile: engine.Profile{Schema: engine.Schema{Format: Format, Options: map[string]string{}}}}
	name, why, doubt := chars.Guess(sample)
	charset, ok := chars.NewCharset(name)
	if !ok || strings.IndexByte(string(sample), 0) >= 0 || !p.split(charset.Decode(sample).String) {
		return engine.Profile{}, false
	}
	ranges := p.ranges()
	if ranges == nil {
		return engine.Profile{}, false
	}
	p.Schema.Encoding = name
	p.Reasons = append(p.Reasons, fmt.Sprintf("format fixed: %d lines have %d characters each", len(p.lines), len(p.lines[0])), "encoding "+name+": "+why)
	p.Doubts = append(p.Doubts, "where two fields touch no sample shows it: ask for the record description, and hold every range against it")
	if doubt != "" {
		p.Doubts = append(p.Doubts, doubt)
	}
	p.frame()
	for _, r := range ranges {
		p.field("", r[0], r[1])
	}
	for _, r := range runs(p.head, p.kind) {
		p.field(headPrefix, r[0], r[1])
	}
	return p.Profile, true
}

func (p *sketch) field(prefix string, from, to int) {
	name, at := "c", prefix+strconv.Itoa(from+1)
	if prefix != "" {
		name = "head_c"
	}
	name += strconv.Itoa(from + 1)
	if to > from+1 {
		name += "_" + strconv.Itoa(to)
		at += "-" + strconv.Itoa(to)
	}
	p.Schema.Fields = append(p.Schema.Fields, engine.Field{Name: name, Select: at, Type: engine.TypeString})
}

// split finds the records: the lines of the most frequent width. Only the first and the last line may have another.
func (p *sketch) split(text string) bool {
	var all [][]rune
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && len(all) < profiled {
			all = append(all, []rune(line))
		}
	}
	if len(all) < 2 {
		return false
	}
	width := len(all[min(1, len(all)-1)])
	if len(all[0]) != width && len(all) > 1 {
		p.head, all = all[0], all[1:]
	}
	if last := all[len(all)-1]; len(last) != width && len(all) > 1 {
		p.trailer, all = last, all[:len(all)-1]
	}
	for _, l := range all {
		if len(l) != width {
			return false
		}
	}
	p.lines = all
	return width >= 20 && !p.delimited()
}

// delimited reports whether a character that delimits stands in every line: then the text is no fixed-width one.
func (p *sketch) delimited() bool {
	for _, d := range ",;|\t^~<{" {
		if !slices.ContainsFunc(p.lines, func(l []rune) bool { return !slices.Contains(l, d) }) {
			return true
		}
	}
	return false
}

// every reports whether do holds for every line, and for at least one that is not blank there.
func (p *sketch) every(from, to int, do func(string) bool) bool {
	filled := 0
	for _, l := range p.lines {
		text := string(l[from:to])
		if strings.TrimSpace(text) == "" {
			continue
		}
		if filled++; !do(text) {
			return false
		}
	}
	return filled > 0
}

// ranges cuts the lines; nil when no range of them holds NHS numbers.
func (p *sketch) ranges() [][2]int {
	width := len(p.lines[0])
	begins := make([]bool, width+1)
	taken := make([]bool, width)
	mark := func(from, to int) {
		begins[from], begins[to] = true, true
		for i := from; i < to; i++ {
			taken[i] = true
		}
	}
	found := false
	for from := 0; from+10 <= width; from++ {
		sound := 0
		numbers := p.every(from, from+10, func(s string) bool {
			if _, err := engine.ParseNHSNumber(s); err == nil {
				sound++
			}
			return strings.Trim(s, "0123456789") == ""
		})
		if numbers && sound*5 >= len(p.lines)*4 {
			mark(from, from+10)
			found = true
			from += 9
		}
	}
	if !found {
		return nil
	}
	for from := 0; from+8 <= width; from++ {
		if !slices.Contains(taken[from:from+8], true) && p.days(from) {
			mark(from, from+8)
			from += 7
		}
	}
	p.kinds()
	begins[0], begins[p.kind] = true, true
	p.words(begins, taken)
	return cuts(begins)
}

// days reports whether eight figures are a day of the calendar in every line that has any.
func (p *sketch) days(from int) bool {
	for _, name := range []string{"ddMMyyyy", "yyyyMMdd"} {
		layout := engine.MustLayout(name)
		if p.every(from, from+8, func(s string) bool {
			d, err := layout.Parse(s)
			return err == nil && d.ISO() > "1900" && d.ISO() < "2100"
		}) {
			return true
		}
	}
	return false
}

// kinds finds the first characters by which the records are none of the other lines.
func (p *sketch) kinds() {
	if p.head == nil && p.trailer == nil {
		return
	}
	first := p.lines[0]
	n := 0
	for n < 3 && n < len(first) && class(first[n]) == class(first[0]) && !slices.ContainsFunc(p.lines, func(l []rune) bool { return l[n] != first[n] }) {
		n++
	}
	same := func(l []rune) bool { return len(l) >= n && string(l[:n]) == string(first[:n]) }
	if n > 0 && !same(p.head) && !same(p.trailer) {
		p.kind = n
	}
}

// words begins a range where every line has a space before and most have none.
func (p *sketch) words(begins, taken []bool) {
	for i := 1; i < len(taken); i++ {
		if taken[i] || taken[i-1] {
			continue
		}
		before, here := 0, 0
		for _, l := range p.lines {
			if l[i-1] == ' ' {
				before++
			}
			if l[i] != ' ' {
				here++
			}
		}
		if before == len(p.lines) && here*2 > len(p.lines) {
			begins[i] = true
		}
	}
}

func cuts(begins []bool) [][2]int {
	var out [][2]int
	from := 0
	for i := 1; i < len(begins); i++ {
		if begins[i] || i == len(begins)-1 {
			out = append(out, [2]int{from, i})
			from = i
		}
	}
	return out
}

func class(r rune) int {
	switch {
	case unicode.IsDigit(r):
		return 1
	case unicode.IsSpace(r):
		return 0
	}
	return 2
}

// runs cuts a single line after its kind and where letters become figures and figures letters.
func runs(line []rune, kind int) [][2]int {
	if len(line) == 0 {
		return nil
	}
	begins := make([]bool, len(line)+1)
	begins[min(kind, len(line))] = true
	last := 0
	for i, r := range line {
		c := class(r)
		if c != 0 && last != 0 && c != last {
			begins[i] = true
		}
		if c != 0 {
			last = c
		}
	}
	begins[0] = false
	return cuts(begins)
}

// frame declares the lines before and after the records.
func (p *sketch) frame() {
	if p.kind == 0 {
		return
	}
	set := func(option, value, why string) {
		p.Schema.Options[option] = value
		p.Reasons = append(p.Reasons, option+" "+strconv.Quote(value)+": "+why)
	}
	set(OptionDetail, string(p.lines[0][:p.kind]), "every record begins so, and no other line")
	if len(p.head) >= p.kind {
		set(OptionHead, string(p.head[:p.kind]), "the first line has another width")
	}
	if len(p.trailer) < p.kind {
		return
	}
	set(OptionTrailer, string(p.trailer[:p.kind]), "the last line has another width")
	if n, err := strconv.Atoi(strings.TrimSpace(string(p.trailer[p.kind:]))); err == nil && n == len(p.lines) {
		set(OptionCount, fmt.Sprintf("%d-%d", p.kind+1, len(p.trailer)), "it is the number of the records")
	}
}
