package hl7v2

import (
	"fmt"
	"iter"
	"strings"

	"signalbox/engine"
)

// Survey yields every value of every segment that is not empty: "PID-3.1", with subcomponents "PID-5.1.1". Separators, set ids, counts of batches, the codes of HL7's own tables in headers and in components,
// and the texts with which a filter of a declared field compares are fixed. A segment whose separators cannot be read is one cell that stands apart.
func (Adapter) Survey(msg engine.Message, src engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		d, err := newDialect(src)
		if err != nil || len(msg.Body) > MaxFileBytes {
			return
		}
		s := &surveying{file: &file{dialect: d}, compared: map[string]bool{}, yield: yield}
		for _, f := range src.Fields {
			if p, err := parse(f.Selector(), d.segments); err == nil && p.filter != nil && p.filter.text != "" {
				s.compared[fmt.Sprintf("%s-%d.%d=%s", p.segment, p.field, p.filter.component, p.filter.text)] = true
			}
		}
		s.text = d.charset.Decode(msg.Body)
		s.split()
		for i := range s.lines {
			if !s.segment(&s.lines[i]) {
				return
			}
		}
	}
}

// surveying is the state of a survey between segments.
type surveying struct {
	*file
	compared map[string]bool // PID-3.5=NH
	message  *message        // whose separators count; nil before the first header
	position int
	broken   bool // the separators of this message cannot be read
	yield    func(engine.Cell) bool
}

// segment yields what one segment holds.
func (s *surveying) segment(at *segment) bool {
	record := s.position
	switch at.name {
	case "MSH":
		s.position++
		record = s.position
		fallthrough
	case "FHS", "BHS":
		s.message = &message{file: s.file, segments: []segment{*at}}
		s.broken = !s.message.readMarks()
	}
	if at.name != "MSH" && s.begins(at) {
		record = 0
	}
	if s.message == nil || s.broken || !isSegment(at.name) || at.end > at.start+3 && s.text.String[at.start+3] != s.message.marks.field {
		rest := at.span
		if _, known := s.segments[at.name]; known {
			rest.start += len(at.name) // where a message begins stays to be seen
		}
		return s.cell(engine.Cell{Record: record, Path: "unreadable", Text: s.text.String[rest.start:rest.end], Apart: true}, rest)
	}
	types := strings.Fields(s.segments[at.name])
	fields, n := span{min(at.start+4, at.end), at.end}, 1
	if at.isHead() {
		if _, fields, _ = fields.cut(s.text.String, s.message.marks.field); at.end > at.start+4 {
			n = 3 // MSH-1 and MSH-2 are the separators
		}
	}
	for ; ; n++ {
		field, rest, more := fields.cut(s.text.String, s.message.marks.field)
		dataType := ""
		if n <= len(types) {
			dataType = strings.TrimSuffix(types[n-1], "*")
		}
		if !s.field(at.name, n, dataType, field, record) {
			return false
		}
		if !more {
			return true
		}
		fields = rest
	}
}

func (s *surveying) begins(at *segment) bool {
	switch at.name {
	case "FHS", "BHS", "BTS", "FTS":
		return true
	}
	return false
}

// field yields the subcomponents of every repetition.
func (s *surveying) field(name string, n int, dataType string, field span, record int) bool {
	text, marks := s.text.String, s.message.marks
	fixed := s.fixed(name, n, dataType)
	for {
		repetition, moreRepetitions, again := field.cut(text, marks.repetition)
		parts := components(dataType)
		for component := 1; ; component++ {
			part, rest, more := repetition.cut(text, marks.component)
			partType := ""
			if component <= len(parts) {
				partType = parts[component-1]
			}
			path := fmt.Sprintf("%s-%d", name, n)
			if len(parts) > 0 || more || component > 1 {
				path += fmt.Sprintf(".%d", component)
			}
			coded := partType == "ID" || s.compared[fmt.Sprintf("%s-%d.%d=%s", name, n, component, text[part.start:part.end])]
			if !s.component(path, part, partType, record, fixed || coded) {
				return false
			}
			if !more {
				break
			}
			repetition = rest
		}
		if !again {
			return true
		}
		field = moreRepetitions
	}
}

func (s *surveying) component(path string, part span, dataType string, record int, fixed bool) bool {
	parts := components(dataType)
	for sub := 1; ; sub++ {
		one, rest, more := part.cut(s.text.String, s.message.marks.sub)
		at := path
		if len(parts) > 0 || more || sub > 1 {
			at += fmt.Sprintf(".%d", sub)
		}
		coded := sub <= len(parts) && parts[sub-1] == "ID"
		text := s.message.unescape(one)
		c := engine.Cell{Record: record, Path: at, Text: text, Fixed: fixed || coded || text == `""`, Escape: engine.EscapeHL7 + engine.Escape(rune(s.message.marks.escape))}
		if one.end > one.start && !s.cell(c, one) {
			return false
		}
		if !more {
			return true
		}
		part = rest
	}
}

// fixed tells fields that are the message's own: its type, version and processing, set ids, and what a trailer counts.
func (s *surveying) fixed(name string, n int, dataType string) bool {
	switch name {
	case "MSH", "FHS", "BHS", "EVN":
		return dataType == "ID" || dataType == "MSG" || dataType == "PT" || dataType == "VID"
	case "BTS", "FTS":
		return n == 1
	case "OBX":
		return n <= 2 || n == 11
	}
	return dataType == "SI"
}

func (s *surveying) cell(c engine.Cell, at span) bool {
	c.Start, c.End = s.text.Raw(at.start), s.text.Raw(at.end)
	return s.yield(c)
}
