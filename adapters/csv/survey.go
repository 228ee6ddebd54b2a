package csv

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"signalbox/engine"
)

// Survey yields the headings as fixed cells of record 0 and then every cell of every row. A row that cannot be read is cut at its delimiters, whatever
// stands between them. The row before the records is head.col1, head.col2 ... of record 0; lines that are skipped and the trailer stand apart.
func (Adapter) Survey(msg engine.Message, src engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		d, err := newDecoding(msg, src)
		if err != nil {
			return
		}
		s := &surveying{decoding: d, yield: yield, headAwaited: d.head != "", headerAwaited: d.header}
		if !s.skipped() {
			return
		}
		for {
			r, ok := d.scan.next(nil)
			if !ok || !s.row(r) {
				return
			}
		}
	}
}

// surveying is the state of a survey between rows.
type surveying struct {
	*decoding
	yield                      func(engine.Cell) bool
	headAwaited, headerAwaited bool
}

// skipped yields the lines that the option skip leaves out, each as one cell.
func (s *surveying) skipped() bool {
	for n := range s.skip {
		end, after := lineEnd(s.scan.text, s.scan.pos)
		r := row{line: s.scan.line, start: s.scan.pos, end: end, cells: []cell{{start: int32(s.scan.pos), stop: int32(end)}}}
		if after == s.scan.pos {
			return true
		}
		if !s.cells(r, 0, func(int) string { return fmt.Sprintf("line %d", n+1) }, func(c *engine.Cell, _ int) { c.Apart = true }) {
			return false
		}
		s.scan.pos, s.scan.line = after, s.scan.line+1
	}
	return true
}

// row yields the cells of one row as what it is: head, header, record or trailer.
func (s *surveying) row(r row) bool {
	if r.fault != "" {
		r.cells = s.cut(r)
	}
	switch {
	case s.headAwaited:
		s.headAwaited = false
		return s.cells(r, 0, func(i int) string { return headPrefix + "col" + strconv.Itoa(i+1) }, func(c *engine.Cell, i int) { c.Fixed = i == 0 && strings.TrimSpace(c.Text) == s.head })
	case s.headerAwaited:
		s.headerAwaited = false
		for _, c := range r.cells {
			s.headings = append(s.headings, "column "+s.charset.Text(s.scan.content(c)))
		}
		return s.cells(r, 0, s.heading, func(c *engine.Cell, _ int) { c.Fixed = true })
	case s.ended || s.trailer != "" && s.cellText(r, 0) == s.trailer:
		s.ended = true
		return s.cells(r, 0, func(i int) string { return "trailer.col" + strconv.Itoa(i+1) }, func(c *engine.Cell, i int) {
			c.Fixed = i == 0 && strings.TrimSpace(c.Text) == s.trailer || s.counts && i == s.count
			c.Apart = !c.Fixed
		})
	}
	s.position++
	return s.cells(r, s.position, s.heading, func(c *engine.Cell, i int) {
		c.Fixed = i == 0 && s.detail != "" && strings.TrimSpace(c.Text) == s.detail
	})
}

// heading is the path of the i-th column.
func (s *surveying) heading(i int) string {
	for len(s.headings) <= i {
		s.headings = append(s.headings, fmt.Sprintf("column col%d", len(s.headings)+1))
	}
	return s.headings[i]
}

func (s *surveying) cells(r row, position int, path func(int) string, is func(*engine.Cell, int)) bool {
	start, end := s.rawRange(r)
	rec := &record{d: s.decoding, position: position, line: r.line, window: s.window, from: r.start, start: start, end: end, cells: r.cells}
	for i, c := range r.cells {
		at := rec.cellPlace(i)
		out := engine.Cell{Record: position, Path: path(i), Text: s.charset.Text(s.scan.content(c)), Start: at.Start, End: at.End}
		is(&out, i)
		if !s.yield(out) {
			return false
		}
	}
	return true
}

// cut splits a row that cannot be read at its delimiters.
func (d *decoding) cut(r row) []cell {
	var cells []cell
	at := r.start
	for i := r.start; i <= r.end; i++ {
		if i == r.end || d.scan.text[i] == d.delimiter {
			cells = append(cells, cell{start: int32(at), stop: int32(i)})
			at = i + 1
		}
	}
	return cells
}
