package hl7v2

import (
	"fmt"
	"strings"

	"signalbox/engine"
)

// span is a range of the file's text.
type span struct{ start, end int }

// cut splits a span at the first separator. A separator of 0 never stands.
func (s span) cut(text string, separator byte) (first, rest span, more bool) {
	if separator != 0 {
		if n := strings.IndexByte(text[s.start:s.end], separator); n >= 0 {
			return span{s.start, s.start + n}, span{s.start + n + 1, s.end}, true
		}
	}
	return s, span{s.end, s.end}, false
}

// nth returns the n-th part, from 1.
func (s span) nth(text string, separator byte, n int) (span, bool) {
	for {
		part, rest, more := s.cut(text, separator)
		if n--; n == 0 {
			return part, true
		}
		if !more {
			return span{}, false
		}
		s = rest
	}
}

// marks are a message's separators, MSH-1 and MSH-2.
type marks struct{ field, component, repetition, escape, sub byte }

// segment is one line of a message.
type segment struct {
	name string
	span
}

// isHead tells the segments whose first field is the separator itself.
func (s *segment) isHead() bool { return s.name == "MSH" || s.name == "FHS" || s.name == "BHS" }

// message is one MSH with what follows it, and the batch headers that stood before it.
type message struct {
	file     *file
	position int
	span
	marks    marks
	segments []segment
	heads    []segment
}

// Position is the message's number in the file.
func (m *message) Position() int { return m.position }

// Place says where the message stands.
func (m *message) Place() engine.Place { return m.file.place(m.span, m.position, "") }

// field returns a field's range, from 1 as HL7 counts.
func (m *message) field(s *segment, n int) (span, bool) {
	text := m.file.text.String
	if s.isHead() {
		if n == 1 {
			return span{s.start + 3, s.start + 4}, true
		}
		n--
	}
	return span{min(s.start+4, s.end), s.end}.nth(text, m.marks.field, n)
}

// part returns a component or subcomponent of one repetition. Without a number it is the first: what a field without components is, whole.
func (m *message) part(repetition span, component, sub int) (span, bool) {
	text := m.file.text.String
	part, ok := repetition.nth(text, m.marks.component, max(component, 1))
	if !ok {
		return span{}, false
	}
	return part.nth(text, m.marks.sub, max(sub, 1))
}

func (m *message) value(p *path, at span, repetition int) engine.Value {
	name := fmt.Sprintf("%s-%d", p.segment, p.field)
	if repetition > 1 {
		name += fmt.Sprintf("[%d]", repetition)
	}
	if p.component > 0 {
		name += fmt.Sprintf(".%d", p.component)
	}
	if p.sub > 0 {
		name += fmt.Sprintf(".%d", p.sub)
	}
	text := m.file.text.String[at.start:at.end]
	if repetition > 0 {
		text = m.unescape(at)
	}
	if text == `""` {
		text = "" // HL7's way to say that a value is to be deleted
	}
	return engine.Value{Text: text, At: m.file.place(at, m.position, name)}
}

// unescape reads the escape sequences of HL7 version 2.4, section 2.10. What is none is left as it stands: the check has told it.
func (m *message) unescape(at span) string {
	text := m.file.text.String[at.start:at.end]
	if m.marks.escape == 0 || strings.IndexByte(text, m.marks.escape) < 0 {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, string(rune(m.marks.escape)))
		b.WriteString(before)
		if !found {
			return b.String()
		}
		inner, after, closed := strings.Cut(rest, string(rune(m.marks.escape)))
		if !closed {
			return b.String() + string(rune(m.marks.escape)) + rest
		}
		meaning, _ := m.meaning(inner)
		b.WriteString(meaning)
		text = after
	}
}

// meaning is what stands for an escape sequence, given without its marks; false when there is no such sequence.
func (m *message) meaning(sequence string) (string, bool) {
	switch sequence {
	case "F":
		return string(rune(m.marks.field)), true
	case "S":
		return string(rune(m.marks.component)), true
	case "T":
		return string(rune(m.marks.sub)), true
	case "R":
		return string(rune(m.marks.repetition)), true
	case "E":
		return string(rune(m.marks.escape)), true
	case "H", "N":
		return "", true // highlighting on and off
	case ".br", ".ce", ".sp":
		return "\n", true
	case ".fi", ".nf":
		return "", true
	}
	if digits, ok := strings.CutPrefix(sequence, "X"); ok {
		return m.file.hexadecimal(digits)
	}
	for _, spacing := range []string{".sp", ".sk", ".in", ".ti"} {
		if n, ok := strings.CutPrefix(sequence, spacing); ok && strings.Trim(n, "+-0123456789") == "" {
			return " ", true
		}
	}
	return "", false
}

// badEscape returns the first escape mark in a segment that begins no sequence, or -1.
func (m *message) badEscape(s *segment) int {
	start := s.start
	if s.isHead() {
		if f, ok := m.field(s, 3); ok {
			start = f.start
		} else {
			return -1
		}
	}
	fields := span{start, s.end}
	for {
		field, rest, more := fields.cut(m.file.text.String, m.marks.field)
		if at := m.badEscapeIn(field); at >= 0 {
			return at
		}
		if !more {
			return -1
		}
		fields = rest
	}
}

func (m *message) badEscapeIn(field span) int {
	for {
		_, rest, found := field.cut(m.file.text.String, m.marks.escape)
		if !found {
			return -1
		}
		inner, after, closed := rest.cut(m.file.text.String, m.marks.escape)
		if _, known := m.meaning(m.file.text.String[inner.start:inner.end]); !closed || !known {
			return rest.start - 1
		}
		field = after
	}
}
