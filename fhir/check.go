package fhir

import (
	"cmp"
	"slices"
	"strings"
)

// Check reports every element that R4 does not know, has in another shape, requires, limits to a set of codes or writes in another form that
// the document does not keep to; references to a wrong type, and ids that stand twice. Names and codes are compared exactly, capitals
// included. What it leaves to a SecondOpinion and to Validate: invariants, and profiles.
func (d *Document) Check() Faults {
	c := &checker{doc: d, table: r4()}
	c.resource(d.root)
	c.faults.sort()
	return c.faults
}

// sort puts faults in document order, those without a place last.
func (f Faults) sort() {
	slices.SortStableFunc(f, func(a, b *Fault) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Compare(a.Offset, b.Offset)
	})
}

type checker struct {
	doc    *Document
	table  *elementTable
	faults Faults
	ids    map[string]bool // the ids of elements in the resource at hand
}

func (c *checker) fault(rule string, n *Node, suggest, text string) {
	if len(c.faults) >= maxFaults {
		return
	}
	at, offset := n, n.start
	if rule == RuleElement && n.parent != nil { // the name itself might be a datum
		at, offset = n.parent, n.index
	}
	f := &Fault{Path: at.Path(), Rule: rule, Offset: int64(offset), Text: text, Suggest: suggest}
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
	outer := c.ids
	c.ids = nil
	c.object(n, c.table.types[t.text])
	c.ids = outer
	c.contained(n)
	if t.text == "Bundle" {
		c.fullURLs(n)
	}
}

func (c *checker) object(n *Node, info *typeInfo) {
	if n.kind != Object {
		if n.kind != Null { // reported by the reader
			c.fault(RuleShape, n, "", "an object stands here in FHIR")
		}
		return
	}
	if info == nil {
		return
	}
	var seen uint64
	for m := n.first; m != nil && len(c.faults) < maxFaults; m = m.next {
		p, ok := info.keys[m.name]
		if !ok {
			if m.name != "resourceType" || !info.resource {
				c.fault(RuleElement, m, nearest(m.name, info.names()), "R4 has no such element in "+info.name)
			}
			continue
		}
		bit := uint64(1) << p.el.order
		if p.el.choice && seen&bit != 0 && c.otherChoice(m, info, p.el) {
			c.fault(RuleChoice, m, "", p.el.name+"[x] stands here with two types")
		}
		seen |= bit
		c.member(m, p)
		if p.el.attr && p.el.name == "id" && info.name != typeElementDefinition {
			c.elementID(m)
		}
	}
	if missing := info.required &^ seen; missing != 0 {
		c.missing(n, info, missing)
	}
	if info.name == typeExtension {
		c.extension(n, info)
	}
}

// otherChoice reports whether an earlier member is the same choice with another type.
func (c *checker) otherChoice(m *Node, info *typeInfo, el *element) bool {
	name := strings.TrimPrefix(m.name, "_")
	for e := m.parent.first; e != m; e = e.next {
		if info.keys[e.name].el == el && strings.TrimPrefix(e.name, "_") != name {
			return true
		}
	}
	return false
}

func (c *checker) missing(n *Node, info *typeInfo, missing uint64) {
	for _, el := range info.elements {
		if missing&(1<<el.order) != 0 {
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
	var twins *Node
	if p.form != nil || p.shadow {
		twins = n.parent.Child(twinName(n.name))
	}
	twin := firstOf(twins)
	for i := n.first; i != nil && len(c.faults) < maxFaults; i = i.next {
		if i.kind != Null {
			c.value(i, p)
		} else if !c.doc.xml && (twin == nil || twin.kind == Null) { // XML has no nulls: the reader has said why it put one
			c.fault(RuleNull, i, "", "null stands in an array only beside a value or extension of the same place")
		}
		if twin == nil && twins != nil && twins.kind == Array && i.kind != Null && p.shadow {
			c.fault(RuleShape, i, "", "the list of values is shorter than the list of their extensions")
		}
		if twin != nil {
			twin = twin.next
		}
	}
	if twin != nil && p.shadow {
		c.fault(RuleShape, twin, "", "the list of values is longer than the list of their extensions")
	}
}

// twinName leads from a list of primitives to the list of their extensions and back.
func twinName(name string) string {
	if plain, ok := strings.CutPrefix(name, "_"); ok {
		return plain
	}
	return shadowName(name)
}

// shadowName is the key of a primitive's id and extensions; the table has it, so that it costs no memory.
func shadowName(name string) string {
	if key, ok := r4().shadows[name]; ok {
		return key
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
	case p.form != nil:
		c.primitive(n, p)
	default:
		c.object(n, c.table.types[p.typ])
		if p.typ == typeReference {
			c.reference(n, p.el)
		}
	}
}

// shadowValue checks the object that holds the id and extensions of a primitive.
func (c *checker) shadowValue(n *Node) {
	if n.kind == Object {
		c.object(n, c.table.types[typeElement])
	} else if n.kind != Null {
		c.fault(RuleShape, n, "", "an object with id or extension stands here in FHIR")
	}
}

func (c *checker) primitive(n *Node, p property) {
	if n.kind == Null { // reported by the reader
		return
	}
	if n.kind != p.form.kind {
		c.fault(RuleShape, n, "", kindText(p.form.kind))
		return
	}
	if n.text == "" { // reported by the reader
		return
	}
	if !p.form.ok(n.text) {
		c.fault(RuleValue, n, "", p.form.says)
		return
	}
	if p.el.codes != nil && !slices.Contains(p.el.codes, n.text) {
		c.fault(RuleCode, n, nearest(n.text, p.el.codes), "the code is not in the value set that R4 requires here")
	}
}

func kindText(k Kind) string {
	switch k {
	case Bool:
		return "true or false stands here in FHIR, without quotes"
	case Number:
		return "a number stands here in FHIR, without quotes"
	}
	return "a string stands here in FHIR"
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
