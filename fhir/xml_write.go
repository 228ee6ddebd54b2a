package fhir

import "fmt"

// Namespaces of FHIR's XML.
const (
	namespaceFHIR  = "http://hl7.org/fhir"
	namespaceXHTML = "http://www.w3.org/1999/xhtml"
)

// MediaTypeXML is the media type of FHIR XML.
const MediaTypeXML = "application/fhir+xml"

// AppendXML writes a document as FHIR XML, elements in R4's order (FHIR R4, "XML Representation of Resources"). It needs a document that Check
// accepts; of another it says where it stopped, and dst is returned as it came.
func AppendXML(dst []byte, d *Document) ([]byte, error) {
	w := &xmlWriter{out: dst, table: r4()}
	w.resource(d.root, true)
	if w.err != nil {
		return dst, fmt.Errorf("fhir: write XML: %w", w.err)
	}
	return w.out, nil
}

type xmlWriter struct {
	out   []byte
	table *elementTable
	err   error
}

// fail keeps the first thing that XML cannot say.
func (w *xmlWriter) fail(n *Node, text string) {
	if w.err == nil {
		w.err = fmt.Errorf("%s: %s", n.Path(), text)
	}
}

func (w *xmlWriter) add(parts ...string) {
	for _, p := range parts {
		w.out = append(w.out, p...)
	}
}

func (w *xmlWriter) resource(n *Node, root bool) {
	name := safeType(n.ResourceType())
	if name == "" {
		w.fail(n, "this is no resource")
		return
	}
	w.add("<", name)
	if root {
		w.add(` xmlns="`, namespaceFHIR, `"`)
	}
	w.body(n, name, w.table.types[name])
}

// body writes the attributes and children of an object, and closes the tag that is open.
func (w *xmlWriter) body(n *Node, tag string, info *typeInfo) {
	if n.kind != Object || info == nil {
		w.fail(n, "an object stands here in FHIR")
		return
	}
	known := 0
	for _, el := range info.elements {
		if el.attr {
			if c := n.Child(el.name); c != nil {
				w.attribute(el.name, c)
				known++
			}
		}
	}
	w.add(">")
	for _, el := range info.elements {
		if !el.attr {
			known += w.element(n, info, el)
		}
	}
	if info.resource {
		known++
	}
	if known != n.count() {
		w.fail(n, "an element that R4 does not know")
	}
	w.add("</", tag, ">")
}

func (n *Node) count() int {
	count := 0
	for c := n.first; c != nil; c = c.next {
		count++
	}
	return count
}

func (w *xmlWriter) attribute(name string, c *Node) {
	if c.kind == Array || c.kind == Object || c.kind == Null || !formText(c.text) {
		w.fail(c, "this cannot be written as an attribute")
		return
	}
	w.add(" ", name, `="`)
	w.out = appendXMLText(w.out, c.text)
	w.add(`"`)
}

// element writes the members of n that stand for one element, and returns how many members they were.
func (w *xmlWriter) element(n *Node, info *typeInfo, el *element) int {
	found := 0
	if !el.choice {
		return w.member(n, el.name, info.keys[el.name])
	}
	for c := n.first; c != nil; c = c.next { // a choice has many keys; most objects have few members
		p := info.keys[c.name]
		switch {
		case p.el != el:
		case !p.shadow:
			found += w.member(n, c.name, p)
		case n.Child(twinName(c.name)) == nil:
			found += w.member(n, twinName(c.name), info.keys[twinName(c.name)])
		}
	}
	return found
}

// member writes the values of one key together with their ids and extensions.
func (w *xmlWriter) member(n *Node, key string, p property) int {
	value, extra, found := n.Child(key), (*Node)(nil), 0
	if p.form != nil {
		extra = n.Child(shadowName(key))
	}
	for _, c := range []*Node{value, extra} {
		if c != nil {
			found++
			if (c.kind == Array) != p.el.list {
				w.fail(c, "a list stands where R4 has none, or none where R4 has one")
				return found
			}
		}
	}
	if !p.el.list {
		if found > 0 {
			w.value(key, value, extra, p)
		}
		return found
	}
	v, x := firstOf(value), firstOf(extra)
	for v != nil || x != nil {
		w.value(key, v, x, p)
		v, x = v.following(), x.following()
	}
	return found
}

func (n *Node) following() *Node {
	if n == nil {
		return nil
	}
	return n.next
}

func (w *xmlWriter) value(key string, v, extra *Node, p property) {
	switch {
	case w.err != nil:
	case p.typ == typeXHTML:
		if v.kind != String || !formXHTML(v.text) {
			w.fail(v, "the narrative is not well-formed")
			return
		}
		w.add(v.text)
	case p.form != nil:
		w.primitive(key, v, extra)
	case v.kind == Null:
		w.fail(v, "null is not a value in FHIR")
	case p.typ == typeResource:
		w.add("<", key, ">")
		w.resource(v, false)
		w.add("</", key, ">")
	default:
		w.add("<", key)
		w.body(v, key, w.table.types[p.typ])
	}
}

func (w *xmlWriter) primitive(key string, v, extra *Node) {
	w.add("<", key)
	if extra != nil && extra.kind == Null {
		extra = nil
	}
	if id := extra.Child("id"); id != nil {
		w.attribute("id", id)
	}
	if v != nil && v.kind != Null {
		w.attribute("value", v)
	}
	if extra == nil {
		w.add("/>")
		return
	}
	w.add(">")
	info := w.table.types[typeElement]
	w.element(extra, info, info.elements[1])
	w.add("</", key, ">")
}
