package fhir

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Contexts that stand for more than one element.
const (
	anyElement  = "Element"
	anyResource = "Resource"
)

// isDefinition tells the header of an extension, whose first word is a URL, from a constraint on the element extension.
func isDefinition(rest string) bool {
	url, _, _ := strings.Cut(rest, " ")
	return strings.Contains(url, ":")
}

// extension reads "URL[|VERSION] CONTEXT,... [modifier]". A context is a resource, a data type, an element of either, Element or Resource.
func (p *Profiles) extension(line string) (*Profile, error) {
	fields := strings.Fields(line)
	out := &Profile{Type: typeExtension}
	if len(fields) == 3 && fields[2] == "modifier" {
		out.modifier, fields = true, fields[:2]
	}
	if len(fields) != 2 {
		return out, errors.New("an extension needs its URL and where it may stand: extension URL|VERSION CONTEXT,... [modifier]")
	}
	out.URL, out.Version, _ = strings.Cut(fields[0], "|")
	if !formURI(out.URL) || p.extensions[out.URL] != nil {
		return out, errors.New("the extension's URL is none, or is there already")
	}
	out.contexts = strings.Split(fields[1], ",")
	for _, context := range out.contexts {
		if err := checkContext(context); err != nil {
			return out, err
		}
	}
	p.extensions[out.URL] = out
	return out, nil
}

// checkContext refuses a place that R4 does not have.
func checkContext(context string) error {
	steps := strings.Split(context, ".")
	info := r4().types[steps[0]]
	if info == nil && context != anyResource {
		return fmt.Errorf("R4 has no type %q that an extension could stand on", steps[0])
	}
	for _, step := range steps[1:] {
		el := info.element(step)
		if el == nil {
			return fmt.Errorf("%s has no element %q that an extension could stand on%s", context, step, hint(nearest(step, info.names())))
		}
		if info = r4().types[el.types[0]]; info == nil {
			info = r4().types[typeElement]
		}
	}
	return nil
}

// chooses reads the types that a choice is narrowed to, and returns the type where there is one.
func (r *rule) chooses(list string) (string, error) {
	if !r.el.choice {
		return "", errors.New("types is for a choice of types, as value[x]")
	}
	r.types = strings.Split(list, ",")
	for _, typ := range r.types {
		if !slices.Contains(r.el.types, typ) {
			return "", fmt.Errorf("the choice has no type of that name%s", hint(nearest(typ, r.el.types)))
		}
	}
	return r.only(), nil
}

// only is the type of a choice that is narrowed to one; nothing otherwise.
func (r *rule) only() string {
	if len(r.types) == 1 {
		return r.types[0]
	}
	return ""
}

// chosen is the type of a choice's value: that which its key names.
func chosen(n *Node) string {
	p := propertyOf(n)
	if p.shadow { // a primitive of extensions only
		p = typeOf(n.parent).keys[strings.TrimPrefix(n.name, "_")]
	}
	return p.typ
}

// Extensions holds every extension of the document whose definition is in the set against it: where it stands, the type of its value, what it
// is made of. An extension of another publisher is open to all. Unknown modifier extensions are those that Modifiers refuses.
func (p *Profiles) Extensions(d *Document) Faults {
	v := &validator{doc: d}
	for n, typ := range d.Objects {
		if typ != typeExtension {
			continue
		}
		definition := p.extensions[textOf(n.Child("url"))]
		if definition == nil || n.parent == nil || n.parent.kind != Array {
			continue
		}
		v.profile = definition
		if definition.modifier != (n.parent.name == modifierExtension) {
			v.fault(n, "the extension stands under the other of extension and modifierExtension")
		}
		if !definition.standsOn(n.parent.parent) {
			v.fault(n, "the extension stands on "+strings.Join(definition.contexts, ", ")+" alone")
		}
		v.rules(n, definition.rules, 0)
	}
	v.faults.sort()
	return v.faults
}

// Modifiers refuses the modifier extensions that the set does not define as such: what they stand on means something else than it says, and who
// does not know what must not go on (FHIR R4, "Modifier Extensions"). The URLs that follow are understood as well. It asks nothing else of a document.
func (p *Profiles) Modifiers(d *Document, understood ...string) Faults {
	var faults Faults
	for f := range p.EachModifier(d, understood...) {
		if faults = append(faults, f); len(faults) == maxFaults {
			break
		}
	}
	return faults
}

// EachModifier yields what Modifiers returns, however many there are: for who has to know of every part of a document whether it is understood.
func (p *Profiles) EachModifier(d *Document, understood ...string) iter.Seq[*Fault] {
	return func(yield func(*Fault) bool) {
		for n := range d.Objects {
			for e := range n.Child(modifierExtension).Children {
				url := textOf(e.Child("url"))
				if definition := p.extensions[url]; definition != nil && definition.modifier || slices.Contains(understood, url) {
					continue
				}
				f := &Fault{Path: e.Path(), Rule: RuleModifier, Offset: int64(e.start),
					Text: "a modifier extension that is not understood here changes the meaning of what it stands on: it is not taken"}
				f.Line, f.Column = d.Position(f.Offset)
				if !yield(f) {
					return
				}
			}
		}
	}
}

func textOf(n *Node) string {
	if n == nil {
		return ""
	}
	return n.text
}

// standsOn reports whether an extension's definition lets it stand on an element.
func (p *Profile) standsOn(holder *Node) bool {
	paths := elementPaths(holder)
	return slices.ContainsFunc(p.contexts, func(context string) bool {
		switch context {
		case anyElement:
			return holder.ResourceType() == ""
		case anyResource, "DomainResource":
			return holder.ResourceType() != ""
		}
		return slices.Contains(paths, context)
	})
}

// elementPaths names an element as definitions do: by its type, and by the way to it from each type above, up to its resource. The element
// birthDate is Patient.birthDate, and the system of a Patient's telephone both ContactPoint.system and Patient.telecom.system.
func elementPaths(n *Node) []string {
	var paths []string
	tail := ""
	for {
		if info := typeOf(n); info != nil {
			paths = append(paths, info.name+tail)
		}
		if n.ResourceType() != "" {
			return paths
		}
		el, holder := propertyOf(n).el, n.parent
		if el == nil {
			return paths
		}
		if holder.kind == Array {
			holder = holder.parent
		}
		tail, n = "."+el.name+tail, holder
	}
}

// Objects yields every object of the document with the name of its type in R4 (Patient, Patient.contact, Period), in document order, resources in
// Bundles and contained ones too. What hangs on an element that R4 does not know is left out.
func (d *Document) Objects(yield func(n *Node, typ string) bool) {
	if d != nil {
		walkObjects(d.root, r4().types[d.Type()], yield)
	}
}

func walkObjects(n *Node, info *typeInfo, yield func(*Node, string) bool) bool {
	if n.kind != Object || info == nil {
		return true
	}
	if !yield(n, info.name) {
		return false
	}
	for m := n.first; m != nil; m = m.next {
		typ := info.keys[m.name].typ
		first, last := m, m.next
		if m.kind == Array {
			first, last = m.first, nil
		}
		for c := first; c != last; c = c.next {
			inner := r4().types[typ]
			if typ == typeResource {
				inner = r4().types[c.ResourceType()]
			}
			if !walkObjects(c, inner, yield) {
				return false
			}
		}
	}
	return true
}
