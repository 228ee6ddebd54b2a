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
	under  string            // the key of the extensions of a primitive: _birthDate; empty when the step leads to no primitive
	typ    string            // the type that a step leads to, where there is one; the type that segType keeps
	types  map[string]string // by the type that the step starts from, or for a choice by key
	cond   func(*context) verity
	equals *memberText // what cond comes to, where it is as simple as use = 'official'
	url    fn
	at     *expr
	keepIf func(typ string) bool // where segType keeps more than one type
}

// memberText is the condition that a member is a certain text.
type memberText struct{ name, text string }

type walk []seg

// made takes a made value through the walk: it has no members and leads nowhere.
func (w walk) made(c *context, it item, out []item) []item {
	for i := range w {
		s := &w[i]
		switch {
		case !c.spend(1, s.at):
			return out
		case s.kind == segType && s.keeps(it.typ), s.kind == segWhere && s.holds(c, it):
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
		case segStep:
			if n = s.member(c, n); n == nil {
				return out
			}
			if s.typ != "" {
				typ = s.typ
			} else {
				typ = s.types[typ]
			}
			if n.Kind() == fhir.Array {
				return w.items(c, n, typ, i+1, out)
			}
			typ = concrete(n, typ)
		case segType:
			if !s.keeps(typ) {
				return out
			}
		case segWhere:
			if !s.passes(c, n, typ) {
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
			return w.fork(c, n, typ, i, out)
		}
	}
	return append(out, item{node: n, typ: typ, text: n.Text()})
}

// member returns the member that a step names: its value, or the extensions of a primitive that has no value.
func (s *seg) member(c *context, n *fhir.Node) *fhir.Node {
	if n.Kind() != fhir.Object {
		if n = n.Twin(); n == nil {
			return nil
		}
	}
	seen := 1
	for m := n.First(); m != nil; m = m.Next() {
		if m.Name() == s.name {
			c.spend(seen, s.at)
			return m
		}
		seen++
	}
	c.spend(seen, s.at)
	if s.under == "" {
		return nil
	}
	return n.Child(s.under)
}

func (s *seg) keeps(typ string) bool {
	if s.keepIf != nil {
		return s.keepIf(typ)
	}
	return typ == s.typ
}

// passes reports whether a node meets the condition of where().
func (s *seg) passes(c *context, n *fhir.Node, typ string) bool {
	if s.equals != nil && n.Kind() == fhir.Object {
		m := n.Child(s.equals.name)
		if !c.spend(4, s.at) || m == nil {
			return false
		}
		if m.Kind() == fhir.String {
			return m.Text() == s.equals.text
		}
	}
	return c.spend(1, s.at) && s.holds(c, item{node: n, typ: typ, text: n.Text()})
}

// fork goes to every member that a segment can mean.
func (w walk) fork(c *context, n *fhir.Node, typ string, i int, out []item) []item {
	s := &w[i]
	if n.Kind() != fhir.Object {
		if n = n.Twin(); n == nil {
			return out
		}
	}
	found, seen := false, 1
	for m := n.First(); m != nil && c.err == nil; m = m.Next() {
		seen++
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
		if name, under := strings.CutPrefix(m.Name(), "_"); under {
			if to, ok := s.match(typ, name); ok {
				return w.spread(c, m, to, i+1, out)
			}
		}
	}
	return out
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
	return w.items(c, n, typ, i, out)
}

// items goes on with each item of a list. A gap in a list of extensions is no item, and neither is one that has no extensions.
func (w walk) items(c *context, list *fhir.Node, typ string, i int, out []item) []item {
	for m := list.First(); m != nil && c.err == nil; m = m.Next() {
		if m.Kind() == fhir.Null && (strings.HasPrefix(list.Name(), "_") || m.Twin() == nil) {
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
