package cpis

import "strings"

// Selector is a compiled path into a record or the header: a small part of
// XPath 1.0, checked against the message model, so that a path which can never
// match does not compile. It is safe for concurrent use.
//
//	CP-ISRecord/subject/*/id[@root='2.16.840.1.113883.2.1.4.1']/@extension
//	.//family/text() | .//family
//	/File/communicationFunctionSnd/organisation/telecom[@use='EC']/@value
//
// A relative path starts at <record>; one from /File reads the header. Steps are
// names, * or .//name; predicates are [n] and [@a='v']; the end may be @a or
// text(). A path that ends at an element gives that element's own text.
type Selector struct {
	expr     string
	branches []branch
	repeats  bool // a node may be found twice: by two branches, or on two ways down
}

// branch is one path of a union.
type branch struct {
	path   string // as reported in matches
	header bool
	steps  []step
	attr   string // final @attr, or ""
	text   bool   // final text()
}

// step is one move from an element to children or descendants.
type step struct {
	name       string // "*" for any
	deep       bool   // descendants, not only children
	predicates []predicate
}

// predicate is [n] when position is set, else [@attr='value'].
type predicate struct {
	position    int
	attr, value string
}

// Match is one value that a selector found, with where it stood.
type Match struct {
	Value        string
	Start, End   int64 // byte offsets: of an attribute's value, else of the element
	Line, Column int
	Path         string // the branch of the selector that found it
}

// String gives the selector as it was written.
func (s *Selector) String() string { return s.expr }

// Select appends the matches to into and gives it back, branch by branch and in
// document order within one. Root is a <record>, header the File element of a
// [Header]; either may be nil.
func (s *Selector) Select(root, header *Element, into []Match) []Match {
	first := len(into)
	for i := range s.branches {
		b := &s.branches[i]
		from := root
		if b.header {
			from = header
		}
		if from != nil {
			into = b.walk(from, b.steps, into)
		}
	}
	if s.repeats {
		return unique(into, first)
	}
	return into
}

// unique drops what was found twice from the matches after first.
func unique(matches []Match, first int) []Match {
	out := matches[:first]
next:
	for _, m := range matches[first:] {
		for i := first; i < len(out); i++ {
			if out[i].Start == m.Start && out[i].End == m.End {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

func (b *branch) walk(e *Element, steps []step, into []Match) []Match {
	if len(steps) == 0 {
		return b.take(e, into)
	}
	st := &steps[0]
	if st.deep {
		return b.descend(e, steps, into)
	}
	var seen [4]int // how many passed up to each predicate
	for _, c := range e.Children {
		if st.matches(c, &seen) {
			into = b.walk(c, steps[1:], into)
		}
	}
	return into
}

// descend is walk for descendants: the step applies to the children of e and of
// everything in it.
func (b *branch) descend(e *Element, steps []step, into []Match) []Match {
	st := &steps[0]
	var seen [4]int
	for _, c := range e.Children {
		if st.matches(c, &seen) {
			into = b.walk(c, steps[1:], into)
		}
		into = b.descend(c, steps, into)
	}
	return into
}

func (st *step) matches(e *Element, seen *[4]int) bool {
	if e.node == nil || st.name != "*" && st.name != e.Name {
		return false
	}
	for i := range st.predicates {
		p := &st.predicates[i]
		if p.position == 0 {
			if v, ok := e.Attr(p.attr); !ok || v != p.value {
				return false
			}
			continue
		}
		if seen[i]++; seen[i] != p.position {
			return false
		}
	}
	return true
}

func (b *branch) take(e *Element, into []Match) []Match {
	if b.attr == "" {
		if b.text && e.Text == "" {
			return into
		}
		return append(into, Match{e.Text, e.Start, e.End, e.Line, e.Column, b.path})
	}
	for i := range e.Attrs {
		if a := &e.Attrs[i]; a.Name == b.attr {
			return append(into, Match{a.Value, a.Start, a.End, a.Line, a.Column, b.path})
		}
	}
	return into
}

// places follows the model: the nodes at which a step can arrive from nodes.
func (st *step) places(from []*node) []*node {
	var to []*node
	for _, n := range from {
		for i := range n.slots {
			for _, c := range n.slots[i].nodes {
				if st.name == "*" || st.name == c.name {
					to = append(to, c)
				}
				if st.deep {
					to = append(to, st.places([]*node{c})...)
				}
			}
		}
	}
	return to
}

// reachable lists the names a step could have had, for a suggestion.
func (st *step) reachable(from []*node) []string {
	anything := step{name: "*", deep: st.deep}
	var names []string
	for _, n := range anything.places(from) {
		names = append(names, n.name)
	}
	return names
}

func attrNames(nodes []*node) []string {
	var names []string
	for _, n := range nodes {
		for i := range n.attrs {
			names = append(names, n.attrs[i].name)
		}
		if n.nillable {
			names = append(names, "xsi:nil")
		}
	}
	return names
}

func hasText(nodes []*node) bool {
	for _, n := range nodes {
		if n.kind == contentText || n.kind == contentMixed {
			return true
		}
	}
	return false
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func suggest(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(names) > 0 && len(names) <= 4 {
		return "; possible: " + strings.Join(names, ", ")
	}
	return ""
}
