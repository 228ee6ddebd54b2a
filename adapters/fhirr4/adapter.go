// Package fhirr4 decodes FHIR R4 message Bundles: one record a Bundle, one FHIRPath a selector.
//
// A Bundle is read by the strict reader of package fhir and held against R4's element table; a second opinion can be passed in. It is
// either sound, and then it is one record, or it is refused whole, with every fault that could be found and its place.
package fhirr4

import (
	"iter"
	"maps"
	"slices"

	"signalbox/engine"
	"signalbox/fhir"
)

// Format is the name that a source schema asks for.
const Format = "fhir-r4"

// OptionBundle says which Bundle the source sends. The one value is "message", which is also the default: a Bundle of type message whose
// first entry is a MessageHeader (FHIR R4, "Messaging using FHIR Resources").
const OptionBundle = "bundle"

const bundleMessage = "message"

// Adapter reads FHIR R4. It holds no state between calls.
type Adapter struct {
	limits  fhir.Limits
	opinion fhir.SecondOpinion
}

// Option changes an Adapter.
type Option func(*Adapter)

// WithSecondOpinion asks another reader about every Bundle that the first one accepts. It costs some twenty times the first (BenchmarkSecondOpinion).
func WithSecondOpinion(o fhir.SecondOpinion) Option { return func(a *Adapter) { a.opinion = o } }

// WithLimits sets other bounds than fhir.DefaultLimits.
func WithLimits(l fhir.Limits) Option { return func(a *Adapter) { a.limits = l } }

// New returns the adapter.
func New(opts ...Option) engine.Adapter {
	a := &Adapter{limits: fhir.DefaultLimits()}
	for _, o := range opts {
		o(a)
	}
	return a
}

// Format returns "fhir-r4".
func (a *Adapter) Format() string { return Format }

// Check refuses another encoding than UTF-8, unknown options, and fields whose declared type cannot hold what their
// FHIRPath finds.
func (a *Adapter) Check(src engine.Schema) error {
	if src.Encoding != "" && src.Encoding != "utf-8" && src.Encoding != "UTF-8" {
		return refuse("encoding: FHIR JSON is UTF-8")
	}
	for _, name := range slices.Sorted(maps.Keys(src.Options)) {
		if name != OptionBundle {
			return refuse("option " + name + " is unknown: fhir-r4 knows bundle")
		}
		if src.Options[name] != bundleMessage {
			return refuse("option bundle is message: no other Bundle is read")
		}
	}
	return checkFields(src)
}

func refuse(text string) error {
	return &engine.Error{Op: "fhir-r4 schema", Kind: engine.Invalid, Text: text}
}

// Decode yields the Bundle as the one record, or every fault that makes it unreadable.
func (a *Adapter) Decode(msg engine.Message, src engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		if err := a.Check(src); err != nil {
			yield(nil, err)
			return
		}
		doc, faults := fhir.Examine(msg.Body, a.limits, a.opinion)
		if len(faults) == 0 {
			faults = messageFaults(doc)
		}
		for _, f := range faults {
			if !yield(nil, toError(f)) {
				return
			}
		}
		if len(faults) == 0 {
			yield(&record{doc: doc}, nil)
		}
	}
}

// messageFaults holds a Bundle against the rules of a message (bdl-12 and "Messaging using FHIR Resources").
func messageFaults(doc *fhir.Document) fhir.Faults {
	root := doc.Root()
	fault := func(n *fhir.Node, path, text string) fhir.Faults {
		start, _ := n.Range()
		f := &fhir.Fault{Path: path, Offset: start, Rule: fhir.RuleShape, Text: text}
		f.Line, f.Column = doc.Position(start)
		return fhir.Faults{f}
	}
	if doc.Type() != "Bundle" {
		return fault(root, doc.Type(), "a Bundle is read here, not another resource")
	}
	if t := root.Child("type"); t == nil || t.Text() != bundleMessage {
		if t == nil {
			t = root
		}
		return fault(t, "Bundle.type", "the Bundle is not of type message")
	}
	first := root.Child("entry").Item(0).Child("resource")
	if first.ResourceType() != "MessageHeader" {
		return fault(root, "Bundle.entry[0].resource", "the first entry of a message is its MessageHeader")
	}
	return nil
}

// toError makes a fault of the one record.
func toError(f *fhir.Fault) *engine.Error {
	text := f.Text
	if f.Suggest != "" {
		text += ", did you mean " + f.Suggest + "?"
	}
	return &engine.Error{
		Op: "decode fhir-r4", Kind: kindOf(f.Rule), Rule: ruleOf(f.Rule), Text: text,
		Place: engine.Place{Record: 1, Path: f.Path, Line: f.Line, Column: f.Column, Start: f.Offset, End: f.Offset},
	}
}

func kindOf(rule string) engine.ErrorKind {
	switch rule {
	case fhir.RuleSize, fhir.RuleDepth, fhir.RuleNodes, fhir.RuleString:
		return engine.TooLarge
	}
	return engine.Invalid
}

// ruleOf gives the engine's own word where it has one, and keeps FHIR's elsewhere.
func ruleOf(rule string) string {
	switch rule {
	case fhir.RuleSize, fhir.RuleDepth, fhir.RuleNodes, fhir.RuleString:
		return engine.RuleLimit
	case fhir.RuleSyntax, fhir.RuleTruncated, fhir.RuleTrailing, fhir.RuleDuplicate:
		return engine.RuleSyntax
	case fhir.RuleBOM, fhir.RuleUTF8:
		return engine.RuleEncoding
	case fhir.RuleRequired:
		return engine.RuleMandatory
	case fhir.RuleCode:
		return engine.RuleEnum
	case fhir.RuleValue:
		return engine.RuleType
	}
	return rule
}

// record is a message Bundle.
type record struct {
	doc *fhir.Document
}

// Position returns 1: a Bundle is one record.
func (r *record) Position() int { return 1 }

// Place covers the whole Bundle.
func (r *record) Place() engine.Place {
	start, end := r.doc.Root().Range()
	line, column := r.doc.Position(start)
	return engine.Place{Record: 1, Path: "Bundle", Line: line, Column: column, Start: start, End: end}
}
