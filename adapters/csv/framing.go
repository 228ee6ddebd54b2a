package csv

import (
	"fmt"
	"strconv"
	"strings"

	"signalbox/engine"
)

// headPrefix begins the selector of a column in the row before the records: head.col3.
const headPrefix = "head."

// framing is what stands around the records: lines to skip, a head, a trailer with a count.
type framing struct {
	skip                  int
	head, detail, trailer string
	count                 int // column of the trailer, from 0
	counts                bool
}

func (f *framing) option(name, value string) error {
	switch name {
	case OptionSkip:
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 100 {
			return refuse("option skip is a number of lines up to 100")
		}
		f.skip = n
		return nil
	case OptionCount:
		if f.count, f.counts = positional(value); !f.counts {
			return refuse("option trailer-count is a column of the trailer, for example col2")
		}
		return nil
	}
	if value == "" || strings.TrimSpace(value) != value {
		return refuse("option %s is the text of the first cell of such a row", name)
	}
	*map[string]*string{OptionHead: &f.head, OptionDetail: &f.detail, OptionTrailer: &f.trailer}[name] = value
	return nil
}

// check holds the options against one another.
func (f *framing) check() error {
	switch {
	case f.counts && f.trailer == "":
		return refuse("option trailer-count needs option trailer")
	case f.trailer != "" && f.trailer == f.detail:
		return refuse("option trailer and option detail are the same text")
	}
	return nil
}

// headColumn reads head.col3 as column 2 of the head; -1 when it is no column.
func headColumn(heading string) (column int, inHead bool) {
	rest, inHead := strings.CutPrefix(heading, headPrefix)
	column, ok := positional(rest)
	if !ok {
		column = -1
	}
	return column, inHead
}

// text of a row's cell, trimmed as values are.
func (d *decoding) cellText(r row, i int) string {
	if i >= len(r.cells) {
		return ""
	}
	return strings.TrimSpace(d.charset.Text(d.scan.content(r.cells[i])))
}

// readHead skips lines and reads the row before the records.
func (d *decoding) readHead(src engine.Schema) []error {
	for range d.skip {
		d.reach()
		_, after := lineEnd(d.scan.text, d.scan.pos)
		if after > d.scan.pos {
			d.scan.pos, d.scan.line = after, d.scan.line+1
		}
	}
	if d.head == "" {
		return nil
	}
	d.ready()
	r, ok := d.scan.next(nil)
	if !ok {
		return []error{fileFault(engine.RuleColumns, "the file is empty: it has no head")}
	}
	if fault := d.faultOf(r); fault != nil {
		fault.Text = "the head cannot be read: " + fault.Text
		return []error{fault}
	}
	fault := fileFault(engine.RuleColumns, "the file does not begin with the declared head")
	fault.Place = engine.Place{Line: r.line, Column: 1}
	if d.cellText(r, 0) != d.head {
		return []error{fault}
	}
	for _, f := range src.Fields {
		if column, inHead := headColumn(f.Selector()); inHead && column >= len(r.cells) {
			fault.Text = fmt.Sprintf("the head has %d columns, and one further on is declared", len(r.cells))
			return []error{fault}
		}
	}
	start, end := d.rawRange(r)
	d.headRow = &record{d: d, window: d.window, line: r.line, from: r.start, start: start, end: end, cells: r.cells}
	return nil
}

// frame looks at a row before it is taken for a record: done tells the end of the records.
func (d *decoding) frame(r row) (fault *engine.Error, done bool) {
	if d.ended {
		return d.framed(r, engine.RuleCount, "more follows after the trailer"), true
	}
	if d.trailer == "" || d.cellText(r, 0) != d.trailer {
		return nil, false
	}
	d.ended = true
	if n, err := strconv.Atoi(d.cellText(r, d.count)); d.counts && (err != nil || n != d.position) {
		return d.framed(r, engine.RuleCount, "the trailer announces another number of records than the file holds"), false
	}
	return nil, false
}

func (d *decoding) framed(r row, rule, text string) *engine.Error {
	fault := d.newFault(r, rule, text)
	fault.Place.Record, fault.Place.Line, fault.Place.Column = 0, r.line, 1
	return fault
}

// unended is the fault of a file that has lost its trailer.
func (d *decoding) unended() *engine.Error {
	if d.trailer == "" || d.ended {
		return nil
	}
	d.ended = true
	return fileFault(engine.RuleCount, "the file ends without its trailer: it may have been cut short")
}
