package mesh

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"signalbox/mesh/internal/wire"
)

// Kind says what a caller can do about an error. Every Error has one; test for it with errors.Is.
type Kind string

// The kinds of error.
const (
	// ErrInvalid: the request was refused here, before anything was sent.
	ErrInvalid Kind = "invalid request"
	// ErrAuth: the token, the mailbox or the certificate was not accepted, or the message belongs to another mailbox (403).
	ErrAuth Kind = "not authorised"
	// ErrRejected: the server will never accept this request (400, 406, 417, 422 and other 4xx). The code says why.
	ErrRejected Kind = "rejected"
	// ErrNotFound: no such message (404).
	ErrNotFound Kind = "not found"
	// ErrNotUnique: more than one message has this local id (300).
	ErrNotUnique Kind = "not unique"
	// ErrGone: the message was acknowledged, or has expired, or is not complete (410).
	ErrGone Kind = "no longer available"
	// ErrComplete: the message takes no more chunks (423).
	ErrComplete Kind = "message already complete"
	// ErrBusy: the server asks to come back later (425, 429, 503), and did so on every attempt.
	ErrBusy Kind = "server busy"
	// ErrServer: the server failed (500, 502, 504), on every attempt.
	ErrServer Kind = "server failed"
	// ErrTransport: no answer, on every attempt, to a call that may be repeated.
	ErrTransport Kind = "transport failed"
	// ErrOutcomeUnknown: a send was put on the wire and it is not known whether it was accepted. Look it up by tracking
	// before sending again.
	ErrOutcomeUnknown Kind = "outcome unknown"
	// ErrProtocol: the answer does not follow the API.
	ErrProtocol Kind = "answer does not follow the API"
	// ErrTooLarge: the message is larger than the caller allows.
	ErrTooLarge Kind = "message too large"
)

// Error makes a Kind a target for errors.Is.
func (k Kind) Error() string { return "mesh: " + string(k) }

// Error is what every call of this package returns when it fails.
type Error struct {
	Op     string // handshake, send, send chunk, list, count, get, head, acknowledge, track, lookup, search, ping, rich inbox, rich outbox
	Kind   Kind
	Status int    // HTTP status, 0 without an answer
	Code   string // the API's error code, often empty
	Event  string // the API's phase, often empty
	// Text is what the server wrote, cut to 500 bytes. It is not ours and might quote anything, so Error prints it only
	// when it is one of the published texts.
	Text string
	// MessageID is the message that the answer names, often empty.
	MessageID string
	// RetryAfter is how long the server asked to be left alone, zero when it did not say.
	RetryAfter time.Duration
	// Err is the cause, nil when the server's answer is the cause.
	Err error
}

// Error prints op, kind, status, code, published text and cause; never a datum.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mesh: %s: %s", e.Op, string(e.Kind))
	if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
	}
	if fault, ok := publishedFault(e); ok {
		for _, s := range []string{fault.Event, fault.Code, fault.Text} {
			if s != "" {
				b.WriteString(" " + strings.Join(strings.Fields(s), " "))
			}
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Is matches the error's Kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// publishedFault finds the part of the server's words that the code list holds: the text when it is published, else the
// code alone.
func publishedFault(e *Error) (wire.Fault, bool) {
	var byCode wire.Fault
	for _, f := range wire.Faults() {
		if f.Text == e.Text && f.Code == e.Code {
			return f, true
		}
		if e.Code != "" && f.Code == e.Code {
			byCode = wire.Fault{Event: f.Event, Code: f.Code}
		}
	}
	return byCode, byCode.Code != ""
}

// invalid makes an ErrInvalid.
func invalid(op, format string, args ...any) *Error {
	return &Error{Op: op, Kind: ErrInvalid, Err: fmt.Errorf(format, args...)}
}

// protocol makes an ErrProtocol.
func protocol(op string, status int, format string, args ...any) *Error {
	return &Error{Op: op, Kind: ErrProtocol, Status: status, Err: fmt.Errorf(format, args...)}
}

const (
	maxErrorBody = 64 << 10
	maxErrorText = 500
)

// errorFrom reads at most 64 KiB of an error answer and makes an Error of it. The status alone decides the kind: bodies
// may be any of the API's shapes, or HTML or XML from a gateway, or empty.
func errorFrom(op string, status int, body io.Reader) *Error {
	e := &Error{Op: op, Kind: kindOf(status), Status: status}
	raw, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	decodeErrorBody(raw, e)
	e.Text = clip(e.Text, maxErrorText)
	e.Code, e.Event, e.MessageID = clip(e.Code, 60), clip(e.Event, 60), clip(e.MessageID, 100)
	return e
}

func kindOf(status int) Kind {
	switch status {
	case http.StatusMultipleChoices:
		return ErrNotUnique
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrAuth
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusGone:
		return ErrGone
	case http.StatusLocked:
		return ErrComplete
	case http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return ErrBusy
	}
	switch {
	case status >= 500:
		return ErrServer
	case status >= 400:
		return ErrRejected
	}
	return ErrProtocol
}

// errorBody is the union of the API's error shapes. Keys match exactly in every shape, so one struct reads them all.
type errorBody struct {
	V1ID    string          `json:"messageID"`
	V1Event string          `json:"errorEvent"`
	V1Code  string          `json:"errorCode"`
	V1Text  string          `json:"errorDescription"`
	V2ID    string          `json:"message_id"`
	Detail  json.RawMessage `json:"detail"`
	Message string          `json:"message"`
}

type errorDetail struct {
	Event string `json:"event"`
	Code  string `json:"code"`
	Msg   string `json:"msg"`
	Loc   []any  `json:"loc"`
}

func decodeErrorBody(raw []byte, e *Error) {
	var b errorBody
	if json.Unmarshal(raw, &b) != nil {
		return // HTML, XML, empty, cut off: the status says enough
	}
	e.MessageID = b.V1ID + b.V2ID
	e.Event, e.Code, e.Text = b.V1Event, b.V1Code, b.V1Text
	var text string
	var items []errorDetail
	switch {
	case json.Unmarshal(b.Detail, &items) == nil && len(items) > 0:
		e.Event, e.Code, e.Text = items[0].Event, items[0].Code, items[0].describe()
	case json.Unmarshal(b.Detail, &text) == nil && text != "":
		e.Text = text
	case e.Text == "":
		e.Text = b.Message
	}
}

// describe puts the place before the text for validation details, which name a place instead of a code.
func (d errorDetail) describe() string {
	if len(d.Loc) == 0 {
		return d.Msg
	}
	var path []string
	for _, l := range d.Loc {
		path = append(path, fmt.Sprint(l))
	}
	return strings.Join(path, ".") + ": " + d.Msg
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "?")
}

// Published returns code and text of the error as far as the published code list has them, so that they may be shown and
// written to files; what else a server wrote is in Text and may quote anything.
func (e *Error) Published() (code, text string) {
	f, ok := publishedFault(e)
	if !ok {
		return "", string(e.Kind)
	}
	if f.Text == "" {
		f.Text = string(e.Kind)
	}
	return f.Code, strings.Join(strings.Fields(f.Text), " ")
}
