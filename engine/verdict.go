package engine

import (
	"fmt"
	"time"
)

// Action is what the pipeline does with a message that was handled.
type Action int

// The actions of a verdict.
const (
	Ack        Action = iota // done; never again
	RetryAt                  // hand it back at a time; the schedule lives in the store
	Quarantine               // keep it aside with its reason until a person decides
	Stop                     // the engine itself is broken: stop handling before harm is done
)

// String names the action.
func (a Action) String() string {
	return [...]string{"ack", "retry", "quarantine", "stop"}[a]
}

// Verdict is what a handler returns. A handler never acknowledges or refuses a message itself: the pipeline alone acts on the verdict.
type Verdict struct {
	Action Action
	At     time.Time // for RetryAt
	Reason error     // for all but Ack; free of data
}

// Done is the verdict for a message that needs nothing more.
func Done() Verdict { return Verdict{Action: Ack} }

// Later asks for the message again at t.
func Later(t time.Time, reason error) Verdict {
	return Verdict{Action: RetryAt, At: t, Reason: reason}
}

// Aside puts the message into quarantine.
func Aside(reason error) Verdict { return Verdict{Action: Quarantine, Reason: reason} }

// Halt stops the engine.
func Halt(reason error) Verdict { return Verdict{Action: Stop, Reason: reason} }

// String writes the verdict for a log.
func (v Verdict) String() string {
	if v.Reason == nil {
		return v.Action.String()
	}
	return fmt.Sprintf("%s: %v", v.Action, v.Reason)
}
