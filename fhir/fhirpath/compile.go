package fhirpath

import (
	"slices"
	"strings"

	"signalbox/fhir"
)

// compiled is a compiled expression: a walk from what head makes, or from $this where there is no head.
type compiled struct {
	shape  shape
	head   fn
	walk   walk
	cond   func(*context) verity // the same as one boolean, where that is cheaper
	text   *string               // the value of a literal text
	equals *memberText           // the same as a comparison of one member of $this with a text
}

// made wraps a function.
func made(s shape, f fn) compiled { return compiled{shape: s, head: f} }

// whether wraps a condition: false, true or nothing. The condition notes what it looked at.
func whether(min int, cond func(*context) verity) compiled {
	f := func(c *context, out []item) []item {
		start := len(c.trail)
		v := cond(c)
		from := c.cut(start)
		if v == unknown || c.err != nil {
			return out
		}
		it := truthItem(v == yes)
		it.from = from
		return append(out, it)
	}
	return compiled{shape: of(sysBoolean, min), head: f, cond: cond}
}

// run returns the expression as a function.
func (e compiled) run() fn {
	head, w := e.head, e.walk
	switch {
	case head == nil:
		return func(c *context, out []item) []item {
			switch {
			case !c.hasThis:
				return out
			case c.this.node == nil:
				return w.made(c, c.this, out)
			}
			return w.node(c, c.this.node, c.this.typ, 0, out)
		}
	case len(w) == 0:
		return head
	}
	return func(c *context, out []item) []item {
		in := head(c, c.get())
		for i := range in {
			if c.err != nil {
				break
			}
			if in[i].node == nil {
				out = w.made(c, in[i], out)
			} else {
				out = w.node(c, in[i].node, in[i].typ, 0, out)
			}
		}
		c.put(in)
		return out
	}
}

// truth returns the expression as one boolean.
func (e compiled) truth(at *expr) func(*context) verity {
	if e.cond != nil && len(e.walk) == 0 {
		return e.cond
	}
	f := e.run()
	return func(c *context) verity {
		found := f(c, c.get())
		c.note(found)
		v := c.truth(found, at)
		c.put(found)
		return v
	}
}

// then adds a segment to the walk.
func (e compiled) then(s shape, segs ...seg) compiled {
	return compiled{shape: s, head: e.head, walk: slices.Concat(e.walk, segs)}
}

// compiler checks a parsed expression against R4 and turns it into functions. Faults are collected; what follows a fault is unknown.
type compiler struct {
	library  map[string]function
	errors   []*Error
	warnings []*Error
	reads    []Read
	root     shape
	this     shape
	total    shape
	lambda   bool // within a function that goes through a collection: $index has a meaning
	folding  bool // within aggregate(): $total has a meaning
	indexed  int  // how often $index was used
	clock    bool
}

func (k *compiler) fail(e *Error, suggest string) {
	e.Suggest = suggest
	k.errors = append(k.errors, e)
}

func (k *compiler) warn(e *Error) { k.warnings = append(k.warnings, e) }

// broken stands for an expression that has a fault: nothing more is said about it.
func broken() compiled {
	return made(shape{many: true}, func(_ *context, out []item) []item { return out })
}

func (k *compiler) compile(e *expr) compiled {
	switch e.kind {
	case nodeEmpty:
		return made(shape{none: true}, func(_ *context, out []item) []item { return out })
	case nodeLiteral, nodeQuantity:
		return literal(e)
	case nodeSpecial:
		return k.special(e)
	case nodeVariable:
		return k.variable(e)
	case nodeName:
		return k.name(e)
	case nodeCall:
		return k.call(e)
	case nodeIndex:
		return k.index(e)
	case nodeUnary:
		return k.unary(e)
	case nodeBinary:
		return k.binary(e)
	}
	on := k.compile(e.args[0])
	if e.name == "is" {
		return k.is(e, on, e.text)
	}
	return k.as(e, on, e.text)
}

func literal(e *expr) compiled {
	it := item{typ: e.typ, text: e.text}
	if e.kind == nodeQuantity {
		it.text += " " + e.name
	}
	out := made(of(e.typ, 1), func(_ *context, out []item) []item { return append(out, it) })
	if e.typ == sysString {
		out.text = &it.text
	}
	return out
}

func constant(text string) compiled {
	return literal(&expr{kind: nodeLiteral, typ: sysString, text: text})
}

func (k *compiler) special(e *expr) compiled {
	switch {
	case e.name == "$this":
		return compiled{shape: k.this}
	case e.name == "$index" && k.lambda:
		k.indexed++
		return made(of(sysInteger, 1), func(c *context, out []item) []item { return append(out, integerItem(c.index)) })
	case e.name == "$total" && k.folding:
		return made(k.total, func(c *context, out []item) []item { return append(out, c.total...) })
	}
	within := "where(), select(), all(), exists() or repeat()"
	if e.name == "$total" {
		within = "aggregate()"
	}
	k.fail(e.fault(Unknown, e.name+" has a meaning only within "+within), "")
	return broken()
}

// variable compiles %name: the context's own, and the constants that FHIR R4 defines.
func (k *compiler) variable(e *expr) compiled {
	switch e.name {
	case "resource", "context", "rootResource":
		return made(k.root, func(c *context, out []item) []item { return append(out, c.root) })
	case "sct":
		return constant("http://snomed.info/sct")
	case "loinc":
		return constant("http://loinc.org")
	case "ucum":
		return constant("http://unitsofmeasure.org")
	}
	if name, ok := strings.CutPrefix(e.name, "vs-"); ok {
		return constant("http://hl7.org/fhir/ValueSet/" + name)
	}
	if name, ok := strings.CutPrefix(e.name, "ext-"); ok {
		return constant("http://hl7.org/fhir/StructureDefinition/" + name)
	}
	k.fail(e.fault(Unknown, "there is no such variable"), fhir.Nearest(e.name, []string{"resource", "context", "rootResource", "sct", "loinc", "ucum"}))
	return broken()
}

func (k *compiler) index(e *expr) compiled {
	on := k.compile(e.recv)
	k.ordered(e, on.shape, "[ ]")
	at := k.argument(e.args[0], sysInteger)
	src, pos := on.run(), at.run()
	return made(on.shape.one(), func(c *context, out []item) []item {
		in, n := src(c, c.get()), pos(c, c.get())
		if it, ok := c.single(n, e); ok {
			if i, ok := it.integer(); ok && i >= 0 && i < len(in) {
				out = append(out, in[i])
			}
		}
		c.put(in)
		c.put(n)
		return out
	})
}

// ordered refuses to choose by place from what has no order.
func (k *compiler) ordered(e *expr, s shape, name string) {
	if s.unordered {
		k.fail(e.fault(Mistyped, name+" chooses by place, and FHIRPath defines no order for children() and descendants()"), "")
	}
}

// argument compiles an argument that must be one item of a System type. Arguments start from the $this around the call.
func (k *compiler) argument(e *expr, want ...string) compiled {
	a := k.compile(e)
	k.accepts(e, a.shape, want, "here")
	return a
}

// accepts reports a fault when nothing that the shape can yield converts to one of the wanted System types.
func (k *compiler) accepts(e *expr, s shape, want []string, where string) {
	got, known := s.systems()
	if !known || s.none || len(want) == 0 {
		return
	}
	for _, g := range got {
		if slices.ContainsFunc(want, func(w string) bool { return converts(g, w) }) {
			if s.many {
				k.warn(e.whole(NotSingle, "several items may be found here, and one is allowed: choose with first(), where() or [n]"))
			}
			return
		}
	}
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = strings.TrimPrefix(w, "System.")
	}
	k.fail(e.whole(Mistyped, article(strings.Join(names, " or "))+" stands "+where+", not "+s.describe()), "")
}

// article puts "a" or "an" before the name of a type.
func article(name string) string {
	if name != "" && strings.IndexByte("AEIO", name[0]) >= 0 {
		return "an " + name
	}
	return "a " + name
}

// converts is FHIRPath's implicit conversion between its own types.
func converts(from, to string) bool {
	if from == to {
		return true
	}
	switch from {
	case sysInteger:
		return to == sysDecimal || to == sysQuantity
	case sysDecimal:
		return to == sysQuantity
	case sysDate:
		return to == sysDateTime
	}
	return false
}
