package api

import (
	"context"
	"time"

	"signalbox/engine"
	"signalbox/engine/register"
)

// Desk is what stands behind the server. Ask and Receive return only once what they are about is durable; an error's kind (engine.KindOf)
// decides the status.
type Desk interface {
	// Ask records the access and then answers the question. The same access id a second time records nothing more.
	Ask(ctx context.Context, a engine.Access, q register.Question) (register.Answer, error)
	// Preview says what translation would make of a message that is not kept. It is nil for a message that has been received already: what
	// was accepted once stays accepted.
	Preview(ctx context.Context, m engine.Message) ([]Record, error)
	// Receive keeps a raw message. The same message id a second time keeps nothing more.
	Receive(ctx context.Context, m engine.Message) (Receipt, error)
	// Outcome waits for so long until a message is translated and returns what became of its records; Settled is false when it is not. The
	// error is of kind NotFound when the source never sent such a message.
	Outcome(ctx context.Context, source string, id engine.MessageID, within time.Duration) (Outcome, error)
	// Respond keeps an address to which the answer to a message is posted once it is translated, which the client may name.
	Respond(ctx context.Context, client string, id engine.MessageID, endpoint string) error
	// Sent returns a message as it was sent. The error is of kind NotFound when the source never sent it, or it is no longer kept.
	Sent(ctx context.Context, source string, id engine.MessageID) (engine.Message, error)
}

// Receipt says that a message is durable.
type Receipt struct {
	ID        engine.MessageID
	Duplicate bool // it had been received before
}

// Outcome is what became of a message.
type Outcome struct {
	Settled  bool      // it is translated: Records is true
	Received time.Time // when it became durable
	Records  []Record  // by position
}

// Record is what became of one record of a message. A record of which translation makes nothing, because it stands beside others, is not
// there.
type Record struct {
	Position int // from 1; 0 for the message as a whole
	Outcome  engine.Outcome
	Faults   []*engine.Error // free of data; for Accepted, the fields that were left empty
}

// refusedIn returns the faults of the records that made no event although they should have.
func refusedIn(records []Record) []*engine.Error {
	var out []*engine.Error
	for _, r := range records {
		if r.Outcome == engine.Rejected || r.Outcome == engine.Parked {
			out = append(out, r.Faults...)
		}
	}
	return out
}
