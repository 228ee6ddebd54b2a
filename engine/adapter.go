package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// MessageID names a raw message: 32 hexadecimal digits derived from its source and its sender's own id.
type MessageID string

// Message is what arrived, exactly as it arrived.
type Message struct {
	ID         MessageID
	Source     string // where it came in: "mesh/<mailbox>/<sender>" or "fhir/<trust>"; never personal
	Upstream   string // the MESH message id or the request id: the de-duplication key within Source
	From       string // sending mailbox, or the ODS code of the trust
	WorkflowID string // MESH workflow id; empty over HTTP
	LocalID    string // the sender's own reference; by MESH's rule not personal
	FileName   string // as sent; may be personal in spite of the rules, so never logged
	Received   time.Time
	Body       []byte

	// Open gives the body from its first byte, where it is not held in Body: a large file is read piece by piece. It may be called more than
	// once; each reading is closed. nil: Body is all.
	Open func() (io.ReadCloser, error)
	Size int64 // bytes of what Open gives
}

// Reader gives the body from its first byte, wherever it is. Close it.
func (m Message) Reader() (io.ReadCloser, error) {
	if m.Open != nil {
		return m.Open()
	}
	return io.NopCloser(bytes.NewReader(m.Body)), nil
}

// Whole returns the message with its body in Body.
func (m Message) Whole() (Message, error) {
	if m.Open == nil {
		return m, nil
	}
	body, err := m.Open()
	if err != nil {
		return m, err
	}
	m.Body, err = io.ReadAll(body)
	m.Open = nil
	return m, errors.Join(err, body.Close())
}

// FieldType is the type of a declared source field.
type FieldType string

// The types that a source schema can declare.
const (
	TypeString  FieldType = "string"
	TypeInteger FieldType = "integer"
	TypeNumber  FieldType = "number"
	TypeBoolean FieldType = "boolean"
	TypeDate    FieldType = "date"
)

// Field is one declared field of a supplier's source: a CSV column, an XML path, a FHIRPath. Mappings see it in CEL as row.<Name>.
type Field struct {
	Name     string
	Select   string    // selector in the format's own language; empty means Name itself
	Type     FieldType // TypeString when not said
	Layout   string    // date layout, for TypeDate
	Nullable bool      // may be absent or empty
	Enum     []string  // the only values allowed; empty: any
	Line     int       // where it is declared, 1-based
	Column   int
}

// Selector is what finds the field, in the format's own language.
func (f Field) Selector() string {
	if f.Select != "" {
		return f.Select
	}
	return f.Name
}

// Schema is a supplier's declared source.
type Schema struct {
	Format   string
	Encoding string            // IANA name; empty means the format's own default
	Options  map[string]string // settings of the format, for example a delimiter; the adapter refuses those it does not know
	Fields   []Field

	// Structure is what the supplier says its messages look like, for formats that nest: selectors are held against it. Empty: not said.
	Structure []Element
}

// Element is one name in the declared structure of a source that nests: a member of a JSON object, an XML element, or an XML attribute,
// which is written "@name".
type Element struct {
	Name         string
	Many         bool      // it may stand more than once: a JSON array, a repeated XML element
	Children     []Element // empty: it holds a value
	Line, Column int       // where it is declared, 1-based
}

// Field returns the declared field of that name.
func (s Schema) Field(name string) (Field, bool) {
	for _, f := range s.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Record is one record of a decoded message: a row, an XML record, a Bundle. Only the adapter that made it looks inside.
type Record interface {
	// Position is the record's 1-based place in its message; it is part of the event id, so it MUST be the same on every decoding.
	Position() int
	// Place says where the record stood: at least Record, Start and End.
	Place() Place
}

// Value is what a selector found.
type Value struct {
	Text string
	At   Place
}

// Selector is a compiled expression of a format's own language. It MUST be safe for concurrent use.
type Selector interface {
	// Select appends what it finds in r, in document order, to into and returns the longer slice. It finds nothing rather
	// than failing; a selector that can fail is a FallibleSelector as well.
	// r MUST come from the same adapter's Decode.
	Select(r Record, into []Value) []Value
}

// FallibleSelector is a Selector that can fail on a record, as a FHIRPath does that asks for the one of several. Who maps asks it this way: a
// value that could not be worked out is not the same as one that is absent.
type FallibleSelector interface {
	Selector
	// SelectOr is Select that says why nothing could be found out. The error is an *Error of RuleSelector with a place in the message and
	// without a datum; nothing is appended then.
	SelectOr(r Record, into []Value) ([]Value, error)
}

// Select asks a selector of any kind. Only a FallibleSelector has errors.
func Select(s Selector, r Record, into []Value) ([]Value, error) {
	if f, ok := s.(FallibleSelector); ok {
		return f.SelectOr(r, into)
	}
	return s.Select(r, into), nil
}

// TextSelector is a Selector that finds exactly one value in every record and can give its text alone. Places are for faults and for
// explanations, and most values need neither.
type TextSelector interface {
	Selector
	// Text is the text of the value that Select finds.
	Text(r Record) string
}

// CompileError is a selector that its adapter refuses.
type CompileError struct {
	Offset, Length int    // byte range within the expression
	Text           string // what is wrong
	Suggest        string // the nearest known name, or empty
	Line, Column   int    // where the schema declares Suggest (Element.Line, Element.Column); 0 when it does not, or the adapter cannot say
}

// Error writes the fault with its place in the expression.
func (e *CompileError) Error() string {
	if e.Suggest == "" {
		return fmt.Sprintf("at %d: %s", e.Offset+1, e.Text)
	}
	return fmt.Sprintf("at %d: %s, did you mean %q?", e.Offset+1, e.Text, e.Suggest)
}

// Adapter decodes one format. It MUST be pure: no I/O, no clock, no goroutine, no state kept between calls; the same bytes yield the
// same records for ever. That is what makes lineage, backtest and replay honest.
type Adapter interface {
	// Format is the name that a source schema asks for, for example "csv".
	Format() string
	// Check refuses a schema whose options, encoding or fields this format cannot honour. Errors name the option or field.
	Check(src Schema) error
	// Compile checks a selector against the supplier's declared source and returns it ready to run. A refusal is a *CompileError.
	Compile(expr string, src Schema) (Selector, error)
	// Decode yields the records in order. A record that cannot be read is yielded as an *Error whose Place.Record is its position, and
	// decoding goes on. A fault of the whole message is an *Error with Place.Record 0; after one that ends the reading nothing follows.
	// Both values set means: the record is readable, and this is wrong with it.
	Decode(msg Message, src Schema) iter.Seq2[Record, error]
}

// A Reuser is an Adapter that can have each record take the memory of the one before. Its records are the same otherwise.
type Reuser interface {
	Adapter
	// DecodeReusing is Decode for who is done with a record, and with all that was reached through it, when it asks for the next.
	DecodeReusing(msg Message, src Schema) iter.Seq2[Record, error]
}

// A Streamer is an Adapter whose Decode reads a message with Open set piece by piece. Every other adapter is given the Body. When a reading
// fails, Decode yields what it likes and ends: whoever gave Open knows of the failure and takes nothing of what was yielded.
type Streamer interface {
	Adapter
	// Streams says nothing; that it is there says all.
	Streams()
}
