package xml

import (
	"bytes"
	stdxml "encoding/xml"
	"errors"
	"io"
	"iter"
	"regexp"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// Survey yields every attribute and every text of the file. Its path is that of elements with the source's own prefixes: "/Register/Child/@ref". Names of namespaces are fixed,
// and so are the texts with which a predicate of a declared field compares. Comments and instructions stand apart, and so does all that follows broken markup.
func (Adapter) Survey(msg engine.Message, src engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		d, err := newDialect(src)
		if err != nil || len(msg.Body) > MaxFileBytes {
			return
		}
		s := &surveying{file: &file{dialect: d}, compared: compared(src), yield: yield}
		s.text = d.charset.Decode(msg.Body)
		s.run()
	}
}

// surveying is the state of a survey.
type surveying struct {
	*file
	compared map[string]map[string]bool // name of an element or attribute to the texts that predicates compare it with
	names    []string
	position int
	inside   int // depth of the record element, 0 outside
	last     int // where the last cell ended
	yield    func(engine.Cell) bool
}

// comparison is a predicate's name and the text with which it is compared.
var comparison = regexp.MustCompile(`(@?[\w:.-]+|\.)\s*=\s*(?:'([^']*)'|"([^"]*)")`)

func compared(src engine.Schema) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, f := range src.Fields {
		for _, m := range comparison.FindAllStringSubmatch(f.Select, -1) {
			if out[m[1]] == nil {
				out[m[1]] = map[string]bool{}
			}
			out[m[1]][m[2]+m[3]] = true
		}
	}
	return out
}

func (s *surveying) run() {
	decoder := stdxml.NewDecoder(strings.NewReader(s.text.String))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		start := int(decoder.InputOffset())
		token, err := decoder.Token()
		end := int(decoder.InputOffset())
		if err != nil {
			if rest := s.text.String[s.last:]; !errors.Is(err, io.EOF) {
				s.cell(engine.Cell{Path: "unreadable", Text: rest, Apart: true}, s.last, len(s.text.String))
			}
			return
		}
		s.last = max(s.last, start)
		if !s.token(token, start, end) {
			return
		}
		s.last = end
	}
}

// token yields what one token holds. It returns false when nobody wants more.
func (s *surveying) token(token stdxml.Token, start, end int) bool {
	switch t := token.(type) {
	case stdxml.StartElement:
		n := &node{name: t.Name.Local, prefix: s.prefix(t.Name.Space)}
		s.names = append(s.names, n.qualified())
		if len(s.names) == len(s.dialect.path) && strings.Join(s.names, "/") == strings.Join(s.dialect.path, "/") {
			s.position++
			s.inside = len(s.names)
		}
		return s.attributes(t, start, end)
	case stdxml.EndElement:
		if len(s.names) == s.inside {
			s.inside = 0
		}
		if len(s.names) > 0 {
			s.names = s.names[:len(s.names)-1]
		}
	case stdxml.CharData:
		raw := s.text.String[start:end]
		escape := engine.EscapeXML
		if inner, ok := strings.CutPrefix(raw, "<![CDATA["); ok {
			start, end, escape = start+len("<![CDATA["), end-len("]]>"), engine.EscapeNone
			raw = strings.TrimSuffix(inner, "]]>")
		}
		text := strings.TrimSpace(string(t))
		if text == "" {
			return true
		}
		start += len(raw) - len(strings.TrimLeft(raw, " \t\r\n"))
		end -= len(raw) - len(strings.TrimRight(raw, " \t\r\n"))
		name := ""
		if len(s.names) > 0 {
			name = s.names[len(s.names)-1]
		}
		fixed := s.compared[name][text] || s.compared["."][text]
		return s.cell(engine.Cell{Path: "/" + strings.Join(s.names, "/"), Text: text, Fixed: fixed, Escape: escape, Apart: name == ""}, start, end)
	case stdxml.Comment, stdxml.Directive:
		return s.cell(engine.Cell{Path: "comment", Text: s.text.String[start:end], Escape: engine.EscapeXML, Apart: true}, start, end)
	case stdxml.ProcInst:
		if t.Target != "xml" {
			return s.cell(engine.Cell{Path: "instruction", Text: string(t.Inst), Apart: true}, start, end)
		}
	}
	return true
}

func (s *surveying) attributes(t stdxml.StartElement, start, end int) bool {
	nth := 0
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		n := &node{name: a.Name.Local}
		if a.Name.Space != "" {
			n.prefix = s.prefix(a.Name.Space)
		}
		from, to := attributeRange(s.text.String[start:end], nth)
		nth++
		name := "@" + n.qualified()
		c := engine.Cell{Path: "/" + strings.Join(s.names, "/") + "/" + name, Text: a.Value, Fixed: s.compared[name][a.Value], Escape: engine.EscapeXML}
		if !s.cell(c, start+from, start+to) {
			return false
		}
	}
	return true
}

func (s *surveying) cell(c engine.Cell, start, end int) bool {
	if s.inside > 0 {
		c.Record = s.position
	}
	c.Start, c.End = s.text.Raw(start), s.text.Raw(end)
	s.last = end
	return s.yield(c)
}

// known is what the XML declaration of a sample says of its encoding; without one it is UTF-8 (XML 1.0, section 4.3.3).
func known(sample []byte) (string, bool) {
	first, _, _ := bytes.Cut(sample, []byte("?>"))
	name := "utf-8"
	if m := encodingOf.FindSubmatch(first); m != nil && bytes.HasPrefix(bytes.TrimPrefix(first, []byte("\ufeff")), []byte("<?xml")) {
		name = strings.ToLower(string(m[1]))
	}
	c, ok := chars.NewCharset(name)
	return name, ok && !c.IsTwo
}
