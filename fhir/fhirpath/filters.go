package fhirpath

import (
	"maps"
	"slices"
)

// filters are the functions that go through a collection with an expression.
func filters() map[string]function {
	return map[string]function{
		"where":     {1, 1, (*compiler).where},
		"select":    {1, 1, (*compiler).selecting},
		"all":       {1, 1, (*compiler).all},
		"exists":    {0, 1, (*compiler).exists},
		"repeat":    {1, 1, (*compiler).repeat},
		"aggregate": {1, 2, (*compiler).aggregate},
		"iif":       {2, 3, (*compiler).iif},
		"ofType":    {1, 1, func(k *compiler, e *expr, on compiled) compiled { return k.typeCall(e, on) }},
		"as":        {1, 1, func(k *compiler, e *expr, on compiled) compiled { return k.typeCall(e, on) }},
		"is":        {1, 1, func(k *compiler, e *expr, on compiled) compiled { return k.typeCall(e, on) }},
	}
}

// typeCall compiles ofType(), as() and is(), whose argument is the name of a type.
func (k *compiler) typeCall(e *expr, on compiled) compiled {
	name, ok := typeArgument(e.args[0])
	if !ok {
		k.fail(e.args[0].whole(Syntax, e.name+"() takes the name of a type"), "")
		return broken()
	}
	named := *e
	named.tok = e.args[0].tok
	if e.args[0].recv != nil {
		named.tok.offset, named.tok.length = e.args[0].start, e.args[0].end-e.args[0].start
	}
	switch e.name {
	case "is":
		return k.is(&named, on, name)
	case "as":
		return k.as(&named, on, name)
	}
	if out, ok := k.keep(&named, on, name); ok {
		return out
	}
	return broken()
}

// typeArgument reads Patient, FHIR.Patient or System.String from an argument.
func typeArgument(e *expr) (string, bool) {
	if e.kind != nodeName {
		return "", false
	}
	if e.recv == nil {
		return e.name, true
	}
	space, ok := typeArgument(e.recv)
	return space + "." + e.name, ok
}

func (k *compiler) where(e *expr, on compiled) compiled {
	cond, body, usesIndex := k.condition(e.args[0], on.shape.each())
	s := on.shape.optional()
	if !usesIndex {
		return on.then(s, seg{kind: segWhere, at: e, cond: cond, equals: body.equals})
	}
	return collection(s, on, func(c *context, in, out []item) []item {
		each(c, e, in, func(i int) bool {
			c.quiet++
			v := cond(c)
			c.quiet--
			if v == yes {
				out = append(out, in[i])
			}
			return true
		})
		return out
	})
}

// each sets $this and $index for every item in turn. It stops when f says so or the evaluation has failed.
func each(c *context, e *expr, in []item, f func(i int) bool) {
	old := c.focus
	for i := range in {
		if !c.spend(1, e) {
			break
		}
		c.focus = focus{this: in[i], hasThis: true, index: i}
		if !f(i) {
			break
		}
	}
	c.focus = old
}

func (k *compiler) selecting(e *expr, on compiled) compiled {
	body, _ := k.perItem(e.args[0], on.shape.each())
	s := body.shape
	s.min, s.many = min(s.min, on.shape.min), s.many || on.shape.many
	s.unordered = s.unordered || on.shape.unordered
	f := body.run()
	return collection(s, on, func(c *context, in, out []item) []item {
		each(c, e, in, func(int) bool {
			out = f(c, out)
			return true
		})
		return out
	})
}

func (k *compiler) all(e *expr, on compiled) compiled {
	cond, _, _ := k.condition(e.args[0], on.shape.each())
	return question(1, on, func(c *context, in []item) verity {
		v := yes
		each(c, e, in, func(int) bool {
			if cond(c) != yes {
				v = no
			}
			return v == yes
		})
		return v
	})
}

func (k *compiler) exists(e *expr, on compiled) compiled {
	if len(e.args) == 0 {
		return question(1, on, func(_ *context, in []item) verity { return verityOf(len(in) > 0) })
	}
	cond, _, _ := k.condition(e.args[0], on.shape.each())
	src := on.run()
	return whether(1, func(c *context) verity {
		in := src(c, c.get())
		v := no
		each(c, e, in, func(i int) bool {
			c.quiet++
			found := cond(c) == yes
			if c.quiet--; found {
				v = yes
				c.note(in[i : i+1])
			}
			return !found
		})
		c.put(in)
		return v
	})
}

// repeat goes on with what it finds until nothing new is found.
func (k *compiler) repeat(e *expr, on compiled) compiled {
	body, _ := k.perItem(e.args[0], on.shape.each())
	s := body.shape
	for range maxRounds { // what is found is the input of the next round, so the body must know its types too
		again := k.aside(merge(on.shape, s).each())
		wide := again.compile(e.args[0])
		if len(again.errors) > 0 {
			break
		}
		body = wide
		if s.alts == nil || len(merge(s, wide.shape).types()) == len(s.types()) {
			break
		}
		s = merge(s, wide.shape)
	}
	if s.alts != nil {
		s.alts = k.shortest(s.alts)
	}
	s.min, s.many, s.unordered = 0, true, s.unordered || on.shape.unordered
	f := body.run()
	return collection(s, on, func(c *context, in, out []item) []item {
		seen := c.set(e)
		work := append(c.get(), in...)
		for len(work) > 0 && c.err == nil {
			next := c.get()
			each(c, e, work, func(int) bool {
				next = f(c, next)
				return true
			})
			fresh := next[:0]
			for i := range next {
				if c.err == nil && seen.addNode(&next[i]) {
					fresh = append(fresh, next[i])
				}
			}
			out = append(out, fresh...)
			c.put(work)
			work = fresh
		}
		c.put(work)
		return out
	})
}

// maxRounds bounds how often the types of repeat() are extended.
const maxRounds = 8

// aside is a compiler for trying: what it finds wrong is not reported.
func (k *compiler) aside(this shape) *compiler {
	return &compiler{library: k.library, root: k.root, this: this, lambda: true, clock: k.clock, total: k.total, folding: k.folding}
}

// shortest keeps one place for each type: an element that repeats within itself has no end of places.
func (k *compiler) shortest(alts []alt) []alt {
	best := map[string]alt{}
	for _, a := range alts {
		if b, ok := best[a.typ]; !ok || len(a.at) < len(b.at) {
			best[a.typ] = a
		}
	}
	return compactAlts(slices.Collect(maps.Values(best)))
}

// addNode is add, where two nodes are one only when they are the same: two equal items of a document are two.
func (s *set) addNode(it *item) bool {
	if it.node == nil {
		return s.add(it)
	}
	if s.nodes[it.node] {
		return false
	}
	if s.nodes == nil {
		s.nodes = map[nodeKey]bool{}
	}
	s.nodes[it.node] = true
	return s.c.spend(1, s.at)
}

func (k *compiler) aggregate(e *expr, on compiled) compiled {
	start := made(shape{none: true}, func(_ *context, out []item) []item { return out })
	total := shape{many: true}
	if len(e.args) == 2 {
		start = k.compile(e.args[1])
	}
	oldTotal, oldFolding := k.total, k.folding
	k.total, k.folding = total, true
	body, _ := k.perItem(e.args[0], on.shape.each())
	k.total, k.folding = oldTotal, oldFolding
	s := body.shape
	s.min = 0
	f, first := body.run(), start.run()
	return collection(s, on, func(c *context, in, out []item) []item {
		old := c.total
		c.total = first(c, nil)
		each(c, e, in, func(int) bool {
			next := f(c, c.get())
			c.total = append([]item(nil), next...)
			c.put(next)
			return c.spend(4*len(c.total), e)
		})
		out = append(out, c.total...)
		c.total = old
		return out
	})
}

// iif evaluates only the branch that is taken. Its input, where it has one, must be one item and is $this within.
func (k *compiler) iif(e *expr, on compiled) compiled {
	this := k.this
	if e.recv != nil {
		this = on.shape.each()
		if on.shape.none {
			this = shape{}
		}
	}
	old := k.this
	k.this = this
	cond := k.compile(e.args[0])
	k.mustBeSingle(e.args[0], cond.shape)
	k.mustBeBoolean(e.args[0], cond.shape)
	yesBranch := k.compile(e.args[1])
	noBranch := made(shape{none: true}, func(_ *context, out []item) []item { return out })
	if len(e.args) == 3 {
		noBranch = k.compile(e.args[2])
	}
	k.this = old
	test, then, otherwise := strict(cond, e.args[0]), yesBranch.run(), noBranch.run()
	branch := func(c *context, out []item) []item {
		c.quiet++
		v := test(c)
		c.quiet--
		switch {
		case c.err != nil:
			return out
		case v == yes:
			return then(c, out)
		}
		return otherwise(c, out)
	}
	s := merge(yesBranch.shape, noBranch.shape)
	if e.recv == nil {
		return made(s, branch)
	}
	return collection(s, on, func(c *context, in, out []item) []item {
		if len(in) > 1 {
			c.single(in, e.recv)
			return out
		}
		old := c.focus
		c.focus = focus{}
		if len(in) == 1 {
			c.focus = focus{this: in[0], hasThis: true}
		}
		out = branch(c, out)
		c.focus = old
		return out
	})
}

// mustBeSingle refuses a condition of which it is certain that it has several items.
func (k *compiler) mustBeSingle(e *expr, s shape) {
	if s.many && s.min > 0 && e.kind == nodeBinary && e.name == "|" {
		k.fail(e.whole(NotSingle, "a condition is one Boolean, not several items"), "")
	}
}
