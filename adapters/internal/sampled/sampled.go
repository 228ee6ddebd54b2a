// Package sampled keeps what a sample of a nested format shows of its structure, and declares fields for what is in it.
package sampled

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// The texts that can tell items of a list apart are few and short.
const (
	maxTexts   = 8
	maxTextLen = 24
)

// Node is one name of a structure: a member of an object, an element, an attribute ("@name").
type Node struct {
	Name     string
	In       *Node // nil: the root
	Many     bool  // more than one of them stood in one place
	Children []*Node
	Values   int             // texts that it held
	Texts    map[string]bool // which; nil when there are too many, or too long ones, to tell items apart
}

// Child returns the child of that name, and makes it where there is none.
func (n *Node) Child(name string) *Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	c := &Node{Name: name, In: n, Texts: map[string]bool{}}
	n.Children = append(n.Children, c)
	return c
}

// See takes a text in.
func (n *Node) See(text string) {
	n.Values++
	if n.Texts != nil && len(n.Texts) < maxTexts && len(text) <= maxTextLen {
		n.Texts[text] = true
	} else {
		n.Texts = nil
	}
}

// Without is the node without one of its children.
func (n *Node) Without(child *Node) *Node {
	out := *n
	out.Children = slices.DeleteFunc(slices.Clone(n.Children), func(c *Node) bool { return c == child })
	return &out
}

// Elements declares the structure below a node.
func (n *Node) Elements() []engine.Element {
	var out []engine.Element
	for _, c := range n.Children {
		out = append(out, engine.Element{Name: c.Name, Many: c.Many, Children: c.Elements()})
	}
	return out
}

// Discriminator is the child by which items of a list differ: the first of the names that holds a few short words and nothing else, with those
// words in order. Capitals do not count in the names.
func (n *Node) Discriminator(names ...string) (*Node, []string) {
	for _, name := range names {
		for _, c := range n.Children {
			if strings.EqualFold(c.Name, name) && len(c.Texts) > 0 && len(c.Children) == 0 && areWords(c.Texts) {
				return c, slices.Sorted(maps.Keys(c.Texts))
			}
		}
	}
	return nil, nil
}

// areWords refuses what would need escaping in a path's quotes.
func areWords(set map[string]bool) bool {
	for s := range set {
		if !strings.ContainsFunc(s, unicode.IsLetter) || strings.ContainsAny(s, `'"\`) {
			return false
		}
	}
	return true
}

// Fields declares one field after the other. Stop is the node of the records while what stands around them is declared, else nil.
type Fields struct {
	All   []engine.Field
	Stop  *Node
	taken map[string]bool
}

// Holds reports whether the records stand somewhere in a node.
func (f *Fields) Holds(n *Node) bool {
	return f.Stop != nil && (n == f.Stop || slices.ContainsFunc(n.Children, f.Holds))
}

// Add declares a field; words are what its name is made of.
func (f *Fields) Add(selector string, words []string) {
	if f.taken == nil {
		f.taken = map[string]bool{}
	}
	f.All = append(f.All, engine.Field{Name: chars.FieldName(strings.Join(words, "_"), f.taken), Select: selector, Type: engine.TypeString})
}
