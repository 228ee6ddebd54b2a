package csv

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// profiled is how many rows a profile reads to tell the shape of a file.
const profiled = 500

// sniff is a profile in the making.
type sniff struct{ engine.Profile }

// Profile tells encoding, delimiter and header of a sample, with a field for every column.
func (Adapter) Profile(sample []byte) (engine.Profile, bool) {
	p := &sniff{engine.Profile{Schema: engine.Schema{Format: Format, Options: map[string]string{}}}}
	p.encoding(sample)
	best := shape{}
	for _, delimiter := range []string{",", ";", "|", "tab", "^", "~"} {
		if s := p.shape(sample, delimiter); s.better(best) {
			best = s
		}
	}
	if best.columns < 2 || best.share < 0.6 {
		return engine.Profile{}, false
	}
	p.finish(best)
	return p.Profile, true
}

// encoding tells the encoding by its mark or by its bytes.
func (p *sniff) encoding(sample []byte) {
	text := string(sample)
	set := func(name, why string) {
		p.Schema.Encoding = name
		p.Reasons = append(p.Reasons, "encoding "+name+": "+why)
	}
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		set("utf-16", "the file begins with the mark of UTF-16")
	case strings.Count(text, "\x00") > len(text)/4 && len(text) > 1 && text[1] == 0:
		set("utf-16le", "every other byte is zero, the second first")
	case strings.Count(text, "\x00") > len(text)/4:
		set("utf-16be", "every other byte is zero, the first first")
	default:
		name, why, doubt := chars.Guess(sample)
		set(name, why)
		if doubt != "" {
			p.Doubts = append(p.Doubts, doubt)
		}
	}
}

// shape is what a sample looks like when it is cut at a delimiter.
type shape struct {
	delimiter string
	columns   int     // of most rows
	share     float64 // of the rows that have so many
	rows      [][]string
	starts    []int64 // where each row begins
	frame
}

func (s shape) better(than shape) bool {
	return s.columns >= 2 && s.score() > than.score()
}

// score prefers rows that agree to rows that are many columns wide.
func (s shape) score() float64 { return s.share * s.share * float64(min(s.columns, 6)) }

func (p *sniff) shape(sample []byte, delimiter string) shape {
	s := shape{delimiter: delimiter}
	src := p.Schema
	src.Options = map[string]string{OptionDelimiter: delimiter, OptionHeader: "false"}
	counts := map[int]int{}
	total, last := 0, -1
	for c := range New().Survey(engine.Message{Body: sample}, src) {
		if c.Record != last {
			if total++; total > profiled {
				break
			}
			last = c.Record
			s.rows, s.starts = append(s.rows, nil), append(s.starts, c.Start)
		}
		s.rows[total-1] = append(s.rows[total-1], c.Text)
	}
	s.frame = frameOf(s.rows)
	if s.frame.detail != "" {
		s.rows = s.rows[1 : len(s.rows)-s.frame.after]
	}
	for _, r := range s.rows {
		counts[len(r)]++
	}
	for columns, n := range counts {
		if n > counts[s.columns] || n == counts[s.columns] && columns > s.columns {
			s.columns = columns
		}
	}
	if len(s.rows) > 0 {
		s.share = float64(counts[s.columns]) / float64(len(s.rows))
	}
	s.title(sample)
	return s
}

func (p *sniff) finish(s shape) {
	p.Schema.Options[OptionDelimiter] = s.delimiter
	p.Reasons = append(p.Reasons, fmt.Sprintf("delimiter %q: %d columns in %.0f%% of the rows", s.delimiter, s.columns, 100*s.share))
	p.framing(s)
	names := s.rows[0]
	header := len(names) == s.columns && isHeader(names)
	p.Schema.Options[OptionHeader] = strconv.FormatBool(header)
	if header {
		p.Reasons = append(p.Reasons, "header: the first row has a different word in every column, and no figures")
	} else {
		p.Reasons = append(p.Reasons, "no header: the first row looks like the others")
		p.Doubts = append(p.Doubts, "the file has no header: ask for the order of its columns in writing, since nothing in the file will tell when it changes")
		names = nil
	}
	taken := map[string]bool{}
	for i := range s.columns {
		column := fmt.Sprintf("col%d", i+1)
		if names != nil {
			column = names[i]
		}
		f := engine.Field{Name: chars.FieldName(column, taken), Type: engine.TypeString}
		if f.Name != column {
			f.Select = column
		}
		p.Schema.Fields = append(p.Schema.Fields, f)
	}
	for i := 1; i < len(s.frame.head); i++ {
		p.Schema.Fields = append(p.Schema.Fields, engine.Field{Name: fmt.Sprintf("head_%d", i+1), Select: fmt.Sprintf("%scol%d", headPrefix, i+1), Type: engine.TypeString})
	}
}

// isHeader reports whether a row names columns: a different word in each, none of them a figure.
func isHeader(row []string) bool {
	seen := map[string]bool{}
	for _, cell := range row {
		if cell == "" || seen[cell] || !strings.ContainsFunc(cell, unicode.IsLetter) || strings.Count(cell, "/") > 1 {
			return false
		}
		digits := 0
		for _, r := range cell {
			if unicode.IsDigit(r) {
				digits++
			}
		}
		if digits > 3 || utf8.RuneCountInString(cell) > 60 {
			return false
		}
		seen[cell] = true
	}
	return len(row) > 1
}
