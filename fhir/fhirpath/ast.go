package fhirpath

// nodeKind is what an expression node is.
type nodeKind uint8

const (
	nodeEmpty    nodeKind = iota // {}
	nodeLiteral                  // text is the value, typ its System type
	nodeQuantity                 // text is the number, name the unit
	nodeSpecial                  // $this, $index, $total
	nodeVariable                 // %name
	nodeName                     // a step, on args[0] or at the start
	nodeCall                     // a function, on recv or at the start
	nodeIndex                    // recv[args[0]]
	nodeUnary                    // + or -
	nodeBinary
	nodeType // is, as: args[0] is the operand, name the type
)

// expr is one node of a parsed expression.
type expr struct {
	kind   nodeKind
	name   string // element, function, operator, variable, or type
	text   string
	typ    string
	quoted bool
	recv   *expr   // what a step, call or index is on; nil at the start of a path
	args   []*expr // operands and arguments
	tok    token   // where faults point to
	start  int     // the byte range of the whole expression
	end    int
}

func (e *expr) fault(kind Kind, text string) *Error { return e.tok.fault(kind, text) }

// whole makes a fault that covers the whole sub-expression.
func (e *expr) whole(kind Kind, text string) *Error {
	return &Error{Kind: kind, Offset: e.start, Length: max(e.end-e.start, 1), Text: text}
}

// precedence tells how tightly a binary operator binds (FHIRPath N1, "Operator precedence"); 0 for none.
func precedence(t token) int {
	if t.kind == tokenMark {
		switch t.text {
		case "*", "/":
			return 10
		case "+", "-", "&":
			return 9
		case "|":
			return 7
		case "<", ">", "<=", ">=":
			return 6
		case "=", "!=", "~", "!~":
			return 5
		}
		return 0
	}
	if t.kind != tokenName || t.quoted {
		return 0
	}
	switch t.text {
	case "div", "mod":
		return 10
	case "is", "as":
		return 8
	case "in", "contains":
		return 4
	case "and":
		return 3
	case "or", "xor":
		return 2
	case "implies":
		return 1
	}
	return 0
}
