package api

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/register"
)

// Desk is what stands behind the server. Both calls return only once what they are about is durable; an error's kind (engine.KindOf)
// decides the status.
type Desk interface {
	// Ask records the access and then answers the question. The same access id a second time records nothing more.
	Ask(ctx context.Context, a engine.Access, q register.Question) (register.Answer, error)
	// Receive keeps a raw message. The same message id a second time keeps nothing more.
	Receive(ctx context.Context, m engine.Message) (Receipt, error)
}

// Receipt is what became of a message by the time that it is durable.
type Receipt struct {
	ID        engine.MessageID
	Duplicate bool            // it had been received before
	Faults    []*engine.Error // what translation refuses, as far as it can be said now; free of data
}
