package csv

import (
	"fmt"
	"iter"

	"signalbox/engine"
)

// Survey yields the headings as fixed cells of record 0 and then every cell of every row. A row that cannot be read is cut at its delimiters, whatever
// stands between them.
func (Adapter) Survey(msg engine.Message, src engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		d, err := newDecoding(msg, src)
		if err != nil {
			return
		}
		position := 0
		if d.header {
			position = -1
		}
		for {
			r, ok := d.scan.next(nil)
			if !ok {
				return
			}
			position++
			if r.fault != "" {
				r.cells = d.cut(r)
			}
			if position == 0 {
				for _, c := range r.cells {
					d.headings = append(d.headings, "column "+d.charset.Text(d.scan.content(c)))
				}
			}
			for len(d.headings) < len(r.cells) {
				d.headings = append(d.headings, fmt.Sprintf("column col%d", len(d.headings)+1))
			}
			if !d.cellsOf(r, position, yield) {
				return
			}
		}
	}
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

func (d *decoding) cellsOf(r row, position int, yield func(engine.Cell) bool) bool {
	start, end := d.rawRange(r)
	rec := &record{d: d, position: position, line: r.line, base: r.start, start: start, end: end, cells: r.cells}
	for i, c := range r.cells {
		at := rec.cellPlace(i)
		if !yield(engine.Cell{Record: max(position, 0), Path: at.Path, Text: d.charset.Text(d.scan.content(c)), Start: at.Start, End: at.End, Fixed: position == 0}) {
			return false
		}
	}
	return true
}
