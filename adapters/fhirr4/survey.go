package fhirr4

import (
	"iter"
	"strings"

	"signalbox/engine"
	"signalbox/fhir"
)

// Survey yields every primitive of the Bundle. Its path names the elements without their places, a resource by its type:
// "Bundle.entry.resource(Encounter).period.start". What stands beside the Encounters of a transaction is in no record. Of a Bundle that is not
// well-formed it yields nothing.
func (a *Adapter) Survey(msg engine.Message, src engine.Schema) iter.Seq[engine.Cell] {
	return func(yield func(engine.Cell) bool) {
		doc, err := fhir.ReadEither(msg.Body, a.limits)
		if err != nil || doc == nil {
			return
		}
		root := doc.Root()
		if src.Options[OptionBundle] != bundleTransaction {
			survey(root, root.ResourceType(), func(c engine.Cell) bool { c.Record = 1; return yield(c) })
			return
		}
		entry, encounters := -1, map[int]bool{}
		for e := range root.Child("entry").Children {
			entry++
			encounters[entry] = e.Child("resource").ResourceType() == "Encounter"
		}
		for c := range root.Children {
			if !surveyPart(c, root, encounters, yield) {
				return
			}
		}
	}
}

// surveyPart surveys one member of a transaction.
func surveyPart(c, root *fhir.Node, encounters map[int]bool, yield func(engine.Cell) bool) bool {
	path := root.ResourceType() + "." + c.Name()
	if c.Name() != "entry" || c.Kind() != fhir.Array {
		return survey(c, path, yield)
	}
	i := 0
	for e := range c.Children {
		record := 0
		if encounters[i] {
			record = i + 1
		}
		i++
		if !survey(e, path, func(c engine.Cell) bool { c.Record = record; return yield(c) }) {
			return false
		}
	}
	return true
}

func survey(n *fhir.Node, path string, yield func(engine.Cell) bool) bool {
	switch n.Kind() {
	case fhir.Object, fhir.Array:
		for c := range n.Children {
			below := path
			if name := c.Name(); name != "" {
				below += "." + name
			}
			if t := c.ResourceType(); t != "" {
				below += "(" + t + ")"
			}
			if !survey(c, below, yield) {
				return false
			}
		}
		return true
	case fhir.Null:
		return true
	}
	escape := engine.EscapeJSON
	if n.Document().XML() {
		escape = engine.EscapeXML
	}
	start, end := n.ValueRange()
	return yield(engine.Cell{Path: path, Text: n.Text(), Start: start, End: end, Fixed: structural(path, n.Kind()), Escape: escape})
}

// structural tells of what R4 or a profile fixes: types, systems, codes, addresses of definitions.
func structural(path string, kind fhir.Kind) bool {
	if kind == fhir.Bool {
		return true
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch name {
	case "resourceType", "system", "code", "use", "type", "status", "url", "method", "profile", "mode", "gender", "div", "unit", "version":
		return true
	}
	return false
}
