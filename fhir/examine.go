package fhir

import (
	"strconv"
	"strings"
)

// IsResourceType reports whether R4 has a resource of that name.
func IsResourceType(name string) bool { return safeType(name) != "" }

// IsElement reports whether any type of R4 has an element with that JSON key.
func IsElement(name string) bool {
	_, ok := r4().names[name]
	return ok
}

// Examine is the one strict entry for JSON: what the reader finds, then Check, then the second opinion if there is one. Everything found is in the
// faults, in document order; the document is nil only when it could not be read at all.
func Examine(data []byte, limits Limits, opinion SecondOpinion) (*Document, Faults) {
	doc, faults := readJSON(data, limits)
	return examine(doc, faults, opinion)
}

// ExamineXML is Examine for XML. The second opinion is asked about the same document in JSON.
func ExamineXML(data []byte, limits Limits, opinion SecondOpinion) (*Document, Faults) {
	doc, faults := readXML(data, limits)
	return examine(doc, faults, opinion)
}

func examine(doc *Document, faults Faults, opinion SecondOpinion) (*Document, Faults) {
	if doc == nil {
		return nil, faults
	}
	faults = append(faults, doc.Check()...)
	if opinion != nil {
		faults = append(faults, doc.second(opinion, faults)...)
	}
	faults.sort()
	if len(faults) > maxFaults {
		faults = faults[:maxFaults]
	}
	return doc, faults
}

// second returns what the second opinion adds to the faults, each with its place.
func (d *Document) second(opinion SecondOpinion, faults Faults) Faults {
	type key struct{ path, rule string }
	seen := map[key]bool{}
	for _, f := range faults {
		seen[key{f.Path, f.Rule}] = true
	}
	data, check := d.data, opinion.Check
	if reads, ok := opinion.(XMLOpinion); ok && d.xml {
		check = reads.CheckXML
	} else if d.xml {
		data = AppendJSON(nil, d)
	}
	var more Faults
	for _, f := range check(data) {
		if !seen[key{f.Path, f.Rule}] {
			d.Locate(f)
			more = append(more, f)
		}
	}
	return more
}

// Locate gives a fault that has only a path the place of the node at that path. Without a document it does nothing.
func (d *Document) Locate(f *Fault) {
	if d == nil {
		return
	}
	if n := d.At(f.Path); n != nil && f.Line == 0 {
		f.Offset = int64(n.start)
		f.Line, f.Column = d.Position(f.Offset)
	}
}

// At returns the node at a concrete path as Node.Path writes it, or nil. An item's index may be left out of a list of one, and a choice may stand as
// two steps, as google/fhir writes it: event.coding for eventCoding.
func (d *Document) At(path string) *Node {
	steps := strings.Split(path, ".")
	if d == nil || steps[0] != d.Type() {
		return nil
	}
	n := d.root
	for i := 1; i < len(steps); i++ {
		name, index, indexed := strings.Cut(strings.TrimSuffix(steps[i], "]"), "[")
		if n != nil && n.kind == Array {
			n = n.first
		}
		child := n.Child(name)
		if child == nil && !indexed && i+1 < len(steps) && steps[i+1] != "" {
			i++
			child = n.Child(name + strings.ToUpper(steps[i][:1]) + steps[i][1:])
		}
		if n = child; indexed {
			at, err := strconv.Atoi(index)
			if err != nil {
				return nil
			}
			n = n.Item(at)
		}
	}
	return n
}
