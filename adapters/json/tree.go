package json

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"signalbox/engine"
)

// kind is what a JSON value is.
type kind byte

const (
	scalar kind = iota
	object
	array
	null
)

// value is one value of the document with its place. It refers to the one that holds it, so that its path need not be kept.
type value struct {
	kind       kind
	text       string // of a scalar
	name       string // in its object
	index      int    // in its array
	in         *value
	items      []*value // of an array, and the members of an object
	start, end int      // byte range; the quotes of a text are left out, so that the bytes are the value as it was sent

	nameAt, nameEnd int // byte range of the name, without its quotes
}

func (v *value) member(name string) *value {
	for _, m := range v.items {
		if m.name == name {
			return m
		}
	}
	return nil
}

// path writes the normalised path of RFC 9535, section 2.7, with the shorthand for plain names.
func (v *value) path() string {
	if v.in == nil {
		return "$"
	}
	if v.in.kind == array {
		return v.in.path() + "[" + strconv.Itoa(v.index) + "]"
	}
	for i := range len(v.name) {
		if c := v.name[i]; !isNameStart(c) && (i == 0 || c < '0' || c > '9') {
			return v.in.path() + "['" + v.name + "']"
		}
	}
	if v.name == "" {
		return v.in.path() + "['']"
	}
	return v.in.path() + "." + v.name
}

// flaw is something wrong at an offset that does not keep the reader from going on. It names no path: a name that nobody declared may be
// data.
type flaw struct {
	offset int
	rule   string
	text   string
}

// errStop ends the reading; the reason is in the tree's stop.
var errStop = errors.New("stop")

// tree is one JSON text, as far as it could be read.
type tree struct {
	root   *value
	flaws  []flaw
	stop   *flaw // what ended the reading before the end, or nil
	open   bool  // the root was not read to its end
	dec    *jsontext.Decoder
	base   int // offset of the text in the message
	body   []byte
	values int
	depth  int
}

// read reads one JSON text that stands at base in the message.
func read(body []byte, base int) *tree {
	t := &tree{body: body, base: base}
	t.dec = jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	t.root = &value{}
	if err := t.read(t.root); err != nil {
		t.open = true
		return t
	}
	after := t.next()
	if _, err := t.dec.ReadToken(); !errors.Is(err, io.EOF) {
		rest := body[after-base:]
		after += len(rest) - len(bytes.TrimLeft(rest, " \t\r\n"))
		_ = t.end(after, engine.RuleSyntax, "more follows after the end of the JSON text")
	}
	return t
}

// next is the offset at which the decoder stands.
func (t *tree) next() int { return t.base + int(t.dec.InputOffset()) }

func (t *tree) end(offset int, rule, text string) error {
	t.stop = &flaw{offset: offset, rule: rule, text: text}
	return errStop
}

// broken ends the reading at a fault of the syntax. The library's own sentence may hold the data, so ours is told.
func (t *tree) broken(err error) error {
	at := t.next()
	if fault, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at = t.base + int(fault.ByteOffset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return t.end(t.base+len(t.body), engine.RuleSyntax, "the JSON text is cut short")
	}
	return t.end(at, engine.RuleSyntax, "this is not JSON")
}

func (t *tree) read(v *value) error {
	if t.values++; t.values > MaxValues {
		return t.end(t.next(), engine.RuleLimit, "the message has more values than it may have")
	}
	switch t.dec.PeekKind() {
	case '{':
		return t.nested(v, object)
	case '[':
		return t.nested(v, array)
	}
	raw, err := t.dec.ReadValue()
	if err != nil {
		return t.broken(err)
	}
	v.end = t.next()
	v.start = v.end - len(raw)
	switch raw.Kind() {
	case 'n':
		v.kind = null
	case '"':
		v.text = t.unquote(raw, v)
		v.start, v.end = v.start+1, v.end-1
	default:
		v.text = string(raw)
	}
	return nil
}

// unquote reads a text; characters that are broken in UTF-8 or in an escape are a flaw.
func (t *tree) unquote(raw jsontext.Value, v *value) string {
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		t.flaws = append(t.flaws, flaw{offset: v.start, rule: engine.RuleEncoding, text: "a character of this text is broken"})
	}
	return string(text)
}

func (t *tree) nested(v *value, k kind) error {
	if _, err := t.dec.ReadToken(); err != nil {
		return t.broken(err)
	}
	v.kind, v.start = k, t.next()-1
	if t.depth++; t.depth > MaxDepth {
		return t.end(v.start, engine.RuleLimit, "the message nests deeper than it may")
	}
	seen := map[string]bool{}
	for {
		switch next := t.dec.PeekKind(); next {
		case '}', ']':
			if _, err := t.dec.ReadToken(); err != nil {
				return t.broken(err)
			}
			t.depth--
			v.end = t.next()
			return nil
		}
		item := &value{in: v, index: len(v.items)}
		if k == object {
			if err := t.name(item, seen); err != nil {
				return err
			}
		}
		v.items = append(v.items, item)
		if err := t.read(item); err != nil {
			v.items = v.items[:len(v.items)-1+complete(item)]
			return err
		}
	}
}

// complete is 1 for what is left of a nested value that was cut: the records in it that had ended are records all the same.
func complete(v *value) int {
	if v.kind == object || v.kind == array {
		return 1
	}
	return 0
}

func (t *tree) name(item *value, seen map[string]bool) error {
	raw, err := t.dec.ReadValue()
	if err != nil {
		return t.broken(err)
	}
	item.start = t.next() - len(raw)
	item.nameAt, item.nameEnd = item.start+1, t.next()-1
	item.name = t.unquote(raw, item)
	if seen[item.name] {
		t.flaws = append(t.flaws, flaw{offset: item.start, rule: engine.RuleSyntax, text: "this name stands twice in its object: nobody can say which is meant"})
	}
	seen[item.name] = true
	return nil
}
