package fhirpath

import (
	"fmt"
	"maps"
	"slices"

	"signalbox/fhir"
)

// function is one function of FHIRPath: how many arguments it takes and how it is compiled.
type function struct {
	least, most int
	make        func(k *compiler, e *expr, on compiled) compiled
}

// library makes the table of every function that there is.
func library() map[string]function {
	all := map[string]function{}
	for _, part := range []map[string]function{filters(), collections(), tree(), sets(), conversions(), instants()} {
		maps.Copy(all, part)
	}
	for _, part := range [][]scalar{texts(), encodings(), numbers(), casts()} {
		for _, s := range part {
			all[s.name] = function{len(s.args) - s.optional, len(s.args), s.compile}
		}
	}
	return all
}

// refused names the functions of FHIRPath and FHIR that are left out, and why.
func refused() map[string]string {
	float := "its outcome is not exact"
	unsettled := "its rules are not settled: they are not part of FHIRPath N1"
	return map[string]string{
		"trace":             "it writes values of the document to a log",
		"type":              "types are asked with is and ofType()",
		"sort":              "it is not part of FHIRPath N1",
		"sqrt":              float,
		"exp":               float,
		"ln":                float,
		"log":               float,
		"power":             float,
		"lowBoundary":       unsettled,
		"highBoundary":      unsettled,
		"precision":         unsettled,
		"comparable":        "it needs UCUM's tables",
		"memberOf":          "it needs a terminology server",
		"subsumes":          "it needs a terminology server",
		"subsumedBy":        "it needs a terminology server",
		"conformsTo":        "profiles are checked by package fhir, not by a path",
		"htmlChecks":        "narrative is not read",
		"elementDefinition": "profiles are checked by package fhir, not by a path",
		"slice":             "profiles are checked by package fhir, not by a path",
		"checkModifiers":    "modifier extensions are checked by package fhir, not by a path",
		"defineVariable":    "it is not part of FHIRPath N1",
		"toLong":            "it is not part of FHIRPath N1",
		"convertsToLong":    "it is not part of FHIRPath N1",
	}
}

// Functions lists the functions that a path can use, in order.
func Functions() []string { return slices.Sorted(maps.Keys(library())) }

// Refused lists the functions of FHIRPath and FHIR R4 that a path cannot use, each with the reason.
func Refused() map[string]string { return refused() }

func (k *compiler) call(e *expr) compiled {
	on := compiled{shape: k.this}
	if e.recv != nil {
		on = k.compile(e.recv)
	}
	f, ok := k.library[e.name]
	if !ok {
		if why, known := refused()[e.name]; known {
			fault := e.fault(Unsupported, e.name+"() is not supported: "+why)
			fault.Name = e.name + "()"
			k.fail(fault, "")
			return broken()
		}
		k.fail(e.fault(Unknown, "FHIRPath has no such function"), fhir.Nearest(e.name, slices.Sorted(maps.Keys(k.library))))
		return broken()
	}
	if n := len(e.args); n < f.least || n > f.most {
		k.fail(e.whole(Syntax, e.name+"() takes "+argumentCount(f)), "")
		return broken()
	}
	return f.make(k, e, on)
}

func argumentCount(f function) string {
	plural := func(n int) string {
		if n == 1 {
			return "1 argument"
		}
		return fmt.Sprintf("%d arguments", n)
	}
	switch {
	case f.most == 0:
		return "no argument"
	case f.least == f.most:
		return plural(f.most)
	}
	return fmt.Sprintf("%d to %s", f.least, plural(f.most))
}

// perItem compiles an argument that is evaluated for each item of a collection.
func (k *compiler) perItem(e *expr, each shape) (body compiled, usesIndex bool) {
	oldThis, oldLambda, oldIndexed := k.this, k.lambda, k.indexed
	k.this, k.lambda, k.indexed = each, true, 0
	body = k.compile(e)
	usesIndex = k.indexed > 0
	k.this, k.lambda, k.indexed = oldThis, oldLambda, oldIndexed+k.indexed
	return body, usesIndex
}

// condition compiles an argument that must be a Boolean for each item.
func (k *compiler) condition(e *expr, each shape) (cond func(*context) verity, body compiled, usesIndex bool) {
	body, usesIndex = k.perItem(e, each)
	k.mustBeBoolean(e, body.shape)
	return strict(body, e), body, usesIndex
}

func (k *compiler) mustBeBoolean(e *expr, s shape) {
	systems, known := s.systems()
	switch {
	case known && !s.none && !slices.Contains(systems, sysBoolean):
		k.fail(e.whole(Mistyped, "a condition stands here, not "+s.describe()+": compare it, or say exists()"), "")
	case s.many:
		k.warn(e.whole(NotSingle, "several items may be found here, and one is allowed: choose with first(), where() or [n]"))
	}
}

// strict is truth for a condition, where a single item that is no Boolean is a fault.
func strict(body compiled, at *expr) func(*context) verity {
	if body.cond != nil && len(body.walk) == 0 {
		return body.cond
	}
	f := body.run()
	return func(c *context) verity {
		found := f(c, c.get())
		c.note(found)
		v := c.truth(found, at)
		if len(found) == 1 && found[0].system() != sysBoolean && found[0].hasValue() {
			c.fail(at, Mistyped, "a condition stands here, and this is no Boolean: compare it, or say exists()")
		}
		c.put(found)
		return v
	}
}

// collection wraps a function of the whole input.
func collection(s shape, on compiled, f func(c *context, in, out []item) []item) compiled {
	src := on.run()
	return made(s, func(c *context, out []item) []item {
		in := src(c, c.get())
		if c.err == nil {
			out = f(c, in, out)
		}
		c.put(in)
		return out
	})
}

// question wraps a function of the whole input that answers yes, no or nothing.
func question(min int, on compiled, f func(c *context, in []item) verity) compiled {
	src := on.run()
	return whether(min, func(c *context) verity {
		in := src(c, c.get())
		v := unknown
		if c.note(in); c.err == nil {
			v = f(c, in)
		}
		c.put(in)
		return v
	})
}
