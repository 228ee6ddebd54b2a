package engine

import (
	"encoding/json"
	"fmt"
	"time"
)

// SpecVersion is the CloudEvents version of the events on the stream.
const SpecVersion = "1.0"

// EventType returns the CloudEvents type of a kind, for example "signalbox.flag.v1".
func EventType(k Kind) string { return "signalbox." + string(k) + ".v1" }

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

// Encode returns the envelope as CloudEvents 1.0 JSON. Unlike every other rendering it reveals the personal data, because this is the
// wire of the stream and of the store.
func (e Envelope) Encode() ([]byte, error) {
	ce := cloudEvent{
		SpecVersion: SpecVersion, ID: e.ID, Source: "signalbox/" + e.Origin.Source, Type: EventType(e.Kind),
		Time: e.Origin.Received.UTC(), PartitionKey: e.Key(), Message: e.Origin.Message,
		Position: e.Origin.Position, Mapping: e.Origin.Mapping,
	}
	data := e.wireData()
	if data != nil {
		raw, err := json.Marshal(data)
		if err != nil {
			return nil, &Error{Op: "encode event", Kind: Internal, Err: err}
		}
		ce.Data, ce.DataContentType = raw, "application/json"
	}
	out, err := json.Marshal(ce)
	if err != nil {
		return nil, &Error{Op: "encode event", Kind: Internal, Err: err}
	}
	return out, nil
}

func (e Envelope) wireData() any {
	switch {
	case e.Flag != nil:
		return flagToWire(e.Flag)
	case e.Access != nil:
		return accessToWire(e.Access)
	case e.Inactive != nil:
		return inactiveToWire(e.Inactive)
	}
	return nil
}

// DecodeEnvelope reads what Encode wrote. The error is an *Error of kind Invalid and never quotes the input.
func DecodeEnvelope(raw []byte) (Envelope, error) {
	var ce cloudEvent
	if err := json.Unmarshal(raw, &ce); err != nil {
		return Envelope{}, badEvent("not a CloudEvents JSON object")
	}
	if ce.SpecVersion != SpecVersion {
		return Envelope{}, badEvent("specversion is not " + SpecVersion)
	}
	const prefix = "signalbox/"
	if len(ce.Source) <= len(prefix) || ce.Source[:len(prefix)] != prefix {
		return Envelope{}, badEvent("source is not of Signalbox")
	}
	e := Envelope{ID: ce.ID, Origin: Origin{
		Source: ce.Source[len(prefix):], Message: ce.Message, Position: ce.Position, Mapping: ce.Mapping, Received: ce.Time,
	}}
	for _, k := range Kinds() {
		if EventType(k) == ce.Type {
			e.Kind = k
		}
	}
	if err := e.readData(ce.Data); err != nil {
		return Envelope{}, err
	}
	if e.ID != NewEventID(e.Origin, e.Kind) {
		return Envelope{}, badEvent("id is not the one that its origin makes")
	}
	return e, nil
}

func (e *Envelope) readData(data json.RawMessage) error {
	var err error
	switch e.Kind {
	case KindMessage, KindFileDone:
		return nil
	case KindFlag:
		var w wireFlag
		if json.Unmarshal(data, &w) != nil {
			return badEvent("data is not a flag")
		}
		e.Flag, err = w.flag()
	case KindAccess:
		var w wireAccess
		if json.Unmarshal(data, &w) != nil {
			return badEvent("data is not an access")
		}
		e.Access, err = w.access()
	case KindNumberInactive:
		var w wireInactive
		if json.Unmarshal(data, &w) != nil {
			return badEvent("data is not a number-inactive")
		}
		e.Inactive, err = w.inactive()
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
