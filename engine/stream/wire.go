package stream

import (
	"context"
	"errors"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
)

// The fields of a stream entry. README.md describes the format for readers outside this package.
const (
	fieldID      = "id"      // the message's UUID
	fieldPayload = "payload" // its bytes, unchanged
	headerPrefix = "h."      // one field for each metadata entry: h.<name>
	fieldKey     = headerPrefix + KeyMetadata
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
		field := fieldKey // the common case costs no concatenation
		if name != KeyMetadata {
			field = headerPrefix + name
		}
		args = append(args, field, value)
	}
	return args
}

// fields are an entry's names and values in turns, as Redis answers them; nil for an entry that was removed. Of a name
// that comes twice the last one counts.
type fields []any

// get returns the value of a name.
func (f fields) get(name string) (value string, ok bool) {
	for i := len(f) - 2; i >= 0; i -= 2 {
		if f[i] == name {
			value, ok = f[i+1].(string)
			return value, ok
		}
	}
	return "", false
}

// check says whether an entry can be delivered, and under which id and key. The error names the field and the rule.
func (f fields) check() (uuid, key string, err error) {
	if f == nil {
		return "", "", errors.New("entry was removed while pending")
	}
	uuid, ok := f.get(fieldID)
	if !ok {
		return "", "", errors.New("field " + fieldID + " is missing")
	}
	if _, ok := f.get(fieldPayload); !ok {
		return "", "", errors.New("field " + fieldPayload + " is missing")
	}
	key, _ = f.get(fieldKey)
	return uuid, key, nil
}

// message makes the message of an entry that passed check; each call returns one with bytes and metadata of its own.
// Unknown fields are let pass, for readers older than a writer.
func (f fields) message(ctx context.Context, uuid string) *message.Message {
	body, _ := f.get(fieldPayload)
	m := message.NewMessageWithContext(ctx, uuid, []byte(body))
	for i := 0; i+1 < len(f); i += 2 {
		name, _ := f[i].(string)
		if header, is := strings.CutPrefix(name, headerPrefix); is {
			m.Metadata[header], _ = f[i+1].(string)
		}
	}
	return m
}

// encodeDead builds the arguments of XADD that put an undeliverable entry aside with everything it held.
func encodeDead(stream, group, id, reason string, f fields) []any {
	args := make([]any, 0, 9+len(f))
	args = append(args, "xadd", deadKey(stream), "*", deadReason, reason, deadEntry, id, deadGroup, group)
	return append(args, f...)
}
