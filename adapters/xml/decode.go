package xml

import (
	"fmt"
	"strings"

	"signalbox/engine"
)

// record is one record element.
type record struct {
	file     *file
	node     *node
	position int
}

// Position is the element's number in the file.
func (r *record) Position() int { return r.position }

// Place says where the element stands.
func (r *record) Place() engine.Place {
	return r.file.place(r.node.start, r.node.end, r.position, "")
}

// place says where a value stands: the content of an element, or what is between an attribute's quotes.
func (r *record) place(n *navigator) engine.Place {
	start, end := n.at.tag, n.at.last
	path := n.at.path()
	switch {
	case n.attribute > 0:
		from, to := attributeRange(r.file.text.String[n.at.start:n.at.tag], n.attribute-1)
		start, end = n.at.start+from, n.at.start+to
		path += "/@" + n.LocalName()
	case n.at.isText:
		start, end = n.at.start, n.at.end
		path = n.at.in.path()
	case end < start:
		start, end = n.at.start, n.at.tag // not closed when the file was cut
	}
	return r.file.place(start, end, r.position, path)
}

// path is /Register/Child[2]/Name: names with their number where there are more.
func (n *node) path() string {
	if n.in == nil {
		return ""
	}
	before, after := 0, 0
	for i, c := range n.in.children {
		if c.isText || c.name != n.name || c.prefix != n.prefix {
			continue
		}
		if i < n.index {
			before++
		} else if i > n.index {
			after = 1
			break
		}
	}
	step := n.in.path() + "/" + n.qualified()
	if before+after > 0 {
		step += fmt.Sprintf("[%d]", before+1)
	}
	return step
}

func (f *file) place(start, end, position int, path string) engine.Place {
	p := engine.Place{Record: position, Path: path, Start: f.text.Raw(start), End: f.text.Raw(end)}
	p.Line, p.Column = f.text.Place(start)
	return p
}

func (f *file) fault(at flaw, position int) *engine.Error {
	e := &engine.Error{Op: "read xml", Kind: engine.Invalid, Rule: at.rule, Text: at.text, Place: engine.Place{Record: position}}
	if at.rule == engine.RuleLimit {
		e.Kind = engine.TooLarge
	}
	if f.text != nil {
		e.Place = f.place(at.offset, at.offset, position, "")
	}
	return e
}

func (f *file) decode(body []byte, yield func(engine.Record, error) bool) {
	if len(body) > MaxFileBytes {
		yield(nil, f.fault(flaw{rule: engine.RuleLimit, text: "the file is larger than it may be"}, 0))
		return
	}
	f.text = f.charset.Decode(body)
	// NUL and other controls are no characters of XML: they are unreadable already and must not end the reading.
	f.read()
	if bad, ok := f.badOutside(); ok && f.stop == nil {
		yield(nil, f.fault(flaw{bad, engine.RuleEncoding, "a byte is not valid " + f.charset.Name + " text"}, 0))
		return
	}
	for i, n := range f.records {
		if at := f.text.BadIn(n.start, n.end); at >= 0 {
			fault := f.fault(flaw{at, engine.RuleEncoding, "a byte is not valid " + f.charset.Name + " text"}, i+1)
			fault.Place.Start, fault.Place.End = f.text.Raw(n.start), f.text.Raw(n.end)
			if !yield(nil, fault) {
				return
			}
			continue
		}
		if !yield(&record{file: f, node: n, position: i + 1}, nil) {
			return
		}
	}
	switch {
	case f.stop != nil:
		yield(nil, f.fault(*f.stop, 0))
	case len(f.records) == 0 && !f.holds(f.root, f.path[:len(f.path)-1]):
		yield(nil, f.fault(flaw{0, engine.RuleMandatory, "the file has no element /" + strings.Join(f.path[:max(len(f.path)-1, 1)], "/") + ": it is not of the declared structure"}, 0))
	}
}

// badOutside finds an unreadable character that is in no record: what goes for all of them is then doubtful.
func (f *file) badOutside() (int, bool) {
	next := 0
	for _, at := range f.text.Bad {
		for next < len(f.records) && f.records[next].end <= at {
			next++
		}
		if next == len(f.records) || at < f.records[next].start {
			return at, true
		}
	}
	return 0, false
}

// holds reports whether the elements above the records are there.
func (f *file) holds(n *node, path []string) bool {
	if len(path) == 0 {
		return n != f.root
	}
	for _, c := range n.children {
		if !c.isText && c.qualified() == path[0] && f.holds(c, path[1:]) {
			return true
		}
	}
	return false
}
