package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Kind is the kind of event that an envelope carries.
type Kind string

// The kinds of event. The first three are canonical facts; KindMessage and KindFileDone move a message through the engine; KindPattern is what
// the engine sees in accesses.
const (
	KindFlag           Kind = "flag"
	KindAccess         Kind = "access"
	KindNumberInactive Kind = "number-inactive"
	KindMessage        Kind = "message"   // a raw message is durable and waits for translation
	KindFileDone       Kind = "file-done" // every record of a message has its outcome; a reply may be due
	KindPattern        Kind = "pattern"   // a flagged child was seen across boundaries: made of accesses, not of a message
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindMessage, KindFlag, KindAccess, KindNumberInactive, KindFileDone, KindPattern}
}

// EventID names an event: 64 hexadecimal digits. The same record of the same message always makes the same id.
type EventID string

// Origin says what made an event.
type Origin struct {
	Source   string    // as in Message
	Message  MessageID // the raw message; for a query, the request
	Position int       // record within the message; 0 when about the whole
	Mapping  string    // digest of the mapping folder that made it; empty when none did
	Received time.Time // when the raw message became durable
}

// Envelope carries one event. Exactly one of Flag, Access, Inactive and Pattern is set for the kinds that have one, none for the others.
type Envelope struct {
	ID       EventID
	Kind     Kind
	Origin   Origin
	Flag     *Flag
	Access   *Access
	Inactive *NumberInactive
	Pattern  *Pattern
}

// NewMessageID derives a message's id from where it came in and what its sender calls it.
func NewMessageID(source, upstream string) MessageID {
	return MessageID(digest("message", source, upstream)[:32])
}

// NewEventID derives an event's id: SHA-256 of source, message, record position and kind.
func NewEventID(o Origin, kind Kind) EventID {
	return EventID(digest("event", o.Source, string(o.Message), strconv.Itoa(o.Position), string(kind)))
}

// NewEnvelope returns an envelope of the given kind with its deterministic id and no body.
func NewEnvelope(kind Kind, o Origin) Envelope {
	return Envelope{ID: NewEventID(o, kind), Kind: kind, Origin: o}
}

// Key returns the ordering key: events with one key are handled in order. It is the subject's pseudonym, or the message's id where
// there is no subject.
func (e Envelope) Key() string {
	switch {
	case e.Flag != nil:
		return e.Flag.Subject.NHSNumber.Key()
	case e.Access != nil:
		return e.Access.Subject.NHSNumber.Key()
	case e.Inactive != nil:
		return e.Inactive.Old.Key()
	case e.Pattern != nil:
		return e.Pattern.NHSNumber.Key()
	}
	return string(e.Origin.Message)
}

// Digest returns the SHA-256 of raw bytes as 64 hexadecimal digits: the name under which raw messages are kept.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// digest hashes parts so that no two different lists of parts give the same bytes.
func digest(parts ...string) string {
	var room [256]byte // enough for nearly all: then the hash costs one allocation, its text
	b := room[:0]
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(b, ':')
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// NewUUID derives a UUID (RFC 9562 version 8: of our own making) from parts: the same parts always make the same one.
func NewUUID(parts ...string) string {
	raw, _ := hex.DecodeString(digest(append([]string{"uuid"}, parts...)...))
	raw[6], raw[8] = raw[6]&0x0f|0x80, raw[8]&0x3f|0x80
	h := hex.EncodeToString(raw[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
