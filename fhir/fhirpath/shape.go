package fhirpath

import (
	"slices"
	"strings"

	"signalbox/fhir"
)

// alt is one type that an expression can yield, and which element of R4 that is: {"HumanName", "Patient.name"}.
type alt struct {
	typ string
	at  string
}

// shape is what is known of a result before the path runs.
type shape struct {
	alts      []alt // nothing: unknown
	min       int   // 0 or 1
	many      bool  // more than one item is possible
	none      bool  // certainly empty: {}
	unordered bool  // FHIRPath defines no order: children(), descendants()
}

const (
	typeResource       = "Resource"
	typeDomainResource = "DomainResource"
	typeElement        = "Element"
	typeBackbone       = "BackboneElement"
)

// of is the shape of one made value of a System type; min is 1 when it is always there.
func of(typ string, min int) shape { return shape{alts: []alt{{typ: typ}}, min: min} }

// each is the shape of one item of the collection: $this within where().
func (s shape) each() shape { return shape{alts: s.alts, min: 1} }

func (s shape) optional() shape {
	s.min = 0
	return s
}

func (s shape) one() shape {
	s.min, s.many = 0, false
	return s
}

// types lists the types without their places.
func (s shape) types() []string {
	var out []string
	for _, a := range s.alts {
		out = append(out, a.typ)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// systems lists the System types that the items convert to; "" stands for an object. known is false when nothing is known.
func (s shape) systems() (out []string, known bool) {
	for _, a := range s.alts {
		if t := systemType(a.typ); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out, s.alts != nil
}

// describe names the types for a message.
func (s shape) describe() string {
	if s.none {
		return "an empty collection"
	}
	types := s.types()
	for i, t := range types {
		types[i] = strings.TrimPrefix(t, "System.")
	}
	if len(types) > 4 {
		return strings.Join(types[:4], " or ") + " or others"
	}
	return strings.Join(types, " or ")
}

// merge is the shape of either of two results.
func merge(a, b shape) shape {
	out := shape{min: min(a.min, b.min), many: a.many || b.many, unordered: a.unordered || b.unordered, none: a.none && b.none}
	switch {
	case a.none:
		out.alts = b.alts
	case b.none:
		out.alts = a.alts
	case a.alts != nil && b.alts != nil:
		out.alts = compactAlts(slices.Concat(a.alts, b.alts))
	}
	return out
}

func compactAlts(alts []alt) []alt {
	slices.SortFunc(alts, func(a, b alt) int {
		if c := strings.Compare(a.typ, b.typ); c != 0 {
			return c
		}
		return strings.Compare(a.at, b.at)
	})
	return slices.Compact(alts)
}

// elementOf finds an element of a type. A primitive has id and extension.
func elementOf(typ, name string) (fhir.ElementInfo, bool) {
	for _, el := range elementsOf(typ) {
		if el.Name == name {
			return el, true
		}
	}
	return fhir.ElementInfo{}, false
}

func elementsOf(typ string) []fhir.ElementInfo {
	if els := fhir.ElementsOf(typ); els != nil {
		return els
	}
	if fhir.IsPrimitiveType(typ) || typ == typeElement || typ == typeBackbone {
		return []fhir.ElementInfo{{Name: "id", Types: []string{"string"}}, {Name: "extension", Types: []string{"Extension"}, List: true}}
	}
	return nil
}

// expand replaces the abstract types of resources by those that there are.
func expand(alts []alt) []alt {
	var out []alt
	for _, a := range alts {
		if a.typ != typeResource && a.typ != typeDomainResource {
			out = append(out, a)
			continue
		}
		for _, r := range fhir.ResourceTypes() {
			if isA(r, a.typ) {
				out = append(out, alt{r, r})
			}
		}
	}
	return out
}

// parent gives the type above each primitive and Quantity of R4 that has one but Element (R4, "Data Types").
func parent(typ string) string {
	switch typ {
	case "code", "id", "markdown":
		return "string"
	case "url", "canonical", "uuid", "oid":
		return "uri"
	case "positiveInt", "unsignedInt":
		return "integer"
	case "Age", "Count", "Distance", "Duration":
		return "Quantity"
	}
	return ""
}

// isA reports whether a type is another or stands below it.
func isA(typ, want string) bool {
	if typ == want {
		return true
	}
	switch want {
	case typeResource:
		return fhir.IsResourceType(typ) || typ == typeDomainResource
	case typeDomainResource:
		return fhir.IsResourceType(typ) && typ != "Bundle" && typ != "Binary" && typ != "Parameters"
	case typeElement:
		return typ != "" && !strings.HasPrefix(typ, "System.") && !fhir.IsResourceType(typ) && typ != typeDomainResource
	case typeBackbone:
		return strings.Contains(typ, ".") && !strings.HasPrefix(typ, "System.")
	}
	return parent(typ) == want
}

// ofThatType is the rule of ofType() and as(): primitives must be of exactly that type, others may be below it. HL7's tests have it so.
func ofThatType(typ, want string) bool {
	return typ == want || !fhir.IsPrimitiveType(typ) && isA(typ, want)
}

func systemNames() []string {
	return []string{"Boolean", "Date", "DateTime", "Decimal", "Integer", "Quantity", "String", "Time"}
}

func primitiveNames() []string {
	return []string{"base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant", "integer", "markdown", "oid",
		"positiveInt", "string", "time", "unsignedInt", "uri", "url", "uuid", "xhtml"}
}

// namedType resolves a type's name: R4's types first, then FHIRPath's own. suggest is the nearest name when there is no such type.
func namedType(name string) (typ, suggest string, ok bool) {
	space, local, qualified := strings.Cut(name, ".")
	if !qualified {
		space, local = "", name
	}
	if space == "" || space == "FHIR" {
		if knownType(local) {
			return local, "", true
		}
	}
	if (space == "" || space == "System") && slices.Contains(systemNames(), local) {
		return "System." + local, "", true
	}
	all := slices.Concat(fhir.ResourceTypes(), fhir.DataTypes(), primitiveNames(), systemNames(), []string{typeResource, typeDomainResource, typeElement, typeBackbone})
	if qualified && space != "FHIR" && space != "System" {
		return "", fhir.Nearest(space, []string{"FHIR", "System"}), false
	}
	if suggest = fhir.Nearest(local, all); suggest != "" && qualified {
		suggest = space + "." + suggest
	}
	return "", suggest, false
}

func knownType(name string) bool {
	switch name {
	case typeResource, typeDomainResource, typeElement, typeBackbone:
		return true
	}
	return fhir.IsResourceType(name) || !strings.Contains(name, ".") && fhir.ElementsOf(name) != nil || slices.Contains(primitiveNames(), name)
}
