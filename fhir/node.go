package fhir

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Kind is the JSON kind of a node.
type Kind uint8

// The kinds of node.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Node is one JSON value of a document. It does not change after Read.
type Node struct {
	name   string // key within its object; empty within an array
	text   string // the value of a primitive: a decoded string, a number's own text, true or false
	start  int32
	end    int32
	index  int32 // place within its array; within an object, where its key starts
	kind   Kind
	parent *Node
	first  *Node
	next   *Node
	doc    *Document
}

// Kind returns the JSON kind.
func (n *Node) Kind() Kind { return n.kind }

// Name returns the key under which the node stands in its object; empty for the root and within an array.
func (n *Node) Name() string { return n.name }

// Text returns a primitive's value: a string decoded, a number exactly as it was written, "true" or "false". Nothing for the rest.
func (n *Node) Text() string { return n.text }

// Range returns the byte range [start, end) of the value in the document, quotes included.
func (n *Node) Range() (start, end int64) { return int64(n.start), int64(n.end) }

// Parent returns the enclosing object or array, or nil for the root.
func (n *Node) Parent() *Node { return n.parent }

// Child returns an object's member of that name, or nil.
func (n *Node) Child(name string) *Node {
	if n == nil || n.kind != Object {
		return nil
	}
	for c := n.first; c != nil; c = c.next {
		if c.name == name {
			return c
		}
	}
	return nil
}

// Item returns an array's item, counted from 0, or nil.
func (n *Node) Item(i int) *Node {
	if n == nil || n.kind != Array {
		return nil
	}
	for c := n.first; c != nil; c = c.next {
		if int(c.index) == i {
			return c
		}
	}
	return nil
}

// Children yields an object's members or an array's items in document order.
func (n *Node) Children(yield func(*Node) bool) {
	if n == nil {
		return
	}
	for c := n.first; c != nil; c = c.next {
		if !yield(c) {
			return
		}
	}
}

// ResourceType returns the resource's type, or nothing when the node is no resource.
func (n *Node) ResourceType() string {
	if c := n.Child("resourceType"); c != nil && c.kind == String {
		return c.text
	}
	return ""
}

// Path returns the concrete FHIRPath of the node, for example "Bundle.entry[0].resource.name[0].given[1]". A name that R4 does not know
// stands as "?", because it might be a datum.
func (n *Node) Path() string {
	var steps []string
	for ; n != nil; n = n.parent {
		switch {
		case n.parent == nil:
			steps = append(steps, safeType(n.ResourceType()))
		case n.parent.kind == Array:
			steps = append(steps, "["+strconv.Itoa(int(n.index))+"]")
		default:
			steps = append(steps, "."+safeName(n.name))
		}
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteString(steps[i])
	}
	return strings.TrimPrefix(b.String(), ".")
}

func safeName(name string) string {
	if _, ok := r4().names[name]; ok {
		return name
	}
	return "?"
}

func safeType(name string) string {
	if info := r4().types[name]; info != nil && info.resource {
		return name
	}
	return ""
}

// Document is one resource with everything in it, read and bounded. It is safe for concurrent use.
type Document struct {
	root  *Node
	data  []byte
	xml   bool                    // it was read from XML
	index func() map[string]*Node // Bundle entries by fullUrl and by Type/id
	lines func() []int32          // offsets of the line feeds
}

// Root returns the resource.
func (d *Document) Root() *Node { return d.root }

// Type returns the resource's type, for example "Bundle".
func (d *Document) Type() string { return d.root.ResourceType() }

// Position returns the 1-based line and column (in bytes) of a byte offset.
func (d *Document) Position(offset int64) (line, column int) {
	feeds := d.lines()
	before, _ := slices.BinarySearch(feeds, int32(min(max(offset, 0), int64(len(d.data)))))
	start := int64(0)
	if before > 0 {
		start = int64(feeds[before-1]) + 1
	}
	return before + 1, int(offset-start) + 1
}

func (d *Document) findLines() []int32 {
	var feeds []int32
	for at := 0; ; {
		next := bytes.IndexByte(d.data[at:], '\n')
		if next < 0 {
			return feeds
		}
		feeds = append(feeds, int32(at+next))
		at += next + 1
	}
}

// position is Document.Position before there is a document: for one fault.
func position(data []byte, offset int64) (line, column int) {
	offset = min(max(offset, 0), int64(len(data)))
	before := data[:offset]
	return bytes.Count(before, []byte{'\n'}) + 1, len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
}
