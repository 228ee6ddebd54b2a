package hl7v2

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// MLLP's marks (HL7 version 2.4, implementation guide, appendix C): a block begins with VT and ends with FS CR.
const (
	frameStart = '\x0b'
	frameEnd   = '\x1c'
)

// file is the reading of one file.
type file struct {
	dialect
	text     *chars.Text
	lines    []segment
	heads    []segment
	headMark byte // field separator of the last batch header
	messages int  // since the last batch header
	batches  int
	position int
	yield    func(engine.Record, error) bool
}

func (f *file) run(body []byte) {
	if len(body) > MaxFileBytes {
		fault := f.fault(engine.RuleLimit, "the file is larger than it may be", span{}, 0)
		fault.Kind = engine.TooLarge
		f.yield(nil, fault)
		return
	}
	f.text = f.charset.Decode(body)
	f.split()
	if len(f.lines) == 0 {
		f.yield(nil, f.fault(engine.RuleSyntax, "the file is empty", span{}, 0))
		return
	}
	for i := 0; i < len(f.lines); {
		next := i + 1
		if f.lines[i].name == "MSH" {
			for next < len(f.lines) && !f.begins(next) {
				next++
			}
		}
		if !f.take(f.lines[i:next]) {
			return
		}
		i = next
	}
}

// begins tells the segments that end a message by being there.
func (f *file) begins(i int) bool {
	switch f.lines[i].name {
	case "MSH", "FHS", "BHS", "BTS", "FTS":
		return true
	}
	return false
}

// split finds the segments: their end is CR, and LF or CR LF where a file went through an editor. Frames are left out.
func (f *file) split() {
	text := f.text.String
	for start := 0; start < len(text); {
		end := len(text)
		if n := strings.IndexAny(text[start:], "\r\n"); n >= 0 {
			end = start + n
		}
		s := span{start, end}
		for s.start < s.end && (text[s.start] == frameStart || text[s.start] == frameEnd) {
			s.start++
		}
		for s.start < s.end && text[s.end-1] == frameEnd {
			s.end--
		}
		if strings.TrimSpace(text[s.start:s.end]) != "" {
			name := text[s.start:min(s.start+3, s.end)]
			f.lines = append(f.lines, segment{name, s})
		}
		start = end + 1
	}
}

// take yields what stands in the given segments: a message, or a header or trailer of a batch.
func (f *file) take(segments []segment) bool {
	first := segments[0]
	switch first.name {
	case "MSH":
		f.position++
		f.messages++
		m, fault := f.message(segments)
		if fault != nil {
			return f.yield(nil, fault)
		}
		return f.yield(m, nil)
	case "FHS", "BHS":
		if first.name == "FHS" {
			f.heads, f.batches = nil, 0
		} else {
			f.heads = slices.DeleteFunc(f.heads, func(s segment) bool { return s.name == "BHS" })
			f.messages = 0
			f.batches++
		}
		f.heads = append(f.heads, first)
		f.headMark = f.text.String[min(first.start+3, first.end-1)]
		return true
	case "BTS":
		return f.counted(first, f.messages, "the batch announces another number of messages than it holds")
	case "FTS":
		return f.counted(first, f.batches, "the file announces another number of batches than it holds")
	}
	return f.yield(nil, f.fault(engine.RuleSyntax, "a segment stands outside every message: a message begins with MSH", first.span, 0))
}

// counted holds BTS-1 or FTS-1 against what was read. An empty count announces nothing.
func (f *file) counted(s segment, held int, text string) bool {
	field, ok := span{min(s.start+4, s.end), s.end}.nth(f.text.String, f.headMark, 1)
	announced := strings.TrimSpace(f.text.String[field.start:field.end])
	if !ok || announced == "" {
		return true
	}
	if n, err := strconv.Atoi(announced); err != nil || n != held {
		return f.yield(nil, f.fault(engine.RuleCount, text, s.span, 0))
	}
	return true
}

// message makes a record of an MSH and what follows, or the fault that makes it unreadable.
func (f *file) message(segments []segment) (*message, *engine.Error) {
	m := &message{file: f, position: f.position, segments: segments, span: span{segments[0].start, segments[len(segments)-1].end}}
	m.heads = append(m.heads, f.heads...)
	fail := func(rule, text string, at span) (*message, *engine.Error) {
		fault := f.fault(rule, text, at, f.position)
		fault.Place.Start, fault.Place.End = f.text.Raw(m.start), f.text.Raw(m.end)
		return nil, fault
	}
	if m.end-m.start > MaxMessageBytes || len(segments) > MaxSegments {
		none, fault := fail(engine.RuleLimit, "the message is larger than it may be", segments[0].span)
		fault.Kind = engine.TooLarge
		return none, fault
	}
	if !m.readMarks() {
		return fail(engine.RuleSyntax, "MSH-1 and MSH-2 are the field separator and four other, different characters, for example |^~\\&", segments[0].span)
	}
	if at := f.text.BadIn(m.start, m.end); at >= 0 {
		return fail(engine.RuleEncoding, "a byte is not valid "+f.charset.Name+" text", span{at, at})
	}
	for i := range segments {
		s := &segments[i]
		name := f.text.String[s.start:min(s.start+4, s.end)]
		if !isSegment(s.name) || len(name) == 4 && name[3] != m.marks.field {
			return fail(engine.RuleSyntax, "a segment begins with three capital letters or digits and the field separator", s.span)
		}
		if f.read[s.name] {
			if at := m.badEscape(s); at >= 0 {
				return fail(engine.RuleSyntax, "an escape character that begins no known sequence", span{at, at})
			}
		}
	}
	if !f.agrees(m) {
		return fail(engine.RuleEncoding, "MSH-18 names another character set than "+f.charset.Name+", which is declared", segments[0].span)
	}
	return m, nil
}

// readMarks reads MSH-1 and MSH-2. The fifth character of version 2.7 (truncation) is let through and not used.
func (m *message) readMarks() bool {
	head := m.file.text.String[m.segments[0].start:m.segments[0].end]
	if len(head) < 8 {
		return false
	}
	m.marks = marks{field: head[3], component: head[4], repetition: head[5], escape: head[6], sub: head[7]}
	rest := head[8:]
	if rest != "" && rest[0] != head[3] && (len(rest) < 2 || rest[1] != head[3]) {
		return false
	}
	for i := 3; i < 8; i++ {
		if c := head[i]; c <= ' ' || c >= 0x7f || isUpperOrDigit(c) || strings.IndexByte(head[3:i], c) >= 0 {
			return false
		}
	}
	return true
}

// agrees holds MSH-18 against the declared encoding. An empty MSH-18 says nothing here: the declaration counts.
func (f *file) agrees(m *message) bool {
	field, ok := m.field(&m.segments[0], 18)
	if !ok {
		return true
	}
	first, _, _ := field.cut(f.text.String, m.marks.repetition)
	switch strings.TrimSpace(f.text.String[first.start:first.end]) {
	case "", `""`:
		return true
	case "ASCII":
		return chars.IsASCII(f.text.String[m.start:m.end])
	case "8859/1":
		return f.charset.Name == "iso-8859-1" || f.charset.Name == "windows-1252"
	case "8859/15":
		return f.charset.Name == "iso-8859-15"
	case "UNICODE UTF-8", "UNICODE":
		return f.charset.Name == "utf-8"
	}
	return false
}

// hexadecimal reads \X..\ as bytes of the declared encoding.
func (f *file) hexadecimal(digits string) (string, bool) {
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) == 0 {
		return "", false
	}
	text := f.charset.Decode(raw)
	return text.String, len(text.Bad) == 0
}

func (f *file) place(at span, position int, name string) engine.Place {
	p := engine.Place{Record: position, Path: name, Start: f.text.Raw(at.start), End: f.text.Raw(at.end)}
	p.Line, p.Column = f.text.Place(at.start)
	return p
}

func (f *file) fault(rule, text string, at span, position int) *engine.Error {
	e := &engine.Error{Op: "read hl7v2", Kind: engine.Invalid, Rule: rule, Text: text, Place: engine.Place{Record: position}}
	if f.text != nil {
		e.Place = f.place(at, position, "")
	}
	return e
}
