package fhirpath

import (
	"strings"

	"signalbox/fhir"
)

// segKind is what a segment of a walk does with each node that it meets.
type segKind uint8

const (
	segStep      segKind = iota // to the members of one name
	segChoice                   // to the members of one choice: value[x]
	segAny                      // to a name on a type that is not known before
	segChildren                 // to all members
	segType                     // keep what is of a type
	segWhere                    // keep what meets a condition
	segExtension                // keep the extension of a url
	segResolve                  // follow a reference
)

// seg is one segment. A walk takes each node through all its segments before the next node, so that no collection stands in between.
type seg struct {
	kind   segKind
	name   string
	typ    string            // the type that a step leads to, where there is one
	types  map[string]string // by the type that the step starts from, or for a choice by key
	cond   func(*context) verity
	url    fn
	at     *expr
	keepIf func(typ string) bool
}

type walk []seg

// made takes a made value through the walk: it has no members and leads nowhere.
func (w walk) made(c *context, it item, out []item) []item {
	for i := range w {
		s := &w[i]
		switch {
		case !c.spend(1, s.at):
			return out
		case s.kind == segType && s.keepIf(it.typ), s.kind == segWhere && s.holds(c, it):
		default:
			return out
		}
	}
	return append(out, it)
}

// node takes a node through the walk from segment i.
func (w walk) node(c *context, n *fhir.Node, typ string, i int, out []item) []item {
	for ; i < len(w); i++ {
		s := &w[i]
		switch s.kind {
		case segType:
			if !s.keepIf(typ) {
				return out
			}
		case segWhere:
			if !c.spend(1, s.at) || !s.holds(c, item{node: n, typ: typ, text: n.Text()}) {
				return out
			}
		case segExtension:
			if !s.isExtension(c, n) {
				return out
			}
		case segResolve:
			if n = follow(n); n == nil || !c.spend(8, s.at) {
				return out
			}
			typ = n.ResourceType()
		default:
			return w.step(c, n, typ, i, out)
		}
	}
	return append(out, item{node: n, typ: typ, text: n.Text()})
}

// step goes to the members of n.
func (w walk) step(c *context, n *fhir.Node, typ string, i int, out []item) []item {
	s := &w[i]
	if n.Kind() != fhir.Object {
		if n = n.Twin(); n == nil {
			return out
		}
	}
	found, seen := false, 1
	for m := n.First(); m != nil; m = m.Next() {
		seen++
		if s.kind == segStep {
			if m.Name() != s.name {
				continue
			}
			found = true
			out = w.spread(c, m, s.leadsTo(typ), i+1, out)
			break
		}
		if to, ok := s.match(typ, m.Name()); ok {
			found = true
			out = w.spread(c, m, to, i+1, out)
		}
	}
	if !found && s.kind != segChildren {
		out = w.extensionsOnly(c, n, typ, i, out)
	}
	c.spend(seen, s.at)
	return out
}

// extensionsOnly finds a primitive that has extensions and no value: _birthDate without birthDate.
func (w walk) extensionsOnly(c *context, n *fhir.Node, typ string, i int, out []item) []item {
	s := &w[i]
	for m := n.First(); m != nil; m = m.Next() {
		name, under := strings.CutPrefix(m.Name(), "_")
		if !under || !strings.HasPrefix(name, s.name) {
			continue
		}
		if s.kind == segStep && name == s.name {
			return w.spread(c, m, s.leadsTo(typ), i+1, out)
		}
		if to, ok := s.match(typ, name); ok && s.kind != segStep {
			return w.spread(c, m, to, i+1, out)
		}
	}
	return out
}

func (s *seg) leadsTo(from string) string {
	if s.typ != "" {
		return s.typ
	}
	return s.types[from]
}

// match reports whether a key belongs to the segment, and the type of its value.
func (s *seg) match(from, key string) (string, bool) {
	switch s.kind {
	case segChoice:
		if strings.HasPrefix(key, s.name) {
			to, ok := s.types[key]
			return to, ok
		}
	case segAny:
		if element, to, ok := fhir.KeyOf(from, key); ok {
			return to, element == s.name
		}
		return "", key == s.name && key != "resourceType" && fhir.ElementsOf(from) == nil
	case segChildren:
		if key == "resourceType" || strings.HasPrefix(key, "_") {
			return "", false
		}
		_, to, _ := fhir.KeyOf(from, key)
		return to, true
	}
	return "", false
}

// spread goes on with a member, or with each item of a list.
func (w walk) spread(c *context, n *fhir.Node, typ string, i int, out []item) []item {
	if n.Kind() != fhir.Array {
		return w.node(c, n, concrete(n, typ), i, out)
	}
	shadow := strings.HasPrefix(n.Name(), "_")
	for m := n.First(); m != nil && c.err == nil; m = m.Next() {
		if m.Kind() == fhir.Null && (shadow || m.Twin() == nil) {
			continue
		}
		c.steps--
		out = w.node(c, m, concrete(m, typ), i, out)
	}
	return out
}

// concrete returns the type of a resource where R4 allows any.
func concrete(n *fhir.Node, typ string) string {
	if typ == typeResource || typ == "" {
		return n.ResourceType()
	}
	return typ
}

func (s *seg) holds(c *context, it item) bool {
	old := c.focus
	c.focus = focus{this: it, hasThis: true}
	c.quiet++
	v := s.cond(c)
	c.quiet--
	c.focus = old
	return v == yes
}

func (s *seg) isExtension(c *context, n *fhir.Node) bool {
	url := n.Child("url")
	if url == nil || !c.spend(1, s.at) {
		return false
	}
	if s.url == nil {
		return url.Text() == s.name
	}
	want := s.url(c, c.get())
	defer c.put(want)
	it, ok := c.single(want, s.at)
	return ok && it.text == url.Text()
}

// follow leads from a Reference, or from a text that is one, to what it names within the document.
func follow(n *fhir.Node) *fhir.Node {
	ref := n
	if n.Kind() == fhir.Object {
		ref = n.Child("reference")
	}
	if ref == nil || ref.Kind() != fhir.String {
		return nil
	}
	return ref.Resolve(ref.Text())
}
