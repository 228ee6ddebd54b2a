package cpis

// Attr is an attribute as it stood on the wire. Name is the local name, or
// "xsi:nil" and the like for attributes of the schema-instance namespace.
type Attr struct {
	Name, Value  string
	Start, End   int64 // byte offsets of the value, quotes excluded
	Line, Column int   // 1-based position of Start
}

// Element is one node of a decoded record, with where it stood. Its strings are
// cut out of the file's text: clone what shall outlive the file.
type Element struct {
	Name         string // local name as on the wire, e.g. "COCT_TP146101GB01.CPPInformation"
	Attrs        []Attr
	Text         string // its own character data; white space between elements is left out
	Children     []*Element
	Start, End   int64 // byte offsets in the file, [Start, End)
	Line, Column int   // 1-based position of Start, Column in characters

	node  *node // what the message model says of it, nil if it has no place there
	ns    nsID
	chars bool // any character data at all, white space too
}

// Attr gives the value of an attribute and whether it is there.
func (e *Element) Attr(name string) (string, bool) {
	for i := range e.Attrs {
		if e.Attrs[i].Name == name {
			return e.Attrs[i].Value, true
		}
	}
	return "", false
}

// Child gives the first child of that name, or nil. It may be called on nil.
func (e *Element) Child(name string) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Find follows child names, taking the first of each, and gives nil where the
// path ends early. It may be called on nil.
func (e *Element) Find(names ...string) *Element {
	for _, n := range names {
		e = e.Child(n)
	}
	return e
}

// value gives an attribute of an element that may be nil.
func (e *Element) value(attr string) string {
	if e == nil {
		return ""
	}
	v, _ := e.Attr(attr)
	return v
}

// maxHint bounds what one large record makes the decoder set aside for the
// next; chunk is by how much a block grows.
const maxHint, chunk = 64, 8

// treeBuilder turns scanner events into elements. Elements, attributes and child
// lists of one tree come out of three blocks, sized by the trees before.
type treeBuilder struct {
	s       *scanner
	elems   []Element
	attrs   []Attr
	kids    []*Element
	pending []*Element // children of the open elements
	count   int        // elements of this tree so far
	max     int        // elements that a tree may have
	reuse   bool       // a tree takes the memory of the one before

	attrCount          int // attributes of this tree so far
	elemHint, attrHint int // what the largest tree so far needed
}

// reset starts a new tree; what was handed out before stays as it is.
func (b *treeBuilder) reset() {
	b.elemHint = min(max(b.elemHint, b.count), maxHint)
	b.attrHint = min(max(b.attrHint, b.attrCount), maxHint)
	b.pending = b.pending[:0]
	if b.reuse && cap(b.elems) >= b.count && cap(b.attrs) >= b.attrCount {
		b.elems, b.attrs, b.kids = b.elems[:0], b.attrs[:0], b.kids[:0]
		b.count, b.attrCount = 0, 0
		return
	}
	b.elems = make([]Element, 0, b.elemHint)
	b.attrs = make([]Attr, 0, b.attrHint)
	b.kids = make([]*Element, 0, b.elemHint)
	b.count, b.attrCount = 0, 0
}

// build reads the element whose start tag was the scanner's last event.
func (b *treeBuilder) build(n *node) (*Element, *Fault) {
	e, f := b.open(n)
	if f != nil {
		return nil, f
	}
	from := len(b.pending)
	for {
		ev, f := b.s.next()
		if f != nil {
			return nil, f
		}
		switch ev {
		case evStart:
			c, f := b.build(n.child(b.s.local, b.s.ns))
			if f != nil {
				return nil, f
			}
			b.pending = append(b.pending, c)
		case evText:
			if f := b.addText(e); f != nil {
				return nil, f
			}
		default:
			e.End = b.s.inFile(b.s.off)
			b.close(e, from)
			return e, nil
		}
	}
}

func (b *treeBuilder) open(n *node) (*Element, *Fault) {
	s := b.s
	if b.count++; b.count > b.max {
		return nil, s.fault(RuleLimitElements, s.start, "a record has more elements than the limit")
	}
	if len(b.elems) == cap(b.elems) {
		b.elems = make([]Element, 0, chunk)
	}
	b.elems = append(b.elems, Element{Name: s.local, Start: s.inFile(s.start), node: n, ns: s.ns})
	e := &b.elems[len(b.elems)-1]
	if !s.plain {
		p := s.at(s.start)
		e.Line, e.Column = p.line, p.col
	}
	e.Attrs = b.addAttrs()
	return e, nil
}

func (b *treeBuilder) addAttrs() []Attr {
	s := b.s
	if len(s.attrs) == 0 {
		return nil
	}
	if cap(b.attrs)-len(b.attrs) < len(s.attrs) {
		b.attrs = make([]Attr, 0, max(chunk, len(s.attrs)))
	}
	from := len(b.attrs)
	b.attrCount += len(s.attrs)
	for i := range s.attrs {
		a := &s.attrs[i]
		var p position
		if !s.plain {
			p = s.at(a.start)
		}
		b.attrs = append(b.attrs, Attr{
			Name: a.name(), Value: a.value, Start: s.inFile(a.start), End: s.inFile(a.end), Line: p.line, Column: p.col,
		})
	}
	return b.attrs[from:len(b.attrs):len(b.attrs)]
}

// name is the attribute's name with the prefix by which this package knows its
// namespace, whatever the sender's prefix was.
func (a *rawAttr) name() string {
	switch a.ns {
	case nsNone:
		return a.local
	case nsXSI:
		switch a.local {
		case "nil":
			return "xsi:nil"
		case "schemaLocation":
			return "xsi:schemaLocation"
		}
		return "xsi:" + a.local
	case nsXML:
		return "xml:" + a.local
	}
	return a.prefix + ":" + a.local
}

func (b *treeBuilder) addText(e *Element) *Fault {
	e.chars = true
	text := b.s.text
	if e.Text == "" && (len(text) == 0 || e.node.content() == contentElements && blank(text)) {
		return nil
	}
	if len(e.Text)+len(text) > b.s.limits.MaxValueBytes {
		return b.s.fault(RuleLimitValue, b.s.start, "a text is longer than the limit")
	}
	if e.Text == "" {
		e.Text = text
	} else {
		e.Text += text
	}
	return nil
}

func (b *treeBuilder) close(e *Element, from int) {
	kids := b.pending[from:]
	if len(kids) > 0 {
		if cap(b.kids)-len(b.kids) < len(kids) {
			b.kids = make([]*Element, 0, max(chunk, len(kids)))
		}
		at := len(b.kids)
		b.kids = append(b.kids, kids...)
		e.Children = b.kids[at:len(b.kids):len(b.kids)]
	}
	b.pending = b.pending[:from]
}
