package fhirpath

import (
	"slices"
	"strings"
)

func (k *compiler) binary(e *expr) compiled {
	a, b := k.compile(e.args[0]), k.compile(e.args[1])
	switch e.name {
	case "=", "!=":
		return k.equality(e, a, b)
	case "~", "!~":
		return k.equivalence(e, a, b)
	case "<", "<=", ">", ">=":
		return k.ordering(e, a, b)
	case "and", "or", "xor", "implies":
		return k.logic(e, a, b)
	case "in", "contains":
		return k.membership(e, a, b)
	case "|":
		return k.union(e, a, b)
	case "&":
		return k.concatenation(e, a, b)
	}
	return k.arithmetic(e, a, b)
}

// both evaluates two expressions and hands their items to f.
func both(a, b compiled, f func(c *context, x, y []item) verity) func(*context) verity {
	left, right := a.run(), b.run()
	return func(c *context) verity {
		x, y := left(c, c.get()), right(c, c.get())
		v := unknown
		if c.err == nil {
			c.note(x)
			c.note(y)
			v = f(c, x, y)
		}
		c.put(x)
		c.put(y)
		return v
	}
}

func negate(v verity) verity {
	switch v {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

func (k *compiler) equality(e *expr, a, b compiled) compiled {
	least := min(a.shape.min, b.shape.min, decided(a.shape), decided(b.shape))
	if s, t := a.shape, b.shape; !comparable(s, t, true) {
		k.warn(e.fault(Mistyped, "these are never equal: "+s.describe()+" and "+t.describe()))
	}
	if different := k.units(e, e.args[0], e.args[1]); different {
		return broken()
	}
	if systems, known := a.shape.systems(); known && b.text != nil && len(systems) == 1 && systems[0] == sysString {
		return equalsText(e, a, *b.text)
	}
	negative := e.name == "!="
	return whether(least, both(a, b, func(c *context, x, y []item) verity {
		if v := c.equalCollections(x, y, e); negative {
			return negate(v)
		} else {
			return v
		}
	}))
}

// decided is 1 where equality always has an answer. Precision, zones and units can leave dates, times and quantities open.
func decided(s shape) int {
	systems, known := s.systems()
	for _, t := range systems {
		if known = known && !isMoment(t) && t != sysTime && t != sysQuantity; !known {
			break
		}
	}
	if known {
		return 1
	}
	return 0
}

// equalsText is the common case: texts of the document compared with a literal.
func equalsText(e *expr, a compiled, text string) compiled {
	src, negative := a.run(), e.name == "!="
	out := whether(a.shape.min, func(c *context) verity {
		x := src(c, c.get())
		defer c.put(x)
		c.note(x)
		if len(x) == 0 || c.err != nil {
			return unknown
		}
		return verityOf((len(x) == 1 && x[0].text == text && (x[0].node == nil || x[0].hasValue())) != negative)
	})
	if a.head == nil && len(a.walk) == 1 && a.walk[0].kind == segStep && !negative {
		out.equals = &memberText{a.walk[0].name, text}
	}
	return out
}

// units refuses two literals whose units only UCUM could compare.
func (k *compiler) units(e, x, y *expr) bool {
	if x.kind != nodeQuantity || y.kind != nodeQuantity {
		return false
	}
	if _, _, ok, open := sameUnit(quantity{whole(0), x.name}, quantity{whole(0), y.name}); ok || open {
		return false
	}
	f := e.fault(Unsupported, "quantities of different units are compared only between weeks, days and shorter: the rest needs UCUM's tables")
	f.Name = "UCUM conversion"
	k.fail(f, "")
	return true
}

// comparable reports whether items of the two shapes can be compared: for equality, or for order.
func comparable(s, t shape, equality bool) bool {
	x, known1 := s.systems()
	y, known2 := t.systems()
	if !known1 || !known2 || s.none || t.none {
		return true
	}
	for _, a := range x {
		for _, b := range y {
			switch {
			case a == "" || b == "":
				if a == b && equality {
					return true
				}
			case !equality && (a == sysBoolean || b == sysBoolean):
			case converts(a, b) || converts(b, a):
				return true
			}
		}
	}
	return false
}

func (k *compiler) equivalence(e *expr, a, b compiled) compiled {
	if s, t := a.shape, b.shape; !comparable(s, t, true) {
		k.warn(e.fault(Mistyped, "these are never equivalent: "+s.describe()+" and "+t.describe()))
	}
	if k.units(e, e.args[0], e.args[1]) {
		return broken()
	}
	negative := e.name == "!~"
	return whether(1, both(a, b, func(c *context, x, y []item) verity {
		return verityOf(c.equivalentCollections(x, y, e) != negative)
	}))
}

func (k *compiler) ordering(e *expr, a, b compiled) compiled {
	if s, t := a.shape, b.shape; !comparable(s, t, false) {
		k.fail(e.whole(Mistyped, "these have no order between them: "+s.describe()+" and "+t.describe()), "")
		return broken()
	}
	if k.units(e, e.args[0], e.args[1]) {
		return broken()
	}
	k.oneEach(e, a, b)
	test := map[string]func(int) bool{
		"<": func(o int) bool { return o < 0 }, "<=": func(o int) bool { return o <= 0 },
		">": func(o int) bool { return o > 0 }, ">=": func(o int) bool { return o >= 0 },
	}[e.name]
	return whether(0, both(a, b, func(c *context, x, y []item) verity {
		if len(x) == 0 || len(y) == 0 {
			return unknown
		}
		l, ok1 := c.single(x, e.args[0])
		r, ok2 := c.single(y, e.args[1])
		if !ok1 || !ok2 {
			return unknown
		}
		order, known := c.compareItems(l, r, e)
		if !known {
			return unknown
		}
		return verityOf(test(order))
	}))
}

// oneEach warns where an operator takes one item a side and more may be found.
func (k *compiler) oneEach(e *expr, sides ...compiled) {
	for i, s := range sides {
		if s.shape.many {
			k.warn(e.args[i].whole(NotSingle, "several items may be found here, and one is allowed: choose with first(), where() or [n]"))
		}
	}
}

func (k *compiler) logic(e *expr, a, b compiled) compiled {
	for i, s := range []compiled{a, b} {
		if systems, known := s.shape.systems(); known && !s.shape.none && !slices.Contains(systems, sysBoolean) {
			k.warn(e.args[i].whole(Mistyped, "this counts as true whenever it is there, because it is no Boolean but "+s.shape.describe()+": say exists()"))
		}
	}
	k.oneEach(e, a, b)
	x, y := a.truth(e.args[0]), b.truth(e.args[1])
	return whether(min(a.shape.min, b.shape.min), func(c *context) verity {
		left := x(c)
		switch { // what the left side decides needs no right side
		case c.err != nil:
			return unknown
		case e.name == "and" && left == no:
			return no
		case e.name == "or" && left == yes, e.name == "implies" && left == no:
			return yes
		}
		return logicTable(e.name, left, y(c))
	})
}

// logicTable is FHIRPath's three-valued logic (N1, "Boolean logic").
func logicTable(op string, a, b verity) verity {
	switch {
	case op == "and" && (a == no || b == no):
		return no
	case op == "or" && (a == yes || b == yes), op == "implies" && (a == no || b == yes):
		return yes
	case a == unknown || b == unknown:
		return unknown
	case op == "xor":
		return verityOf(a != b)
	case op == "or":
		return no
	case op == "implies":
		return no
	}
	return yes
}

// membership compiles "in" and "contains": the single item and the collection.
func (k *compiler) membership(e *expr, a, b compiled) compiled {
	one, all, at := a, b, e.args[0]
	if e.name == "contains" {
		one, all, at = b, a, e.args[1]
	}
	if !comparable(a.shape, b.shape, true) {
		k.warn(e.fault(Mistyped, "these are never equal: "+a.shape.describe()+" and "+b.shape.describe()))
	}
	return whether(one.shape.min, both(one, all, func(c *context, x, y []item) verity {
		it, ok := c.single(x, at)
		if !ok {
			return unknown
		}
		for i := range y {
			if !c.spend(1, e) {
				return unknown
			}
			if c.equalItems(it, &y[i], e) == yes {
				return yes
			}
		}
		return no
	}))
}

// union compiles "|" and union(): each item once.
func (k *compiler) union(e *expr, a, b compiled) compiled {
	s := merge(a.shape, b.shape)
	s.min, s.many = max(a.shape.min, b.shape.min), !a.shape.none && !b.shape.none || s.many
	left, right := a.run(), b.run()
	return made(s, func(c *context, out []item) []item {
		x := right(c, left(c, c.get()))
		seen := c.set(e)
		for i := range x {
			if seen.add(&x[i]) {
				out = append(out, x[i])
			}
		}
		c.put(x)
		return out
	})
}

// concatenation compiles "&": an empty side counts as no text.
func (k *compiler) concatenation(e *expr, a, b compiled) compiled {
	k.accepts(e.args[0], a.shape, []string{sysString}, "beside &")
	k.accepts(e.args[1], b.shape, []string{sysString}, "beside &")
	left, right := a.run(), b.run()
	return made(of(sysString, 1), func(c *context, out []item) []item {
		x, y := left(c, c.get()), right(c, c.get())
		var parts [2]string
		for i, side := range [][]item{x, y} {
			if it, ok := c.single(side, e.args[i]); ok {
				if it.system() != sysString && it.hasValue() {
					c.fail(e.args[i], Mistyped, "& joins texts: use toString()")
				}
				parts[i] = it.text
			}
		}
		if it, ok := c.text(e, strings.Join(parts[:], "")); ok {
			c.sources(&it, x, y)
			out = append(out, it)
		}
		c.put(x)
		c.put(y)
		return out
	})
}
