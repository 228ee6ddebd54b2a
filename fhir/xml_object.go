package fhir

import (
	"encoding/xml"
	"fmt"
)

// object is one element of XML that is read into an object of the tree.
type object struct {
	r     *xmlReader
	n     *Node
	info  *typeInfo
	last  *Node   // the last member
	order int     // of the last element
	run   listRun // the list that is being read
	gaps  bool    // a list of values may hold nothing but gaps beside its extensions
}

// listRun is a list in the making: elements of one name, which XML puts one behind the other.
type listRun struct {
	name          string
	values, extra *Node // the list, and the list of ids and extensions of a primitive
	value, twin   *Node // their last items
	count         int
}

// read reads what is in the element up to its end.
func (o *object) read(start xml.StartElement, depth int) {
	r, n := o.r, o.n
	if depth > r.limits.MaxDepth {
		r.stop(RuleDepth, r.start, n, fmt.Sprintf("the document nests deeper than %d", r.limits.MaxDepth))
		return
	}
	n.kind = Object
	at := r.start
	r.attributes(n, start, func(name, value string) bool {
		p, ok := o.info.keys[name]
		if !ok || !p.el.attr {
			return false
		}
		c := o.member(name, at)
		c.kind, c.text, c.start, c.end = String, value, int32(at), int32(r.dec.InputOffset())
		return true
	})
	for {
		switch t := r.next(n).(type) {
		case xml.StartElement:
			o.element(t, depth)
		case xml.EndElement:
			n.end = int32(r.dec.InputOffset())
			o.close()
			return
		default:
			return
		}
	}
}

func (o *object) member(name string, offset int) *Node {
	c := o.r.node(o.n, name, offset)
	c.start = int32(offset)
	o.last = o.r.attach(o.n, o.last, c, offset)
	return c
}

// close takes out lists that hold nothing but the gaps beside their twin, and refuses an element without content.
func (o *object) close() {
	if o.gaps {
		var last *Node
		for c := o.n.first; c != nil; c = c.next {
			if c.kind == Array && c.allNull() {
				continue
			}
			if last == nil {
				o.n.first = c
			} else {
				last.next = c
			}
			last = c
		}
		if last == nil {
			o.n.first = nil
		} else {
			last.next = nil
		}
	}
	if o.n.first == nil || o.info.resource && o.n.first.next == nil && o.n.parent != nil {
		o.r.fault(RuleEmpty, int(o.n.start), o.n, "an element without content is not a value in FHIR: leave it out")
	}
}

func (n *Node) allNull() bool {
	for c := n.first; c != nil; c = c.next {
		if c.kind != Null {
			return false
		}
	}
	return true
}

// element reads one child element.
func (o *object) element(t xml.StartElement, depth int) {
	r, name := o.r, t.Name.Local
	p, ok := o.info.keys[name]
	if !ok || p.shadow || p.el.attr {
		r.refuse(RuleElement, o.n, "R4 has no such element in "+o.info.name)
		r.suggest(name, o.info.names())
		return
	}
	name = r.table.names[name]
	if p.el.order < o.order {
		r.fault(RuleOrder, r.start, o.n, p.el.name+" stands behind an element that R4 puts after it")
	}
	o.order = max(o.order, p.el.order)
	if !p.el.list && (o.n.Child(name) != nil || p.form != nil && o.n.Child(shadowName(name)) != nil) {
		r.refuse(RuleDuplicate, o.n, p.el.name+" stands once in "+o.info.name)
		return
	}
	if p.form != nil && p.typ != typeXHTML {
		o.primitive(name, p, t, depth)
		return
	}
	at := r.start
	var c *Node
	if p.el.list {
		if c = o.next(name); c == nil {
			return
		}
	} else {
		c = o.member(name, at)
	}
	if r.halted {
		return
	}
	switch p.typ {
	case typeXHTML:
		r.narrative(c)
	case typeResource:
		r.holder(c, t, depth)
	default:
		child := &object{r: r, n: c, info: r.table.types[p.typ], order: -1}
		child.read(t, depth+1)
	}
	c.end = int32(r.dec.InputOffset())
	if p.el.list {
		o.run.values.end = c.end
	}
}

// next adds an item to the list of that name; nothing where the list was left before, which is passed over.
func (o *object) next(name string) *Node {
	r := o.r
	if o.run.name != name {
		if o.n.Child(name) != nil {
			r.refuse(RuleOrder, o.n, "the elements of one list stand apart")
			return nil
		}
		o.run = listRun{name: name, values: o.member(name, r.start)}
		o.run.values.kind = Array
	}
	o.run.value = o.item(o.run.values, o.run.value, o.run.count)
	o.run.count++
	return o.run.value
}

// item adds an item to a list, behind the last one.
func (o *object) item(list, last *Node, index int) *Node {
	c := o.r.node(list, "", index)
	c.start, c.end = int32(o.r.start), int32(o.r.start)
	return o.r.attach(list, last, c, o.r.start)
}

// primitive reads an element that has a value, an id and extensions.
func (o *object) primitive(name string, p property, t xml.StartElement, depth int) {
	r, at := o.r, o.r.start
	var value *Node
	if p.el.list {
		if value = o.next(name); value == nil {
			return
		}
	}
	text, id := "", ""
	r.attributes(o.n, t, func(attr, v string) bool {
		switch attr {
		case "value":
			text = v
		case "id":
			id = v
		default:
			return false
		}
		return true
	})
	if text != "" {
		if value == nil {
			value = o.member(name, at)
		}
		value.kind, value.text = p.form.kind, text
		value.end = int32(r.dec.InputOffset())
	}
	shadow := &object{r: r, info: r.table.types[typeElement], order: -1}
	end := o.extensions(shadow, name, p, id, at, depth)
	if value != nil && value.kind != Null {
		value.end = end
	}
	if p.el.list {
		o.gaps = o.gaps || text == ""
		o.run.values.end = end
	}
	if text == "" && shadow.n == nil {
		r.fault(RuleEmpty, at, o.n, "an element without content is not a value in FHIR: leave it out")
	}
}

// extensions reads what is in a primitive's element, into an object that is made when there is something, and returns where the element ends.
func (o *object) extensions(shadow *object, name string, p property, id string, at, depth int) int32 {
	r := o.r
	place := func() {
		if shadow.n == nil {
			shadow.n = o.shadow(name, p, at)
			shadow.n.kind = Object
		}
	}
	if id != "" {
		place()
		c := shadow.member("id", at)
		c.kind, c.text, c.end = String, id, int32(r.dec.InputOffset())
	}
	for {
		switch t := r.next(o.n).(type) {
		case xml.StartElement:
			if t.Name.Local == "extension" {
				place()
				shadow.element(t, depth)
			} else {
				r.refuse(RuleElement, o.n, "a primitive has a value, an id and extensions only")
			}
			continue
		case xml.EndElement:
		default:
			return int32(r.start)
		}
		end := int32(r.dec.InputOffset())
		if shadow.n != nil {
			shadow.n.end = end
		}
		if p.el.list && shadow.n == nil && o.run.extra != nil {
			o.run.twin = o.item(o.run.extra, o.run.twin, o.run.count-1)
		}
		return end
	}
}

// shadow makes the object of a primitive's id and extensions: a member, or an item of a list that keeps step with the list of values.
func (o *object) shadow(name string, p property, at int) *Node {
	name = shadowName(name)
	if !p.el.list {
		return o.member(name, at)
	}
	if o.run.extra == nil {
		o.run.extra = o.member(name, at)
		o.run.extra.kind = Array
		for i := range o.run.count - 1 {
			o.run.twin = o.item(o.run.extra, o.run.twin, i)
		}
	}
	o.run.twin = o.item(o.run.extra, o.run.twin, o.run.count-1)
	return o.run.twin
}
