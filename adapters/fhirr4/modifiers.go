package fhirr4

import (
	"iter"
	"strconv"

	"signalbox/engine"
	"signalbox/fhir"
)

// notUnderstood are the entries of a batch that cannot be taken because a modifier extension in them is not understood: the first of each, by the
// number of the entry. Each entry of a batch stands for itself (FHIR R4, "batch/transaction"), so that the others are taken.
type notUnderstood map[int]*fhir.Fault

// sort gives each entry the first of its faults. What stands outside of the entries is about the whole Bundle.
func (u notUnderstood) sort(entries []*fhir.Node, faults iter.Seq[*fhir.Fault]) (whole fhir.Faults) {
	i := 0 // faults come in the order of the document
	for f := range faults {
		for i < len(entries) && end(entries[i]) <= f.Offset {
			i++
		}
		switch {
		case i == len(entries) || f.Offset < start(entries[i]):
			return fhir.Faults{f}
		case u[i] == nil:
			u[i] = f
		}
	}
	return nil
}

func start(n *fhir.Node) int64 { from, _ := n.Range(); return from }

func end(n *fhir.Node) int64 { _, to := n.Range(); return to }

// of returns what keeps an entry from being taken: a modifier extension in it, or in another entry that it refers to, over any number of steps. A
// name that may not be a name is no name.
func (u notUnderstood) of(entries []*fhir.Node, i int) *engine.Error {
	if len(u) == 0 {
		return nil
	}
	numbers := make(map[*fhir.Node]int, len(entries))
	for n, e := range entries {
		numbers[e.Child("resource")] = n
	}
	seen := map[int]bool{i: true}
	for next := []int{i}; len(next) > 0; next = next[1:] {
		if f := u[next[0]]; f != nil {
			out := toError(f)
			out.Place.Record = i + 1
			if next[0] != i {
				out.Text = "the entry refers to entry[" + strconv.Itoa(next[0]) + "]: " + out.Text
			}
			return out
		}
		for target := range references(entries[next[0]]) {
			if n, inBundle := numbers[target]; inBundle && !seen[n] {
				seen[n] = true
				next = append(next, n)
			}
		}
	}
	return nil
}

// references yields what the references below a node lead to within the document.
func references(n *fhir.Node) iter.Seq[*fhir.Node] {
	return func(yield func(*fhir.Node) bool) { walkReferences(n, yield) }
}

func walkReferences(n *fhir.Node, yield func(*fhir.Node) bool) bool {
	for c := n.First(); c != nil; c = c.Next() {
		if c.Name() == "reference" && c.Kind() == fhir.String {
			if target := c.Resolve(c.Text()); target != nil && !yield(target) {
				return false
			}
		}
		if !walkReferences(c, yield) {
			return false
		}
	}
	return true
}
