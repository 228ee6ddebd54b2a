package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits bounds what Read accepts. Zero values mean the default.
type Limits struct {
	MaxBytes  int // size of the document; 1 MiB
	MaxDepth  int // nesting of objects and arrays; 64
	MaxNodes  int // JSON values; 100,000
	MaxString int // bytes of one string as written; 256 KiB
}

// DefaultLimits returns the limits that zero values stand for.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 1 << 20, MaxDepth: 64, MaxNodes: 100_000, MaxString: 256 << 10}
}

// Validate refuses limits that cannot be kept.
func (l Limits) Validate() error {
	for _, v := range []int{l.MaxBytes, l.MaxDepth, l.MaxNodes, l.MaxString} {
		if v < 0 {
			return errors.New("fhir limits: a limit is negative")
		}
	}
	if l.MaxBytes >= math.MaxInt32 {
		return errors.New("fhir limits: MaxBytes must be below 2 GiB")
	}
	return nil
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, p := range []struct{ to, from *int }{
		{&l.MaxBytes, &d.MaxBytes}, {&l.MaxDepth, &d.MaxDepth}, {&l.MaxNodes, &d.MaxNodes}, {&l.MaxString, &d.MaxString},
	} {
		if *p.to <= 0 {
			*p.to = *p.from
		}
	}
	l.MaxBytes = min(l.MaxBytes, math.MaxInt32-1)
	return l
}

// maxFaults is how many faults a report holds before it stops looking.
const maxFaults = 100

// Read reads one FHIR resource in one bounded pass. Keys are exact, a name stands once in an object, numbers keep their text, the bytes
// are UTF-8 and nothing follows the document (FHIR R4, "JSON Representation of Resources", for null and empty values). Whether the elements
// are those of R4 is asked with Document.Check. The error is Faults: the first fault of syntax or size ends the reading, the others are collected.
// The document keeps data, which must not change afterwards.
func Read(data []byte, limits Limits) (*Document, error) {
	r := &reader{data: data, limits: limits.withDefaults(), table: r4()}
	if len(data) > r.limits.MaxBytes {
		r.stop(RuleSize, r.limits.MaxBytes, nil, fmt.Sprintf("the document is over the limit of %d bytes", r.limits.MaxBytes))
		return nil, r.faults
	}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		r.stop(RuleBOM, 0, nil, "the document starts with a byte order mark; leave it out")
		return nil, r.faults
	}
	r.text = unsafe.String(unsafe.SliceData(data), len(data))
	r.dec = jsontext.NewDecoder(bytes.NewBuffer(data))
	root := r.document()
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	r.doc.root, r.doc.data = root, data
	r.doc.index, r.doc.lines = sync.OnceValue(r.doc.buildIndex), sync.OnceValue(r.doc.findLines)
	return r.doc, nil
}

type reader struct {
	data   []byte
	text   string // data, as a string: values without escapes are parts of it
	limits Limits
	table  *elementTable
	dec    *jsontext.Decoder
	doc    *Document
	arena  []Node
	nodes  int
	faults Faults
	halted bool
}

// document reads the root and makes sure that nothing follows it.
func (r *reader) document() *Node {
	r.doc = &Document{}
	root := r.node(nil, "", 0)
	if r.value(root, 1); r.halted {
		return nil
	}
	r.rootType(root)
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		r.stop(RuleTrailing, int(root.end), nil, "something follows the document")
	}
	return root
}

func (r *reader) rootType(root *Node) {
	if root.kind != Object {
		r.fault(RuleResourceType, int(root.start), root, "the document is not a JSON object")
		return
	}
	t := root.Child("resourceType")
	if t == nil {
		r.fault(RuleResourceType, int(root.start), root, "resourceType is missing")
		return
	}
	if f := resourceTypeFault(t); f != "" {
		r.fault(RuleResourceType, int(t.start), t, f)
		r.faults[len(r.faults)-1].Suggest = nearest(t.text, r.table.resources)
	}
}

// resourceTypeFault says what is wrong with a resourceType, or nothing.
func resourceTypeFault(t *Node) string {
	switch {
	case t.kind != String:
		return "resourceType is not a string"
	case safeType(t.text) == "":
		return "resourceType is not the name of an R4 resource"
	}
	return ""
}

// node takes the next node from the arena. Chunks keep earlier pointers good.
func (r *reader) node(parent *Node, name string, index int) *Node {
	r.nodes++
	if len(r.arena) == 0 {
		r.arena = make([]Node, min(256, 32+len(r.data)/32))
	}
	n := &r.arena[0]
	r.arena = r.arena[1:]
	n.parent, n.name, n.index, n.doc = parent, name, int32(index), r.doc
	return n
}

// value reads the next value into n, at the given depth of nesting.
func (r *reader) value(n *Node, depth int) {
	switch kind := r.dec.PeekKind(); kind {
	case '{', '[':
		if depth > r.limits.MaxDepth {
			r.stop(RuleDepth, int(r.dec.InputOffset()), n, fmt.Sprintf("the document nests deeper than %d", r.limits.MaxDepth))
			return
		}
		if _, err := r.dec.ReadToken(); err != nil {
			r.syntax(err, n)
			return
		}
		n.start = int32(r.dec.InputOffset()) - 1
		if kind == '{' {
			n.kind = Object
			r.members(n, depth)
		} else {
			n.kind = Array
			r.items(n, depth)
		}
	default:
		r.primitive(n)
	}
}

func (r *reader) members(n *Node, depth int) {
	var last *Node
	for {
		switch r.dec.PeekKind() {
		case '}':
			r.closing(n)
			return
		case '"':
		default:
			_, err := r.dec.ReadToken()
			r.syntax(err, n)
			return
		}
		raw, err := r.dec.ReadValue()
		if err != nil {
			r.syntax(err, n)
			return
		}
		c := r.node(n, r.key(raw), 0)
		last = r.attach(n, last, c)
		if r.value(c, depth+1); r.halted {
			return
		}
		if c.kind == Null {
			r.fault(RuleNull, int(c.start), c, "null is not a value in FHIR: leave the element out")
		}
	}
}

func (r *reader) items(n *Node, depth int) {
	var last *Node
	for i := 0; ; i++ {
		if r.dec.PeekKind() == ']' {
			r.closing(n)
			return
		}
		c := r.node(n, "", i)
		last = r.attach(n, last, c)
		if r.value(c, depth+1); r.halted {
			return
		}
		if c.kind == Array {
			r.fault(RuleShape, int(c.start), c, "an array stands directly in an array")
		}
	}
}

// attach hangs a child behind its last sibling and keeps the count of nodes.
func (r *reader) attach(n, last, c *Node) *Node {
	if last == nil {
		n.first = c
	} else {
		last.next = c
	}
	if r.nodes > r.limits.MaxNodes {
		r.stop(RuleNodes, int(r.dec.InputOffset()), n, fmt.Sprintf("the document holds more than %d values", r.limits.MaxNodes))
	}
	return c
}

// closing reads the end of an object or array.
func (r *reader) closing(n *Node) {
	if _, err := r.dec.ReadToken(); err != nil {
		r.syntax(err, n)
		return
	}
	n.end = int32(r.dec.InputOffset())
	if n.first == nil {
		r.fault(RuleEmpty, int(n.start), n, "an empty object or array is not a value in FHIR: leave the element out")
	}
}

func (r *reader) key(raw []byte) string {
	if len(raw) >= 2 {
		if name, ok := r.table.known(raw[1 : len(raw)-1]); ok {
			return name
		}
	}
	return r.decoded(raw, int(r.dec.InputOffset()))
}

// decoded returns a string's value; without escapes it is a part of the document.
func (r *reader) decoded(raw []byte, end int) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return r.text[end-len(raw)+1 : end-1]
	}
	out, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(out)
}

func (r *reader) primitive(n *Node) {
	if r.halted {
		return
	}
	raw, err := r.dec.ReadValue()
	if err != nil {
		r.syntax(err, n)
		return
	}
	end := int(r.dec.InputOffset())
	n.start, n.end = int32(end-len(raw)), int32(end)
	switch raw[0] {
	case '"':
		n.kind, n.text = String, r.decoded(raw, end)
		if len(raw)-2 > r.limits.MaxString {
			r.stop(RuleString, int(n.start), n, fmt.Sprintf("a string is over the limit of %d bytes", r.limits.MaxString))
		} else if n.text == "" {
			r.fault(RuleEmpty, int(n.start), n, "an empty string is not a value in FHIR: leave the element out")
		}
	case 't', 'f':
		n.kind, n.text = Bool, r.text[n.start:n.end]
	case 'n':
		n.kind = Null
	default:
		n.kind, n.text = Number, r.text[n.start:n.end]
	}
}

// syntax ends the reading with what jsontext says, without its text, which quotes the input.
func (r *reader) syntax(err error, n *Node) {
	offset := int(r.dec.InputOffset())
	rule, text := RuleSyntax, "the document is not well-formed JSON"
	syn, ok := errors.AsType[*jsontext.SyntacticError](err)
	if ok {
		offset = int(syn.ByteOffset)
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		rule, text = RuleDuplicate, "a name stands twice in one object"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), offset >= len(r.data):
		rule, text = RuleTruncated, "the document ends too early"
	case ok && r.badText(syn):
		rule, text = RuleUTF8, "the bytes are not valid UTF-8, or an escape is half a character"
	}
	r.stop(rule, offset, n, text)
}

// badText tells faults of encoding from other syntax: jsontext keeps the difference in its text only.
func (r *reader) badText(syn *jsontext.SyntacticError) bool {
	if syn.Err == nil {
		return false
	}
	text := syn.Err.Error()
	return strings.Contains(text, "UTF-8") || strings.Contains(text, "surrogate")
}

// stop records a fault after which nothing is read.
func (r *reader) stop(rule string, offset int, n *Node, text string) {
	if !r.halted {
		r.record(rule, offset, n, text)
	}
	r.halted = true
}

// fault records a fault and reads on.
func (r *reader) fault(rule string, offset int, n *Node, text string) {
	if len(r.faults) < maxFaults && !r.halted {
		r.record(rule, offset, n, text)
	}
}

func (r *reader) record(rule string, offset int, n *Node, text string) {
	f := &Fault{Rule: rule, Offset: int64(offset), Text: text}
	if n != nil {
		f.Path = n.Path()
	}
	f.Line, f.Column = position(r.data, f.Offset)
	r.faults = append(r.faults, f)
}
