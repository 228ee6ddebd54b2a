package cpis

import (
	"strings"
	"unicode/utf8"
)

// event is what the scanner met.
type event uint8

const (
	evStart event = iota + 1
	evEnd
	evText
	evEOF
)

// rawAttr is an attribute with its namespace resolved and value unescaped.
type rawAttr struct {
	prefix, local, value string
	ns                   nsID
	uri                  string
	start, end           int // of the raw value, quotes excluded
}

// open is an element that waits for its end tag.
type open struct {
	qname    string
	bindings int // length of the binding stack before this element
}

// scanner is a pull scanner for the XML that a message may use: XML 1.0 with
// namespaces, UTF-8, no DOCTYPE, no processing instructions. It works on one
// string, so names and values without entities are cut out of it, not copied.
// The string is the file, or a window of it that window.go moves on.
type scanner struct {
	src string
	off int
	window
	limits Limits
	stack  []open
	binds  []binding
	ended  bool // the root element is closed
	begun  bool // the prolog has been read
	plain  bool // nobody asks where an element stands
	toEnd  bool // the last start tag was self-closing

	// What the last event met.
	local string
	ns    nsID
	attrs []rawAttr
	text  string
	start int // offset of the event's first byte

	mark position
}

// position is an offset in the window with its line and column in the file, 1-based.
type position struct{ off, line, col int }

func newScanner(src string, limits Limits) *scanner {
	return &scanner{src: src, limits: limits, mark: position{0, 1, 1}, window: window{first: position{0, 1, 1}}}
}

// at gives line and column of an offset. Calls with growing offsets share work.
func (s *scanner) at(off int) position {
	p := s.mark
	if off < p.off {
		p = s.first
	}
	seg := s.src[p.off:off]
	if i := strings.LastIndexByte(seg, '\n'); i >= 0 {
		p.line += strings.Count(seg, "\n")
		p.col = 1 + utf8.RuneCountInString(seg[i+1:])
	} else {
		p.col += utf8.RuneCountInString(seg)
	}
	p.off = off
	s.mark = p
	return p
}

func (s *scanner) fault(rule string, off int, text string) *Fault {
	p := s.at(off)
	f := fileFault(rule, s.where(), text)
	f.Line, f.Column, f.Offset = p.line, p.col, s.inFile(off)
	return f
}

func (s *scanner) malformed(text string) *Fault { return s.fault(RuleWellFormed, s.off, text) }

// where is the path of the open elements, as far as their names are the model's.
func (s *scanner) where() string {
	if len(s.stack) == 0 {
		return "File"
	}
	var b strings.Builder
	for i, o := range s.stack {
		if i > 0 {
			b.WriteByte('/')
		}
		_, local, _ := splitName(o.qname)
		b.WriteString(safeName(local))
	}
	return b.String()
}

// next moves to the next event. Comments are passed over.
func (s *scanner) next() (event, *Fault) {
	if s.toEnd {
		s.toEnd = false
		s.start = s.off
		return evEnd, s.pop()
	}
	if !s.begun {
		s.begun = true
		if f := s.prolog(); f != nil {
			return 0, f
		}
	}
	for {
		s.start = s.off
		if s.off >= len(s.src) {
			return s.eof()
		}
		if s.src[s.off] != '<' {
			ev, f := s.characters()
			if ev != 0 || f != nil {
				return ev, f
			}
			continue
		}
		ev, f := s.markup()
		if ev != 0 || f != nil {
			return ev, f
		}
	}
}

func (s *scanner) eof() (event, *Fault) {
	if !s.ended {
		return 0, s.malformed("the file ends before its root element is closed")
	}
	return evEOF, nil
}

// markup reads what starts with '<'. It returns 0 for a comment.
func (s *scanner) markup() (event, *Fault) {
	rest := s.src[s.off:]
	switch {
	case strings.HasPrefix(rest, "</"):
		return s.endTag()
	case strings.HasPrefix(rest, "<!--"):
		return 0, s.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		return s.cdata()
	case strings.HasPrefix(rest, "<!DOCTYPE"):
		return 0, s.fault(RuleDoctype, s.off, "a document type declaration is not allowed")
	case strings.HasPrefix(rest, "<?"):
		return 0, s.fault(RuleInstruction, s.off, "a processing instruction is not allowed")
	case strings.HasPrefix(rest, "<!"):
		return 0, s.malformed("a markup declaration is not allowed here")
	}
	return s.startTag()
}

func (s *scanner) comment() *Fault {
	body := s.src[s.off+4:]
	i := strings.Index(body, "--")
	if s.unclosed = i < 0; i < 0 {
		return s.malformed("a comment is not closed")
	}
	if i+2 >= len(body) || body[i+2] != '>' {
		return s.malformed("a comment holds two hyphens")
	}
	s.off += 4 + i + 3
	return nil
}

func (s *scanner) cdata() (event, *Fault) {
	if len(s.stack) == 0 {
		return 0, s.malformed("text stands outside the root element")
	}
	i := strings.Index(s.src[s.off:], "]]>")
	if s.unclosed = i < 0; i < 0 {
		return 0, s.malformed("a CDATA section is not closed")
	}
	text := s.src[s.off+9 : s.off+i]
	if len(text) > s.limits.MaxValueBytes {
		return 0, s.fault(RuleLimitValue, s.off, "a text is longer than the limit")
	}
	s.off += i + 3
	s.text = normalLines(text)
	return evText, nil
}

// characters reads text up to the next '<'. Outside the root only white space
// may stand; it is passed over and 0 returned.
func (s *scanner) characters() (event, *Fault) {
	end := strings.IndexByte(s.src[s.off:], '<')
	if end < 0 {
		end = len(s.src) - s.off
	}
	raw := s.src[s.off : s.off+end]
	if len(s.stack) == 0 {
		if !blank(raw) {
			return 0, s.malformed("text stands outside the root element")
		}
		s.off += end
		return 0, nil
	}
	if len(raw) > s.limits.MaxValueBytes && !blank(raw) {
		return 0, s.fault(RuleLimitValue, s.off, "a text is longer than the limit")
	}
	text, f := s.unescape(raw, s.off, false)
	if f != nil {
		return 0, f
	}
	s.off += end
	s.text = text
	return evText, nil
}

func (s *scanner) startTag() (event, *Fault) {
	if s.ended {
		return 0, s.malformed("a second root element follows the first")
	}
	at := s.off
	s.off++
	qname, f := s.name()
	if f != nil {
		return 0, f
	}
	if len(s.stack) >= s.limits.MaxDepth {
		return 0, s.fault(RuleLimitDepth, at, "elements are nested deeper than the limit")
	}
	s.stack = append(s.stack, open{qname: qname, bindings: len(s.binds)})
	if f := s.attributes(); f != nil {
		return 0, f
	}
	if s.src[s.off] == '/' {
		s.off++
		s.toEnd = true
	}
	if s.off >= len(s.src) || s.src[s.off] != '>' {
		return 0, s.malformed("a start tag is not closed")
	}
	s.off++
	return evStart, s.resolve(qname, at)
}

func (s *scanner) endTag() (event, *Fault) {
	at := s.off
	s.off += 2
	qname, f := s.name()
	if f != nil {
		return 0, f
	}
	s.space()
	if s.off >= len(s.src) || s.src[s.off] != '>' {
		return 0, s.malformed("an end tag is not closed")
	}
	s.off++
	if len(s.stack) == 0 || s.stack[len(s.stack)-1].qname != qname {
		return 0, s.fault(RuleWellFormed, at, "an end tag does not match its start tag")
	}
	return evEnd, s.pop()
}

func (s *scanner) pop() *Fault {
	top := len(s.stack) - 1
	s.binds = s.binds[:s.stack[top].bindings]
	s.stack = s.stack[:top]
	s.ended = top == 0
	return nil
}
