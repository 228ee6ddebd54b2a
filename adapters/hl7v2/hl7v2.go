// Package hl7v2 decodes HL7 version 2 messages in their pipe form: one record a message, one path such as PID-3[5="NH"].1 a selector.
//
// A file may hold one message or many, in MLLP frames or without, in a batch (FHS, BHS, BTS, FTS) or without. A message that cannot be read
// costs itself: the next begins at the next MSH. Paths are held against the segments and data types of version 2.4 and against the Z
// segments that the source declares.
package hl7v2

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// Format is the name that a source schema asks for.
const Format = "hl7v2"

// Bounds of one file.
const (
	MaxFileBytes    = 64 << 20 // bytes of one file
	MaxMessageBytes = 4 << 20  // bytes of one message
	MaxSegments     = 5000     // segments of one message
)

// OptionSegments declares segments that HL7 does not: "ZCP:5 ZLA:2" is ZCP with five fields and ZLA with two.
const OptionSegments = "segments"

// Adapter reads HL7 v2. The zero value is ready; it holds no state.
type Adapter struct{}

// New returns the adapter.
func New() Adapter { return Adapter{} }

// Format returns "hl7v2".
func (Adapter) Format() string { return Format }

// Check refuses unknown options, an encoding of two bytes a character, and declared segments that are none of the Z segments.
func (Adapter) Check(src engine.Schema) error {
	_, err := newDialect(src)
	return err
}

func refuse(format string, args ...any) error {
	return &engine.Error{Op: "hl7v2 schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: fmt.Sprintf(format, args...)}
}

// dialect is a schema's settings, checked.
type dialect struct {
	charset  chars.Charset
	segments dictionary
	read     map[string]bool // segments that a declared field reads
}

func newDialect(src engine.Schema) (dialect, error) {
	d := dialect{segments: standard(), read: map[string]bool{}}
	var ok bool
	if d.charset, ok = chars.NewCharset(src.Encoding); !ok || d.charset.IsTwo {
		return d, refuse("encoding is one byte a character or utf-8")
	}
	for _, name := range slices.Sorted(maps.Keys(src.Options)) {
		if name != OptionSegments {
			return d, refuse("option %q is unknown: hl7v2 knows segments", name)
		}
		for _, word := range strings.Fields(src.Options[name]) {
			segment, count, _ := strings.Cut(word, ":")
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 || n > 200 || len(segment) != 3 || segment[0] != 'Z' || !isSegment(segment) {
				return d, refuse("option segments is a list like ZCP:5, the name of a Z segment and how many fields it has")
			}
			d.segments[segment] = strings.TrimSpace(strings.Repeat("? ", n))
		}
	}
	for _, f := range src.Fields {
		if p, err := parse(f.Selector(), d.segments); err == nil {
			d.read[p.segment] = true
		}
	}
	return d, nil
}

// Compile returns the selector of a path, or of a declared field by its name. Segment, field, component and subcomponent must exist in
// version 2.4, or the segment must be declared.
func (Adapter) Compile(expr string, src engine.Schema) (engine.Selector, error) {
	if f, ok := src.Field(expr); ok {
		expr = f.Selector()
	}
	d, err := newDialect(src)
	if err != nil {
		return nil, &engine.CompileError{Length: len(expr), Text: "the source's options are refused"}
	}
	p, err := parse(expr, d.segments)
	if err != nil {
		return nil, err
	}
	if err := p.check(expr, d.segments); err != nil {
		return nil, err
	}
	return p, nil
}

// Decode yields the messages in the order in which they stand.
func (Adapter) Decode(msg engine.Message, src engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		d, err := newDialect(src)
		if err != nil {
			yield(nil, err)
			return
		}
		f := &file{dialect: d, yield: yield}
		f.run(msg.Body)
	}
}
