package cpis

import (
	"strconv"
	"strings"
)

// frame is one element on the way down, kept to spell a path when a fault needs one.
type frame struct {
	up *frame
	e  *Element
	i  int // position among the children of up; for a record, which has none, minus its position in the file

	depth int // of the checker's walk
}

func (f *frame) path() string {
	name := f.e.Name
	if f.e.node == nil {
		name = safeName(name)
	}
	if f.up == nil {
		if f.i < 0 {
			name += "[" + strconv.Itoa(-f.i) + "]"
		}
		return name
	}
	if index := indexAmong(f.up.e.Children, f.i); index > 0 {
		name += "[" + strconv.Itoa(index) + "]"
	}
	return f.up.path() + "/" + name
}

// checker collects what a tree breaks of the model.
type checker struct {
	base   string // path of the tree's parent, with a final slash
	level  Level
	max    int
	faults []*Fault
	frames []*frame // spare frames, one for each level, used again for every sibling
}

// below gives the frame of a child of at, valid until the next child of at.
func (c *checker) below(at *frame, child *Element, i int) *frame {
	for len(c.frames) <= at.depth {
		c.frames = append(c.frames, new(frame))
	}
	f := c.frames[at.depth]
	*f = frame{up: at, e: child, i: i, depth: at.depth + 1}
	return f
}

func (c *checker) add(at *frame, suffix, rule, text string) {
	if len(c.faults) >= c.max {
		return
	}
	e := at.e
	c.faults = append(c.faults, newFault(c.level, rule, c.base+at.path()+suffix, text, e.Line, e.Column, e.Start))
}

func (c *checker) addAttr(at *frame, a *Attr, rule, text string) {
	if len(c.faults) >= c.max {
		return
	}
	path := c.base + at.path() + "/@" + safeName(a.Name)
	c.faults = append(c.faults, newFault(c.level, rule, path, text, a.Line, a.Column, a.Start))
}

func newFault(level Level, rule, path, text string, line, column int, offset int64) *Fault {
	code := string(FileError)
	if level == RecordLevel {
		code = string(RecordUnsuccessful)
	}
	return &Fault{Rule: rule, Level: level, Path: path, Line: line, Column: column, Offset: offset, Text: text, Code: code}
}

// element checks one element that has a place in the model, and what is in it.
func (c *checker) element(at *frame) {
	isNil := c.attributes(at)
	e := at.e
	if isNil {
		if e.chars || len(e.Children) > 0 {
			c.add(at, "", RuleNil, "an element with xsi:nil has content")
		}
		return
	}
	switch {
	case e.node.kind == contentEmpty && e.chars:
		c.add(at, "", RuleText, "the element must be empty, without even white space")
	case e.node.kind == contentElements && e.Text != "":
		c.add(at, "", RuleText, "text stands where only elements may")
	}
	c.children(at)
}

// attributes checks them and says whether the element is nil.
func (c *checker) attributes(at *frame) (isNil bool) {
	n, e := at.e.node, at.e
	found := 0
	for i := range e.Attrs {
		a := &e.Attrs[i]
		if strings.HasPrefix(a.Name, "xsi:") {
			isNil = c.instance(at, a) || isNil
			continue
		}
		rule := n.attr(a.Name)
		switch {
		case rule == nil:
			c.addAttr(at, a, RuleAttribute, "the attribute is not allowed here")
		case !rule.accepts(a.Value):
			c.addAttr(at, a, RuleValue, rule.kind.says())
		}
		if rule != nil && rule.required {
			found++
		}
	}
	c.required(at, found)
	return isNil
}

// instance checks an attribute of the schema-instance namespace.
func (c *checker) instance(at *frame, a *Attr) (isNil bool) {
	switch a.Name {
	case "xsi:schemaLocation", "xsi:noNamespaceSchemaLocation":
		return false
	case "xsi:nil":
		v := trim(a.Value)
		switch {
		case !at.e.node.nillable:
			c.addAttr(at, a, RuleNil, "the element may not be nil")
		case v == "true" || v == "1":
			return true
		case v != "false" && v != "0":
			c.addAttr(at, a, RuleNil, "xsi:nil is neither true nor false")
		}
		return false
	}
	c.addAttr(at, a, RuleAttribute, "the attribute is not allowed here")
	return false
}

// required reports the mandatory attributes that are absent; found is how many
// are there.
func (c *checker) required(at *frame, found int) {
	for i := range at.e.node.attrs {
		if at.e.node.attrs[i].required {
			found--
		}
	}
	if found == 0 {
		return
	}
	for i := range at.e.node.attrs {
		r := &at.e.node.attrs[i]
		if _, ok := at.e.Attr(r.name); r.required && !ok {
			c.add(at, "/@"+r.name, RuleAttributeMissing, "the attribute is missing")
		}
	}
}

func (n *node) attr(name string) *attrRule {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			return &n.attrs[i]
		}
	}
	return nil
}

// children checks the sequence of child elements, then each child.
func (c *checker) children(at *frame) {
	n, e := at.e.node, at.e
	current, count := 0, 0
	for i, child := range e.Children {
		down := c.below(at, child, i)
		if child.node == nil {
			c.unknown(down, n)
			continue
		}
		slot := n.slotOf(child.node)
		switch {
		case slot < current:
			c.add(down, "", RuleOrder, "the element stands later than the message allows")
		case slot == current:
			count++
		default:
			c.missing(at, current, slot, count)
			current, count = slot, 1
		}
		if slot == current && count > n.slots[slot].max {
			c.add(down, "", RuleTooMany, "the element occurs more often than the message allows")
		}
		c.element(down)
	}
	c.missing(at, current, len(n.slots), count)
}

// missing reports the slots from current up to next that are not filled; count
// is how often the current one was.
func (c *checker) missing(at *frame, current, next, count int) {
	for i := current; i < next; i++ {
		s := &at.e.node.slots[i]
		if count < s.min && !c.outOfOrder(at.e, s) {
			c.add(at, "/"+s.names(), RuleMissing, "a mandatory element is missing")
		}
		count = 0
	}
}

// outOfOrder says that the slot is filled after all, in the wrong place: that
// is reported as such, not as missing.
func (c *checker) outOfOrder(e *Element, s *slot) bool {
	for _, child := range e.Children {
		for _, n := range s.nodes {
			if child.node == n {
				return true
			}
		}
	}
	return false
}

func (c *checker) unknown(at *frame, parent *node) {
	for i := range parent.slots {
		for _, n := range parent.slots[i].nodes {
			if n.name == at.e.Name {
				c.add(at, "", RuleNamespace, "the element is in the wrong namespace")
				return
			}
		}
	}
	text := "the element has no place here"
	if near := nearest(at.e.Name, parent.childNames()); near != "" {
		text += "; the nearest name that has is " + near
	}
	c.add(at, "", RuleElement, text)
}

func (n *node) slotOf(child *node) int {
	for i := range n.slots {
		for _, c := range n.slots[i].nodes {
			if c == child {
				return i
			}
		}
	}
	return -1
}

func (s *slot) names() string {
	names := make([]string, len(s.nodes))
	for i, n := range s.nodes {
		names[i] = n.name
	}
	return strings.Join(names, "|")
}

func (n *node) childNames() []string {
	var names []string
	for i := range n.slots {
		for _, c := range n.slots[i].nodes {
			names = append(names, c.name)
		}
	}
	return names
}

// indexAmong is the position of kids[i] among siblings of its name, from 1, or
// 0 if it is the only one.
func indexAmong(kids []*Element, i int) int {
	before, after := 0, 0
	for j, k := range kids {
		if k.Name != kids[i].Name {
			continue
		}
		if j < i {
			before++
		} else if j > i {
			after++
		}
	}
	if before+after == 0 {
		return 0
	}
	return before + 1
}
