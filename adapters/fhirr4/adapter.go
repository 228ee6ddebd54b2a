// Package fhirr4 decodes FHIR R4 Bundles in JSON or XML: a message is one record, a transaction or batch one for each Encounter; one FHIRPath a selector.
//
// A Bundle is read by the strict reader of package fhir and held against R4's element table; a second opinion can be passed in. It is
// either sound, or it is refused whole, with every fault that could be found and its place.
package fhirr4

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"signalbox/engine"
	"signalbox/fhir"
)

// Format is the name that a source schema asks for.
const Format = "fhir-r4"

// OptionBundle says which Bundle the source sends. "message", which is also the default, is a Bundle of type message whose first entry is a
// MessageHeader (FHIR R4, "Messaging using FHIR Resources"). "transaction" is a Bundle of type transaction or batch; each Encounter that it
// creates is a record, whose selectors see that Encounter and no other, and everything that is no Encounter.
const OptionBundle = "bundle"

// OptionModifiers lists, with spaces between, the URLs of the modifier extensions that the mapping heeds. A Bundle with any other is refused, a
// batch at the entry: what carries it means something else than it says (FHIR R4, "Modifier Extensions").
const OptionModifiers = "modifiers"

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
	if err := checkOptions(src); err != nil {
		return err
	}
	return checkFields(src)
}

// checkOptions is what Decode itself depends on. Whether each field's type fits is asked once, by Check, and not with each message: it
// compiles every FHIRPath.
func checkOptions(src engine.Schema) error {
	if src.Encoding != "" && src.Encoding != "utf-8" && src.Encoding != "UTF-8" {
		return refuse("encoding: FHIR is UTF-8")
	}
	for _, name := range slices.Sorted(maps.Keys(src.Options)) {
		if name == OptionModifiers {
			continue
		}
		if name != OptionBundle {
			return refuse("option " + name + " is unknown: fhir-r4 knows bundle and modifiers")
		}
		if v := src.Options[name]; v != bundleMessage && v != bundleTransaction {
			return refuse("option bundle is message or transaction: no other Bundle is read")
		}
	}
	return nil
}

func refuse(text string) error {
	return &engine.Error{Op: "fhir-r4 schema", Kind: engine.Invalid, Text: text}
}

// Decode yields the Bundle's records, or every fault that makes it unreadable.
func (a *Adapter) Decode(msg engine.Message, src engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		if err := checkOptions(src); err != nil {
			yield(nil, err)
			return
		}
		doc, faults := fhir.ExamineEither(msg.Body, a.limits, a.opinion)
		several := src.Options[OptionBundle] == bundleTransaction
		understood := strings.Fields(src.Options[OptionModifiers])
		switch {
		case len(faults) > 0:
		case several:
			faults = a.yieldParts(doc, msg, fhir.BuiltinProfiles().EachModifier(doc, understood...), yield)
		default:
			if faults = fhir.BuiltinProfiles().Modifiers(doc, understood...); len(faults) == 0 {
				faults = messageFaults(doc)
			}
		}
		for _, f := range faults {
			fault := toError(f)
			if several {
				fault.Place.Record = 0 // no entry's: the sender must not be told that the others are taken
			}
			if !yield(nil, fault) {
				return
			}
		}
		if len(faults) == 0 && !several {
			yield(&record{doc: doc}, nil)
		}
	}
}

// messageFaults holds a Bundle against the rules of a message (bdl-12 and "Messaging using FHIR Resources").
func messageFaults(doc *fhir.Document) fhir.Faults {
	root := doc.Root()
	fault := func(n *fhir.Node, path, text string) fhir.Faults { return faultAt(doc, n, path, text) }
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
	case fhir.RuleSyntax, fhir.RuleTruncated, fhir.RuleTrailing, fhir.RuleDuplicate, fhir.RuleDoctype, fhir.RuleNamespace:
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

// record is a message Bundle, or one Encounter of a transaction.
type record struct {
	doc   *fhir.Document
	entry int   // of the Encounter, as sent; 0 for a message
	kept  []int // entries of doc by the number that they were sent with; nil for a message
}

// Position returns 1 for a message, which is one record, and the number of the Encounter's entry, from 1, for a transaction.
func (r *record) Position() int { return r.entry + 1 }

// Place covers the whole Bundle, or the Encounter's entry.
func (r *record) Place() engine.Place {
	path, node := "Bundle", r.doc.Root()
	for i, sent := range r.kept {
		if sent == r.entry {
			path, node = "Bundle.entry["+strconv.Itoa(sent)+"]", node.Child("entry").Item(i)
			break
		}
	}
	start, end := node.Range()
	line, column := r.doc.Position(start)
	return engine.Place{Record: r.Position(), Path: path, Line: line, Column: column, Start: start, End: end}
}
