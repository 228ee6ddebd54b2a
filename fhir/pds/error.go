package pds

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Kind says what became of a question that has no patient for an answer.
type Kind int

// The kinds.
const (
	Unavailable Kind = iota // PDS or the way to it is away, or its answer cannot be read: ask again later
	Throttled               // over the rate that PDS allows: ask again later
	Denied                  // PDS does not let this application ask: nothing to do with the number; a person has to look
	NotFound                // no patient has the number, or no single one matches
	Invalidated             // the number was a patient's, and is not any more; nothing replaces it
	BadNumber               // PDS says that this is no NHS number
	Refused                 // PDS finds fault with the request itself
)

// String names the kind.
func (k Kind) String() string {
	names := [...]string{"unavailable", "throttled", "denied", "not-found", "invalidated", "bad-number", "refused"}
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Error is the failure of a question. It holds no URL, no number and nothing of an answer's text.
type Error struct {
	Op        string
	Kind      Kind
	Status    int    // of HTTP; 0: there was no answer
	Code      string // of the OperationOutcome, if it is one of the published; empty otherwise
	RequestID string // what to tell the helpdesk
	Err       error
}

// Error writes "pds: op: kind (status, code): cause".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pds: %s: %s", e.Op, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, ", HTTP status %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(", " + e.Code)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, or Unavailable.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unavailable
}

// withoutURL takes the URL off an error of net/http, because the NHS number stands in it.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// again reports whether the same question may have an answer soon.
func (e *Error) again() bool { return e.Kind == Unavailable || e.Kind == Throttled }
