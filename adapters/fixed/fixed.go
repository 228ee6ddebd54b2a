// Package fixed decodes fixed-width text: one record a line, one selector a range of characters such as 11-20.
//
// Every character of a line is declared: ranges neither overlap nor leave a gap, so that a range which is one character off is found when
// the source is loaded and not when a name has lost its first letter. A line of another width than the one declared costs itself.
package fixed

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
const Format = "fixed"

// Bounds of one file.
const (
	MaxFileBytes  = 256 << 20 // bytes of one file
	MaxCharacters = 16 << 10  // characters of one line
)

// Options of a source schema.
const (
	OptionHead    = "head"          // with what the one line before the records begins
	OptionTrailer = "trailer"       // with what the one line after the records begins
	OptionCount   = "trailer-count" // range of the trailer that says how many records there are, for example 4-9
	OptionDetail  = "detail"        // with what every record begins
	OptionTrimmed = "trimmed"       // "true": spaces at a line's end may be missing; default "false"
	headPrefix    = "head."         // of a selector: head.4-11 reads the line before the records
)

// Adapter reads fixed-width text. The zero value is ready; it holds no state.
type Adapter struct{}

// New returns the adapter.
func New() Adapter { return Adapter{} }

// Format returns "fixed".
func (Adapter) Format() string { return Format }

// extent is a range of characters, from 1, both ends included.
type extent struct {
	from, to int
	head     bool
}

// layout is a schema, checked.
type layout struct {
	charset               chars.Charset
	head, trailer, detail string
	count                 extent
	trimmed               bool
	width, headWidth      int
}

// Check refuses unknown options and encodings, and ranges that overlap, leave a gap or do not begin with the first character.
func (Adapter) Check(src engine.Schema) error {
	_, err := newLayout(src)
	return err
}

func refuse(format string, args ...any) error {
	return &engine.Error{Op: "fixed schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: fmt.Sprintf(format, args...)}
}

func newLayout(src engine.Schema) (layout, error) {
	l := layout{}
	var ok bool
	if l.charset, ok = chars.NewCharset(src.Encoding); !ok || l.charset.IsTwo {
		return l, refuse("encoding is one byte a character or utf-8")
	}
	for _, name := range slices.Sorted(maps.Keys(src.Options)) {
		if err := l.option(name, src.Options[name]); err != nil {
			return l, err
		}
	}
	switch {
	case l.count.to > 0 && l.trailer == "":
		return l, refuse("option trailer-count needs option trailer")
	case l.trailer != "" && l.detail == "":
		return l, refuse("option trailer needs option detail: a record must not be taken for the trailer")
	}
	return l, l.measure(src)
}

func (l *layout) option(name, value string) error {
	switch name {
	case OptionHead:
		l.head = value
	case OptionTrailer:
		l.trailer = value
	case OptionDetail:
		l.detail = value
	case OptionTrimmed:
		if value != "true" && value != "false" {
			return refuse("option trimmed is true or false")
		}
		l.trimmed = value == "true"
		return nil
	case OptionCount:
		var ok bool
		if l.count, ok = parse(value); !ok || l.count.head {
			return refuse("option trailer-count is a range of characters, for example 4-9")
		}
		return nil
	default:
		return refuse("option %q is unknown: fixed knows head, detail, trailer, trailer-count, trimmed", name)
	}
	if value == "" || strings.TrimSpace(value) != value {
		return refuse("option %s is the text with which such a line begins", name)
	}
	return nil
}

// measure holds the fields' ranges against one another and settles the width of a line.
func (l *layout) measure(src engine.Schema) error {
	type owned struct {
		extent
		field string
	}
	var all []owned
	for _, f := range src.Fields {
		e, ok := parse(f.Selector())
		if !ok {
			return nil // its selector is refused, at a better place
		}
		if e.head && l.head == "" {
			return refuse("field %s reads the head, and there is no option head", f.Name)
		}
		all = append(all, owned{e, f.Name})
	}
	slices.SortStableFunc(all, func(a, b owned) int {
		if a.head != b.head {
			return map[bool]int{true: 1, false: -1}[a.head]
		}
		return a.from - b.from
	})
	next, head := 1, false
	for _, o := range all {
		if o.head != head {
			next, head = 1, true
		}
		switch {
		case o.from < next:
			return refuse("field %s overlaps the field before it: character %d is declared twice", o.field, o.from)
		case o.from > next:
			return refuse("field %s leaves a gap: characters %d to %d are not declared; declare them and ignore them", o.field, next, o.from-1)
		}
		next = o.to + 1
		if o.head {
			l.headWidth = o.to
		} else {
			l.width = o.to
		}
	}
	return nil
}

// parse reads 4-11, 4 or head.4-11.
func parse(expr string) (extent, bool) {
	rest, head := strings.CutPrefix(expr, headPrefix)
	first, last, both := strings.Cut(rest, "-")
	if !both {
		last = first
	}
	from, ok := position(first)
	to, also := position(last)
	e := extent{from: from, to: to, head: head}
	return e, ok && also && to >= from
}

// position reads the number of a character, from 1.
func position(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && strconv.Itoa(n) == text && n >= 1 && n <= MaxCharacters
}

// Compile returns the selector of a declared field, by its name or its range.
func (Adapter) Compile(expr string, src engine.Schema) (engine.Selector, error) {
	var known []string
	for _, f := range src.Fields {
		known = append(known, f.Name)
		if f.Name != expr && f.Selector() != expr {
			continue
		}
		e, ok := parse(f.Selector())
		if !ok {
			return nil, &engine.CompileError{Length: max(len(expr), 1), Text: "a range of characters is like 11-20, and head.4-11 in the line before the records"}
		}
		return selector{extent: e, path: "characters " + f.Selector()}, nil
	}
	return nil, &engine.CompileError{Length: max(len(expr), 1), Text: fmt.Sprintf("no field %q", expr), Suggest: chars.Nearest(expr, known)}
}

// Decode yields the lines that are records.
func (Adapter) Decode(msg engine.Message, src engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		l, err := newLayout(src)
		if err != nil {
			yield(nil, err)
			return
		}
		f := &file{layout: l, yield: yield}
		f.run(msg.Body)
	}
}
