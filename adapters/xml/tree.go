package xml

import (
	"bytes"
	stdxml "encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// foreign is the prefix of a name whose namespace the source does not declare: no selector can write it.
const foreign = "?"

// node is an element or a piece of text.
type node struct {
	in         *node
	index      int // among its parent's children
	children   []*node
	attributes []attribute
	name       string // local
	prefix     string // of the source's own prefixes
	text       string // of a piece of text
	isText     bool
	start, end int // offsets in the text, tags included
	tag        int // where the start tag ends
	last       int // where the end tag begins
}

type attribute struct{ prefix, name, value string }

// flaw ends the reading.
type flaw struct {
	offset     int
	rule, text string
}

// file is one XML file, as far as it could be read.
type file struct {
	dialect
	text    *chars.Text
	root    *node // the document, which holds the root element
	records []*node
	nodes   int
	stop    *flaw
}

func (f *file) halt(offset int, rule, text string) bool {
	f.stop = &flaw{offset, rule, text}
	return false
}

// read builds the tree. What was read before a fault stays.
func (f *file) read() {
	decoder := stdxml.NewDecoder(strings.NewReader(f.text.String))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // the text is UTF-8 by now
	f.root = &node{}
	at, depth := f.root, 0
	for {
		start := int(decoder.InputOffset())
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if len(f.root.children) == 0 {
				f.halt(start, engine.RuleSyntax, "the file has no element")
			}
			return
		}
		if err != nil {
			f.broken(int(decoder.InputOffset()))
			return
		}
		end := int(decoder.InputOffset())
		if f.nodes++; f.nodes > MaxNodes {
			f.halt(start, engine.RuleLimit, "the file has more elements than it may have")
			return
		}
		switch t := token.(type) {
		case stdxml.StartElement:
			if depth++; depth > MaxDepth {
				f.halt(start, engine.RuleLimit, "the file nests deeper than it may")
				return
			}
			if depth == 1 && len(f.root.children) > 0 {
				f.halt(start, engine.RuleSyntax, "a second root element follows")
				return
			}
			at = f.open(at, t, start, end)
		case stdxml.EndElement:
			at.last, at.end = start, end
			if depth == len(f.path) && f.isRecord(at) {
				f.records = append(f.records, at)
			}
			at = at.in
			depth--
		case stdxml.CharData:
			if !f.characters(at, string(t), start, end, depth) {
				return
			}
		case stdxml.ProcInst:
			if t.Target == "xml" && !f.declares(string(t.Inst), start) {
				return
			}
		case stdxml.Directive:
			f.halt(start, engine.RuleSyntax, "a document type declaration is not read: it can name entities and files")
			return
		}
	}
}

// broken notes that the markup went wrong. The library's own sentence may hold names that are data, so ours is told.
func (f *file) broken(offset int) {
	if offset >= len(f.text.String) {
		f.halt(offset, engine.RuleSyntax, "the file ends before its root element does: it may have been cut short")
		return
	}
	f.halt(offset, engine.RuleSyntax, "the markup is not well-formed XML here")
}

func (f *file) prefix(space string) string {
	if p, ok := f.prefixes[space]; ok {
		return p
	}
	return foreign
}

func (f *file) open(in *node, t stdxml.StartElement, start, end int) *node {
	n := &node{in: in, index: len(in.children), name: t.Name.Local, prefix: f.prefix(t.Name.Space), start: start, tag: end}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		prefix := ""
		if a.Name.Space != "" {
			prefix = f.prefix(a.Name.Space)
		}
		n.attributes = append(n.attributes, attribute{prefix, a.Name.Local, a.Value})
	}
	in.children = append(in.children, n)
	return n
}

func (f *file) characters(in *node, text string, start, end, depth int) bool {
	if depth == 0 {
		if strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) != "" {
			return f.halt(start, engine.RuleSyntax, "text stands outside the root element")
		}
		return true
	}
	if strings.TrimSpace(text) != "" {
		in.children = append(in.children, &node{in: in, index: len(in.children), isText: true, text: text, start: start, end: end})
	}
	return true
}

var encodingOf = regexp.MustCompile(`encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// declares holds the encoding that the file names against the one that the source declares.
func (f *file) declares(declaration string, start int) bool {
	m := encodingOf.FindStringSubmatch(declaration)
	if m == nil {
		return true
	}
	if c, ok := chars.NewCharset(m[1]); !ok || c.Name != f.charset.Name && c.Name != "us-ascii" {
		return f.halt(start, engine.RuleEncoding, "the file names another encoding than "+f.charset.Name+", which is declared")
	}
	return true
}

func (f *file) isRecord(n *node) bool {
	for i := len(f.path) - 1; i >= 0; i-- {
		if n.qualified() != f.path[i] {
			return false
		}
		n = n.in
	}
	return n == f.root
}

func (n *node) qualified() string {
	if n.prefix == "" {
		return n.name
	}
	return n.prefix + ":" + n.name
}

// value is XPath's string-value: all text below, in order.
func (n *node) value() string {
	if n.isText {
		return n.text
	}
	if len(n.children) == 1 {
		return n.children[0].value()
	}
	var b strings.Builder
	for _, c := range n.children {
		b.WriteString(c.value())
	}
	return b.String()
}

// attributeRange finds where an attribute's value stands in a start tag that the decoder has accepted.
func attributeRange(tag string, nth int) (start, end int) {
	i := bytes.IndexAny([]byte(tag), " \t\r\n")
	for i >= 0 && i < len(tag) {
		eq := strings.IndexByte(tag[i:], '=')
		if eq < 0 {
			break
		}
		name := strings.TrimSpace(tag[i : i+eq])
		i += eq + 1
		open := strings.IndexAny(tag[i:], `"'`)
		if open < 0 {
			break
		}
		i += open
		length := strings.IndexByte(tag[i+1:], tag[i])
		if length < 0 {
			break
		}
		start, end = i+1, i+1+length
		i = end + 1
		if name == "xmlns" || strings.HasPrefix(name, "xmlns:") {
			continue
		}
		if nth == 0 {
			return start, end
		}
		nth--
	}
	return 0, len(tag)
}
