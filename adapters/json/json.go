// Package json decodes JSON exports: one record each value that a path finds, or each line, one JSONPath a selector.
//
// The reader is strict (RFC 8259 without its liberties: no name twice, no broken characters) and bounded, and it keeps the offset of every
// value. What is wrong inside a record costs that record; what is wrong with the syntax costs the rest of the file, or of the line where
// every line is a text of its own, because nobody can say where the next record begins.
package json

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// Format is the name that a source schema asks for.
const Format = "json"

// Bounds of one message.
const (
	MaxFileBytes = 64 << 20 // bytes of one message
	MaxDepth     = 64       // nesting of objects and arrays
	MaxValues    = 4 << 20  // values in one message
)

// Options of a source schema.
const (
	OptionRecords = "records" // JSONPath of the records from the document's root, for example $.children[*]; default $
	OptionLines   = "lines"   // "true": every line is a JSON text of its own; default "false"
)

// Adapter reads JSON. The zero value is ready; it holds no state.
type Adapter struct{}

// New returns the adapter.
func New() Adapter { return Adapter{} }

// Format returns "json".
func (Adapter) Format() string { return Format }

// Check refuses unknown options, another encoding than UTF-8 (RFC 8259, section 8.1), and a record path that the declared structure
// does not have.
func (Adapter) Check(src engine.Schema) error {
	if src.Encoding != "" && !strings.EqualFold(src.Encoding, "utf-8") {
		return refuse("encoding: JSON is UTF-8")
	}
	_, err := newShape(src)
	return err
}

func refuse(format string, args ...any) error {
	return &engine.Error{Op: "json schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: fmt.Sprintf(format, args...)}
}

// refuseRecords refuses the option for a fault in its path.
func refuseRecords(err error) error {
	return &engine.Error{Op: "json schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: "option records", Err: err}
}

// shape is a schema's options, compiled.
type shape struct {
	records path
	lines   bool
	record  state // what the structure says of a record
}

func newShape(src engine.Schema) (shape, error) {
	s := shape{records: path{absolute: true}}
	for _, name := range slices.Sorted(maps.Keys(src.Options)) {
		value := src.Options[name]
		switch name {
		case OptionRecords:
			p, err := parse(value)
			if err == nil && !p.absolute {
				err = &engine.CompileError{Text: "it begins with $"}
			}
			if err != nil {
				return s, refuseRecords(err)
			}
			s.records = p
		case OptionLines:
			if value != "true" && value != "false" {
				return s, refuse("option lines is true or false")
			}
			s.lines = value == "true"
		default:
			return s, refuse("option %q is unknown: json knows records, lines", name)
		}
	}
	if len(src.Structure) == 0 {
		return s, nil
	}
	found, err := s.records.follow(root(src.Structure), state{})
	if err != nil {
		return s, refuseRecords(err)
	}
	if found.list {
		return s, refuse("option records: the path finds a list: end it with [*]")
	}
	s.record = found
	return s, nil
}

// Compile returns the selector of a declared field, asked for by its name or its path, or of a path that the declared structure has.
// Without a structure only the paths of declared fields are known.
func (Adapter) Compile(expr string, src engine.Schema) (engine.Selector, error) {
	declared := false
	var known []string
	for _, f := range src.Fields {
		if f.Name == expr && f.Select != "" {
			expr = f.Select
		}
		declared = declared || f.Selector() == expr
		known = append(known, f.Name)
	}
	p, err := parse(expr)
	if err != nil {
		return nil, err
	}
	if len(src.Structure) == 0 {
		if !declared {
			return nil, &engine.CompileError{Length: len(expr), Text: "no declared field has this path, and the source declares no structure",
				Suggest: chars.Nearest(expr, known)}
		}
		return selector{path: p, single: p.singular()}, nil
	}
	s, err := newShape(src)
	if err != nil {
		return nil, &engine.CompileError{Length: len(expr), Text: "the option records does not compile"}
	}
	found, err := p.follow(root(src.Structure), s.record)
	if err != nil {
		return nil, err
	}
	if found.list {
		return nil, &engine.CompileError{Offset: p.last(), Length: max(len(expr)-p.last(), 1), Text: "this is a list: say which with [*], [0] or [?@.name=='value']"}
	}
	if len(found.elements) > 0 {
		return nil, &engine.CompileError{Offset: p.last(), Length: max(len(expr)-p.last(), 1), Text: "this is an object: go on to a value in it",
			Suggest: ""}
	}
	return selector{path: p, single: p.singular()}, nil
}

// selector is a compiled path.
type selector struct {
	path   path
	single bool
}

// Single reports whether the path can never find more than one value.
func (s selector) Single() bool { return s.single }

// Select appends every text, number, true and false that the path finds. A null is an empty value, so that its place is known.
func (s selector) Select(r engine.Record, into []engine.Value) []engine.Value {
	rec, ok := r.(*record)
	if !ok {
		return into
	}
	start := rec.value
	if s.path.absolute {
		start = rec.doc.root
	}
	s.path.find(start, func(v *value) {
		if v.kind != object && v.kind != array {
			into = append(into, engine.Value{Text: v.text, At: rec.at(v)})
		}
	})
	return into
}

// Decode yields the records in the order in which they stand.
func (Adapter) Decode(msg engine.Message, src engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		s, err := newShape(src)
		if err != nil {
			yield(nil, err)
			return
		}
		d := &decoding{shape: s, body: msg.Body, yield: yield}
		d.run()
	}
}
