// Package xml decodes a supplier's own XML: one record each element that a path finds, one XPath a selector.
//
// XPath is evaluated by github.com/antchfx/xpath over a bounded tree that keeps the offset of everything; before that, every step of it,
// those in predicates too, is held against the structure that the source declares. A broken character costs its record; markup that is not
// well-formed costs the rest of the file, because nobody can say where the next record begins. There is no DTD and no entity of one.
package xml

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/antchfx/xpath"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// Format is the name that a source schema asks for.
const Format = "xml"

// Bounds of one file.
const (
	MaxFileBytes = 32 << 20 // bytes of one file
	MaxDepth     = 64       // nesting of elements
	MaxNodes     = 2 << 20  // elements and pieces of text in one file
)

// Options of a source schema.
const (
	OptionRecord     = "record"     // path of the record element from the root, for example /Register/Child; mandatory
	OptionNamespace  = "namespace"  // namespace of names without a prefix; none when left out
	OptionNamespaces = "namespaces" // namespaces of prefixes in structure and selectors: "p=urn:one q=urn:two"
)

// Adapter reads XML. The zero value is ready; it holds no state.
type Adapter struct{}

// New returns the adapter.
func New() Adapter { return Adapter{} }

// Format returns "xml".
func (Adapter) Format() string { return Format }

// Check refuses unknown options and encodings, a source without a structure, and a record element that the structure does not have.
func (Adapter) Check(src engine.Schema) error {
	_, err := newDialect(src)
	return err
}

func refuse(format string, args ...any) error {
	return &engine.Error{Op: "xml schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: fmt.Sprintf(format, args...)}
}

// dialect is a schema's settings, checked.
type dialect struct {
	charset  chars.Charset
	prefixes map[string]string // namespace to the prefix of structure and selectors
	path     []string          // names from the root to the record element
	root     *declared
	record   *declared
}

func newDialect(src engine.Schema) (dialect, error) {
	d := dialect{prefixes: map[string]string{"": ""}}
	var ok bool
	if d.charset, ok = chars.NewCharset(src.Encoding); !ok || d.charset.IsTwo {
		return d, refuse("encoding is utf-8 or one byte a character")
	}
	for _, name := range slices.Sorted(maps.Keys(src.Options)) {
		if err := d.option(name, src.Options[name]); err != nil {
			return d, err
		}
	}
	if len(d.path) == 0 {
		return d, refuse("option record is missing: it is the path of the record element, for example /Register/Child")
	}
	if len(src.Structure) == 0 {
		return d, refuse("the structure is missing: xml needs the elements and attributes that the supplier sends")
	}
	d.root = declare(src.Structure)
	d.record = d.root
	offset := len("/")
	for _, name := range d.path {
		next := d.record.child(name)
		if next == nil {
			err := refuseName(name, fmt.Sprintf("no element %q is declared there", name), offset, d.record)
			return d, &engine.Error{Op: "xml schema", Kind: engine.Invalid, Rule: engine.RuleSyntax, Text: "option record", Err: err}
		}
		d.record = next
		offset += len(name) + len("/")
	}
	return d, nil
}

func (d *dialect) option(name, value string) error {
	switch name {
	case OptionRecord:
		rest, absolute := strings.CutPrefix(value, "/")
		d.path = strings.Split(rest, "/")
		for _, step := range d.path {
			if !absolute || !isName(step) {
				return refuse("option record is a path of plain names from the root, for example /Register/Child")
			}
		}
	case OptionNamespace:
		delete(d.prefixes, "")
		d.prefixes[value] = ""
	case OptionNamespaces:
		for _, word := range strings.Fields(value) {
			prefix, uri, ok := strings.Cut(word, "=")
			if !ok || !isName(prefix) || uri == "" || strings.Contains(prefix, ":") {
				return refuse("option namespaces is a list like p=urn:one q=urn:two")
			}
			d.prefixes[uri] = prefix
		}
	default:
		return refuse("option %q is unknown: xml knows record, namespace, namespaces", name)
	}
	return nil
}

// Compile returns the selector of an XPath, or of a declared field by its name. The error is a *engine.CompileError under the step that the
// structure does not have.
func (Adapter) Compile(expr string, src engine.Schema) (engine.Selector, error) {
	if f, ok := src.Field(expr); ok && f.Select != "" {
		expr = f.Select
	}
	d, err := newDialect(src)
	if err != nil {
		return nil, &engine.CompileError{Length: max(len(expr), 1), Text: "the source's options are refused"}
	}
	single, absolute, err := check(expr, d.root, d.record)
	if err != nil {
		return nil, err
	}
	compiled, err := xpath.Compile(expr)
	if err != nil {
		return nil, &engine.CompileError{Length: max(len(expr), 1), Text: "the XPath is refused"}
	}
	return &selector{compiled: compiled, single: single, absolute: absolute}, nil
}

// selector is a compiled XPath.
type selector struct {
	compiled         *xpath.Expr
	single, absolute bool
}

// Single reports whether the declared structure lets the path find one value at most.
func (s *selector) Single() bool { return s.single }

// Select appends the text of every attribute and element that the path finds.
func (s *selector) Select(r engine.Record, into []engine.Value) []engine.Value {
	rec, ok := r.(*record)
	if !ok {
		return into
	}
	start := &navigator{file: rec.file, at: rec.node}
	found := s.compiled.Select(start)
	for found.MoveNext() {
		if n, ok := found.Current().(*navigator); ok {
			into = append(into, engine.Value{Text: n.Value(), At: rec.place(n)})
		}
	}
	return into
}

// Decode yields the record elements in the order in which they stand.
func (Adapter) Decode(msg engine.Message, src engine.Schema) iter.Seq2[engine.Record, error] {
	return func(yield func(engine.Record, error) bool) {
		d, err := newDialect(src)
		if err != nil {
			yield(nil, err)
			return
		}
		f := &file{dialect: d}
		f.decode(msg.Body, yield)
	}
}
