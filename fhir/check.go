package fhir

import (
	"cmp"
	"slices"
	"strings"
)

// Check reports every element that R4 does not know, has in another shape, requires, or limits to a set of codes that the document
// does not keep to. It compares names and codes exactly, capitals included. What it leaves to a SecondOpinion: the form of dates and other
// primitives, the targets of references, invariants, profiles.
func (d *Document) Check() Faults {
	c := &checker{doc: d, table: r4()}
	c.resource(d.root)
	slices.SortStableFunc(c.faults, func(a, b *Fault) int { return cmp.Compare(a.Offset, b.Offset) })
	return c.faults
}

type checker struct {
	doc    *Document
	table  *elementTable
	faults Faults
}

func (c *checker) fault(rule string, n *Node, suggest, text string) {
	if len(c.faults) >= maxFaults {
		return
	}
	at := n
	if rule == RuleElement && n.parent != nil { // the name itself might be a datum
		at = n.parent
	}
	f := &Fault{Path: at.Path(), Rule: rule, Offset: int64(n.start), Text: text, Suggest: suggest}
	f.Line, f.Column = c.doc.Position(f.Offset)
	c.faults = append(c.faults, f)
}

func (c *checker) resource(n *Node) {
	if n.kind != Object {
		c.fault(RuleShape, n, "", "a resource is a JSON object")
		return
	}
	t := n.Child("resourceType")
	if t == nil {
		c.fault(RuleResourceType, n, "", "resourceType is missing")
		return
	}
	if text := resourceTypeFault(t); text != "" {
		c.fault(RuleResourceType, t, nearest(t.text, c.table.resources), text)
		return
	}
	c.object(n, c.table.types[t.text])
}

func (c *checker) object(n *Node, info *typeInfo) {
	if n.kind != Object {
		c.fault(RuleShape, n, "", "an object stands here in FHIR")
		return
	}
	if info == nil {
		return
	}
	seen := make(map[*element]string, 8)
	for m := n.first; m != nil && len(c.faults) < maxFaults; m = m.next {
		if m.name == "resourceType" && info.resource {
			continue
		}
		p, ok := info.keys[m.name]
		if !ok {
			c.fault(RuleElement, m, nearest(m.name, info.names()), "R4 has no such element in "+info.name)
			continue
		}
		if was, twice := seen[p.el]; twice && p.el.choice && was != m.name && "_"+was != m.name && was != "_"+m.name {
			c.fault(RuleChoice, m, "", p.el.name+"[x] stands here with two types")
		}
		seen[p.el] = m.name
		c.member(m, p)
	}
	for _, el := range info.elements {
		if _, ok := seen[el]; el.required && !ok {
			c.fault(RuleRequired, n, "", el.name+" is mandatory in "+info.name)
		}
	}
}

// names lists the keys of a type that a sender can have meant.
func (i *typeInfo) names() []string {
	names := make([]string, 0, len(i.keys))
	for key := range i.keys {
		if key[0] != '_' {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return names
}

// member checks one member of an object: a list where R4 has a list, and each value in it.
func (c *checker) member(n *Node, p property) {
	if !p.el.list {
		if n.kind == Array {
			c.fault(RuleShape, n, "", "a single value stands here in FHIR, not an array")
			return
		}
		c.value(n, p)
		return
	}
	if n.kind != Array {
		c.fault(RuleShape, n, "", "an array stands here in FHIR")
		return
	}
	twin := firstOf(n.parent.Child(twinName(n.name)))
	for i := n.first; i != nil && len(c.faults) < maxFaults; i = i.next {
		if i.kind != Null {
			c.value(i, p)
		} else if twin == nil || twin.kind == Null {
			c.fault(RuleNull, i, "", "null stands in an array only beside a value or extension of the same place")
		}
		if twin != nil {
			twin = twin.next
		}
	}
}

// twinName leads from a list of primitives to the list of their extensions and back.
func twinName(name string) string {
	if plain, ok := strings.CutPrefix(name, "_"); ok {
		return plain
	}
	return "_" + name
}

func firstOf(n *Node) *Node {
	if n == nil || n.kind != Array {
		return nil
	}
	return n.first
}

func (c *checker) value(n *Node, p property) {
	switch {
	case p.shadow:
		c.shadowValue(n)
	case p.typ == typeResource:
		c.resource(n)
	case isPrimitive(p.typ):
		c.primitive(n, p)
	default:
		c.object(n, c.table.types[p.typ])
	}
}

// shadowValue checks the object that holds the id and extensions of a primitive.
func (c *checker) shadowValue(n *Node) {
	if n.kind != Object {
		c.fault(RuleShape, n, "", "an object with id or extension stands here in FHIR")
		return
	}
	for m := n.first; m != nil; m = m.next {
		switch m.name {
		case "id":
			c.member(m, property{el: &element{name: "id"}, typ: "string"})
		case "extension":
			c.member(m, property{el: &element{name: "extension", list: true}, typ: "Extension"})
		default:
			c.fault(RuleElement, m, nearest(m.name, []string{"id", "extension"}), "a primitive has id and extension only")
		}
	}
}

func (c *checker) primitive(n *Node, p property) {
	if n.kind == Null { // reported by Read
		return
	}
	want, text := String, "a string stands here in FHIR"
	switch p.typ {
	case "boolean":
		want, text = Bool, "true or false stands here in FHIR, without quotes"
	case "integer", "decimal", "positiveInt", "unsignedInt":
		want, text = Number, "a number stands here in FHIR, without quotes"
	}
	if n.kind != want {
		c.fault(RuleShape, n, "", text)
		return
	}
	if p.el.codes != nil && p.typ == "code" && !slices.Contains(p.el.codes, n.text) {
		c.fault(RuleCode, n, nearest(n.text, p.el.codes), "the code is not in the value set that R4 requires here")
	}
}

// shadow returns the node that holds the id and extensions of a primitive, or nil.
func shadow(n *Node) *Node {
	if n == nil || n.parent == nil {
		return nil
	}
	if n.parent.kind == Array {
		if n.parent.parent == nil {
			return nil
		}
		return n.parent.parent.Child("_" + n.parent.name).Item(int(n.index))
	}
	return n.parent.Child("_" + n.name)
}
