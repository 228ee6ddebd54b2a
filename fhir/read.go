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

// Read reads one FHIR resource in JSON in one bounded pass. Keys are exact, a name stands once in an object, numbers keep their text, the bytes
// are UTF-8 and nothing follows the document (FHIR R4, "JSON Representation of Resources", for null and empty values). Whether the elements
// are those of R4 is asked with Document.Check. The error is Faults: the first fault of syntax or size ends the reading, the others are collected.
// The document keeps data, which must not change afterwards.
func Read(data []byte, limits Limits) (*Document, error) {
	return sound(readJSON(data, limits))
}

// sound gives a document only where the reader found nothing wrong.
func sound(doc *Document, faults Faults) (*Document, error) {
	if len(faults) > 0 {
		return nil, faults
	}
	return doc, nil
}

// readJSON is Read, but gives the document also where it has faults that are not of syntax, so that Examine can look further.
func readJSON(data []byte, limits Limits) (*Document, Faults) {
	r := &reader{builder: builder{data: data, limits: limits.withDefaults(), table: r4()}}
	if !r.admit() {
		return nil, r.faults
	}
	r.text = unsafe.String(unsafe.SliceData(data), len(data))
	r.dec = jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	root := r.document()
	if r.halted {
		return nil, r.faults
	}
	r.doc.ready(root, data)
	return r.doc, r.faults
}

// ready completes a document that has been read.
func (d *Document) ready(root *Node, data []byte) {
	d.root, d.data = root, data
	d.index, d.lines = sync.OnceValue(d.buildIndex), sync.OnceValue(d.findLines)
}

// reader reads JSON.
type reader struct {
	builder
	text string // data, as a string: values without escapes are parts of it
	dec  *jsontext.Decoder
}

// document reads the root and makes sure that nothing follows it.
func (r *reader) document() *Node {
	r.doc = &Document{}
	root := r.node(nil, "", 0)
	if r.value(root, 1); r.halted {
		return nil
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		r.stop(RuleTrailing, int(root.end), nil, "something follows the document")
	}
	r.rootType(root)
	return root
}

// rootType stops where the document is no resource: nothing more can be said of it then.
func (r *reader) rootType(root *Node) {
	if root.kind != Object {
		r.stop(RuleResourceType, int(root.start), root, "the document is not a JSON object")
		return
	}
	t := root.Child("resourceType")
	if t == nil {
		r.stop(RuleResourceType, int(root.start), root, "resourceType is missing")
		return
	}
	if f := resourceTypeFault(t); f != "" && !r.halted {
		r.halted = true
		r.record(RuleResourceType, int(t.start), t, f).Suggest = nearest(t.text, r.table.resources)
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
		c := r.node(n, r.key(raw), int(r.dec.InputOffset())-len(raw))
		last = r.attach(n, last, c, int(r.dec.InputOffset()))
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
		last = r.attach(n, last, c, int(r.dec.InputOffset()))
		if r.value(c, depth+1); r.halted {
			return
		}
		if c.kind == Array {
			r.fault(RuleShape, int(c.start), c, "an array stands directly in an array")
		}
	}
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
	if n.kind == Object {
		r.duplicates(n)
	}
}

// fewMembers is how many members are compared with each other; more than that are remembered.
const fewMembers = 16

// duplicates refuses a name that stands twice in an object.
func (r *reader) duplicates(n *Node) {
	count := 0
	for c := n.first; c != nil && count <= fewMembers; c = c.next {
		count++
		for d := n.first; d != c; d = d.next {
			if d.name == c.name {
				r.duplicate(n, c)
				break
			}
		}
	}
	if count <= fewMembers {
		return
	}
	seen := make(map[string]bool, 2*count)
	for i, c := 0, n.first; c != nil; i, c = i+1, c.next {
		if seen[c.name] && i > fewMembers {
			r.duplicate(n, c)
		}
		seen[c.name] = true
	}
}

func (r *reader) duplicate(n, c *Node) {
	r.fault(RuleDuplicate, int(c.index), n, "a name stands twice in one object")
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
