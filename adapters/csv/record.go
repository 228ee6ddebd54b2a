package csv

import (
	"strconv"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// record is a row that could be read.
type record struct {
	d *decoding
	*window
	position   int
	line       int   // line on which it begins
	from       int   // offset in the window
	start, end int64 // range in the raw message
	cells      []cell
}

// Position is the row's number after the header.
func (r *record) Position() int { return r.position }

// Place says where the row stood.
func (r *record) Place() engine.Place {
	return engine.Place{Record: r.position, Line: r.line, Column: 1, Start: r.start, End: r.end}
}

// cellPlace says where one cell stood, its quotes included.
func (r *record) cellPlace(column int) engine.Place {
	c := r.cells[column]
	from, to := c.bounds()
	p := engine.Place{Record: r.position}
	if column < len(r.d.headings) {
		p.Path = r.d.headings[column]
	}
	if r.d.charset.IsTwo {
		p.Start = r.start + int64(chars.WidthUTF16(r.text[r.from:from]))
		p.End = p.Start + int64(chars.WidthUTF16(r.text[from:to]))
	} else {
		p.Start, p.End = r.window.base+int64(from), r.window.base+int64(to)
	}
	if !c.afterBreak && (r.ascii || r.d.charset.Table != nil) {
		p.Line, p.Column = r.line, from-r.from+1
		return p
	}
	p.Line, p.Column = r.lineColumn(r.d.charset, r.line, r.from, from)
	return p
}

// selector reads one declared column.
type selector struct{ field int }

// Select appends the cell, also where it is empty, so that its place is known.
func (s selector) Select(r engine.Record, into []engine.Value) []engine.Value {
	rec, ok := r.(*record)
	if !ok {
		return into
	}
	column := rec.d.columns[s.field]
	if column < 0 { // of the head, which goes for every record
		place := rec.d.headRow.cellPlace(^column)
		place.Record, place.Path = rec.position, "head.col"+strconv.Itoa(^column+1)
		return append(into, engine.Value{Text: s.Text(r), At: place})
	}
	return append(into, engine.Value{Text: s.Text(r), At: rec.cellPlace(column)})
}

// Text returns what the cell holds.
func (s selector) Text(r engine.Record) string {
	rec, ok := r.(*record)
	if !ok {
		return ""
	}
	column := rec.d.columns[s.field]
	if column < 0 {
		rec, column = rec.d.headRow, ^column
	}
	return rec.d.charset.Text(rec.d.scan.contentOf(rec.text, rec.cells[column]))
}

// Single reports that a column never holds more than one value in a row.
func (selector) Single() bool { return true }
