package coverage

import (
	"cmp"
	"slices"
	"strings"

	"signalbox/engine"
)

// place is where a selector found a value.
type place struct {
	start, end int64
	text       string
	by         *reader
}

// places finds what reads a value, by where it stands.
type places struct{ all []place }

// sort puts what is used before what is ignored where both stand at one place.
func (p *places) sort() {
	slices.SortStableFunc(p.all, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(len(b.by.by), len(a.by.by)))
	})
}

// of returns what reads a value. Some formats say that an element's text stands where the element does, tags and all: then the text has to be in
// the value too.
func (p *places) of(c engine.Cell) *reader {
	i, found := slices.BinarySearchFunc(p.all, c.Start, func(a place, start int64) int { return cmp.Compare(a.start, start) })
	if found {
		return p.all[i].by
	}
	if i == 0 {
		return nil
	}
	before := p.all[i-1].start
	for i--; i >= 0 && p.all[i].start == before; i-- {
		if p.all[i].end >= c.End && strings.Contains(p.all[i].text, strings.TrimSpace(c.Text)) {
			return p.all[i].by
		}
	}
	return nil
}
