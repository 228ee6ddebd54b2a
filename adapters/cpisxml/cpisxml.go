// Package cpisxml decodes the CP-IS local authority upload, HL7 V3 message REPC_MT000002GB01: one record a <record>, selectors in the
// small XPath of package cpis.
//
// It adds no rule of its own: what package cpis finds wrong with a record rejects that record with every broken rule, its path and line;
// what it finds wrong with the header ends the file; a record count that is not the one announced, and a
// header that lacks the office's telephone, are told after the last record.
package cpisxml

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"signalbox/engine"
	"signalbox/mesh/cpis"
)

// Format is the name that a source schema asks for.
const Format = "cpisxml"

// Adapter reads CP-IS uploads. The zero value is ready; it holds no state.
type Adapter struct{}

// New returns the adapter.
func New() Adapter { return Adapter{} }

// Format returns "cpisxml".
func (Adapter) Format() string { return Format }

// Check refuses every option, and every encoding but UTF-8, which is the only one that the message has.
func (Adapter) Check(src engine.Schema) error {
	for name := range src.Options {
		return refuse(fmt.Sprintf("option %q is unknown: cpisxml has no options", name))
	}
	if src.Encoding != "" && !strings.EqualFold(src.Encoding, "utf-8") {
		return refuse("encoding is utf-8 in a CP-IS message")
	}
	return nil
}

func refuse(text string) error {
	return &engine.Error{Op: "cpisxml schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: text}
}

// Compile checks a path against the message's own model: one that can never match is refused. Relative paths start at <record>, those from
// /File read the header.
func (Adapter) Compile(expr string, _ engine.Schema) (engine.Selector, error) {
	compiled, err := cpis.CompileSelector(expr)
	if err != nil {
		return nil, refusal(expr, err)
	}
	return selector{compiled}, nil
}

// refusal splits the suggestion out of the codec's sentence and puts the caret under the name it speaks of.
func refusal(expr string, err error) *engine.CompileError {
	fault, ok := errors.AsType[*cpis.SelectorError](err)
	if !ok {
		return &engine.CompileError{Length: len(expr), Text: "the selector is refused"}
	}
	text, suggest, _ := strings.Cut(fault.Text, "; did you mean ")
	offset := min(fault.Offset, len(expr))
	length := strings.IndexAny(expr[offset:], "/[]=|' ")
	if length < 0 {
		length = len(expr) - offset
	}
	return &engine.CompileError{Offset: offset, Length: max(length, 1), Text: text, Suggest: strings.TrimSuffix(suggest, "?")}
}

type selector struct{ compiled *cpis.Selector }

// Select appends what the path finds in the record or in the file's header.
func (s selector) Select(r engine.Record, into []engine.Value) []engine.Value {
	rec, ok := r.(*record)
	if !ok {
		return into
	}
	var one [1]cpis.Match // nearly every selector of a mapping finds one
	for _, m := range s.compiled.Select(rec.element, rec.header, one[:0]) {
		into = append(into, engine.Value{Text: m.Value, At: engine.Place{
			Record: rec.position, Path: m.Path, Line: m.Line, Column: m.Column, Start: m.Start, End: m.End,
		}})
	}
	return into
}

// record is one <record> with the header that goes for all of them.
type record struct {
	position        int
	element, header *cpis.Element
}

// Position is the record's number in the file.
func (r *record) Position() int { return r.position }

// Place says where the element stands.
func (r *record) Place() engine.Place {
	return engine.Place{Record: r.position, Line: r.element.Line, Column: r.element.Column, Start: r.element.Start, End: r.element.End}
}

// Decode yields the records in order. A record that breaks rules is an error whose first fault is the *engine.Error itself and whose others
// it unwraps to.
func (Adapter) Decode(msg engine.Message, _ engine.Schema) iter.Seq2[engine.Record, error] {
	return records(msg, (*cpis.Decoder).Header)
}

// DecodeReusing is Decode with records that are valid until the next.
func (Adapter) DecodeReusing(msg engine.Message, _ engine.Schema) iter.Seq2[engine.Record, error] {
	return records(msg, func(d *cpis.Decoder) (*cpis.Header, error) {
		d.Reuse()
		return d.Header()
	})
}

func records(msg engine.Message, begin func(*cpis.Decoder) (*cpis.Header, error)) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		decoder := decoderOf(msg)
		defer decoder.Close()
		header, err := begin(decoder)
		if err != nil {
			for _, fault := range header.Faults {
				if !yield(nil, convert(fault, engine.Place{})) {
					return
				}
			}
			return
		}
		for found, err := range decoder.Records() {
			if !yield(next(found, header, err)) {
				return
			}
		}
		for _, warning := range header.Warnings {
			if !yield(nil, convert(warning, engine.Place{})) {
				return
			}
		}
		if fault := decoder.QuantityFault(); fault != nil {
			mismatch := convert(fault, engine.Place{})
			mismatch.Rule = engine.RuleCount
			yield(nil, mismatch)
		}
	}
}

// Streams says that a file is read piece by piece.
func (Adapter) Streams() {}

func decoderOf(msg engine.Message) *cpis.Decoder {
	if msg.Open != nil {
		return cpis.NewStreamDecoder(msg.Open, cpis.Limits{})
	}
	return cpis.NewDecoder(msg.Body, cpis.Limits{})
}

func next(found *cpis.Record, header *cpis.Header, err error) (engine.Record, error) {
	if found == nil {
		fault, ok := errors.AsType[*cpis.Fault](err)
		if !ok {
			return nil, refuse("the file cannot be read")
		}
		return nil, convert(fault, engine.Place{})
	}
	if err == nil {
		return &record{position: found.Position, element: found.Element, header: header.Element}, nil
	}
	place := engine.Place{Record: found.Position, Start: found.Start, End: found.End}
	first := convert(found.Faults[0], place)
	var others faults
	for _, fault := range found.Faults[1:] {
		others = append(others, convert(fault, place))
	}
	first.Err = refused{others, about(found)}
	return nil, first
}

// about reads whom a refused record is about, as far as the rules that it breaks allow.
func about(found *cpis.Record) engine.About {
	subject, _ := found.Subject()
	out := engine.About{LocalID: engine.Personal(subject.LocalID), Given: engine.Personal(subject.Given), Family: engine.Personal(subject.Family)}
	if born, err := engine.MustLayout(engine.LayoutHL7TS).Parse(subject.BirthTime); err == nil {
		out.BirthDate = born
	}
	if n, err := engine.ParseNHSNumber(subject.NHSNumber); err == nil {
		out.NHSNumber = n
	}
	return out
}

// refused is what else there is to say of a record that the codec refuses.
type refused struct {
	faults
	about engine.About // prints as redacted
}

// About says whom the record is about.
func (r refused) About() engine.About { return r.about }

// convert gives a codec's fault the engine's form. place holds the record and its range; path, line and column are the fault's.
func convert(fault *cpis.Fault, place engine.Place) *engine.Error {
	place.Path, place.Line, place.Column = fault.Path, fault.Line, fault.Column
	kind := engine.Invalid
	if strings.HasPrefix(fault.Rule, "limit-") {
		kind = engine.TooLarge
	}
	return &engine.Error{Op: "read cpisxml", Kind: kind, Rule: fault.Rule, Place: place, Text: fault.Text}
}

// faults are the further faults of a record.
type faults []error

// Error counts them: each has a place and a sentence of its own.
func (f faults) Error() string { return fmt.Sprintf("and %d more", len(f)) }

// Unwrap returns them.
func (f faults) Unwrap() []error { return f }
