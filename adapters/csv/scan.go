package csv

import (
	"strings"

	"signalbox/engine"
)

// cell is one field of a row: the byte range of its content in the text. It is small because a file has many.
type cell struct {
	start, stop int32
	quoted      bool // a quote stands before and after the content
	rewrite     bool // the content has doubled quotes or CR LF in it
	afterBreak  bool // a line break stands between the row's start and this cell
}

// bounds returns the range of the whole cell, quotes included.
func (c cell) bounds() (from, to int) {
	if c.quoted {
		return int(c.start) - 1, int(c.stop) + 1
	}
	return int(c.start), int(c.stop)
}

// row is one row as scanned. fault is empty when it could be read.
type row struct {
	line       int // 1-based line on which it begins
	start, end int // without its line break
	cells      []cell
	fault      string // rule
	text       string // sentence
	faultAt    int    // offset of the fault
}

// scanner splits text into rows. The standard reader was not taken for one reason: after a quote that never closes it has eaten the
// rest of the file, where this one gives up the line and goes on with the next.
type scanner struct {
	text      string
	pos, line int
	delimiter byte
	quote     byte
}

// next scans one row, appending its cells to into. It returns false at the end of the text. Empty lines are no rows.
func (s *scanner) next(into []cell) (row, bool) {
	s.skipEmpty()
	if s.pos >= len(s.text) {
		return row{}, false
	}
	end, after := lineEnd(s.text, s.pos)
	r := row{line: s.line, start: s.pos, end: end, cells: into}
	switch line := s.text[s.pos:end]; {
	case len(line) > MaxRowBytes:
		r.fail(engine.RuleLimit, "the row is longer than it may be", s.pos)
	case s.quote == 0 || strings.IndexByte(line, s.quote) < 0:
		s.split(&r)
	default:
		after = s.quoted(&r, after)
	}
	if len(r.cells) > MaxColumns && r.fault == "" {
		r.fail(engine.RuleLimit, "the row has more columns than it may have", r.start)
	}
	s.line++
	if after > end+2 {
		s.line += strings.Count(s.text[end:after-1], "\n")
	}
	s.pos = after
	return r, true
}

func (r *row) fail(rule, text string, at int) {
	r.fault, r.text, r.faultAt = rule, text, at
}

func (s *scanner) skipEmpty() {
	for s.pos < len(s.text) {
		end, after := lineEnd(s.text, s.pos)
		if end > s.pos {
			return
		}
		s.pos = after
		s.line++
	}
}

// lineEnd returns where the line that begins at pos ends, and where the next begins. The line break is LF, CR LF, or the text's end with
// or without a CR.
func lineEnd(text string, pos int) (end, after int) {
	n := strings.IndexByte(text[pos:], '\n')
	end, after = pos+n, pos+n+1
	if n < 0 {
		end, after = len(text), len(text)
	}
	if end > pos && text[end-1] == '\r' {
		end--
	}
	return end, after
}

// split cuts a line that holds no quote.
func (s *scanner) split(r *row) {
	at := r.start
	for {
		n := strings.IndexByte(s.text[at:r.end], s.delimiter)
		if n < 0 {
			r.cells = append(r.cells, cell{start: int32(at), stop: int32(r.end)})
			return
		}
		r.cells = append(r.cells, cell{start: int32(at), stop: int32(at + n)})
		at += n + 1
	}
}

// quoted scans a row with quotes in it, which may go over many lines. It returns where the next row begins. On a fault the row is its
// first line alone.
func (s *scanner) quoted(r *row, after int) int {
	first := *r
	at, broken := r.start, false
	for {
		c, ok := s.cell(r, at, broken)
		if !ok || len(r.cells) >= MaxColumns {
			first.fault, first.text, first.faultAt = r.fault, r.text, r.faultAt
			if first.fault == "" {
				first.fail(engine.RuleLimit, "the row has more columns than it may have", at)
			}
			*r = first
			return after
		}
		r.cells = append(r.cells, c)
		broken = broken || c.quoted && strings.IndexByte(s.text[c.start:c.stop], '\n') >= 0
		_, end := c.bounds()
		if end < len(s.text) && s.text[end] == s.delimiter {
			at = end + 1
			continue
		}
		_, next := lineEnd(s.text, end)
		r.end = end
		return next
	}
}

// cell scans one cell at the given offset.
func (s *scanner) cell(r *row, at int, broken bool) (cell, bool) {
	c := cell{start: int32(at), afterBreak: broken}
	if at < len(s.text) && s.text[at] == s.quote {
		return s.quotedCell(r, c)
	}
	for end := at; end < len(s.text); end++ {
		switch s.text[end] {
		case s.quote:
			r.fail(engine.RuleSyntax, "a quote stands inside a cell that is not quoted", end)
			return c, false
		case s.delimiter:
			c.stop = int32(end)
			return c, true
		case '\n':
			return s.lastCell(c), true
		}
	}
	return s.lastCell(c), true
}

// lastCell ends an unquoted cell at its line's end.
func (s *scanner) lastCell(c cell) cell {
	end, _ := lineEnd(s.text, int(c.start))
	c.stop = int32(end)
	return c
}

func (s *scanner) quotedCell(r *row, c cell) (cell, bool) {
	open := int(c.start)
	c.start, c.quoted = c.start+1, true
	limit := min(len(s.text), r.start+MaxRowBytes)
	for i := open + 1; ; {
		n := -1
		if i < limit {
			n = strings.IndexByte(s.text[i:limit], s.quote)
		}
		if n < 0 {
			r.fail(engine.RuleSyntax, "a quote is opened and never closed", open)
			return c, false
		}
		i += n + 1
		if i < len(s.text) && s.text[i] == s.quote {
			c.rewrite = true
			i++
			continue
		}
		c.stop = int32(i - 1)
		break
	}
	_, after := c.bounds()
	if after < len(s.text) && s.text[after] != s.delimiter {
		if end, _ := lineEnd(s.text, after); end != after {
			r.fail(engine.RuleSyntax, "text follows the quote that closes a cell", after)
			return c, false
		}
	}
	c.rewrite = c.rewrite || strings.Contains(s.text[c.start:c.stop], "\r\n")
	return c, true
}

// content returns a cell's bytes with doubled quotes and CR LF made single.
func (s *scanner) content(c cell) string { return s.contentOf(s.text, c) }

// contentOf is content of a cell of another window.
func (s *scanner) contentOf(text string, c cell) string {
	text = text[c.start:c.stop]
	if c.rewrite {
		quote := string(s.quote)
		text = strings.ReplaceAll(strings.ReplaceAll(text, quote+quote, quote), "\r\n", "\n")
	}
	return text
}
