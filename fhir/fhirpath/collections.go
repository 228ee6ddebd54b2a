package fhirpath

// collections are the functions that count, choose or compare by place.
func collections() map[string]function {
	cut := func(from func(n, length int) (int, int)) func(*compiler, *expr, compiled) compiled {
		return func(k *compiler, e *expr, on compiled) compiled { return k.cut(e, on, from) }
	}
	return map[string]function{
		"empty": {0, 0, func(_ *compiler, _ *expr, on compiled) compiled {
			return question(1, on, func(_ *context, in []item) verity { return verityOf(len(in) == 0) })
		}},
		"not": {0, 0, (*compiler).not},
		"count": {0, 0, func(_ *compiler, _ *expr, on compiled) compiled {
			return collection(of(sysInteger, 1), on, func(c *context, in, out []item) []item {
				it := integerItem(len(in))
				c.sources(&it, in)
				return append(out, it)
			})
		}},
		"first":    {0, 0, cut(func(_, length int) (int, int) { return 0, min(1, length) })},
		"last":     {0, 0, cut(func(_, length int) (int, int) { return max(0, length-1), length })},
		"tail":     {0, 0, cut(func(_, length int) (int, int) { return min(1, length), length })},
		"skip":     {1, 1, cut(func(n, length int) (int, int) { return min(max(n, 0), length), length })},
		"take":     {1, 1, cut(func(n, length int) (int, int) { return 0, min(max(n, 0), length) })},
		"single":   {0, 0, (*compiler).oneOnly},
		"allTrue":  {0, 0, booleans(func(yesses, noes int) bool { return noes == 0 })},
		"anyTrue":  {0, 0, booleans(func(yesses, noes int) bool { return yesses > 0 })},
		"allFalse": {0, 0, booleans(func(yesses, noes int) bool { return yesses == 0 })},
		"anyFalse": {0, 0, booleans(func(yesses, noes int) bool { return noes > 0 })},
	}
}

// cut compiles the functions that keep a run of the items; from says which, given the argument and the length.
func (k *compiler) cut(e *expr, on compiled, from func(n, length int) (int, int)) compiled {
	k.ordered(e, on.shape, e.name+"()")
	s := on.shape
	single := e.name == "first" || e.name == "last"
	if single {
		s.many = false
	} else {
		s.min = 0
	}
	if len(e.args) == 0 {
		return collection(s, on, func(_ *context, in, out []item) []item {
			low, high := from(0, len(in))
			return append(out, in[low:high]...)
		})
	}
	if a := e.args[0]; a.kind == nodeLiteral && a.text == "1" && e.name == "take" {
		s.many = false
	}
	number := k.argument(e.args[0], sysInteger).run()
	return collection(s, on, func(c *context, in, out []item) []item {
		n := number(c, c.get())
		if it, ok := c.single(n, e.args[0]); ok {
			if v, ok := it.integer(); ok {
				low, high := from(v, len(in))
				out = append(out, in[low:high]...)
			}
		}
		c.put(n)
		return out
	})
}

func (k *compiler) oneOnly(e *expr, on compiled) compiled {
	s := on.shape
	s.many = false
	return collection(s, on, func(c *context, in, out []item) []item {
		if it, ok := c.single(in, e); ok {
			out = append(out, *it)
		}
		return out
	})
}

func (k *compiler) not(e *expr, on compiled) compiled {
	if s := on.shape; s.many {
		k.warn(e.fault(NotSingle, "not() takes one Boolean, and several items may stand before it"))
	}
	at := e
	if e.recv != nil {
		at = e.recv
	}
	cond := on.truth(at)
	return whether(on.shape.min, func(c *context) verity { return negate(cond(c)) })
}

// booleans compiles allTrue() and its like. Its items must be Booleans.
func booleans(answer func(yesses, noes int) bool) func(*compiler, *expr, compiled) compiled {
	return func(k *compiler, e *expr, on compiled) compiled {
		if systems, known := on.shape.systems(); known && !on.shape.none {
			for _, s := range systems {
				if s != sysBoolean {
					k.fail(e.fault(Mistyped, e.name+"() stands behind Booleans, not "+on.shape.describe()), "")
					return broken()
				}
			}
		}
		return question(1, on, func(c *context, in []item) verity {
			yesses, noes := 0, 0
			for i := range in {
				switch {
				case in[i].system() != sysBoolean:
					c.fail(e, Mistyped, "something that is no Boolean stands before "+e.name+"()")
					return unknown
				case in[i].isTrue():
					yesses++
				default:
					noes++
				}
			}
			return verityOf(answer(yesses, noes))
		})
	}
}

// sets are the functions that compare collections with each other.
func sets() map[string]function {
	return map[string]function{
		"distinct": {0, 0, func(_ *compiler, e *expr, on compiled) compiled {
			return collection(on.shape, on, func(c *context, in, out []item) []item {
				seen := c.set(e)
				for i := range in {
					if seen.add(&in[i]) {
						out = append(out, in[i])
					}
				}
				return out
			})
		}},
		"isDistinct": {0, 0, func(_ *compiler, e *expr, on compiled) compiled {
			return question(1, on, func(c *context, in []item) verity {
				seen := c.set(e)
				for i := range in {
					if !seen.add(&in[i]) {
						return no
					}
				}
				return yes
			})
		}},
		"union": {1, 1, func(k *compiler, e *expr, on compiled) compiled { return k.union(e, on, k.compile(e.args[0])) }},
		"combine": {1, 1, func(k *compiler, e *expr, on compiled) compiled {
			b := k.compile(e.args[0])
			s := merge(on.shape, b.shape)
			s.min, s.many = max(on.shape.min, b.shape.min), true
			more := b.run()
			return collection(s, on, func(c *context, in, out []item) []item {
				out = more(c, append(out, in...))
				c.spend(4*len(out), e)
				return out
			})
		}},
		"intersect": {1, 1, func(k *compiler, e *expr, on compiled) compiled {
			return k.against(e, on, func(found, fresh bool) bool { return found && fresh })
		}},
		"exclude": {1, 1, func(k *compiler, e *expr, on compiled) compiled {
			return k.against(e, on, func(found, _ bool) bool { return !found })
		}},
		"subsetOf":   {1, 1, func(k *compiler, e *expr, on compiled) compiled { return k.within(e, on, k.compile(e.args[0])) }},
		"supersetOf": {1, 1, func(k *compiler, e *expr, on compiled) compiled { return k.within(e, k.compile(e.args[0]), on) }},
	}
}

// against keeps the items of the input by whether the argument has an equal one, and whether they are new.
func (k *compiler) against(e *expr, on compiled, keep func(found, fresh bool) bool) compiled {
	b := k.compile(e.args[0])
	if !comparable(on.shape, b.shape, true) {
		k.warn(e.fault(Mistyped, "these are never equal: "+on.shape.describe()+" and "+b.shape.describe()))
	}
	other := b.run()
	return collection(on.shape.optional(), on, func(c *context, in, out []item) []item {
		more := other(c, c.get())
		have, seen := c.set(e), c.set(e)
		for i := range more {
			have.add(&more[i])
		}
		for i := range in {
			if keep(have.has(&in[i]), seen.add(&in[i])) {
				out = append(out, in[i])
			}
		}
		c.put(more)
		return out
	})
}

// within compiles subsetOf and supersetOf: every item of a has an equal in b.
func (k *compiler) within(e *expr, a, b compiled) compiled {
	return whether(1, both(a, b, func(c *context, x, y []item) verity {
		have := c.set(e)
		for i := range y {
			have.add(&y[i])
		}
		for i := range x {
			if !have.has(&x[i]) {
				return no
			}
		}
		return yes
	}))
}
