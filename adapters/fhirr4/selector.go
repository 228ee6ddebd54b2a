package fhirr4

import (
	"errors"
	"slices"
	"strings"

	"signalbox/engine"
	"signalbox/fhir"
	"signalbox/fhir/fhirpath"
)

// Compile compiles a FHIRPath that starts from the Bundle, or the name of a declared field, which stands for its FHIRPath. R4 itself is
// the declared source: a step that R4 does not have is refused, and so is a path that can only find objects. The error is a *engine.CompileError.
func (a *Adapter) Compile(expr string, src engine.Schema) (engine.Selector, error) {
	if f, ok := src.Field(expr); ok && f.Select != "" {
		expr = f.Select
	}
	p, err := fhirpath.Compile(expr, fhirpath.Options{Context: "Bundle"})
	if err != nil {
		at, ok := errors.AsType[*fhirpath.Error](err)
		if !ok {
			return nil, &engine.CompileError{Length: len(expr), Text: "the FHIRPath is refused"}
		}
		return nil, &engine.CompileError{Offset: at.Offset, Length: at.Length, Text: at.Text, Suggest: at.Suggest}
	}
	if !p.Primitive() {
		return nil, &engine.CompileError{Length: len(expr), Text: "the path finds " + p.Report().Types[0] + ", which is an object: go on to a value in it"}
	}
	return &selector{path: p}, nil
}

// checkFields holds each field's declared type against what its FHIRPath can find. A FHIRPath that does not compile is left to Compile,
// which says where.
func checkFields(src engine.Schema) error {
	for _, f := range src.Fields {
		if f.Select == "" {
			continue
		}
		found := fhirpath.Check(f.Select, fhirpath.Options{Context: "Bundle"})
		if len(found.Errors) > 0 || len(found.Types) == 0 || slices.ContainsFunc(found.Types, func(t string) bool { return holds(f.Type, t) }) {
			continue
		}
		return refuse("field " + f.Name + " is declared as " + string(f.Type) + ", and its FHIRPath finds " + plainTypes(found.Types))
	}
	return nil
}

func plainTypes(types []string) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = strings.TrimPrefix(t, "System.")
	}
	if len(out) > 4 {
		return strings.Join(out[:4], " or ") + " or others"
	}
	return strings.Join(out, " or ")
}

// holds reports whether a value of an R4 or FHIRPath type can be one of the declared type. Text can be anything.
func holds(declared engine.FieldType, typ string) bool {
	kind := "text"
	switch strings.TrimPrefix(typ, "System.") {
	case "boolean", "Boolean":
		kind = "truth"
	case "integer", "positiveInt", "unsignedInt", "Integer":
		kind = "whole"
	case "decimal", "Decimal":
		kind = "number"
	case "date", "dateTime", "instant", "Date", "DateTime":
		kind = "date"
	case "time", "Time", "base64Binary", "xhtml":
		kind = "other"
	default:
		if !fhir.IsPrimitiveType(typ) && typ != "System.String" {
			return true // an object, which Compile refuses, or has primitives among others
		}
	}
	switch declared {
	case engine.TypeDate:
		return kind == "date" || kind == "text"
	case engine.TypeInteger:
		return kind == "whole" || kind == "text"
	case engine.TypeNumber:
		return kind == "number" || kind == "whole" || kind == "text"
	case engine.TypeBoolean:
		return kind == "truth" || kind == "text"
	}
	return true
}

// selector is a compiled FHIRPath.
type selector struct {
	path *fhirpath.Path
}

// Single reports whether the path can never find more than one value.
func (s *selector) Single() bool { return !s.path.Report().Many }

// Types lists the R4 types that the path can find; nothing when they are unknown. Lint can hold them against a conversion.
func (s *selector) Types() []string { return s.path.Report().Types }

// Elements lists the elements of R4 that the path reads, for example "Patient.birthDate": what coverage counts as used.
func (s *selector) Elements() []string { return s.path.Report().Elements() }

// Select is SelectOr for those who only look: a path that cannot be worked out on this Bundle finds nothing.
func (s *selector) Select(r engine.Record, into []engine.Value) []engine.Value {
	into, _ = s.SelectOr(r, into)
	return into
}

// SelectOr appends every primitive that the path finds. An element without a value of its own (extensions only) is not one. The error says
// why a path cannot be worked out on this Bundle: where in the path, and at which element of the Bundle.
func (s *selector) SelectOr(r engine.Record, into []engine.Value) ([]engine.Value, error) {
	rec, ok := r.(*record)
	if !ok {
		return into, nil
	}
	var buf [4]fhirpath.Result
	results, err := s.path.Eval(rec.doc.Root(), buf[:0])
	if err != nil {
		return into, rec.failed(err)
	}
	for _, found := range results {
		if found.Text != "" {
			into = append(into, engine.Value{Text: found.Text, At: rec.at(found)})
		}
	}
	return into, nil
}

// failed makes the fault of a path on this record. Its place is the element that the path could not go on from; the whole record when none is
// known. The text names the place in the path, and no value.
func (r *record) failed(err error) error {
	fault := &engine.Error{Op: "select fhir-r4", Kind: engine.Invalid, Rule: engine.RuleSelector, Place: r.Place(), Text: "the FHIRPath cannot be worked out on this Bundle"}
	at, ok := errors.AsType[*fhirpath.Error](err)
	if !ok {
		return fault
	}
	fault.Text += ": " + strings.TrimPrefix(at.Error(), "fhirpath: ")
	if at.Kind == fhirpath.Cost {
		fault.Kind = engine.TooLarge
	}
	if at.At != nil {
		fault.Place = r.placeOf(at.At)
	}
	return fault
}

// at says where a value stood: the bytes are the value as it was sent, without quotes or tags. A value that was
// made of several stands where the innermost element stands that holds them all; one that was made of nothing, in the whole record.
func (r *record) at(found fhirpath.Result) engine.Place {
	n := common(found.Sources())
	if n == nil {
		return r.Place()
	}
	return r.placeOf(n)
}

func (r *record) placeOf(n *fhir.Node) engine.Place {
	start, end := n.ValueRange()
	line, column := r.doc.Position(start)
	return engine.Place{Record: r.Position(), Path: r.sentPath(n.Path()), Line: line, Column: column, Start: start, End: end}
}

// common returns the innermost node that holds all of the nodes; nil for none.
func common(nodes []*fhir.Node) *fhir.Node {
	if len(nodes) == 0 {
		return nil
	}
	top := nodes[0]
	for _, n := range nodes[1:] {
		start, end := n.Range()
		for from, to := top.Range(); start < from || end > to; from, to = top.Range() {
			top = top.Parent()
		}
	}
	return top
}
