package engine

import "iter"

// Escape is the way in which a format writes characters that it cannot write as they are.
type Escape string

// The ways.
const (
	EscapeNone Escape = ""     // every character stands for itself
	EscapeXML  Escape = "xml"  // &amp; &#233;
	EscapeJSON Escape = "json" // \n \u00e9
	EscapeHL7  Escape = "hl7"  // \T\; the escape character of the message follows: EscapeHL7 + "\\"
)

// Cell is one value of a message as it stands in its bytes, whether or not a mapping declares it.
type Cell struct {
	Record     int    // 1-based position of its record; 0 for what stands outside of any
	Path       string // column or element path without positions: the same in every record and every message
	Text       string // decoded
	Start, End int64  // bytes [Start, End), the same as those of a selector that finds it
	Fixed      bool   // the format's own: a heading, the name of a namespace, a code of the message's structure; nobody's datum
	Apart      bool   // no rule can read it: a line that is skipped, a trailer, a comment, what follows broken markup. It may hold a datum
	Escape     Escape
}

// Surveyor is an adapter that can show all that a message holds. Coverage, drift and synthetic twins need it.
type Surveyor interface {
	// Survey yields every value in the order of the bytes, those of records that cannot be decoded too. It reads as far as it can and never
	// fails. src says how the message is written; of its fields only the texts count that their selectors compare with: those are Fixed.
	Survey(msg Message, src Schema) iter.Seq[Cell]
}

// Profile is how a sample could be declared.
type Profile struct {
	Schema  Schema   // Format, Encoding, Options, and a field for every value that a record has, all of them text
	Reasons []string // what was seen that speaks for it, without values
	Doubts  []string // what a person must decide
}

// Profiler is an adapter that can tell how an unknown sample is written.
type Profiler interface {
	// Profile reports false when the sample is not of this format.
	Profile(sample []byte) (Profile, bool)
}
