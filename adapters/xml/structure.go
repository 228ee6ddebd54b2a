package xml

import (
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// declared is one element or attribute of the source's structure.
type declared struct {
	name     string // as written, "@" before an attribute's
	many     bool
	in       *declared
	children []*declared

	line, column int // where it is declared
}

func declare(structure []engine.Element) *declared {
	root := &declared{}
	root.add(structure)
	return root
}

func (d *declared) add(elements []engine.Element) {
	for _, e := range elements {
		child := &declared{name: e.Name, many: e.Many, in: d, line: e.Line, column: e.Column}
		child.add(e.Children)
		d.children = append(d.children, child)
	}
}

// child finds a name among the children.
func (d *declared) child(name string) *declared {
	for _, c := range d.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// refuseName says that a name is declared in none of the elements, with the nearest that is.
func refuseName(name, text string, offset int, in ...*declared) *engine.CompileError {
	err := &engine.CompileError{Offset: offset, Length: len(name), Text: text}
	var known []string
	for _, d := range in {
		for _, c := range d.children {
			known = append(known, c.name)
		}
	}
	err.Suggest = chars.Nearest(name, known)
	for _, d := range in {
		if c := d.child(err.Suggest); c != nil {
			err.Line, err.Column = c.line, c.column
		}
	}
	return err
}

// below lists the element and everything in it.
func (d *declared) below() []*declared {
	out := []*declared{d}
	for _, c := range d.children {
		out = append(out, c.below()...)
	}
	return out
}

// isValue reports whether the element's text is one value: no elements are declared in it.
func (d *declared) isValue() bool {
	for _, c := range d.children {
		if !strings.HasPrefix(c.name, "@") {
			return false
		}
	}
	return d.name != ""
}

func isNameByte(c byte, first bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 || !first && (c >= '0' && c <= '9' || c == '-' || c == '.')
}

// isName reports whether s is a name, perhaps with a prefix.
func isName(s string) bool {
	prefix, local, both := strings.Cut(s, ":")
	if both && !isName(local) || prefix == "" {
		return false
	}
	for i := range len(prefix) {
		if !isNameByte(prefix[i], i == 0) {
			return false
		}
	}
	return true
}
