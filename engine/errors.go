package engine

import (
	"errors"
	"fmt"
	"strings"
)

// ErrorKind tells a caller what to do about an error. The list only grows at its end.
type ErrorKind int

// The kinds of error.
const (
	Internal    ErrorKind = iota // our own fault: stop and look
	Invalid                      // the input breaks a rule: sending it again changes nothing
	Unmapped                     // the input is well-formed but a code has no meaning yet: park it until the table knows
	NotFound                     // what was asked for does not exist
	Denied                       // the caller may not
	TooLarge                     // over a limit of size, depth or count
	Unavailable                  // something we depend on is away: try again later
	Unsure                       // the effect may or may not have happened: look before trying again
)

// String names the kind as logs and reports show it.
func (k ErrorKind) String() string {
	names := [...]string{"internal", "invalid", "unmapped", "not-found", "denied", "too-large", "unavailable", "unsure"}
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Rules that the engine itself names. Adapters add names of their own; a rule is a stable word that a supplier can search for.
const (
	RuleMandatory   = "mandatory"          // a mandatory field is missing or empty
	RuleNHSNumber   = "nhs-number"         // not ten digits, or the check digit fails
	RuleDate        = "date"               // not in the declared layout, or not in the calendar
	RuleCode        = "code-unmapped"      // a code that its table does not list
	RuleEnum        = "not-in-enum"        // a value outside the declared enumeration
	RuleType        = "wrong-type"         // a value that is not of its declared type
	RuleEncoding    = "encoding"           // bytes that are not valid in the declared encoding
	RuleColumns     = "column-count"       // a row with too few or too many columns
	RuleCount       = "record-count"       // the file says another number of records than it holds
	RuleSyntax      = "syntax"             // not well-formed in its own format
	RuleLimit       = "limit"              // over a bound of size, depth or count
	RulePlanPeriod  = "plan-period"        // a plan that ends before it starts
	RuleMany        = "more-than-one"      // many values where the mapping accepts one
	RuleNoRoute     = "no-route"           // no mapping is configured for where the message came from
	RuleExpression  = "expression"         // a CEL expression failed on this record
	RuleSelector    = "selector"           // a selector that could not be worked out on this record
	RuleNotSelected = "not-selected"       // the mapping's when clause leaves the record out; not a fault
	RuleDuplicate   = "duplicate-position" // an adapter yielded one record position twice
)

// Place says where in a message something stood. It is a position, never a value, so it may be logged and kept.
type Place struct {
	Record       int    // 1-based position of the record in its message; 0 when about the whole message
	Path         string // column, element path or target field, in the format's own terms
	Line, Column int    // 1-based; 0 when unknown
	Start, End   int64  // byte range [Start, End) in the raw message; both 0 when unknown
}

// String writes the place for a person: "record 17, column plan_cat, line 18:9".
func (p Place) String() string {
	var parts []string
	if p.Record > 0 {
		parts = append(parts, fmt.Sprintf("record %d", p.Record))
	}
	if p.Path != "" {
		parts = append(parts, p.Path)
	}
	if p.Line > 0 {
		parts = append(parts, fmt.Sprintf("line %d:%d", p.Line, p.Column))
	}
	return strings.Join(parts, ", ")
}

// Error is the engine's error: the operation, what to do about it, the rule broken, the place, and a sentence. None of these may hold a
// datum; Err may be logged only if its maker keeps to the same rule.
type Error struct {
	Op    string
	Kind  ErrorKind
	Rule  string
	Place Place
	Text  string
	Err   error
}

// Error writes "op: place: text: cause".
func (e *Error) Error() string {
	parts := []string{e.Op}
	if at := e.Place.String(); at != "" {
		parts = append(parts, at)
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Sentence is the text and its cause without the place, for reports that show the place beside it.
func (e *Error) Sentence() string {
	switch {
	case e.Err == nil:
		return e.Text
	case e.Text == "":
		return e.Err.Error()
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, or Internal when there is none.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
