package store

import (
	"bytes"
	"context"
	"time"

	"signalbox/engine"
)

// Arrivals returns the ids of the messages that arrived in [since, until), in the order of their arrival, with where each came in. A zero time
// leaves that side open. Reports are left out.
func (s *Store) Arrivals(ctx context.Context, since, until time.Time) ([]engine.Message, error) {
	from, to := int64(-1<<62), int64(1<<62)
	if !since.IsZero() {
		from = micros(since)
	}
	if !until.IsZero() {
		to = micros(until)
	}
	rows, err := s.rows(ctx, `SELECT id, source, received FROM message WHERE received >= ? AND received < ? AND state <> ? ORDER BY received, id`,
		from, to, string(Report))
	if err != nil {
		return nil, unavailable("messages", err)
	}
	defer rows.Close()
	var out []engine.Message
	for rows.Next() {
		var m engine.Message
		var received int64
		if err := rows.Scan(&m.ID, &m.Source, &received); err != nil {
			return nil, unavailable("messages", err)
		}
		m.Received = fromMicros(received)
		out = append(out, m)
	}
	return out, unavailable("messages", rows.Err())
}

// Stored is an event of a message as the record has it.
type Stored struct {
	Envelope  engine.Envelope
	Open      bool // it has no outcome yet
	Withdrawn bool // it counts for nothing
	Dropped   bool // because a person gave it up
}

// Hold locks a message until the commit and returns how far it has come.
func (tx *Tx) Hold(id engine.MessageID) (State, error) {
	var state State
	ok, err := tx.scan(`SELECT state FROM message WHERE id = ? {wait}`, []any{string(id)}, &state)
	if err == nil && !ok {
		err = &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "no such message"}
	}
	return state, err
}

// EventsOf returns the events that the records of a message made.
func (tx *Tx) EventsOf(id engine.MessageID) ([]Stored, error) {
	rows, err := tx.query(selectStored+ofMessage, string(id))
	if err != nil {
		return nil, err
	}
	return scanStored(rows)
}

// inForce is the mapping of a former wording whose mapping made the event again.
const inForce = "-"

// Supersede puts e in the place of the stored event of the same id and keeps what was there. An event without an outcome is published anew,
// and copies of the old one that are still about do nothing; one that had its outcome keeps it.
func (tx *Tx) Supersede(e engine.Envelope) error {
	row, err := encode(e)
	if err != nil {
		return err
	}
	seq, err := tx.seqOf(row.key)
	if err != nil {
		return err
	}
	again, err := tx.keepOld(seq)
	if err != nil {
		return err
	}
	// What comes back from an earlier replay stands again: what it was before is kept, without the name by which its copies are held back.
	if err := tx.exec(`UPDATE superseded SET mapping = ? WHERE event = ? AND mapping = ?`, inForce, seq, e.Origin.Mapping); err != nil {
		return err
	}
	if err := tx.exec(`UPDATE event SET body = ?, withdrawn = 0 WHERE seq = ?`, row.body, seq); err != nil {
		return err
	}
	open, err := tx.republish(seq, row)
	if err == nil && again && !open && e.Flag != nil {
		err = tx.addCounted(string(e.Origin.Message), []int64{int64(e.Origin.Position)}, true)
	}
	return err
}

// keepOld keeps what an event is, and reports whether it was withdrawn.
func (tx *Tx) keepOld(seq int64) (withdrawn bool, err error) {
	var body []byte
	if _, err := tx.scan(`SELECT body, withdrawn <> 0 FROM event WHERE seq = ?`, []any{seq}, &body, &withdrawn); err != nil {
		return false, err
	}
	old, err := engine.DecodeEnvelope(body)
	if err != nil {
		return false, err
	}
	return withdrawn, tx.exec(`INSERT INTO superseded (event, revision, at, mapping, body)
		SELECT CAST(? AS {int}), COALESCE(max(revision), 0) + 1, CAST(? AS {int}), ?, ? FROM superseded WHERE event = ?`,
		seq, micros(tx.now), old.Origin.Mapping, body, seq)
}

// republish replaces the outbox row of an open event by a new one: a handler that waits for the old row, with the old event in its hand, finds
// it gone. It reports whether the event was open.
func (tx *Tx) republish(seq int64, e eventRow) (open bool, err error) {
	var state int64
	if open, err = tx.scan(`SELECT state FROM outbox WHERE seq = ? {wait}`, []any{seq}, &state); err != nil || !open {
		return false, err
	}
	if err := tx.exec(`DELETE FROM outbox WHERE seq = ?`, seq); err != nil {
		return true, err
	}
	if state == quarantined {
		if err := tx.addAttempt(e.id, StepReleased, "a replay changed it"); err != nil {
			return true, err
		}
	}
	tx.wake[e.key.kind] = true
	return true, tx.exec(`INSERT INTO outbox (seq, kind, state, due) VALUES (?,?,?,?)`, seq, string(e.key.kind), toPublish, micros(tx.now))
}

// Withdraw makes an event count for nothing; without an outcome it gets none. What it was is kept.
func (tx *Tx) Withdraw(e engine.Envelope) error {
	seq, err := tx.seqOf(keyOf(e))
	if err != nil {
		return err
	}
	if err := tx.exec(`UPDATE event SET withdrawn = 1 WHERE seq = ?`, seq); err != nil {
		return err
	}
	open, err := tx.changed(`DELETE FROM outbox WHERE seq = ?`, seq)
	if err != nil || open > 0 || e.Flag == nil {
		return err
	}
	return tx.addCounted(string(e.Origin.Message), []int64{int64(e.Origin.Position)}, false)
}

// Retranslated notes that a message was translated anew: its faults are those of t, and its counts follow its events. A message that was
// complete stays without a second reply: its file-done event is there already.
func (tx *Tx) Retranslated(t Translation) error {
	message := string(t.Wait.Origin.Message)
	if err := tx.exec(`DELETE FROM fault WHERE message = ? AND (rule <> ? OR position = 0)`, message, RuleDropped); err != nil {
		return err
	}
	w := &draft{} // a replay holds a message at a time
	_, records, err := t.prepare(w)
	if err != nil {
		return err
	}
	if err := tx.addFaults(message, w.faults); err != nil {
		return err
	}
	if err := tx.exec(`DELETE FROM refused WHERE message = ? AND NOT EXISTS
		(SELECT 1 FROM fault f WHERE f.message = refused.message AND f.position = refused.position AND f.rule = ?)`, message, RuleDropped); err != nil {
		return err
	}
	if err := tx.addRefused(message, w.refused); err != nil {
		return err
	}
	const of = `e.message = message.id AND e.kind IN ('flag', 'access', 'number-inactive')`
	err = tx.exec(`UPDATE message SET state = ?, mapping = ?, records = ?,
		accepted = (SELECT count(*) FROM event e WHERE `+of+` AND e.withdrawn = 0),
		open = (SELECT count(*) FROM event e JOIN outbox o ON o.seq = e.seq WHERE `+of+`) WHERE id = ?`,
		string(Translated), t.Mapping, records, message)
	tx.resolved[message] += 0 // it may be complete at once
	return err
}

// Revision is what an event was before a replay changed it.
type Revision struct {
	At   time.Time // until when
	Body engine.Envelope
}

// Revisions returns what an event was before, oldest first.
func (s *Store) Revisions(ctx context.Context, id engine.EventID) ([]Revision, error) {
	hash, err := hashOf(id)
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, `SELECT s.at, s.body FROM superseded s JOIN event e ON e.seq = s.event WHERE e.id = ? ORDER BY s.revision`, hash)
	if err != nil {
		return nil, unavailable("revisions", err)
	}
	defer rows.Close()
	var out []Revision
	for rows.Next() {
		var at int64
		var body []byte
		if err := rows.Scan(&at, &body); err != nil {
			return nil, unavailable("revisions", err)
		}
		e, err := engine.DecodeEnvelope(body)
		if err != nil {
			return nil, err
		}
		out = append(out, Revision{At: fromMicros(at), Body: e})
	}
	return out, unavailable("revisions", rows.Err())
}

// AppliedFlags calls yield with every flag event that has its outcome and counts, of the persons with the given pseudonyms (Envelope.Key). It
// reads all flag events of the record.
func (tx *Tx) AppliedFlags(keys map[string]bool, yield func(engine.Envelope) error) error {
	rows, err := tx.query(`SELECT e.body FROM event e WHERE e.kind = 'flag' AND e.withdrawn = 0
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.seq = e.seq)`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var body []byte
	for rows.Next() {
		if err := rows.Scan(&body); err != nil {
			return unavailable("events", err)
		}
		if !keys[partitionKey(body)] {
			continue
		}
		e, err := engine.DecodeEnvelope(body)
		if err != nil {
			return err
		}
		if err := yield(e); err != nil {
			return err
		}
	}
	return unavailable("events", rows.Err())
}

// partitionKey finds the pseudonym in an encoded event without decoding all of it. It is a field of the engine's own writing, before any that
// holds what a sender wrote.
func partitionKey(body []byte) string {
	_, after, _ := bytes.Cut(body, []byte(`"partitionkey":"`))
	key, _, _ := bytes.Cut(after, []byte(`"`))
	return string(key)
}

// FlagVersion returns the version and the event of a register row, and keeps others from changing it until the commit. found is false when
// there is no such row; then somebody else may write it meanwhile, and PutFlag must be used.
func (tx *Tx) FlagVersion(n engine.NHSNumber, la string, plan engine.PlanType) (row FlagRow, found bool, err error) {
	row = FlagRow{NHSNumber: n, Authority: la, Plan: plan}
	var id []byte
	found, err = tx.scan(`SELECT f.version, e.id, e.message, e.position FROM flag f JOIN event e ON e.seq = f.event
		WHERE f.nhs = ? AND f.la = ? AND f.plan = ? {lock f}`, []any{n.Reveal(), la, string(plan)}, &row.Version, &id, &row.Message, &row.Position)
	row.Event = eventID(id)
	return row, found, err
}

// SetFlag writes a row that FlagVersion has locked, whatever version it has.
func (tx *Tx) SetFlag(r FlagRow) error {
	seq, err := tx.seqOf(r.key())
	if err != nil {
		return err
	}
	return tx.exec(`UPDATE flag SET version = ?, event = ? WHERE nhs = ? AND la = ? AND plan = ?`, r.Version, seq, r.NHSNumber.Reveal(), r.Authority, string(r.Plan))
}

// RemoveFlag removes a row that FlagVersion has locked: no event stands behind it any more.
func (tx *Tx) RemoveFlag(r FlagRow) error {
	return tx.exec(`DELETE FROM flag WHERE nhs = ? AND la = ? AND plan = ?`, r.NHSNumber.Reveal(), r.Authority, string(r.Plan))
}
