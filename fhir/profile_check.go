package fhir

import (
	"fmt"
	"slices"
	"strings"
)

// validator holds one document against one profile.
type validator struct {
	doc     *Document
	profile *Profile
	faults  Faults
}

func (v *validator) fault(n *Node, text string) {
	if len(v.faults) >= maxFaults {
		return
	}
	f := &Fault{Path: n.Path(), Rule: RuleProfile, Offset: int64(n.start), Text: text + " (" + v.profile.Name() + ")"}
	f.Line, f.Column = v.doc.Position(f.Offset)
	v.faults = append(v.faults, f)
}

// maxNested bounds profiles that lead to each other.
const maxNested = 8

// rules holds an object against the rules for its elements.
func (v *validator) rules(n *Node, rules []*rule, depth int) {
	if n.kind != Object || depth > maxNested {
		return
	}
	for _, r := range rules {
		values := slices.DeleteFunc(valuesOf(n, r.name), func(c *Node) bool { return r.slice != "" && !r.has(c) })
		if len(values) < r.min {
			v.fault(n, fmt.Sprintf("%s stands here at least %d times", r.label(), r.min))
		}
		if r.max >= 0 && len(values) > r.max {
			v.fault(values[r.max], fmt.Sprintf("%s stands here at most %d times", r.label(), r.max))
		}
		for _, c := range values {
			if r.closed && !inSlice(c, r.name, rules) {
				v.fault(c, r.name+" belongs to none of the slices, and others are not allowed here")
			}
			v.value(c, r, depth)
		}
	}
}

// inSlice reports whether a value belongs to a slice of its element.
func inSlice(n *Node, name string, rules []*rule) bool {
	return slices.ContainsFunc(rules, func(r *rule) bool { return r.name == name && r.slice != "" && r.has(n) })
}

// label names the element and its slice.
func (r *rule) label() string {
	if r.slice == "" {
		return r.name
	}
	return r.name + " of the slice " + r.slice
}

// valuesOf returns the values of an element: a member, the items of a list, a choice under any of its keys. A primitive that has extensions and no
// value is a value too.
func valuesOf(n *Node, name string) []*Node {
	info := typeOf(n)
	var values []*Node
	for c := n.first; c != nil; c = c.next {
		if c.name != name && !info.isChoice(c.name, name) {
			plain, shadow := strings.CutPrefix(c.name, "_")
			if !shadow || plain != name && !info.isChoice(plain, name) || n.Child(plain) != nil {
				continue
			}
		}
		if c.kind != Array {
			values = append(values, c)
			continue
		}
		for i := range c.Children {
			values = append(values, i)
		}
	}
	return values
}

func (i *typeInfo) isChoice(key, name string) bool {
	if i == nil {
		return false
	}
	p, ok := i.keys[key]
	return ok && p.el.choice && !p.shadow && p.el.name == name
}

// typeOf returns the type of an object by the way to it from its resource, or nil.
func typeOf(n *Node) *typeInfo {
	if n.parent == nil || n.ResourceType() != "" {
		return r4().types[n.ResourceType()]
	}
	return r4().types[propertyOf(n).typ]
}

// propertyOf returns what a value is to the object that holds it, by itself or in a list; nothing for a resource that nothing holds.
func propertyOf(n *Node) property {
	key, holder := n.name, n.parent
	if holder != nil && holder.kind == Array {
		key, holder = holder.name, holder.parent
	}
	if holder == nil {
		return property{}
	}
	info := typeOf(holder)
	if info == nil {
		return property{}
	}
	return info.keys[key]
}

// has reports whether a value belongs to the rule's slice.
func (r *rule) has(n *Node) bool {
	if r.by[0] == discriminateType {
		return n.ResourceType() == r.value
	}
	return reaches(n, r.by, r.value)
}

// reaches reports whether any value at the path is this text.
func reaches(n *Node, path []string, text string) bool {
	if n != nil && n.kind == Array {
		for i := range n.Children {
			if reaches(i, path, text) {
				return true
			}
		}
		return false
	}
	if len(path) == 0 {
		return n != nil && n.kind != Object && n.kind != Null && n.text == text
	}
	return reaches(n.Child(path[0]), path[1:], text)
}

// value holds one value against what a rule says of it.
func (v *validator) value(n *Node, r *rule, depth int) {
	if len(r.types) > 0 && !slices.Contains(r.types, chosen(n)) {
		v.fault(n, r.label()+" is here a "+strings.Join(r.types, " or a "))
	}
	if r.fixed != "" && n.text != r.fixed {
		v.fault(n, r.label()+" has another value than the one that is fixed")
	}
	if r.pattern != nil && !matches(n, r.pattern) {
		v.fault(n, r.label()+" does not hold the pattern that is asked for")
	}
	if r.codes != nil && !r.coded(n) {
		v.fault(n, r.label()+" has no code of the value set that is required")
	}
	if len(r.targets) > 0 {
		v.target(n, r)
	}
	if r.nested != nil && n.ResourceType() == r.nested.Type {
		inner := &validator{doc: v.doc, profile: r.nested}
		inner.rules(n, r.nested.rules, depth+1)
		v.faults = append(v.faults, inner.faults...)
	}
	v.rules(n, r.rules, depth)
}

// coded reports whether a code, a Coding, or one Coding of a CodeableConcept is in the value set.
func (r *rule) coded(n *Node) bool {
	if n.kind == String {
		return r.system == "" && slices.Contains(r.codes, n.text)
	}
	if codings := n.Child("coding"); codings != nil {
		return slices.ContainsFunc(slices.Collect(codings.Children), r.coded)
	}
	code, system := n.Child("code"), n.Child("system")
	switch {
	case code == nil, r.system != "" && (system == nil || system.text != r.system):
		return false
	}
	return r.codes[0] == "*" || slices.Contains(r.codes, code.text)
}

// target refuses a reference that is known to lead elsewhere: by its own text, by what it resolves to, or by Reference.type.
func (v *validator) target(n *Node, r *rule) {
	types := []string{}
	if typ := n.Child("type"); typ != nil {
		types = append(types, strings.TrimPrefix(typ.text, structureDefinition))
	}
	if ref := n.Child("reference"); ref != nil {
		types = append(types, referredType(ref.text), v.doc.resolve(n, ref.text).ResourceType())
	}
	for _, typ := range types {
		if safeType(typ) != "" && !slices.Contains(r.targets, typ) {
			v.fault(n, r.label()+" leads to "+typ+"; the profile allows "+strings.Join(r.targets, ", "))
			return
		}
	}
}

// matches reports whether a value holds a pattern: every member of an object, some item for each item of a list, the same text.
func matches(n *Node, pattern any) bool {
	if n == nil {
		return false
	}
	switch want := pattern.(type) {
	case map[string]any:
		for name, inner := range want {
			if !matches(n.Child(name), inner) {
				return false
			}
		}
		return n.kind == Object
	case []any:
		for _, inner := range want {
			if !slices.ContainsFunc(slices.Collect(n.Children), func(i *Node) bool { return matches(i, inner) }) {
				return false
			}
		}
		return n.kind == Array
	}
	return n.kind != Object && n.kind != Array && n.text == fmt.Sprint(pattern)
}
