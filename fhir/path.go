package fhir

import (
	"fmt"
	"slices"
)

// PathError is a FHIRPath expression that Compile refuses.
type PathError struct {
	Offset, Length int    // byte range within the expression
	Text           string // what is wrong
	Suggest        string // the nearest thing that would do, or empty
}

// Error writes the fault with its place in the expression.
func (e *PathError) Error() string {
	if e.Suggest == "" {
		return fmt.Sprintf("fhirpath: at %d: %s", e.Offset+1, e.Text)
	}
	return fmt.Sprintf("fhirpath: at %d: %s, did you mean %q?", e.Offset+1, e.Text, e.Suggest)
}

// Path is a compiled expression. It is safe for concurrent use.
type Path struct {
	expr  string
	op    op
	types []string
	many  bool
}

// Result is one item that a path found.
type Result struct {
	Node *Node  // where it stands; nil for the outcome of a function or comparison
	Type string // R4 type of the item, for example "date" or "HumanName"; empty when unknown
	Text string // the value of a primitive; empty for an object
}

// Path returns the concrete path, for example "Bundle.entry[1].resource.birthDate"; nothing when the item has no node.
func (r Result) Path() string { return r.Node.Path() }

// maxExpression bounds an expression in bytes, maxNesting its brackets.
const (
	maxExpression = 4096
	maxNesting    = 32
)

// Compile reads a FHIRPath expression whose context may be any resource. The subset is: steps (a choice element by its stem: value),
// `x`, [n], where(), exists(), empty(), not(), first(), last(), resolve(), ofType(T), extension('url'), |, =, !=, and, or, $this, brackets
// and literals. Element names are checked against R4 as far as the type is known. The error is a *PathError.
func Compile(expr string) (*Path, error) { return CompileFor(typeResource, expr) }

// CompileFor is Compile with a known context, for example "Bundle".
func CompileFor(context, expr string) (*Path, error) {
	if len(expr) > maxExpression {
		return nil, &PathError{Length: len(expr), Text: fmt.Sprintf("the expression is over %d bytes", maxExpression)}
	}
	tokens, err := lex(expr)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, table: r4()}
	e, err := p.expression(typed{op: thisOp{}, types: []string{context}})
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, t.fault("nothing more is expected here", "")
	}
	return &Path{expr: expr, op: e.op, types: e.types, many: e.many}, nil
}

// String returns the expression as it was written.
func (p *Path) String() string { return p.expr }

// Types returns the R4 types that the path can yield; nothing when unknown.
func (p *Path) Types() []string { return p.types }

// Single reports whether the path can never yield more than one item.
func (p *Path) Single() bool { return !p.many }

// Primitive reports whether the path can yield primitives, which have a text. It is true when the types are unknown.
func (p *Path) Primitive() bool { return p.types == nil || slices.ContainsFunc(p.types, isPrimitive) }

// Eval appends what the path finds, starting at root, to into and returns the longer slice. It finds nothing rather than failing.
func (p *Path) Eval(root *Node, into []Result) []Result {
	if root == nil {
		return into
	}
	var in, out [8]item
	in[0] = item{n: root, typ: root.ResourceType(), kind: root.kind, text: root.text}
	for _, it := range p.op.eval(in[:1], out[:0]) {
		into = append(into, Result{Node: it.n, Type: it.typ, Text: it.text})
	}
	return into
}
