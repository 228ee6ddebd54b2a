package fhir

import (
	"slices"
	"strings"
)

// step compiles the step to an element, and refuses one that none of the known types has.
func (p *parser) step(on typed, t token) (typed, error) {
	found := stepOp{name: t.text}
	var types []string
	unknown, many := on.types == nil, on.many
	for _, typ := range p.expand(on.types) {
		for _, el := range p.elementsOf(typ) {
			if el.name == t.text {
				types = append(types, el.types...)
				found.choice = found.choice || el.choice
				many = many || el.list
			}
		}
	}
	switch {
	case unknown:
		found.choice = true
		return typed{op: found, many: true}, nil
	case types == nil:
		return typed{}, p.unknownStep(on.types, t)
	}
	return typed{op: found, types: unite(types, nil), many: many}, nil
}

// expand replaces "any resource" by every resource.
func (p *parser) expand(types []string) []string {
	if !slices.Contains(types, typeResource) {
		return types
	}
	return unite(slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == typeResource }), p.table.resources)
}

// elementsOf lists a type's elements; a primitive has id and extension.
func (p *parser) elementsOf(typ string) []*element {
	if info := p.table.types[typ]; info != nil {
		return info.elements
	}
	if isPrimitive(typ) {
		return []*element{{name: "id", types: []string{"string"}}, {name: "extension", types: []string{"Extension"}, list: true}}
	}
	return nil
}

func (p *parser) unknownStep(types []string, t token) error {
	var names []string
	for _, typ := range p.expand(types) {
		if info := p.table.types[typ]; info != nil {
			if prop, ok := info.keys[t.text]; ok && prop.el.choice {
				return t.fault(typ+"."+prop.el.name+" is a choice: FHIRPath names it without its type", prop.el.name+".ofType("+prop.typ+")")
			}
		}
		for _, el := range p.elementsOf(typ) {
			names = append(names, el.name)
		}
	}
	if t.text == "resourceType" {
		return t.fault("resourceType is no element: FHIRPath asks with ofType()", "")
	}
	slices.Sort(names)
	return t.fault("no element of that name in "+oneOf(types), nearest(t.text, slices.Compact(names)))
}

// functions lists the subset, for suggestions.
func functions() []string {
	return []string{"where", "exists", "empty", "not", "first", "last", "resolve", "ofType", "extension"}
}

// call compiles a function.
func (p *parser) call(on typed, t token) (typed, error) {
	p.next() // the bracket
	var out typed
	var err error
	switch t.text {
	case "where":
		var crit typed
		crit, err = p.expression(typed{op: thisOp{}, types: on.types})
		out = typed{op: whereOp{crit.op}, types: on.types, many: on.many}
	case "exists":
		out = boolean(existsOp{})
		if !p.peek().is(")") {
			var crit typed
			crit, err = p.expression(typed{op: thisOp{}, types: on.types})
			out = boolean(existsOp{crit.op})
		}
	case "empty":
		out = boolean(emptyOp{})
	case "not":
		out = boolean(notOp{})
	case "first":
		out = typed{op: indexOp(0), types: on.types}
	case "last":
		out = typed{op: lastOp{}, types: on.types}
	case "resolve":
		out, err = p.resolve(on, t)
	case "ofType":
		out, err = p.ofType(on)
	case "extension":
		out, err = p.extension(on, t)
	default:
		return typed{}, t.fault("the function is not in the subset of FHIRPath", nearest(t.text, functions()))
	}
	if err != nil {
		return typed{}, err
	}
	return out, p.expect(")")
}

func (p *parser) resolve(on typed, t token) (typed, error) {
	follows := func(typ string) bool {
		return typ == "Reference" || typ == "uri" || typ == "url" || typ == "canonical" || typ == "string"
	}
	if on.types != nil && !slices.ContainsFunc(on.types, follows) {
		return typed{}, t.fault("resolve() follows a Reference, not "+oneOf(on.types), "")
	}
	return typed{op: resolveOp{}, types: []string{typeResource}, many: on.many}, nil
}

func (p *parser) ofType(on typed) (typed, error) {
	t := p.next()
	if t.kind != tokenName {
		return typed{}, t.fault("ofType() takes the name of a type", "")
	}
	info := p.table.types[t.text]
	switch {
	case info == nil && !isPrimitive(t.text), info != nil && strings.Contains(t.text, "."):
		return typed{}, t.fault("R4 has no such type", nearest(t.text, p.typeNames()))
	case info == nil:
		info = &typeInfo{name: t.text}
	}
	if !canBe(on.types, info) {
		return typed{}, t.fault("this can only be "+oneOf(on.types), nearest(t.text, on.types))
	}
	return typed{op: ofTypeOp(t.text), types: []string{t.text}, many: on.many}, nil
}

func (p *parser) typeNames() []string {
	var names []string
	for name := range p.table.types {
		if !strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (p *parser) extension(on typed, t token) (typed, error) {
	url := p.next()
	if url.kind != tokenText {
		return typed{}, url.fault("extension() takes the extension's url as a literal", "")
	}
	e, err := p.step(on, token{kind: tokenName, text: "extension", offset: t.offset, length: t.length})
	e.op = seqOp{e.op, extensionOp(url.text)}
	return e, err
}
