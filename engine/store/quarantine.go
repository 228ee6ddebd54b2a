package store

import (
	"context"
	"encoding/hex"
	"time"

	"signalbox/engine"
)

// RuleDropped is the rule under which a record's sender learns that a person gave it up.
const RuleDropped = "dropped"

// Aside is something that waits for a person: an event in quarantine, or a message for which there was no mapping. It holds no datum.
type Aside struct {
	ID       string      // of the event, or of the message
	Kind     engine.Kind // KindMessage with Whole: the message itself
	Whole    bool        // a message without a mapping: it is replayed once there is one, not released
	Message  engine.MessageID
	Source   string
	Position int // record within the message; 0: about the whole
	Since    time.Time
	Attempts int // failed ones in its history
	Reason   string
}

// Quarantine lists what waits for a person, oldest first.
func (s *Store) Quarantine(ctx context.Context) ([]Aside, error) {
	rows, err := s.rows(ctx, `SELECT e.id, e.kind, e.message, COALESCE(m.source, ''), e.position, o.due, o.reason, 0,
			(SELECT count(*) FROM attempt a WHERE a.event = e.id AND a.verdict IN ('retry', 'quarantine'))
			FROM outbox o JOIN event e ON e.seq = o.seq LEFT JOIN message m ON m.id = e.message WHERE o.state = ?
		UNION ALL SELECT NULL, 'message', m.id, m.source, 0, m.received,
			COALESCE((SELECT min(f.text) FROM fault f WHERE f.message = m.id AND f.position = 0), ''), 1, 0
			FROM message m WHERE m.state = ? ORDER BY 6, 3, 5`, quarantined, string(Quarantined))
	if err != nil {
		return nil, unavailable("quarantine", err)
	}
	defer rows.Close()
	var out []Aside
	for rows.Next() {
		var a Aside
		var id []byte
		var since int64
		var whole int
		if err := rows.Scan(&id, &a.Kind, &a.Message, &a.Source, &a.Position, &since, &a.Reason, &whole, &a.Attempts); err != nil {
			return nil, unavailable("quarantine", err)
		}
		if a.ID, a.Whole, a.Since = hex.EncodeToString(id), whole == 1, fromMicros(since); a.Whole {
			a.ID = string(a.Message)
		}
		out = append(out, a)
	}
	return out, unavailable("quarantine", rows.Err())
}

// asideByHash finds an event in quarantine by its id. The id is no key of the record; what is in quarantine is read through.
const asideByHash = `SELECT o.seq FROM outbox o JOIN event e ON e.seq = o.seq WHERE o.state = ? AND e.id = ?`

// ReleaseEvent has an event in quarantine tried again, with all its attempts before it. It reports false when the event is not there.
func (s *Store) ReleaseEvent(ctx context.Context, id engine.EventID) (released bool, err error) {
	hash, err := hashOf(id)
	if err != nil {
		return false, err
	}
	err = s.Write(ctx, func(tx *Tx) (err error) {
		released, err = tx.release(hash, "by hand")
		return err
	})
	return released, err
}

func (tx *Tx) release(hash []byte, reason string) (bool, error) {
	n, err := tx.changed(`UPDATE outbox SET state = ?, due = ?, attempts = 0, reason = ''
		WHERE seq = (`+asideByHash+`)`, toPublish, micros(tx.now), quarantined, hash)
	if err != nil || n == 0 {
		return false, err
	}
	for _, k := range engine.Kinds() {
		tx.wake[k] = true
	}
	return true, tx.addAttempt(hash, StepReleased, reason)
}

// DropEvent gives an event in quarantine up for good: it has no effect, its record counts as rejected, and its message can be completed. A
// message event that is dropped leaves its message without a translation, to be replayed. reason MUST NOT hold a datum. It reports false when
// the event is not there.
func (s *Store) DropEvent(ctx context.Context, id engine.EventID, reason string) (dropped bool, err error) {
	hash, err := hashOf(id)
	if err != nil {
		return false, err
	}
	err = s.Write(ctx, func(tx *Tx) (err error) {
		var seq int64
		if dropped, err = tx.scan(`DELETE FROM outbox WHERE seq = (`+asideByHash+`) RETURNING seq`, []any{quarantined, hash}, &seq); err != nil || !dropped {
			return err
		}
		if err := tx.addAttempt(hash, StepDropped, reason); err != nil {
			return err
		}
		return tx.drop(seq)
	})
	return dropped, err
}

func (tx *Tx) drop(seq int64) error {
	var kind engine.Kind
	var message string
	var position int
	if _, err := tx.scan(`SELECT kind, message, position FROM event WHERE seq = ?`, []any{seq}, &kind, &message, &position); err != nil {
		return err
	}
	if err := tx.exec(`UPDATE event SET withdrawn = 1 WHERE seq = ?`, seq); err != nil {
		return err
	}
	given := engine.Translated{Outcome: engine.Rejected, Place: engine.Place{Record: position}, Faults: []*engine.Error{{
		Kind: engine.Denied, Rule: RuleDropped, Place: engine.Place{Record: position},
		Text: "the record could not be processed and was given up by the engine's operator",
	}}}
	switch {
	case counted(kind):
		tx.resolved[message]++
		if err := tx.exec(`DELETE FROM fault WHERE message = ? AND position = ?`, message, position); err != nil {
			return err
		}
		if err := tx.exec(`UPDATE message SET accepted = accepted - 1 WHERE id = ?`, message); err != nil {
			return err
		}
		if err := tx.refuseEvent(seq); err != nil {
			return err
		}
		return tx.addFaults(message, faultsOf(given))
	case kind == engine.KindMessage:
		if err := tx.exec(`UPDATE message SET state = ? WHERE id = ?`, string(Quarantined), message); err != nil {
			return err
		}
		return tx.addFaults(message, faultsOf(given))
	}
	return nil
}
