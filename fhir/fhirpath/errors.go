package fhirpath

import (
	"fmt"
	"strings"

	"signalbox/fhir"
)

// Kind says what sort of fault an Error is.
type Kind string

// The kinds of fault. The first four are found when a path is compiled, the others when it runs.
const (
	Syntax      Kind = "syntax"      // the text is not FHIRPath
	Unknown     Kind = "unknown"     // an element, function, type or variable that does not exist
	Mistyped    Kind = "type"        // something of a type that cannot stand there
	Unsupported Kind = "unsupported" // FHIRPath that this package refuses; the text names it
	NotSingle   Kind = "not-single"  // several items where FHIRPath allows one
	Value       Kind = "value"       // a value that cannot be used there, for example a number of a thousand digits
	Units       Kind = "units"       // quantities of different units, which only UCUM could compare
	Cost        Kind = "cost"        // the path takes more steps than it may
)

// Error is a fault of an expression. Its place is within the expression; At leads into the document, and is no part of its text.
type Error struct {
	Kind           Kind
	Offset, Length int    // byte range within the expression
	Line, Column   int    // 1-based, columns in bytes
	Name           string // what Unsupported is about, for example "trace()"
	Text           string // what is wrong and what to do
	Suggest        string // the nearest thing that would do, or empty

	// At is the node at which an evaluation failed: the second of several items, or what the expression was looking at. Nil when it was compiled.
	At *fhir.Node
}

// Error writes the fault with its place in the expression.
func (e *Error) Error() string {
	at := fmt.Sprintf("at %d", e.Column)
	if e.Line > 1 {
		at = fmt.Sprintf("at line %d, %d", e.Line, e.Column)
	}
	if e.Suggest == "" {
		return fmt.Sprintf("fhirpath: %s: %s", at, e.Text)
	}
	return fmt.Sprintf("fhirpath: %s: %s, did you mean %q?", at, e.Text, e.Suggest)
}

// place fills in line and column.
func (e *Error) place(expr string) *Error {
	before := expr[:min(max(e.Offset, 0), len(expr))]
	e.Line = strings.Count(before, "\n") + 1
	e.Column = len(before) - strings.LastIndexByte(before, '\n')
	return e
}
