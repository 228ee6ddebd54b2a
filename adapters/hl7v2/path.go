package hl7v2

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// path is a compiled selector: SEG-field.component.subcomponent. SEG[2] is the second such segment, field[2] the second repetition, [*] or
// (*) is said for every one, which is also what nothing means; field[5="NH"] is the repetitions whose fifth component is NH. The
// component may be set off with a hyphen too.
type path struct {
	segment    string
	occurrence int // 0: every one
	field      int
	repetition int // 0: every one
	filter     *filter
	component  int // 0: the first, and the whole of a field that has no more
	sub        int

	fieldAt, componentAt, subAt int // offsets in the expression

	dataType string // of what it finds, for example TS; empty: not known
}

type filter struct {
	component, sub int
	text           string
	at             int
}

type parser struct {
	text string
	pos  int
}

func (p *parser) fail(at int, text string) error {
	return &engine.CompileError{Offset: min(at, len(p.text)), Length: 1, Text: text}
}

func (p *parser) take(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// number reads a number from 1.
func (p *parser) number(what string) (int, error) {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.Atoi(p.text[start:p.pos])
	if err != nil || n < 1 || n > 999 {
		return 0, p.fail(start, "here belongs the number of a "+what)
	}
	return n, nil
}

func parse(expr string, segments dictionary) (*path, error) {
	p := parser{text: expr}
	out := &path{}
	name := strings.IndexAny(expr+"-", "-[(")
	if name > 3 && isSegment(expr[:3]) && !strings.ContainsFunc(expr[:name], func(r rune) bool { return r > 'Z' || !isUpperOrDigit(byte(r)) }) {
		return nil, noSegment(expr[:name], segments)
	}
	if len(expr) < 3 || !isSegment(expr[:3]) {
		return nil, &engine.CompileError{Length: max(len(expr), 1), Text: "a path begins with a segment and a field, like PID-3"}
	}
	out.segment, p.pos = expr[:3], 3
	var err error
	if out.occurrence, _, err = p.brackets(false); err != nil {
		return nil, err
	}
	if !p.take('-') {
		return nil, p.fail(p.pos, "here belongs - and the number of a field")
	}
	out.fieldAt = p.pos
	if out.field, err = p.number("field"); err != nil {
		return nil, err
	}
	if out.repetition, out.filter, err = p.brackets(true); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		what   string
		number *int
		at     *int
	}{{"component", &out.component, &out.componentAt}, {"subcomponent", &out.sub, &out.subAt}} {
		if p.pos == len(expr) {
			return out, nil
		}
		if !p.take('.') && !p.take('-') {
			break
		}
		*part.at = p.pos
		if *part.number, err = p.number(part.what); err != nil {
			return nil, err
		}
	}
	if p.pos < len(expr) {
		return nil, p.fail(p.pos, "the path ends here")
	}
	return out, nil
}

// brackets reads [2], [*], (*) or [5="NH"].
func (p *parser) brackets(filters bool) (int, *filter, error) {
	open := p.pos
	end := byte(']')
	if p.take('(') {
		end = ')'
	} else if !p.take('[') {
		return 0, nil, nil
	}
	n, f := 0, (*filter)(nil)
	if !p.take('*') {
		var err error
		f = &filter{at: p.pos}
		if n, err = p.number("repetition, * or a filter like 5=\"NH\""); err != nil {
			return 0, nil, err
		}
		f.component = n
		if filters && p.take('.') {
			if f.sub, err = p.number("subcomponent"); err != nil {
				return 0, nil, err
			}
		}
		if filters && p.take('=') {
			n = 0
			if f.text, err = p.quoted(); err != nil {
				return 0, nil, err
			}
		} else if f.sub > 0 {
			return 0, nil, p.fail(p.pos, "here belongs = and a text in quotes")
		} else {
			f = nil
		}
	}
	if !p.take(end) {
		return 0, nil, p.fail(open, "the bracket is not closed")
	}
	return n, f, nil
}

func (p *parser) quoted() (string, error) {
	if p.pos < len(p.text) && (p.text[p.pos] == '"' || p.text[p.pos] == '\'') {
		if n := strings.IndexByte(p.text[p.pos+1:], p.text[p.pos]); n > 0 {
			text := p.text[p.pos+1 : p.pos+1+n]
			p.pos += n + 2
			return text, nil
		}
	}
	return "", p.fail(p.pos, "here belongs a text in quotes")
}

func noSegment(name string, segments dictionary) error {
	return &engine.CompileError{Length: len(name), Text: fmt.Sprintf("no segment %q in version 2.4, nor is it declared by the option segments", name),
		Suggest: chars.Nearest(name, slices.Sorted(maps.Keys(segments)))}
}

// check holds the path against the dictionary.
func (p *path) check(expr string, segments dictionary) error {
	declared, ok := segments[p.segment]
	if !ok {
		return noSegment(p.segment, segments)
	}
	fields := strings.Fields(declared)
	if p.field > len(fields) {
		return beyond(expr, p.fieldAt, fmt.Sprintf("%s has %d fields", p.segment, len(fields)))
	}
	dataType := strings.TrimSuffix(fields[p.field-1], "*")
	if p.filter != nil {
		if err := checkPart(expr, dataType, p.filter.component, p.filter.sub, p.filter.at, p.filter.at); err != nil {
			return err
		}
	}
	if err := checkPart(expr, dataType, p.component, p.sub, p.componentAt, p.subAt); err != nil {
		return err
	}
	for _, n := range []int{p.component, p.sub} {
		if parts := components(dataType); len(parts) > 0 {
			dataType = parts[max(n, 1)-1]
		}
	}
	if p.dataType = dataType; dataType == "?" {
		p.dataType = ""
	}
	return nil
}

// Types lists the data type of version 2.4 that the path finds, for example "TS"; nothing when it is unknown. Lint holds it against a conversion.
func (p *path) Types() []string {
	if p.dataType == "" {
		return nil
	}
	return []string{p.dataType}
}

func checkPart(expr, dataType string, component, sub, componentAt, subAt int) error {
	if dataType == "?" || component == 0 {
		return nil
	}
	parts := components(dataType)
	if component > max(len(parts), 1) {
		return beyond(expr, componentAt, fmt.Sprintf("the data type %s has %d components", dataType, max(len(parts), 1)))
	}
	if sub == 0 || len(parts) == 0 {
		return nil
	}
	if n := max(len(components(parts[component-1])), 1); sub > n {
		return beyond(expr, subAt, fmt.Sprintf("the data type %s has %d subcomponents", parts[component-1], n))
	}
	return nil
}

func beyond(expr string, at int, text string) error {
	end := at
	for end < len(expr) && expr[end] >= '0' && expr[end] <= '9' {
		end++
	}
	return &engine.CompileError{Offset: at, Length: max(end-at, 1), Text: text}
}

// Single reports whether the path names one segment and one repetition.
func (p *path) Single() bool {
	return (p.segment == "MSH" || p.segment == "FHS" || p.segment == "BHS" || p.occurrence > 0) && p.repetition > 0
}

// Select appends every value that the path finds, with an explicit null ("") as an empty one.
func (p *path) Select(r engine.Record, into []engine.Value) []engine.Value {
	m, ok := r.(*message)
	if !ok {
		return into
	}
	segments := m.segments
	switch p.segment {
	case "FHS", "BHS":
		segments = m.heads
	}
	nth := 0
	for i := range segments {
		s := &segments[i]
		if s.name != p.segment {
			continue
		}
		if nth++; p.occurrence > 0 && nth != p.occurrence {
			continue
		}
		into = p.selectIn(m, s, into)
	}
	return into
}

func (p *path) selectIn(m *message, s *segment, into []engine.Value) []engine.Value {
	field, ok := m.field(s, p.field)
	if !ok {
		return into
	}
	if s.isHead() && p.field <= 2 {
		return append(into, m.value(p, field, 0))
	}
	for n := 1; ; n++ {
		one, rest, more := field.cut(m.file.text.String, m.marks.repetition)
		if (p.repetition == 0 || p.repetition == n) && p.filter.accepts(m, one) {
			if part, ok := m.part(one, p.component, p.sub); ok {
				into = append(into, m.value(p, part, n))
			}
		}
		if !more {
			return into
		}
		field = rest
	}
}

func (f *filter) accepts(m *message, repetition span) bool {
	if f == nil {
		return true
	}
	part, ok := m.part(repetition, f.component, f.sub)
	return ok && m.unescape(part) == f.text
}
