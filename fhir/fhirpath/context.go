package fhirpath

import (
	"slices"
	"time"

	"signalbox/fhir"
)

// Bounds of one evaluation.
const (
	maxText    = 1 << 20 // bytes of a text that an expression makes
	maxSources = 64      // nodes that one made value is traced back to
)

// fn is a compiled expression: it appends what it makes of the context's $this to out.
type fn func(c *context, out []item) []item

// context is the state of one evaluation.
type context struct {
	root item
	focus
	total []item
	now   time.Time
	steps int
	quiet int // over 0: nobody asks where values come from
	err   *Error
	free  [][]item
	trail []*fhir.Node
}

// get lends an empty buffer; put takes it back.
func (c *context) get() []item {
	if n := len(c.free); n > 0 {
		b := c.free[n-1]
		c.free = c.free[:n-1]
		return b[:0]
	}
	return make([]item, 0, 8)
}

func (c *context) put(b []item) { c.free = append(c.free, b) }

// spend counts steps and reports whether the evaluation may go on.
func (c *context) spend(n int, at *expr) bool {
	c.steps -= n
	if c.steps >= 0 {
		return c.err == nil
	}
	c.fail(at, Cost, "the expression takes more steps than it may on this document")
	return false
}

// fail records the first fault, and where in the document the expression was.
func (c *context) fail(at *expr, kind Kind, text string) {
	if c.err == nil {
		c.err = at.whole(kind, text)
		c.err.At = c.this.place()
	}
}

// note keeps the nodes that items came from, for what is made of them.
func (c *context) note(items []item) {
	if c.quiet > 0 {
		return
	}
	for i := range items {
		if n := items[i].node; n != nil && len(c.trail) < 4*maxSources {
			c.trail = append(c.trail, n)
		}
		for _, n := range items[i].from {
			if len(c.trail) < 4*maxSources {
				c.trail = append(c.trail, n)
			}
		}
	}
}

// cut takes what was noted since start, each node once.
func (c *context) cut(start int) []*fhir.Node {
	noted := c.trail[start:]
	c.trail = c.trail[:start]
	var out []*fhir.Node
	for _, n := range noted {
		if len(out) < maxSources && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// sources says which nodes a made value came from.
func (c *context) sources(made *item, operands ...[]item) {
	if c.quiet > 0 {
		return
	}
	start := len(c.trail)
	for _, items := range operands {
		c.note(items)
	}
	made.from = c.cut(start)
}

// text makes a text item within bounds.
func (c *context) text(at *expr, s string) (item, bool) {
	if len(s) > maxText {
		c.fail(at, Cost, "the expression makes a text of over 1 MiB")
		return item{}, false
	}
	return stringItem(s), c.spend(len(s)/64, at)
}

// single returns the one item of a collection. More than one is an error of FHIRPath (N1, "Singleton Evaluation of Collections").
func (c *context) single(items []item, at *expr) (*item, bool) {
	if len(items) == 1 {
		return &items[0], true
	}
	if len(items) > 1 {
		failed := c.err != nil
		c.fail(at, NotSingle, "several items stand here where FHIRPath allows one: choose with first(), where() or [n]")
		if n := items[1].place(); n != nil && !failed {
			c.err.At = n
		}
	}
	return nil, false
}

// verity is three-valued logic: an empty collection is neither true nor false.
type verity uint8

const (
	unknown verity = iota
	no
	yes
)

// truth evaluates a collection as one boolean: a single item that is no boolean counts as true.
func (c *context) truth(items []item, at *expr) verity {
	it, ok := c.single(items, at)
	switch {
	case !ok:
		return unknown
	case it.system() == sysBoolean && !it.isTrue():
		return no
	}
	return yes
}

// focus is what $this and $index stand for. A function that goes through a collection saves it, sets it for each item and restores it.
type focus struct {
	this    item
	hasThis bool
	index   int
}

// release forgets the document, so that a pooled context keeps none alive.
func (c *context) release() {
	c.free = slices.DeleteFunc(c.free, func(b []item) bool { return cap(b) > 64 })
	for _, b := range c.free {
		clear(b[:cap(b)])
	}
	c.root, c.focus, c.total, c.err = item{}, focus{}, nil, nil
	clear(c.trail[:cap(c.trail)])
	c.trail, c.quiet = c.trail[:0], 0
}
