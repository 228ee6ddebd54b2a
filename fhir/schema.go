package fhir

import (
	"slices"
	"strings"
)

// ElementInfo is one element of a type, as R4 defines it. It must not be changed.
type ElementInfo struct {
	Name     string   // without [x]
	Types    []string // R4 types; one, unless it is a choice
	Choice   bool     // value[x]
	List     bool     // more than one may stand here
	Required bool     // at least one must stand here
}

// ElementsOf lists the elements of a resource, a datatype or a nested type such as "Bundle.entry"; nothing when R4 has no such type.
// SimpleQuantity and MoneyQuantity are profiles of Quantity and are shown as that.
func ElementsOf(typ string) []ElementInfo {
	info := r4().types[typ]
	if info == nil {
		return nil
	}
	out := make([]ElementInfo, 0, len(info.elements))
	for _, el := range info.elements {
		types := slices.Clone(el.types)
		for i, t := range types {
			types[i] = unprofiled(t)
		}
		out = append(out, ElementInfo{Name: el.name, Types: types, Choice: el.choice, List: el.list, Required: el.required})
	}
	return out
}

// KeyOf says what a JSON key of a type means: the element's name and the type of its value, for example "value" and "Quantity" for
// valueQuantity. It is false for keys that R4 does not know there and for the keys of primitives' extensions.
func KeyOf(typ, key string) (element, valueType string, ok bool) {
	info := r4().types[typ]
	if info == nil {
		return "", "", false
	}
	p, ok := info.keys[key]
	if !ok || p.shadow {
		return "", "", false
	}
	return p.el.name, unprofiled(p.typ), true
}

// unprofiled returns the type behind the two profiles that R4 uses as types.
func unprofiled(typ string) string {
	if typ == "SimpleQuantity" || typ == "MoneyQuantity" {
		return "Quantity"
	}
	return typ
}

// ResourceTypes lists R4's resources in order.
func ResourceTypes() []string { return slices.Clone(r4().resources) }

// DataTypes lists R4's complex datatypes in order, without nested types.
func DataTypes() []string {
	var names []string
	for name, info := range r4().types {
		if !info.resource && !strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// IsPrimitiveType reports whether an R4 type is written as one JSON string, number or boolean.
func IsPrimitiveType(typ string) bool { return isPrimitive(typ) }

// Nearest returns the candidate that is closest to name, or nothing when none is close.
func Nearest(name string, candidates []string) string { return nearest(name, candidates) }
