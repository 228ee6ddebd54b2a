package store

import (
	"context"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// Step is what an entry of an event's history says.
type Step string

// The entries of a history.
const (
	StepRetry      Step = "retry"      // it failed and was to be tried again
	StepQuarantine Step = "quarantine" // it failed and was set aside
	StepReleased   Step = "released"   // a person had it tried again
	StepDropped    Step = "dropped"    // a person gave it up
)

// Attempt is one entry of an event's history.
type Attempt struct {
	At     time.Time
	Step   Step
	Reason string
}

func (tx *Tx) addAttempt(event []byte, step Step, reason string) error {
	return tx.exec(`INSERT INTO attempt (event, at, verdict, reason) VALUES (?,?,?,?)`, event, micros(tx.now), string(step), reason)
}

// Postpone hands the event back at a later time, with the reason.
func (s *Store) Postpone(ctx context.Context, e engine.Envelope, at time.Time, reason string) error {
	return s.setOutcome(ctx, e, toPublish, at, StepRetry, reason)
}

// Wait has an event come back at a time without counting an attempt: it did not fail, it waits for somebody else, however long that takes.
func (s *Store) Wait(ctx context.Context, e engine.Envelope, at time.Time, reason string) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`UPDATE outbox SET state = ?, due = ?, reason = ?
			WHERE seq = (SELECT seq FROM event WHERE message = ? AND position = ? AND kind = ?) AND state <> ?`,
			toPublish, micros(at), reason, string(e.Origin.Message), e.Origin.Position, string(e.Kind), quarantined)
	})
}

// SetAside puts the event into quarantine with its reason. Its message stays open, so that the reply waits for a person.
func (s *Store) SetAside(ctx context.Context, e engine.Envelope, reason string) error {
	return s.setOutcome(ctx, e, quarantined, s.Now(), StepQuarantine, reason)
}

// setOutcome keeps the attempt in the event's history, unless the event has its outcome or is set aside already.
func (s *Store) setOutcome(ctx context.Context, e engine.Envelope, state int, due time.Time, step Step, reason string) error {
	hash, err := hashOf(e.ID)
	if err != nil {
		return err
	}
	final := quarantined
	if teeth.Bite("retry-frees-quarantined") {
		final = -1
	}
	return s.Write(ctx, func(tx *Tx) error {
		n, err := tx.changed(`UPDATE outbox SET state = ?, due = ?, reason = ?, attempts = attempts + 1
			WHERE seq = (SELECT seq FROM event WHERE message = ? AND position = ? AND kind = ?) AND state <> ?`,
			state, micros(due), reason, string(e.Origin.Message), e.Origin.Position, string(e.Kind), final)
		if err != nil || n == 0 {
			return err
		}
		return tx.addAttempt(hash, step, reason)
	})
}

// Attempts returns the whole history of an event, oldest first.
func (s *Store) Attempts(ctx context.Context, id engine.EventID) ([]Attempt, error) {
	hash, err := hashOf(id)
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, `SELECT at, verdict, reason FROM attempt WHERE event = ? ORDER BY seq`, hash)
	if err != nil {
		return nil, unavailable("attempts", err)
	}
	defer rows.Close()
	var out []Attempt
	for rows.Next() {
		var a Attempt
		var at int64
		if err := rows.Scan(&at, &a.Step, &a.Reason); err != nil {
			return nil, unavailable("attempts", err)
		}
		a.At = fromMicros(at)
		out = append(out, a)
	}
	return out, unavailable("attempts", rows.Err())
}
