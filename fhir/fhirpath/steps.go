package fhirpath

import (
	"slices"

	"signalbox/fhir"
)

// name compiles a step. At the start of a path a name that is a type keeps $this if it is of that type.
func (k *compiler) name(e *expr) compiled {
	if e.recv == nil {
		return k.firstName(e)
	}
	return k.step(e, k.compile(e.recv))
}

func (k *compiler) firstName(e *expr) compiled {
	this := compiled{shape: k.this}
	capital := e.name != "" && e.name[0] >= 'A' && e.name[0] <= 'Z'
	if !capital {
		return k.step(e, this)
	}
	typ, suggest, ok := namedType(e.name)
	if !ok {
		k.fail(e.fault(Unknown, "R4 has no such type"), suggest)
		return broken()
	}
	alts := narrow(k.this.alts, typ)
	if k.this.alts != nil && alts == nil {
		k.fail(e.fault(Mistyped, "the expression starts from "+k.this.describe()), "")
		return broken()
	}
	s := k.this
	s.alts = alts
	if alts == nil {
		s.alts = []alt{{typ, typ}}
	}
	if slices.ContainsFunc(k.this.alts, func(a alt) bool { return !isA(a.typ, typ) }) || k.this.alts == nil {
		s.min = 0
	}
	return this.then(s, typeSeg(e, typ))
}

// typeSeg keeps what is of a type. A complex type holds those below it; a primitive must be of exactly that type, as HL7's tests have it.
func typeSeg(e *expr, want string) seg {
	s := seg{kind: segType, at: e, typ: want}
	if !fhir.IsResourceType(want) && !fhir.IsPrimitiveType(want) {
		s.keepIf = func(typ string) bool { return isA(typ, want) }
	}
	return s
}

// narrow keeps the alternatives that can be of a type; nothing when none can.
func narrow(alts []alt, typ string) []alt {
	var out []alt
	for _, a := range alts {
		switch {
		case isA(a.typ, typ):
			out = append(out, a)
		case isA(typ, a.typ):
			at := a.at
			if fhir.IsResourceType(typ) {
				at = typ
			}
			out = append(out, alt{typ, at})
		}
	}
	return compactAlts(out)
}

// step compiles the step to an element, and refuses one that none of the known types has.
func (k *compiler) step(e *expr, on compiled) compiled {
	if on.shape.alts == nil {
		s := shape{many: true, unordered: on.shape.unordered, none: on.shape.none}
		return on.then(s, seg{kind: segAny, name: e.name, at: e})
	}
	out := seg{kind: segStep, name: e.name, at: e, types: map[string]string{}}
	s := shape{min: on.shape.min, many: on.shape.many, unordered: on.shape.unordered}
	all := expand(on.shape.alts)
	found := 0
	for _, a := range all {
		el, ok := elementOf(a.typ, e.name)
		if !ok {
			continue
		}
		found++
		k.read(e, a, on.shape)
		s.many = s.many || el.List
		if !el.Required {
			s.min = 0
		}
		if el.Choice {
			out.kind = segChoice
		}
		for _, t := range el.Types {
			s.alts = append(s.alts, alt{t, placeOf(a, e.name, t)})
			if el.Choice {
				out.types[choiceKey(a.typ, e.name, t)] = t
			} else {
				out.types[a.typ] = t
			}
		}
	}
	if found == 0 {
		k.fail(k.noElement(e, on.shape, all))
		return broken()
	}
	if found < len(all) {
		s.min = 0
	}
	s.alts = compactAlts(s.alts)
	types := s.types()
	if out.kind == segStep && len(types) == 1 {
		out.typ = types[0]
	}
	if slices.ContainsFunc(types, fhir.IsPrimitiveType) {
		out.under = "_" + e.name
	}
	return on.then(s, out)
}

// placeOf names the element that a step leads to. A nested type has its own name, and a resource starts anew.
func placeOf(a alt, name, typ string) string {
	if typ == typeResource {
		return typeResource
	}
	at := a.at
	if at == "" {
		at = a.typ
	}
	return at + "." + name
}

// choiceKey is the JSON key of a choice with that type.
func choiceKey(typ, name, valueType string) string {
	key := name + string(valueType[0]&^0x20) + valueType[1:]
	if _, _, ok := fhir.KeyOf(typ, key); ok {
		return key
	}
	if valueType == "Quantity" {
		for _, profile := range []string{"SimpleQuantity", "MoneyQuantity"} {
			if _, _, ok := fhir.KeyOf(typ, name+profile); ok {
				return name + profile
			}
		}
	}
	return key
}

// read notes an element that the expression reads.
func (k *compiler) read(e *expr, a alt, s shape) {
	at := placeOf(a, e.name, "")
	for _, of := range s.alts { // a step on any resource is one element, not a hundred
		if (of.typ == typeResource || of.typ == typeDomainResource) && fhir.IsResourceType(a.typ) {
			at = of.typ + "." + e.name
		}
	}
	r := Read{Element: at, Offset: e.tok.offset, Length: e.tok.length}
	if !slices.Contains(k.reads, r) {
		k.reads = append(k.reads, r)
	}
}

// noElement says that there is no such element, and what might have been meant.
func (k *compiler) noElement(e *expr, s shape, all []alt) (*Error, string) {
	if e.name == "resourceType" {
		return e.fault(Unknown, "resourceType is no element: FHIRPath asks with ofType() or is"), ""
	}
	var names []string
	for _, a := range all {
		if element, typ, ok := fhir.KeyOf(a.typ, e.name); ok && element != e.name {
			return e.fault(Unknown, a.typ+"."+element+" is a choice: FHIRPath names it without its type"), element + ".ofType(" + typ + ")"
		}
		for _, el := range elementsOf(a.typ) {
			names = append(names, el.Name)
		}
	}
	if len(all) > 0 && fhir.IsPrimitiveType(all[0].typ) && e.name == "value" {
		return e.fault(Unknown, "a primitive's value is asked with getValue()"), "getValue()"
	}
	slices.Sort(names)
	return e.fault(Unknown, "no element of that name in "+s.describe()), fhir.Nearest(e.name, slices.Compact(names))
}

// resolveType reads the name of a type and reports one that does not exist.
func (k *compiler) resolveType(e *expr, name string) (string, bool) {
	typ, suggest, ok := namedType(name)
	if !ok {
		k.fail(e.fault(Unknown, "R4 and FHIRPath have no such type"), suggest)
	}
	return typ, ok
}

// is compiles "is" and is().
func (k *compiler) is(e *expr, on compiled, name string) compiled {
	typ, ok := k.resolveType(e, name)
	if !ok {
		return broken()
	}
	if on.shape.alts != nil && narrow(on.shape.alts, typ) == nil {
		k.warn(e.fault(Mistyped, "this is always false: it can only be "+on.shape.describe()))
	}
	if on.shape.many {
		k.warn(e.whole(NotSingle, "several items may be found here, and one is allowed: choose with first(), where() or [n]"))
	}
	src := on.run()
	return whether(on.shape.min, func(c *context) verity {
		in := src(c, c.get())
		defer c.put(in)
		c.note(in)
		it, ok := c.single(in, e)
		switch {
		case !ok:
			return unknown
		case isA(it.typ, typ):
			return yes
		}
		return no
	})
}

// as compiles "as" and as(): ofType() for one item.
func (k *compiler) as(e *expr, on compiled, name string) compiled {
	typed, ok := k.keep(e, on, name)
	if !ok {
		return broken()
	}
	src, w := on.run(), walk{typed.walk[len(typed.walk)-1]}
	typed.shape.many = false
	return made(typed.shape, func(c *context, out []item) []item {
		in := src(c, c.get())
		if it, ok := c.single(in, e); ok && w[0].keeps(it.typ) {
			out = append(out, *it)
		}
		c.put(in)
		return out
	})
}

// keep compiles ofType(): a type that cannot be is a fault, or between primitives of one kind a warning.
func (k *compiler) keep(e *expr, on compiled, name string) (compiled, bool) {
	typ, ok := k.resolveType(e, name)
	if !ok {
		return compiled{}, false
	}
	s := on.shape.optional()
	s.alts = nil
	for _, a := range narrow(on.shape.alts, typ) {
		if ofThatType(a.typ, typ) {
			s.alts = append(s.alts, a)
		}
	}
	if on.shape.alts != nil && s.alts == nil {
		text := "this can only be " + on.shape.describe()
		kinds, _ := on.shape.systems()
		if system := systemType(typ); system == "" || !slices.Contains(kinds, system) {
			k.fail(e.fault(Mistyped, text), fhir.Nearest(name, on.shape.types()))
			return compiled{}, false
		}
		k.warn(e.fault(Mistyped, text+": nothing is ever found"))
	}
	if s.alts == nil {
		s.alts = []alt{{typ, typ}}
	}
	return on.then(s, typeSeg(e, typ)), true
}
