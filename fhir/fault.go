package fhir

import (
	"fmt"
	"strings"
)

// Rules that a fault can name. The words are stable: a supplier can search for them.
const (
	RuleSize         = "size"               // over Limits.MaxBytes
	RuleDepth        = "depth"              // over Limits.MaxDepth
	RuleNodes        = "nodes"              // over Limits.MaxNodes
	RuleString       = "string-length"      // over Limits.MaxString
	RuleBOM          = "byte-order-mark"    // the document starts with a byte order mark
	RuleUTF8         = "utf-8"              // bytes that are not UTF-8
	RuleSyntax       = "json-syntax"        // not well-formed JSON
	RuleTruncated    = "truncated"          // the document ends too early
	RuleTrailing     = "trailing-bytes"     // something follows the document
	RuleDuplicate    = "duplicate-name"     // one name twice in an object
	RuleResourceType = "resource-type"      // resourceType is missing, is not the name of an R4 resource, or is not allowed here
	RuleNull         = "null"               // null where FHIR JSON does not allow it
	RuleEmpty        = "empty"              // an empty object, array or string
	RuleElement      = "unknown-element"    // R4 has no such element here
	RuleShape        = "shape"              // an object, array or primitive where R4 wants another
	RuleRequired     = "required"           // an element with a minimum of one is missing
	RuleCode         = "code"               // not in the required value set, capitals included
	RuleChoice       = "choice"             // two types of one choice element
	RuleValue        = "value"              // a primitive that breaks the rules of its type
	RuleReference    = "reference"          // a reference to a wrong type
	RuleIdentity     = "identity"           // an id or fullUrl that stands twice
	RuleOrder        = "order"              // XML elements in another order than R4's
	RuleNamespace    = "namespace"          // XML of another namespace than FHIR's
	RuleDoctype      = "doctype"            // XML with a document type declaration
	RuleInvariant    = "invariant"          // an invariant of R4 (fhir/invariants)
	RuleProfile      = "profile"            // a constraint of a profile
	RuleModifier     = "modifier-extension" // a modifierExtension that is not understood
	RuleOther        = "invalid"            // anything else that the second opinion refuses
)

// Fault is one thing wrong with a document. It holds no value of the document; Path is made of names that R4 knows.
type Fault struct {
	Path         string // FHIRPath-like, for example "Bundle.entry[3].resource"; a name unknown to R4 stands as "?"
	Line, Column int    // 1-based, columns in bytes; 0 when unknown
	Offset       int64  // byte offset in the document
	Rule         string // one of the Rule constants
	Text         string // a sentence for the sender
	Suggest      string // the nearest name that R4 knows, or empty
}

// Error writes "Bundle.entry[3]: line 4:17: unknown-element: text".
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d:%d: ", f.Line, f.Column)
	}
	b.WriteString(f.Rule + ": " + f.Text)
	if f.Suggest != "" {
		fmt.Fprintf(&b, ", did you mean %q?", f.Suggest)
	}
	return b.String()
}

// Faults is everything found wrong with a document, in document order.
type Faults []*Fault

// Error writes one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults as errors, for errors.As.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, one := range f {
		errs[i] = one
	}
	return errs
}

// SecondOpinion is another reader of FHIR that is asked about a document which Read has accepted. What it returns is complete and free of
// data; nothing means that it found nothing wrong. It MUST be safe for concurrent use.
type SecondOpinion interface {
	Check(data []byte) []*Fault
}

// XMLOpinion is a SecondOpinion that is given XML as it was written; others are given the same document in JSON.
type XMLOpinion interface {
	SecondOpinion
	CheckXML(data []byte) []*Fault
}
