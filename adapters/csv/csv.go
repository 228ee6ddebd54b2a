// Package csv decodes delimited text: one record a row, one selector a column.
//
// It keeps the rule that a fault costs one row, never the file: a row whose bytes are not valid in the declared encoding, whose quotes
// do not match or whose columns do not count is yielded as an error with its line and column, and the next line is read as if nothing
// had happened. Only what makes every row doubtful (a missing column, another encoding than the one declared) ends the reading.
package csv

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
const Format = "csv"

// Bounds of one file. They are far above any real register and keep a hostile file from costing more than its own size.
const (
	MaxFileBytes = 256 << 20 // bytes of one file
	MaxRowBytes  = 64 << 10  // bytes of one row, quoted line breaks included
	MaxColumns   = 512       // columns of one row
)

// Options of a source schema.
const (
	OptionDelimiter = "delimiter"     // one ASCII character, or "tab"; default ","
	OptionQuote     = "quote"         // one ASCII character, or "none"; default "\""
	OptionHeader    = "header"        // "true" (default): the first row names the columns; "false": they are col1, col2 ...
	OptionSkip      = "skip"          // how many lines before everything else say nothing, for example a title; default 0
	OptionHead      = "head"          // text of the first cell of the one row before the records; read with head.col3
	OptionDetail    = "detail"        // text of the first cell of every record
	OptionTrailer   = "trailer"       // text of the first cell of the one row after the records
	OptionCount     = "trailer-count" // column of the trailer that says how many records there are, for example col2
)

// Adapter reads delimited text. The zero value is ready; it holds no state.
type Adapter struct{}

// New returns the adapter.
func New() Adapter { return Adapter{} }

// Format returns "csv".
func (Adapter) Format() string { return Format }

// dialect is a schema's options, checked.
type dialect struct {
	delimiter byte
	quote     byte // 0: quotes mean nothing
	header    bool
	charset   chars.Charset
	framing
}

// Check refuses unknown options, unknown encodings and fields that name one column twice. The error joins nothing: it is the first fault
// in a fixed order, and names the option or field.
func (Adapter) Check(src engine.Schema) error {
	d, err := newDialect(src)
	if err != nil {
		return err
	}
	owner := map[string]string{}
	positions := make([]bool, MaxColumns)
	last := 0
	for _, f := range src.Fields {
		if other, taken := owner[f.Selector()]; taken {
			return refuse("fields %s and %s both name the column %q", other, f.Name, f.Selector())
		}
		owner[f.Selector()] = f.Name
		if column, inHead := headColumn(f.Selector()); inHead {
			if column >= 0 && d.head == "" {
				return refuse("field %s: head.col1 to head.col%d read the row before the records, and there is no option head", f.Name, MaxColumns)
			}
			continue
		}
		if d.header {
			continue
		}
		column, ok := positional(f.Selector())
		if !ok {
			return refuse("field %s: without a header a column is col1 to col%d", f.Name, MaxColumns)
		}
		positions[column], last = true, max(last, column)
	}
	for column := range last {
		if !positions[column] && !d.header && len(owner) > 0 {
			return refuse("col%d is not declared: without a header every column up to the last is, and what is not needed is ignored", column+1)
		}
	}
	return nil
}

func newDialect(src engine.Schema) (dialect, error) {
	d := dialect{delimiter: ',', quote: '"', header: true}
	for _, name := range slices.Sorted(maps.Keys(src.Options)) {
		value := src.Options[name]
		var err error
		switch name {
		case OptionDelimiter:
			d.delimiter, err = character(name, value, "tab", '\t')
		case OptionQuote:
			d.quote, err = character(name, value, "none", 0)
		case OptionHeader:
			if value != "true" && value != "false" {
				err = refuse("option header is true or false")
			}
			d.header = value == "true"
		case OptionSkip, OptionHead, OptionDetail, OptionTrailer, OptionCount:
			err = d.framing.option(name, value)
		default:
			err = refuse("option %q is unknown: csv knows delimiter, quote, header, skip, head, detail, trailer, trailer-count", name)
		}
		if err != nil {
			return d, err
		}
	}
	if err := d.framing.check(); err != nil {
		return d, err
	}
	if d.delimiter == d.quote {
		return d, refuse("option delimiter and option quote are the same character")
	}
	var ok bool
	if d.charset, ok = chars.NewCharset(src.Encoding); !ok {
		return d, refuse("encoding %q is unknown: csv knows %s", src.Encoding, strings.Join(chars.Encodings(), ", "))
	}
	return d, nil
}

func character(option, value, word string, meaning byte) (byte, error) {
	if value == word {
		return meaning, nil
	}
	if len(value) != 1 || value[0] >= 0x80 || value[0] < ' ' && value[0] != '\t' {
		return 0, refuse("option %s is one ASCII character or %q", option, word)
	}
	return value[0], nil
}

func refuse(format string, args ...any) error {
	return &engine.Error{Op: "csv schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: fmt.Sprintf(format, args...)}
}

// positional reads "col7" as column index 6.
func positional(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "col")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > MaxColumns || digits[0] == '0' || digits[0] == '+' {
		return 0, false
	}
	return n - 1, true
}

// Compile returns the selector of a declared column, asked for by its field's name or by its heading.
func (Adapter) Compile(expr string, src engine.Schema) (engine.Selector, error) {
	var known []string
	for i, f := range src.Fields {
		if f.Name == expr {
			return compile(i, f)
		}
		known = append(known, f.Name)
	}
	for i, f := range src.Fields {
		if f.Selector() == expr {
			return compile(i, f)
		}
	}
	return nil, &engine.CompileError{Length: len(expr), Text: fmt.Sprintf("no column %q", expr), Suggest: chars.Nearest(expr, known)}
}

func compile(i int, f engine.Field) (engine.Selector, error) {
	if column, inHead := headColumn(f.Selector()); inHead && column < 0 {
		return nil, &engine.CompileError{Offset: len(headPrefix), Length: len(f.Selector()) - len(headPrefix),
			Text: fmt.Sprintf("a column of the head is head.col1 to head.col%d", MaxColumns)}
	}
	return selector{field: i}, nil
}

// Streams says that a file is read piece by piece, but for one in UTF-16.
func (Adapter) Streams() {}

// Decode yields the rows after the header, in order. Position 1 is the first of them.
func (Adapter) Decode(msg engine.Message, src engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		d, err := newDecoding(msg, src)
		if d != nil {
			defer d.close() //nolint:errcheck // it was read only, and who gave Open knows of a failure
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if faults := d.readHeader(src); len(faults) > 0 {
			for _, fault := range faults {
				if !yield(nil, fault) {
					return
				}
			}
			return
		}
		for {
			rec, fault := d.next()
			if rec == nil && fault == nil {
				return
			}
			if fault != nil && !yield(nil, fault) || fault == nil && !yield(rec, nil) {
				return
			}
		}
	}
}
