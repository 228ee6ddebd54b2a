package json

import (
	"bytes"
	"iter"
	"strings"

	"signalbox/engine"
)

// Survey yields every text and number of the message. Its path names members without their places: "$.children[*].plan.from". What is true or false, and the
// texts that a declared field's filter compares with, are fixed. A member's name that has a figure in it and is not declared may be data: it stands apart, and so does all that
// follows broken syntax.
func (Adapter) Survey(msg engine.Message, src engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		s, err := newShape(src)
		if err != nil || len(msg.Body) > MaxFileBytes {
			return
		}
		v := &surveying{shape: s, declared: root(src.Structure), compared: compared(src), yield: yield, body: msg.Body}
		base := 0
		if bytes.HasPrefix(msg.Body, []byte("\ufeff")) {
			base = len("\ufeff")
		}
		if !s.lines {
			v.text(base, len(msg.Body))
			return
		}
		for base < len(msg.Body) {
			end := len(msg.Body)
			if n := bytes.IndexByte(msg.Body[base:], '\n'); n >= 0 {
				end = base + n
			}
			if len(bytes.TrimSpace(msg.Body[base:end])) > 0 && !v.text(base, end) {
				return
			}
			base = end + 1
		}
	}
}

// surveying is the state of a survey.
type surveying struct {
	shape
	declared state
	compared map[string]map[string]bool // name of a member to the texts that filters compare it with
	body     []byte
	position int
	records  map[*value]int
	last     int // where the last cell ended
	yield    func(engine.Cell) bool
}

// compared lists the texts that the filters of declared fields compare with.
func compared(src engine.Schema) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, f := range src.Fields {
		p, err := parse(f.Selector())
		if err != nil {
			continue
		}
		for _, s := range p.steps {
			if s.filter == nil || len(s.filter.path.steps) == 0 {
				continue
			}
			name := s.filter.path.steps[len(s.filter.path.steps)-1].name
			if out[name] == nil {
				out[name] = map[string]bool{}
			}
			out[name][s.filter.literal] = true
		}
	}
	return out
}

// text surveys one JSON text.
func (s *surveying) text(start, end int) bool {
	t := read(s.body[start:end], start)
	s.records = map[*value]int{}
	if t.stop != nil && s.lines {
		s.position++
		s.records[t.root] = s.position
	} else {
		s.shape.records.find(t.root, func(v *value) {
			if v.end > 0 {
				s.position++
				s.records[v] = s.position
			}
		})
	}
	s.last = start
	if !s.value(t.root, "$", 0, len(s.declared.elements) > 0) {
		return false
	}
	if t.stop == nil {
		return true
	}
	return s.cell(engine.Cell{Record: s.records[t.root], Path: "unreadable", Text: string(s.body[s.last:end]), Apart: true}, s.last, end)
}

func (s *surveying) value(v *value, path string, record int, known bool) bool {
	if n, is := s.records[v]; is {
		record = n
	}
	switch v.kind {
	case null:
		return true
	case array:
		for _, item := range v.items {
			if !s.value(item, path+"[*]", record, known) {
				return false
			}
		}
		return true
	case object:
		for _, m := range v.items {
			below := path + "." + m.name
			if strings.ContainsAny(m.name, "0123456789") && !s.declares(m.name) {
				below = path + ".?"
				if !s.cell(engine.Cell{Record: record, Path: path + " name", Text: m.name, Escape: engine.EscapeJSON, Apart: true}, m.nameAt, m.nameEnd) {
					return false
				}
			}
			if !s.value(m, below, record, known) {
				return false
			}
		}
		return true
	}
	if v.end == 0 {
		return true // it was not read to its end
	}
	quoted := v.start > 0 && s.body[v.start-1] == '"'
	fixed := s.compared[v.name][v.text] || !quoted && (v.text == "true" || v.text == "false")
	return s.cell(engine.Cell{Record: record, Path: path, Text: v.text, Fixed: fixed, Escape: engine.EscapeJSON}, v.start, v.end)
}

// declares reports whether a name stands anywhere in the declared structure.
func (s *surveying) declares(name string) bool { return contains(s.declared.elements, name) }

func contains(elements []engine.Element, name string) bool {
	for _, e := range elements {
		if e.Name == name || contains(e.Children, name) {
			return true
		}
	}
	return false
}

func (s *surveying) cell(c engine.Cell, start, end int) bool {
	c.Start, c.End = int64(start), int64(end)
	s.last = end
	return s.yield(c)
}
