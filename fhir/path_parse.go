package fhir

import (
	"slices"
	"strconv"
	"strings"
)

// typed is an operation with the R4 types that it can yield; no types means unknown.
type typed struct {
	op    op
	types []string
	many  bool // can yield more than one item
}

func boolean(o op) typed { return typed{op: o, types: []string{"boolean"}} }

// parser reads the subset by recursive descent. Every method takes the focus: what the expression starts from.
type parser struct {
	tokens []token
	at     int
	depth  int
	table  *elementTable
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) expect(mark string) error {
	if t := p.next(); !t.is(mark) {
		return t.fault("expected "+mark, "")
	}
	return nil
}

// expression reads: conjunction { "or" conjunction }.
func (p *parser) expression(focus typed) (typed, error) {
	if p.depth++; p.depth > maxNesting {
		return typed{}, p.peek().fault("the expression nests too deep", "")
	}
	defer func() { p.depth-- }()
	return p.logical(focus, "or", func() (typed, error) {
		return p.logical(focus, "and", func() (typed, error) { return p.comparison(focus) })
	})
}

func (p *parser) logical(_ typed, word string, operand func() (typed, error)) (typed, error) {
	left, err := operand()
	for err == nil && p.peek().word(word) {
		p.next()
		var right typed
		if right, err = operand(); err == nil {
			left = boolean(logicOp{and: word == "and", a: left.op, b: right.op})
		}
	}
	return left, err
}

// comparison reads: union [ ("=" | "!=") union ].
func (p *parser) comparison(focus typed) (typed, error) {
	start := p.peek()
	left, err := p.union(focus)
	t := p.peek()
	if err != nil || !t.is("=") && !t.is("!=") {
		return left, err
	}
	p.next()
	other := p.peek()
	right, err := p.union(focus)
	if err != nil {
		return right, err
	}
	for _, side := range []struct {
		typed
		token
	}{{left, start}, {right, other}} {
		if len(side.types) > 0 && !slices.ContainsFunc(side.types, isPrimitive) {
			return typed{}, side.fault("only primitives can be compared, not "+oneOf(side.types), "")
		}
	}
	return boolean(equalOp{a: left.op, b: right.op, not: t.text == "!="}), nil
}

// union reads: postfix { "|" postfix }.
func (p *parser) union(focus typed) (typed, error) {
	left, err := p.postfix(focus)
	for err == nil && p.peek().is("|") {
		p.next()
		var right typed
		if right, err = p.postfix(focus); err == nil {
			types := unite(left.types, right.types)
			if left.types == nil || right.types == nil {
				types = nil
			}
			left = typed{op: unionOp{a: left.op, b: right.op}, types: types, many: true}
		}
	}
	return left, err
}

// postfix reads: primary { "." invocation | "[" number "]" }.
func (p *parser) postfix(focus typed) (typed, error) {
	e, err := p.primary(focus)
	ops := seqOp{e.op}
	for err == nil {
		switch t := p.peek(); {
		case t.is("."):
			p.next()
			e, err = p.invocation(e)
		case t.is("["):
			p.next()
			e.many = false
			e.op, err = p.index()
		default:
			if len(ops) == 1 {
				return typed{op: ops[0], types: e.types, many: e.many}, nil
			}
			return typed{op: ops, types: e.types, many: e.many}, nil
		}
		ops = append(ops, e.op)
	}
	return e, err
}

func (p *parser) index() (op, error) {
	t := p.next()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokenNumber || err != nil {
		return nil, t.fault("an index is a whole number", "")
	}
	return indexOp(n), p.expect("]")
}

func (p *parser) primary(focus typed) (typed, error) {
	t := p.peek()
	switch {
	case t.is("("):
		p.next()
		e, err := p.expression(focus)
		if err == nil {
			err = p.expect(")")
		}
		return e, err
	case t.is("$this"):
		p.next()
		return typed{op: thisOp{}, types: focus.types, many: focus.many}, nil
	case t.kind == tokenText:
		p.next()
		return typed{op: literalOp{kind: String, text: t.text, typ: "string"}, types: []string{"string"}}, nil
	case t.kind == tokenNumber:
		p.next()
		return typed{op: literalOp{kind: Number, text: t.text, typ: "integer"}, types: []string{"integer"}}, nil
	case t.word("true"), t.word("false"):
		p.next()
		return boolean(literalOp{kind: Bool, text: t.text, typ: "boolean"}), nil
	case t.kind == tokenName && !t.quoted && t.text[0] >= 'A' && t.text[0] <= 'Z':
		p.next()
		return p.contextType(focus, t)
	}
	return p.invocation(focus)
}

// contextType reads the type name that an expression may start with: it passes the focus on if it is of that type.
func (p *parser) contextType(focus typed, t token) (typed, error) {
	info := p.table.types[t.text]
	if info == nil || strings.Contains(t.text, ".") {
		return typed{}, t.fault("R4 has no such type", nearest(t.text, p.table.resources))
	}
	if !canBe(focus.types, info) {
		return typed{}, t.fault("the expression starts from "+oneOf(focus.types), "")
	}
	return typed{op: ofTypeOp(t.text), types: []string{t.text}, many: focus.many}, nil
}

// canBe reports whether something of these types can be of that type.
func canBe(types []string, info *typeInfo) bool {
	return types == nil || slices.Contains(types, info.name) || info.resource && slices.Contains(types, typeResource)
}

// invocation reads a step or a function call on what came before.
func (p *parser) invocation(on typed) (typed, error) {
	t := p.next()
	if t.kind != tokenName {
		return typed{}, t.fault("expected the name of an element or function", "")
	}
	if !t.quoted && p.peek().is("(") {
		return p.call(on, t)
	}
	return p.step(on, t)
}

func unite(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

func oneOf(types []string) string {
	if len(types) > 4 {
		return strings.Join(types[:4], " or ") + " or others"
	}
	return strings.Join(types, " or ")
}
