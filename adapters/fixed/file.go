package fixed

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// line is one line of the file, without its break.
type line struct {
	number, start, end int
}

// file is the reading of one file.
type file struct {
	layout
	text     *chars.Text
	headLine *line
	position int
	ended    bool // the trailer has been read
	yield    func(engine.Record, error) bool
}

// record is a line of the right width.
type record struct {
	file     *file
	position int
	line     line
	head     *line
}

// Position is the line's number among the records.
func (r *record) Position() int { return r.position }

// Place says where the line stood.
func (r *record) Place() engine.Place {
	return r.file.place(r.line, r.line.start, r.line.end, r.position)
}

// selector reads one range.
type selector struct {
	extent
	path string
}

// Single reports that a range never holds more than one value.
func (selector) Single() bool { return true }

// Select appends the text of the range, also where it is blank.
func (s selector) Select(r engine.Record, into []engine.Value) []engine.Value {
	rec, ok := r.(*record)
	if !ok {
		return into
	}
	at := rec.line
	if s.head {
		at = *rec.head
	}
	start, end := s.within(rec.file.text.String[at.start:at.end])
	place := rec.file.place(at, at.start+start, at.start+end, rec.position)
	place.Path = s.path
	return append(into, engine.Value{Text: rec.file.text.String[at.start+start : at.start+end], At: place})
}

// within returns the bytes of a range of characters. A line that is shorter has nothing there.
func (e extent) within(text string) (start, end int) {
	if len(text) == 0 || chars.IsASCII(text) {
		return min(e.from-1, len(text)), min(e.to, len(text))
	}
	start, end = len(text), len(text)
	n := 0
	for i := range text {
		n++
		if n == e.from {
			start = i
		}
		if n == e.to+1 {
			return start, i
		}
	}
	return start, end
}

func (f *file) run(body []byte) {
	if len(body) > MaxFileBytes {
		fault := &engine.Error{Op: "read fixed", Kind: engine.TooLarge, Rule: engine.RuleLimit, Text: "the file is larger than it may be"}
		f.yield(nil, fault)
		return
	}
	f.text = f.charset.Decode(body)
	last, whole := f.eachLine(f.take)
	if !whole {
		return
	}
	text := f.text.String
	switch {
	case f.head != "" && f.headLine == nil:
		f.yield(nil, f.fault(engine.RuleColumns, "the file is empty: it has no head", line{}, 0))
	case f.trailer != "" && !f.ended:
		f.yield(nil, f.fault(engine.RuleCount, "the file ends without its trailer: it may have been cut short", line{last, len(text), len(text)}, 0))
	}
}

// eachLine calls do for every line that is not empty. It returns the number of the last line, and false when do wants no more.
func (f *file) eachLine(do func(line) bool) (last int, whole bool) {
	text := f.text.String
	number := 0
	for start := 0; start < len(text); {
		end, next := len(text), len(text)
		if n := strings.IndexByte(text[start:], '\n'); n >= 0 {
			end, next = start+n, start+n+1
		}
		if end > start && text[end-1] == '\r' {
			end--
		}
		number++
		if end > start && !do(line{number, start, end}) {
			return number, false
		}
		start = next
	}
	return number, true
}

// take reads one line. It returns false when the reading ends.
func (f *file) take(at line) bool {
	text := f.text.String[at.start:at.end]
	switch {
	case f.ended:
		f.yield(nil, f.fault(engine.RuleCount, "more follows after the trailer", at, 0))
		return false
	case f.head != "" && f.headLine == nil:
		if !strings.HasPrefix(text, f.head) || utf8.RuneCountInString(text) < f.headWidth && !f.trimmed {
			f.yield(nil, f.fault(engine.RuleColumns, "the file does not begin with the declared head", at, 0))
			return false
		}
		f.headLine = &at
		return true
	case f.trailer != "" && strings.HasPrefix(text, f.trailer) && !strings.HasPrefix(text, f.detail):
		f.ended = true
		return f.counted(at, text)
	}
	f.position++
	fail := func(rule, sentence string, at line) bool {
		return f.yield(nil, f.fault(rule, sentence, at, f.position))
	}
	width := utf8.RuneCountInString(text)
	switch bad := f.text.BadIn(at.start, at.end); {
	case bad >= 0:
		fault := f.fault(engine.RuleEncoding, "a byte is not valid "+f.charset.Name+" text", at, f.position)
		fault.Place.Line, fault.Place.Column = f.text.Place(bad)
		return f.yield(nil, fault)
	case f.detail != "" && !strings.HasPrefix(text, f.detail):
		return fail(engine.RuleSyntax, "the line begins neither like a record nor like the trailer", at)
	case width > f.width || width < f.width && !f.trimmed:
		return fail(engine.RuleColumns, fmt.Sprintf("the line has %d characters where there should be %d", width, f.width), at)
	}
	return f.yield(&record{file: f, position: f.position, line: at, head: f.headLine}, nil)
}

// counted holds the trailer's number against the lines read.
func (f *file) counted(at line, text string) bool {
	if f.count.to == 0 {
		return true
	}
	start, end := f.count.within(text)
	if n, err := strconv.Atoi(strings.TrimSpace(text[start:end])); err != nil || n != f.position {
		return f.yield(nil, f.fault(engine.RuleCount, "the trailer announces another number of records than the file holds", at, 0))
	}
	return true
}

func (f *file) place(at line, start, end, position int) engine.Place {
	return engine.Place{Record: position, Line: at.number, Column: utf8.RuneCountInString(f.text.String[at.start:start]) + 1,
		Start: f.text.Raw(start), End: f.text.Raw(end)}
}

func (f *file) fault(rule, text string, at line, position int) *engine.Error {
	e := &engine.Error{Op: "read fixed", Kind: engine.Invalid, Rule: rule, Text: text, Place: engine.Place{Record: position}}
	if at.number > 0 {
		e.Place = f.place(at, at.start, at.end, position)
	}
	return e
}
