package fhirpath

import "slices"

// tree are the functions that FHIR adds, and those that go through the document as a tree.
func tree() map[string]function {
	return map[string]function{
		"extension": {1, 1, (*compiler).extension},
		"resolve":   {0, 0, (*compiler).resolve},
		"hasValue": {0, 0, func(_ *compiler, _ *expr, on compiled) compiled {
			return question(1, on, func(_ *context, in []item) verity { return verityOf(len(in) == 1 && in[0].hasValue()) })
		}},
		"getValue": {0, 0, (*compiler).getValue},
		"children": {0, 0, func(_ *compiler, e *expr, on compiled) compiled {
			return on.then(shape{many: true, unordered: true}, seg{kind: segChildren, at: e})
		}},
		"descendants": {0, 0, (*compiler).descendants},
	}
}

func (k *compiler) extension(e *expr, on compiled) compiled {
	step := &expr{kind: nodeName, name: "extension", tok: e.tok, start: e.start, end: e.end}
	list := k.step(step, on)
	url := k.argument(e.args[0], sysString)
	s := list.shape
	s.min, s.many = 0, true
	filter := seg{kind: segExtension, at: e}
	if url.text != nil {
		filter.name = *url.text
	} else {
		filter.url = url.run()
	}
	return list.then(s, filter)
}

func (k *compiler) resolve(e *expr, on compiled) compiled {
	if systems, known := on.shape.systems(); known && !on.shape.none {
		types := on.shape.types()
		if !slices.Contains(types, "Reference") && !slices.Contains(systems, sysString) {
			k.fail(e.fault(Mistyped, "resolve() follows a Reference, not "+on.shape.describe()), "")
			return broken()
		}
		if !slices.ContainsFunc(types, refers) {
			k.fail(e.fault(Mistyped, "resolve() follows a Reference, not "+on.shape.describe()), "")
			return broken()
		}
	}
	s := shape{alts: []alt{{typeResource, typeResource}}, many: on.shape.many, unordered: on.shape.unordered}
	return on.then(s, seg{kind: segResolve, at: e})
}

func refers(typ string) bool {
	switch typ {
	case "Reference", "uri", "url", "canonical", "string", sysString:
		return true
	}
	return false
}

// getValue gives a primitive's value as FHIRPath's own type.
func (k *compiler) getValue(e *expr, on compiled) compiled {
	s := shape{many: false}
	if systems, known := on.shape.systems(); known && !on.shape.none {
		for _, t := range systems {
			if t != "" && t != sysQuantity {
				s.alts = append(s.alts, alt{typ: t})
			}
		}
		if s.alts == nil {
			k.fail(e.fault(Mistyped, "getValue() stands behind a primitive, not "+on.shape.describe()), "")
			return broken()
		}
	}
	return collection(s, on, func(c *context, in, out []item) []item {
		if it, ok := c.single(in, e); ok && it.hasValue() {
			v := item{typ: it.system(), text: it.text}
			c.sources(&v, in)
			out = append(out, v)
		}
		return out
	})
}

func (k *compiler) descendants(e *expr, on compiled) compiled {
	w := walk{{kind: segChildren, at: e}}
	s := shape{many: true, unordered: true}
	return collection(s, on, func(c *context, in, out []item) []item {
		from := len(out)
		for i := range in {
			if in[i].node != nil {
				out = w.node(c, in[i].node, in[i].typ, 0, out)
			}
		}
		for ; from < len(out) && c.err == nil; from++ { // what was found is searched in turn
			out = w.node(c, out[from].node, out[from].typ, 0, out)
		}
		return out
	})
}
