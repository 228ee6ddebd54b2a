package fhirpath

import (
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/fhir"
)

// Options says how an expression is compiled. The zero value starts from any resource and knows no clock.
type Options struct {
	Context string // type of the resource that a path starts from, for example "Bundle"; empty: any resource
	Clock   bool   // today(), now() and timeOfDay() are allowed, and EvalAt must be given an instant
	Steps   int    // bound of the work of one evaluation; 0: DefaultSteps
}

// DefaultSteps bounds one evaluation. A step is about one node that is looked at, or 16 bytes of text that are gone through. Two million
// are ten times what going through every node of the largest document takes that fhir.Read accepts by default.
const DefaultSteps = 2_000_000

// Read is one element of R4 that an expression reads, and where in the expression.
type Read struct {
	Element        string // for example "Patient.birthDate", "Bundle.entry.resource" or "Patient.name.given"
	Offset, Length int
}

// Report is what Check finds out about an expression.
type Report struct {
	Types    []string // R4 types, and FHIRPath's own as "System.String"; nothing when unknown
	Min      int      // how many items there are at least, in a document without faults: 0 or 1
	Many     bool     // whether there can be more than one
	Reads    []Read   // in the order of the expression
	Errors   []*Error // why it is refused; nothing when it can run
	Warnings []*Error // what can run and is probably not meant
}

// Cardinality writes Min and Many as R4 does: 0..1, 1..1, 0..* or 1..*.
func (r *Report) Cardinality() string {
	low, high := "0", "1"
	if r.Min > 0 {
		low = "1"
	}
	if r.Many {
		high = "*"
	}
	return low + ".." + high
}

// Elements lists the elements that are read, each once, in order of name.
func (r *Report) Elements() []string {
	var out []string
	for _, read := range r.Reads {
		out = append(out, read.Element)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Path is a compiled expression. It is safe for concurrent use.
type Path struct {
	expr   string
	run    fn
	report *Report
	steps  int
	pool   sync.Pool // *context
}

// Check holds an expression against FHIRPath and R4's elements and says everything that it finds.
func Check(expression string, o Options) *Report {
	_, report := build(expression, o)
	return report
}

// Compile is Check for use: the error is the first *Error of the report.
func Compile(expression string, o Options) (*Path, error) {
	run, report := build(expression, o)
	if len(report.Errors) > 0 {
		return nil, report.Errors[0]
	}
	p := &Path{expr: expression, run: run, report: report, steps: o.Steps}
	if p.steps <= 0 {
		p.steps = DefaultSteps
	}
	p.pool.New = func() any { return &context{} }
	return p, nil
}

func build(expression string, o Options) (fn, *Report) {
	e, err := parse(expression)
	if err != nil {
		return nil, &Report{Errors: []*Error{err.place(expression)}}
	}
	start := o.Context
	if start == "" {
		start = typeResource
	}
	root := shape{alts: []alt{{start, start}}, min: 1}
	k := &compiler{library: library(), root: root, this: root, clock: o.Clock}
	if !knownType(start) {
		k.fail(e.whole(Unknown, "the context is no type of R4"), fhir.Nearest(start, fhir.ResourceTypes()))
	}
	out := k.compile(e)
	for _, list := range [][]*Error{k.errors, k.warnings} {
		for _, f := range list {
			_ = f.place(expression)
		}
		slices.SortStableFunc(list, func(a, b *Error) int { return a.Offset - b.Offset })
	}
	slices.SortStableFunc(k.reads, func(a, b Read) int { return a.Offset - b.Offset })
	s := out.shape
	return out.run(), &Report{Types: s.types(), Min: s.min, Many: s.many, Reads: k.reads, Errors: k.errors, Warnings: k.warnings}
}

// String returns the expression as it was written.
func (p *Path) String() string { return p.expr }

// Report returns what was found out when the path was compiled. It must not be changed.
func (p *Path) Report() *Report { return p.report }

// Single reports whether the path can never yield more than one item.
func (p *Path) Single() bool { return !p.report.Many }

// Primitive reports whether the path can yield values that have a text. It is true when the types are unknown.
func (p *Path) Primitive() bool {
	return p.report.Types == nil || slices.ContainsFunc(p.report.Types, func(t string) bool { return fhir.IsPrimitiveType(t) || strings.HasPrefix(t, "System.") })
}

// Result is one item that a path found or made.
type Result struct {
	Node *fhir.Node   // where it stands; nil for a value that the expression made
	Type string       // R4 type such as "date" or "HumanName", or System.X for a made value; empty when unknown
	Text string       // the value of a primitive; empty for an object, and for a primitive that has extensions only
	From []*fhir.Node // what a made value was made of, in the order of use, at most 64 nodes
}

// Path returns the concrete path, for example "Bundle.entry[1].resource.birthDate"; nothing when the item has no node.
func (r Result) Path() string {
	if r.Node == nil {
		return ""
	}
	return r.Node.Path()
}

// Sources returns the nodes that the item is, or was made of.
func (r Result) Sources() []*fhir.Node {
	if r.Node != nil {
		return []*fhir.Node{r.Node}
	}
	return r.From
}

// Eval appends what the path finds, starting at root, to into and returns the longer slice. The error is an *Error whose place is in the
// expression: several items where FHIRPath allows one, a value that cannot be used, or too many steps. Nothing is appended then.
func (p *Path) Eval(root *fhir.Node, into []Result) ([]Result, error) {
	return p.EvalAt(root, time.Time{}, into)
}

// EvalAt is Eval with the instant that today(), now() and timeOfDay() stand for, in its own time zone.
func (p *Path) EvalAt(root *fhir.Node, now time.Time, into []Result) ([]Result, error) {
	if root == nil {
		return into, nil
	}
	c := p.pool.Get().(*context)
	start := item{node: root, typ: root.ResourceType(), text: root.Text()}
	c.root, c.focus = start, focus{this: start, hasThis: true}
	c.now, c.steps, c.err = now, p.steps, nil
	found := p.run(c, c.get())
	err := c.err
	if err == nil {
		for i := range found {
			into = append(into, Result{Node: found[i].node, Type: found[i].typ, Text: found[i].text, From: found[i].from})
		}
	}
	c.put(found)
	c.release()
	p.pool.Put(c)
	if err != nil {
		return into, err.place(p.expr)
	}
	return into, nil
}
