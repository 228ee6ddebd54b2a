package stream

import (
	"errors"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
)

// The fields of a stream entry. README.md describes the format for readers outside this package.
const (
	fieldID      = "id"      // the message's UUID
	fieldPayload = "payload" // its bytes, unchanged
	headerPrefix = "h."      // one field for each metadata entry: h.<name>
)

// The fields that a dead entry has besides its original ones.
const (
	deadReason = "dead.reason" // why it cannot be delivered, in words, never with content
	deadEntry  = "dead.entry"  // its id in the original stream
	deadGroup  = "dead.group"  // the consumer group which met it
)

// streamKey and deadKey share a hash tag, so that a cluster keeps both on one node and one transaction covers both.
func streamKey(prefix, topic string) string { return "{" + prefix + ":" + topic + "}" }
func deadKey(stream string) string          { return stream + ".dead" }

// encodeAdd builds the arguments of XADD for one message.
func encodeAdd(stream string, m *message.Message) []any {
	args := make([]any, 0, 7+2*len(m.Metadata))
	args = append(args, "xadd", stream, "*", fieldID, m.UUID, fieldPayload, []byte(m.Payload))
	for name, value := range m.Metadata {
		args = append(args, headerPrefix+name, value)
	}
	return args
}

// decode reads an entry's fields. Unknown fields are let pass, for readers older than a writer. The error names the
// field and the rule.
func decode(fields map[string]any) (uuid string, payload []byte, meta message.Metadata, err error) {
	if fields == nil {
		return "", nil, nil, errors.New("entry was removed while pending")
	}
	uuid, ok := fields[fieldID].(string)
	if !ok {
		return "", nil, nil, errors.New("field " + fieldID + " is missing")
	}
	body, ok := fields[fieldPayload].(string)
	if !ok {
		return "", nil, nil, errors.New("field " + fieldPayload + " is missing")
	}
	meta = make(message.Metadata, len(fields)-2)
	for name, value := range fields {
		if header, is := strings.CutPrefix(name, headerPrefix); is {
			meta[header], _ = value.(string)
		}
	}
	return uuid, []byte(body), meta, nil
}

// encodeDead builds the arguments of XADD that put an undeliverable entry aside with everything it held.
func encodeDead(stream, group, id, reason string, fields map[string]any) []any {
	args := make([]any, 0, 9+2*len(fields))
	args = append(args, "xadd", deadKey(stream), "*", deadReason, reason, deadEntry, id, deadGroup, group)
	for name, value := range fields {
		args = append(args, name, value)
	}
	return args
}
