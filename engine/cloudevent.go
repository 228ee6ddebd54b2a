package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SpecVersion is the CloudEvents version of the events on the stream.
const SpecVersion = "1.0"

// sourcePrefix begins the CloudEvents source of every event of ours.
const sourcePrefix = "signalbox/"

// EventType returns the CloudEvents type of a kind, for example "signalbox.flag.v1".
func EventType(k Kind) string { return "signalbox." + string(k) + ".v1" }

// kindOf is the reverse of EventType; empty for a type that is not of ours.
func kindOf(eventType string) Kind {
	name, ours := strings.CutPrefix(eventType, "signalbox.")
	name, v1 := strings.CutSuffix(name, ".v1")
	if k := Kind(name); ours && v1 && slices.Contains(Kinds(), k) {
		return k
	}
	return ""
}

// cloudEvent is a CloudEvents 1.0 event in the JSON format, with Signalbox's extension attributes. The order of fields is the wire's.
type cloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              EventID         `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	PartitionKey    string          `json:"partitionkey"`
	Message         MessageID       `json:"message"`
	Position        int             `json:"position"`
	Mapping         string          `json:"mapping,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
}

// decodePlain reads an event with encoding/json.
func decodePlain(raw []byte) (Envelope, error) {
	var w wireEvent
	if err := json.Unmarshal(raw, &w.cloudEvent); err != nil {
		return Envelope{}, badEvent("not a CloudEvents JSON object")
	}
	into, text := any(nil), ""
	switch kindOf(w.Type) {
	case KindFlag:
		into, text = &w.flag, "data is not a flag"
	case KindAccess:
		into, text = &w.access, "data is not an access"
	case KindNumberInactive:
		into, text = &w.inactive, "data is not a number-inactive"
	case KindPattern:
		into, text = &w.pattern, "data is not a pattern"
	}
	if into != nil && json.Unmarshal(w.Data, into) != nil {
		w.fault = badEvent(text)
	}
	return w.envelope()
}

// envelope makes the event of what was read, and checks it.
func (w *wireEvent) envelope() (Envelope, error) {
	if w.SpecVersion != SpecVersion {
		return Envelope{}, badEvent("specversion is not " + SpecVersion)
	}
	source, ours := strings.CutPrefix(w.Source, sourcePrefix)
	if !ours || source == "" {
		return Envelope{}, badEvent("source is not of Signalbox")
	}
	e := Envelope{ID: w.ID, Kind: kindOf(w.Type), Origin: Origin{
		Source: source, Message: w.Message, Position: w.Position, Mapping: w.Mapping, Received: w.Time,
	}}
	if w.fault != nil {
		return Envelope{}, w.fault
	}
	if err := w.fill(&e); err != nil {
		return Envelope{}, err
	}
	if e.ID != NewEventID(e.Origin, e.Kind) {
		return Envelope{}, badEvent("id is not the one that its origin makes")
	}
	return e, nil
}

// fill makes the body of the event's kind.
func (w *wireEvent) fill(e *Envelope) error {
	var err error
	switch e.Kind {
	case KindMessage, KindFileDone:
	case KindFlag:
		e.Flag, err = w.flag.flag()
	case KindAccess:
		e.Access, err = w.access.access()
	case KindNumberInactive:
		e.Inactive, err = w.inactive.inactive()
	case KindPattern:
		e.Pattern, err = w.pattern.pattern()
	default:
		return badEvent("type is unknown")
	}
	return err
}

func badEvent(text string) *Error {
	return &Error{Op: "decode event", Kind: Invalid, Rule: RuleSyntax, Text: text}
}

func badField(field string, err error) error {
	return &Error{Op: "decode event", Kind: Invalid, Rule: RuleSyntax, Place: Place{Path: field}, Err: fmt.Errorf("%w", err)}
}
