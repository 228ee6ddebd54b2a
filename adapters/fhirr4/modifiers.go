package fhirr4

import (
	"iter"
	"maps"
	"slices"
	"strconv"

	"signalbox/engine"
	"signalbox/fhir"
)

// notUnderstood are the entries of a batch that cannot be taken because a modifier extension in them is not understood. Each entry of a batch stands
// for itself (FHIR R4, "batch/transaction"), so that the others are taken.
type notUnderstood struct {
	entries []*fhir.Node
	numbers map[*fhir.Node]int  // of the entries, by their resources
	first   map[int]*fhir.Fault // of each such entry, by its number
	whole   fhir.Faults         // what stands outside of the entries is about the whole Bundle
}

// sortModifiers gives each entry the first of its faults. The faults come entry by entry.
func sortModifiers(entries []*fhir.Node, faults iter.Seq[*fhir.Fault]) notUnderstood {
	u := notUnderstood{entries: entries, numbers: make(map[*fhir.Node]int, len(entries)), first: map[int]*fhir.Fault{}}
	for n, e := range entries {
		u.numbers[e.Child("resource")] = n
	}
	i := 0
	for f := range faults {
		for i < len(entries) && end(entries[i]) <= f.Offset {
			i++
		}
		switch {
		case i == len(entries) || f.Offset < start(entries[i]):
			u.whole = fhir.Faults{f}
			return u
		case u.first[i] == nil:
			u.first[i] = f
		}
	}
	return u
}

func start(n *fhir.Node) int64 { from, _ := n.Range(); return from }

func end(n *fhir.Node) int64 { _, to := n.Range(); return to }

// ofTransaction returns the faults of a Bundle that is taken whole or not at all.
func (u notUnderstood) ofTransaction() fhir.Faults {
	var out fhir.Faults
	for _, i := range slices.Sorted(maps.Keys(u.first)) {
		out = append(out, u.first[i])
	}
	return out
}

// of returns what keeps an entry from being taken: a modifier extension in it, or in another entry that it refers to, over any number of steps.
func (u notUnderstood) of(i int) *engine.Error {
	if len(u.first) == 0 {
		return nil
	}
	seen := map[int]bool{i: true}
	for next := []int{i}; len(next) > 0; next = next[1:] {
		if f := u.first[next[0]]; f != nil {
			out := toError(f)
			out.Place.Record = i + 1
			if next[0] != i {
				out.Text = "the entry refers to entry[" + strconv.Itoa(next[0]) + "]: " + out.Text
			}
			return out
		}
		for target := range references(u.entries[next[0]]) {
			if n, inBundle := u.numbers[target]; inBundle && !seen[n] {
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
