package fhirpath

import "strings"

// Bounds of an expression: bytes, and nesting of brackets and operators.
const (
	maxExpression = 4096
	maxNesting    = 64
)

// parser reads FHIRPath's grammar by precedence climbing.
type parser struct {
	tokens []token
	at     int
	depth  int
}

func parse(text string) (*expr, *Error) {
	if len(text) > maxExpression {
		return nil, &Error{Kind: Syntax, Length: len(text), Text: "the expression is over 4096 bytes"}
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	e, err := p.binary(1)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, t.fault(Syntax, "nothing more is expected here")
	}
	return e, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// before returns where the last token that was read ends.
func (p *parser) before() int {
	if p.at == 0 {
		return 0
	}
	t := p.tokens[p.at-1]
	return t.offset + t.length
}

func (p *parser) expect(mark string) *Error {
	if t := p.peek(); !t.is(mark) {
		return t.fault(Syntax, "expected "+mark)
	}
	p.next()
	return nil
}

func (p *parser) deeper() *Error {
	if p.depth++; p.depth > maxNesting {
		return p.peek().fault(Syntax, "the expression nests too deep")
	}
	return nil
}

// binary reads operators that bind at least as tightly as level.
func (p *parser) binary(level int) (*expr, *Error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	left, err := p.unary()
	chain := 0
	for err == nil {
		t := p.peek()
		bind := precedence(t)
		if bind == 0 || bind < level {
			return left, nil
		}
		if chain++; chain > 4*maxNesting {
			return nil, t.fault(Syntax, "the expression has too many operators in a row")
		}
		p.next()
		if t.word("is") || t.word("as") {
			left, err = p.typeOperator(left, t)
			continue
		}
		var right *expr
		if right, err = p.binary(bind + 1); err == nil {
			left = &expr{kind: nodeBinary, name: t.text, args: []*expr{left, right}, tok: t, start: left.start, end: right.end}
		}
	}
	return nil, err
}

func (p *parser) typeOperator(left *expr, t token) (*expr, *Error) {
	name, at, err := p.typeName()
	if err != nil {
		return nil, err
	}
	return &expr{kind: nodeType, name: t.text, text: name, args: []*expr{left}, tok: at, start: left.start, end: p.before()}, nil
}

// typeName reads a type's name, with or without its namespace.
func (p *parser) typeName() (string, token, *Error) {
	t := p.next()
	if t.kind != tokenName {
		return "", t, t.fault(Syntax, "expected the name of a type")
	}
	name := t.text
	for p.peek().is(".") {
		p.next()
		more := p.next()
		if more.kind != tokenName {
			return "", more, more.fault(Syntax, "expected the name of a type")
		}
		name += "." + more.text
		t.length = more.offset + more.length - t.offset
	}
	return name, t, nil
}

func (p *parser) unary() (*expr, *Error) {
	t := p.peek()
	if !t.is("+") && !t.is("-") {
		return p.postfix()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	p.next()
	on, err := p.unary()
	if err != nil {
		return nil, err
	}
	return &expr{kind: nodeUnary, name: t.text, args: []*expr{on}, tok: t, start: t.offset, end: on.end}, nil
}

// postfix reads: term { "." invocation | "[" expression "]" }.
func (p *parser) postfix() (*expr, *Error) {
	e, err := p.term()
	for err == nil {
		start := e.start
		switch t := p.peek(); {
		case t.is("."):
			p.next()
			e, err = p.invocation(e)
		case t.is("["):
			p.next()
			var index *expr
			if index, err = p.binary(1); err == nil {
				err = p.expect("]")
			}
			e = &expr{kind: nodeIndex, recv: e, args: []*expr{index}, tok: t}
		default:
			return e, nil
		}
		if err == nil {
			e.start, e.end = start, p.before()
		}
	}
	return nil, err
}

func (p *parser) term() (*expr, *Error) {
	t := p.peek()
	e := &expr{tok: t, start: t.offset, end: t.offset + t.length}
	switch {
	case t.is("("):
		p.next()
		inner, err := p.binary(1)
		if err != nil {
			return nil, err
		}
		if err := p.expect(")"); err != nil {
			return nil, err
		}
		inner.start, inner.end = t.offset, p.before()
		return inner, nil
	case t.is("{"):
		p.next()
		err := p.expect("}")
		e.kind, e.end = nodeEmpty, p.before()
		return e, err
	case t.kind == tokenNumber:
		return p.number(e)
	case t.kind == tokenSpecial, t.kind == tokenVariable:
		p.next()
		e.kind, e.name = nodeSpecial, t.text
		if t.kind == tokenVariable {
			e.kind = nodeVariable
		}
		return e, nil
	case t.kind == tokenText, t.kind == tokenDate, t.kind == tokenTime, t.word("true"), t.word("false"):
		p.next()
		return e, e.literal(t)
	}
	return p.invocation(nil)
}

// literal fills in the value of a literal.
func (e *expr) literal(t token) *Error {
	e.kind, e.text = nodeLiteral, t.text
	switch t.kind {
	case tokenText:
		e.typ = sysString
	case tokenTime:
		e.typ = sysTime
		if _, ok := parseTemporal(sysTime, t.text); !ok {
			return t.fault(Syntax, "this is no time: write @T14, @T14:34, @T14:34:28 or @T14:34:28.123")
		}
	case tokenDate:
		e.typ = sysDate
		if i := strings.IndexByte(t.text, 'T'); i >= 0 {
			e.typ, e.text = sysDateTime, strings.TrimSuffix(t.text, "T")
		}
		if _, ok := parseTemporal(e.typ, e.text); !ok {
			return t.fault(Syntax, "this is no date: write @2015, @2015-02, @2015-02-04 or @2015-02-04T14:34:28Z")
		}
	default:
		e.typ = sysBoolean
	}
	return nil
}

// number reads a number, and the unit behind it that makes it a quantity.
func (p *parser) number(e *expr) (*expr, *Error) {
	t := p.next()
	e.kind, e.text, e.typ = nodeLiteral, t.text, sysInteger
	if strings.Contains(t.text, ".") {
		e.typ = sysDecimal
	}
	if _, ok := parseDecimal(t.text); !ok {
		return nil, t.fault(Syntax, "the number has too many digits")
	}
	unit := p.peek()
	switch {
	case unit.kind == tokenText && unit.text != "":
		e.name = quoteUnit(unit.text)
	case unit.kind == tokenName && !unit.quoted && calendarUnit(unit.text) != "":
		e.name = unit.text
	default:
		if _, ok := wholeNumber(t.text); !ok && e.typ == sysInteger {
			return nil, t.fault(Syntax, "a whole number lies between -2147483648 and 2147483647: write it as a decimal")
		}
		return e, nil
	}
	p.next()
	e.kind, e.typ, e.end = nodeQuantity, sysQuantity, p.before()
	return e, nil
}

// invocation reads a step or a function call.
func (p *parser) invocation(on *expr) (*expr, *Error) {
	t := p.next()
	if t.kind == tokenSpecial {
		return nil, t.fault(Syntax, t.text+" stands at the start of a path, not within it")
	}
	keyword := precedence(t) > 0 && t.kind == tokenName && !t.word("is") && !t.word("as") && !t.word("in") && !t.word("contains")
	if t.kind != tokenName || keyword {
		return nil, t.fault(Syntax, "expected the name of an element or function")
	}
	e := &expr{kind: nodeName, name: t.text, quoted: t.quoted, recv: on, tok: t, start: t.offset, end: t.offset + t.length}
	if t.quoted || !p.peek().is("(") {
		return e, nil
	}
	p.next()
	e.kind = nodeCall
	err := p.arguments(e)
	e.end = p.before()
	return e, err
}

func (p *parser) arguments(e *expr) *Error {
	if p.peek().is(")") {
		p.next()
		return nil
	}
	for {
		arg, err := p.binary(1)
		if err != nil {
			return err
		}
		e.args = append(e.args, arg)
		if !p.peek().is(",") {
			return p.expect(")")
		}
		p.next()
	}
}
