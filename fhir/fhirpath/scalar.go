package fhirpath

import (
	"slices"
	"strings"
)

// scalar is a function of one item and of arguments that are one item each. Any of them empty gives nothing.
type scalar struct {
	name     string
	in       []string // System types that the input converts to; none: any
	args     []string // System type of each argument
	optional int      // how many of the last arguments may be left out
	out      string   // System type of the outcome; empty: the type of the input
	total    bool     // there is an outcome whenever the input and the arguments are there
	many     bool     // may make several items
	do       func(c *context, e *expr, it *item, args []*item, out []item) []item
}

// one makes the body of a scalar that makes at most one item.
func one(f func(c *context, e *expr, it *item, args []*item) (item, bool)) func(*context, *expr, *item, []*item, []item) []item {
	return func(c *context, e *expr, it *item, args []*item, out []item) []item {
		if v, ok := f(c, e, it, args); ok {
			out = append(out, v)
		}
		return out
	}
}

func (s scalar) compile(k *compiler, e *expr, on compiled) compiled {
	at := e
	if e.recv != nil {
		at = e.recv
	}
	before := len(k.errors)
	k.accepts(at, on.shape, s.in, "before "+e.name+"()")
	result := shape{many: s.many}
	if s.out != "" {
		result.alts = []alt{{typ: s.out}}
	} else if systems, known := on.shape.systems(); known {
		for _, t := range systems {
			result.alts = append(result.alts, alt{typ: t})
		}
	}
	if s.total {
		result.min = on.shape.min
	}
	var args []fn
	for i, a := range e.args {
		arg := k.argument(a, s.args[i])
		if arg.shape.min == 0 {
			result.min = 0
		}
		args = append(args, arg.run())
	}
	if len(k.errors) > before {
		return broken()
	}
	src := on.run()
	return made(result, func(c *context, out []item) []item {
		in := src(c, c.get())
		if it, ok := c.single(in, at); ok && s.suits(c, at, it) {
			out = s.apply(c, e, in, args, out)
		}
		c.put(in)
		return out
	})
}

// suits checks the type of what really stands there. A primitive without a value is as good as nothing.
func (s scalar) suits(c *context, at *expr, it *item) bool {
	system := it.system()
	if system == "" && systemType(it.typ) != "" {
		return false
	}
	if len(s.in) == 0 || slices.ContainsFunc(s.in, func(w string) bool { return converts(system, w) }) {
		return true
	}
	c.fail(at, Mistyped, "the value that stands before "+s.name+"() is of another type than it takes")
	return false
}

func (s scalar) apply(c *context, e *expr, in []item, args []fn, out []item) []item {
	var values [3]*item
	found := make([][]item, 0, 3)
	complete := true
	for i, f := range args {
		v := f(c, c.get())
		found = append(found, v)
		it, ok := c.single(v, e.args[i])
		if ok && !converts(it.system(), s.args[i]) {
			ok = false
			if it.hasValue() || it.node == nil {
				c.fail(e.args[i], Mistyped, article(strings.TrimPrefix(s.args[i], "System."))+" stands here, and this is none")
			}
		}
		values[i], complete = it, complete && ok
	}
	if complete && c.spend(1+len(in[0].text)/16, e) {
		from := len(out)
		out = s.do(c, e, &in[0], values[:len(args)], out)
		start := len(c.trail)
		c.note(in)
		for _, v := range found {
			c.note(v)
		}
		sources := c.cut(start)
		for i := from; i < len(out); i++ {
			out[i].from = sources
		}
	}
	for _, v := range found {
		c.put(v)
	}
	return out
}
