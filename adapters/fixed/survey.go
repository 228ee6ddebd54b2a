package fixed

import (
	"fmt"
	"iter"
	"strings"

	"signalbox/engine"
)

// Survey yields every declared range of every line; what is declared of a record goes for a line of another width as far as it has characters, and
// the rest of it is one more cell. Without declared fields a line is one cell.
func (Adapter) Survey(msg engine.Message, src engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		l, err := newLayout(src)
		if err != nil || len(msg.Body) > MaxFileBytes {
			return
		}
		s := &surveying{file: &file{layout: l}, yield: yield}
		for _, f := range src.Fields {
			if e, ok := parse(f.Selector()); ok {
				s.ranges = append(s.ranges, e)
			}
		}
		s.text = l.charset.Decode(msg.Body)
		s.eachLine(func(at line) bool { return s.line(at) })
	}
}

// surveying is the state of a survey between lines.
type surveying struct {
	*file
	ranges   []extent
	headSeen bool
	yield    func(engine.Cell) bool
}

// line yields what one line holds.
func (s *surveying) line(at line) bool {
	text := s.text.String[at.start:at.end]
	switch {
	case s.head != "" && !s.headSeen:
		s.headSeen = true
		return s.cut(at, true, 0, s.head)
	case s.ended || s.trailer != "" && strings.HasPrefix(text, s.trailer) && !strings.HasPrefix(text, s.detail):
		s.ended = true
		return s.trail(at, text)
	}
	s.position++
	return s.cut(at, false, s.position, s.detail)
}

// cut yields the declared ranges of a line in their order: Check has seen that they neither overlap nor leave a gap.
func (s *surveying) cut(at line, head bool, position int, kind string) bool {
	text := s.text.String[at.start:at.end]
	next := 0
	for from := 1; ; {
		e, ok := s.from(from, head)
		if !ok {
			break
		}
		start, end := e.within(text)
		name := fmt.Sprintf("characters %d-%d", e.from, e.to)
		if e.from == e.to {
			name = fmt.Sprintf("characters %d", e.from)
		}
		if head {
			name = "characters " + headPrefix + strings.TrimPrefix(name, "characters ")
		}
		if !s.cell(at, start, end, position, name, e.from == 1 && kind != "" && strings.TrimSpace(text[start:end]) == kind, false) {
			return false
		}
		next, from = end, e.to+1
	}
	return next >= len(text) || s.cell(at, next, len(text), position, "characters after the last", false, len(s.ranges) > 0)
}

// from finds the range that begins with a character.
func (s *surveying) from(character int, head bool) (extent, bool) {
	for _, e := range s.ranges {
		if e.head == head && e.from == character {
			return e, true
		}
	}
	return extent{}, false
}

// trail yields a trailer: what it begins with and its count are the format's own.
func (s *surveying) trail(at line, text string) bool {
	next := 0
	if strings.HasPrefix(text, s.trailer) {
		next = len(s.trailer)
		if !s.cell(at, 0, next, 0, "the trailer's kind", true, false) {
			return false
		}
	}
	if start, end := s.count.within(text); s.count.to > 0 && start >= next && end > start {
		if start > next && !s.cell(at, next, start, 0, "the trailer", false, true) || !s.cell(at, start, end, 0, "the trailer's count", true, false) {
			return false
		}
		next = end
	}
	return next >= len(text) || s.cell(at, next, len(text), 0, "the trailer", false, true)
}

func (s *surveying) cell(at line, start, end, position int, path string, fixed, apart bool) bool {
	p := s.place(at, at.start+start, at.start+end, position)
	return s.yield(engine.Cell{Record: position, Path: path, Text: s.text.String[at.start+start : at.start+end], Start: p.Start, End: p.End, Fixed: fixed, Apart: apart})
}
