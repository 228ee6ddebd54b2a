// Package register says which flags stand and who may see them: visibility windows, the history of accesses, and the answer to a
// trust that asks.
package register

import (
	"time"

	"signalbox/engine"
)

// HistoryLength is how many unscheduled accesses a child's history keeps in view (CP-IS: the 25 most recent).
const HistoryLength = 25

// Question says which part of an answer is wanted. What is not asked for is not read.
type Question int

// The questions.
const (
	WhichFlags Question = iota // which flags stand
	WhoLooked                  // who looked before
	Everything                 // both
)

// Answer is what a trust is told about one child. By the time that it exists, the access behind it is durable.
type Answer struct {
	Access engine.Access // as recorded
	Flags  []engine.Flag // every flag that stands for this NHS number at Access.At: each plan type, each LA, ordered by LA then plan type; nil for WhoLooked
	// Recorded says, for each of Flags in their order, when the engine received the message on which it stands.
	Recorded []time.Time
	History  []engine.Access // unscheduled accesses but this one, newest first, at most HistoryLength; nil for WhichFlags
	Repeat   bool            // the same access had been recorded before; nothing was recorded again
}
