package csv

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// frame is what a sample shows around its records.
type frame struct {
	head    []string // cells of the row before the records
	detail  string   // first cell of every record
	trailer string
	count   int // column of the trailer that holds the number of records, from 1; 0: none does
	after   int // rows after the records: 1 or 0
	skip    int // lines before everything else
}

// frameOf tells rows of several kinds by their first cells: one word in every row but the first and perhaps the last.
func frameOf(rows [][]string) frame {
	if len(rows) < 3 || len(rows) >= profiled {
		return frame{}
	}
	first := func(i int) string {
		if len(rows[i]) == 0 {
			return ""
		}
		return strings.TrimSpace(rows[i][0])
	}
	f := frame{head: rows[0], detail: first(1)}
	last := len(rows) - 1
	if !isKind(first(0)) || !isKind(f.detail) || first(0) == f.detail {
		return frame{}
	}
	for i := 1; i < last; i++ {
		if first(i) != f.detail || len(rows[i]) != len(rows[1]) {
			return frame{}
		}
	}
	switch {
	case first(last) == f.detail && len(rows) > 3 && len(rows[0]) != len(rows[1]):
		return f
	case !isKind(first(last)) || first(last) == f.detail || len(rows[last]) == len(rows[1]):
		return frame{}
	}
	f.trailer, f.after = first(last), 1
	for i, c := range rows[last] {
		if n, err := strconv.Atoi(strings.TrimSpace(c)); err == nil && n == last-1 && i > 0 && f.count == 0 {
			f.count = i + 1
		}
	}
	return f
}

// isKind reports whether a cell can be the word that tells kinds of rows apart.
func isKind(s string) bool {
	return s != "" && len(s) <= 8 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// title leaves out lines of one cell that stand before a header.
func (s *shape) title(sample []byte) {
	n := 0
	for n < len(s.rows) && len(s.rows[n]) == 1 {
		n++
	}
	if s.frame.detail != "" || n == 0 || n >= len(s.rows) || s.columns < 3 || !isHeader(s.rows[n]) || bytes.IndexByte(sample, 0) >= 0 {
		return
	}
	s.frame.skip = bytes.Count(sample[:s.starts[n]], []byte("\n"))
	s.rows = s.rows[n:]
}

// framing declares what stands around the records.
func (p *sniff) framing(s shape) {
	set := func(option, value, why string) {
		p.Schema.Options[option] = value
		p.Reasons = append(p.Reasons, option+" "+strconv.Quote(value)+": "+why)
	}
	if s.frame.skip > 0 {
		set(OptionSkip, strconv.Itoa(s.frame.skip), "lines of one cell stand before the header")
	}
	if s.frame.detail == "" {
		return
	}
	set(OptionHead, strings.TrimSpace(s.frame.head[0]), "the first row begins like no other")
	set(OptionDetail, s.frame.detail, "every row after the first begins so")
	if s.frame.trailer == "" {
		return
	}
	set(OptionTrailer, s.frame.trailer, "the last row begins like no other")
	if s.frame.count > 0 {
		set(OptionCount, fmt.Sprintf("col%d", s.frame.count), "it is the number of the records")
	} else {
		p.Doubts = append(p.Doubts, "no column of the trailer is the number of the records: ask what it says")
	}
}
