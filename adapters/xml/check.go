package xml

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// checker reads an XPath and holds its steps against the structure. What it lets through is a part of XPath 1.0: paths of children,
// attributes, descendants, self and parent; predicates with and, or, comparisons, positions and the functions below; unions of paths.
type checker struct {
	text         string
	pos          int
	root, record *declared
	err          *engine.CompileError
}

// functions that predicates may call, with how many arguments at least.
func functions() map[string]int {
	return map[string]int{"not": 1, "contains": 2, "starts-with": 2, "normalize-space": 0, "string-length": 0, "position": 0, "last": 0,
		"count": 1, "true": 0, "false": 0, "translate": 3, "substring": 2, "string": 0, "number": 0}
}

// check reports whether the path finds one value at most, and whether it begins at the root. The error is a *engine.CompileError.
func check(expr string, root, record *declared) (single, absolute bool, err error) {
	c := &checker{text: expr, root: root, record: record}
	single = true
	for {
		c.space()
		absolute = absolute || strings.HasPrefix(c.text[c.pos:], "/")
		start := c.pos
		found, one := c.path([]*declared{record})
		single = single && one
		for _, d := range found {
			if !d.isValue() {
				c.fail(start, c.pos-start, "the path finds an element that holds others: go on to a value in it", "")
			}
		}
		c.space()
		if c.err != nil || !c.take("|") {
			break
		}
		single = false
	}
	if c.pos < len(c.text) {
		c.fail(c.pos, 1, "the path ends here", "")
	}
	if c.err != nil {
		return false, false, c.err
	}
	return single, absolute, nil
}

// fail keeps the first fault; after it the checker reads nothing more.
func (c *checker) fail(offset, length int, text, suggest string) {
	if c.err == nil {
		offset = min(offset, len(c.text))
		c.err = &engine.CompileError{Offset: offset, Length: max(min(length, len(c.text)-offset), 1), Text: text, Suggest: suggest}
	}
}

func (c *checker) space() {
	for c.pos < len(c.text) && strings.IndexByte(" \t\n", c.text[c.pos]) >= 0 {
		c.pos++
	}
}

func (c *checker) take(s string) bool {
	if c.err != nil || !strings.HasPrefix(c.text[c.pos:], s) {
		return false
	}
	c.pos += len(s)
	return true
}

// word reads a name, with its prefix and an @ before it where one stands.
func (c *checker) word() string {
	start := c.pos
	c.take("@")
	for first := true; c.pos < len(c.text); first = false {
		if b := c.text[c.pos]; !isNameByte(b, first) && (b != ':' || first || strings.HasPrefix(c.text[c.pos:], "::")) {
			break
		}
		c.pos++
	}
	return c.text[start:c.pos]
}

// path reads a location path that starts from the given elements, or from the root, and then never goes through the record.
func (c *checker) path(from []*declared) (found []*declared, single bool) {
	single = true
	outside := false
	switch {
	case strings.HasPrefix(c.text[c.pos:], "//"):
		c.fail(c.pos, 2, "write the path from the record (.//) or from the root in full: // would read all records for each of them", "")
	case c.take("/"):
		from, outside = []*declared{c.root}, true
	}
	for c.err == nil {
		at := c.pos
		var one bool
		from, one = c.step(from)
		single = single && one
		if outside && c.err == nil && slices.Contains(from, c.record) {
			c.fail(at, c.pos-at, "a path from the root reads what stands outside the records: from the record on, write it without the root", "")
		}
		if c.take("//") {
			from, single = below(from), false
		} else if !c.take("/") {
			return from, single
		}
	}
	return from, false
}

func below(from []*declared) []*declared {
	var out []*declared
	for _, d := range from {
		out = append(out, d.below()...)
	}
	return out
}

// step reads one step with its predicates.
func (c *checker) step(from []*declared) (found []*declared, single bool) {
	start := c.pos
	single = true
	switch {
	case c.take(".."):
		for _, d := range from {
			if d == c.record || d.in == nil {
				c.fail(start, 2, "this leaves the record: what stands outside it is read from the root", "")
				return nil, false
			}
			found = append(found, d.in)
		}
	case c.take("."):
		found = from
	case c.take("text()"):
		found = from
	case c.take("@*"), c.take("*"):
		found, single = c.any(from, c.text[start] == '@'), false
	default:
		found, single = c.named(from, start)
	}
	for c.err == nil && c.take("[") {
		c.space()
		at := c.pos
		c.expression(found)
		if n := strings.TrimSpace(c.text[at:c.pos]); n != "" && strings.Trim(n, "0123456789") == "" {
			single = true
		}
		if !c.take("]") {
			c.fail(c.pos, 1, "here belongs ]", "")
		}
	}
	return found, single
}

func (c *checker) any(from []*declared, attributes bool) []*declared {
	var out []*declared
	for _, d := range from {
		for _, child := range d.children {
			if strings.HasPrefix(child.name, "@") == attributes {
				out = append(out, child)
			}
		}
	}
	if len(out) == 0 {
		c.fail(c.pos-1, 1, "the structure declares nothing here", "")
	}
	return out
}

func (c *checker) named(from []*declared, start int) (found []*declared, single bool) {
	name := c.word()
	if strings.HasPrefix(c.text[c.pos:], "::") {
		c.fail(start, c.pos+2-start, "axes are written short here: a name, @name, . or ..", "")
		return nil, false
	}
	if name == "" || name == "@" {
		c.fail(start, 1, "here belongs a name", "")
		return nil, false
	}
	single = true
	for _, d := range from {
		for _, child := range d.children {
			if child.name == name {
				found = append(found, child)
				single = single && !child.many && len(found) == 1
			}
		}
	}
	if len(found) == 0 {
		what := "element"
		if strings.HasPrefix(name, "@") {
			what = "attribute"
		}
		if c.err == nil {
			c.err = refuseName(name, fmt.Sprintf("no %s %q is declared here", what, strings.TrimPrefix(name, "@")), start, from...)
		}
	}
	return found, single
}

// expression reads a predicate: comparisons joined by and, or.
func (c *checker) expression(from []*declared) {
	for c.err == nil {
		c.operand(from)
		c.space()
		for _, operator := range []string{"!=", "<=", ">=", "=", "<", ">"} {
			if c.take(operator) {
				c.space()
				c.operand(from)
				break
			}
		}
		c.space()
		if !c.take("and ") && !c.take("or ") {
			return
		}
		c.space()
	}
}

// operand reads a text, a number, a call, an expression in brackets or a path.
func (c *checker) operand(from []*declared) {
	if c.err != nil || c.pos >= len(c.text) {
		c.fail(c.pos, 1, "the expression is cut short", "")
		return
	}
	switch b := c.text[c.pos]; {
	case b == '\'' || b == '"':
		n := strings.IndexByte(c.text[c.pos+1:], b)
		if n < 0 {
			c.fail(c.pos, 1, "the quote is not closed", "")
			return
		}
		c.pos += n + 2
	case b >= '0' && b <= '9':
		for c.pos < len(c.text) && (c.text[c.pos] >= '0' && c.text[c.pos] <= '9' || c.text[c.pos] == '.') {
			c.pos++
		}
	case b == '(':
		c.pos++
		c.expression(from)
		c.closes()
	default:
		c.callOrPath(from)
	}
}

func (c *checker) closes() {
	c.space()
	if !c.take(")") {
		c.fail(c.pos, 1, "here belongs )", "")
	}
}

func (c *checker) callOrPath(from []*declared) {
	start := c.pos
	name := c.word()
	if name == "" || name == "text" || !strings.HasPrefix(c.text[c.pos:], "(") {
		c.pos = start
		c.path(from)
		return
	}
	least, ok := functions()[name]
	if !ok {
		c.fail(start, len(name), fmt.Sprintf("the function %q is not read here", name), chars.Nearest(name, slices.Sorted(maps.Keys(functions()))))
		return
	}
	c.pos++
	c.space()
	count := 0
	for c.err == nil && !strings.HasPrefix(c.text[c.pos:], ")") {
		c.expression(from)
		c.space()
		count++
		if !c.take(",") {
			break
		}
		c.space()
	}
	c.closes()
	if count < least {
		c.fail(start, len(name), fmt.Sprintf("the function %s takes at least %d values", name, least), "")
	}
}
