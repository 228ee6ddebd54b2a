package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"strings"

	"signalbox/engine"
)

// FindEvent returns the event whose id begins with the given 8 to 64 hexadecimal digits. The error is of kind NotFound when there is none, and
// Invalid when there are several.
func (s *Store) FindEvent(ctx context.Context, id string) (Stored, error) {
	from, err := hex.DecodeString(id[:len(id)&^1])
	if err != nil || len(id) < 8 || len(id) > 64 || id != strings.ToLower(id) {
		return Stored{}, &engine.Error{Op: "find event", Kind: engine.Invalid, Text: "an event id is 8 to 64 hexadecimal digits"}
	}
	to := append(bytes.Clone(from), bytes.Repeat([]byte{0xff}, 33-len(from))...)
	all, err := s.stored(ctx, `e.id >= ? AND e.id <= ? ORDER BY e.id LIMIT 300`, from, to)
	if err != nil {
		return Stored{}, err
	}
	var matching []Stored
	for _, e := range all { // half a byte can only be told here
		if strings.HasPrefix(string(e.Envelope.ID), id) {
			matching = append(matching, e)
		}
	}
	switch len(matching) {
	case 0:
		return Stored{}, &engine.Error{Op: "find event", Kind: engine.NotFound, Text: "no event in the record has this id"}
	case 1:
		return matching[0], nil
	}
	return Stored{}, &engine.Error{Op: "find event", Kind: engine.Invalid, Text: "several events begin like this: give more digits"}
}

// Events returns the events that the records of a message made, in the order of their records.
func (s *Store) Events(ctx context.Context, id engine.MessageID) ([]Stored, error) {
	return s.stored(ctx, ofMessage, string(id))
}

// selectStored reads events with what became of them, as scanStored expects them; ofMessage is for those of a message's records.
const (
	selectStored = `SELECT e.body, e.withdrawn, (SELECT count(*) FROM outbox o WHERE o.seq = e.seq),
		(SELECT count(*) FROM attempt a WHERE a.event = e.id AND a.verdict = 'dropped') FROM event e WHERE `
	ofMessage = `e.message = ? AND e.kind IN ('flag', 'access', 'number-inactive') ORDER BY e.position, e.seq`
)

func (s *Store) stored(ctx context.Context, where string, args ...any) ([]Stored, error) {
	rows, err := s.rows(ctx, selectStored+where, args...)
	if err != nil {
		return nil, unavailable("events", err)
	}
	return scanStored(rows)
}

// scanStored reads the rows of selectStored and closes them.
func scanStored(rows *sql.Rows) ([]Stored, error) {
	defer rows.Close()
	var out []Stored
	for rows.Next() {
		var body []byte
		var withdrawn, open, dropped int
		if err := rows.Scan(&body, &withdrawn, &open, &dropped); err != nil {
			return nil, unavailable("events", err)
		}
		e, err := engine.DecodeEnvelope(body)
		if err != nil {
			return nil, err
		}
		out = append(out, Stored{Envelope: e, Open: open > 0, Withdrawn: withdrawn > 0, Dropped: dropped > 0})
	}
	return out, unavailable("events", rows.Err())
}

// Unmapped is one failed look-up in a code table that a record still suffers from. It names the table and the place, never the code.
type Unmapped struct {
	Message engine.MessageID
	Outcome engine.Outcome // Parked, Rejected, or Accepted with the field left empty
	Table   string
	Target  string // field of the event
	Place   engine.Place
}

// FailedLookup reads field and table out of the sentence of a fault whose rule is engine.RuleCode: the sentence is the mapping's own, "plan.type: table plan-type:
// the code is not in the table". The table is empty where no code table was asked.
func FailedLookup(sentence string) (target, table string) {
	target, rest, _ := strings.Cut(sentence, ": ")
	if name, ok := strings.CutPrefix(rest, "table "); ok {
		table, _, _ = strings.Cut(name, ": ")
	}
	return target, table
}

// UnmappedCodes lists the failed look-ups of every message, in the order of message and record.
func (s *Store) UnmappedCodes(ctx context.Context) ([]Unmapped, error) {
	rows, err := s.rows(ctx, `SELECT message, outcome, position, path, line, col, start, finish, text FROM fault
		WHERE rule = 'code-unmapped' ORDER BY message, position, number`)
	if err != nil {
		return nil, unavailable("faults", err)
	}
	defer rows.Close()
	var out []Unmapped
	for rows.Next() {
		var u Unmapped
		var text string
		at := &u.Place
		if err := rows.Scan(&u.Message, &u.Outcome, &at.Record, &at.Path, &at.Line, &at.Column, &at.Start, &at.End, &text); err != nil {
			return nil, unavailable("faults", err)
		}
		if u.Target, u.Table = FailedLookup(text); u.Table != "" {
			out = append(out, u)
		}
	}
	return out, unavailable("faults", rows.Err())
}

// Released notes that some records of a message were translated anew and the others were not: the faults of the former are those of t, and the
// counts follow the events. The message is of t's mapping from now on; each event names its own.
func (tx *Tx) Released(t Translation, positions map[int]bool) error {
	message := string(t.Wait.Origin.Message)
	for r := range t.Records {
		if !positions[r.Place.Record] {
			continue
		}
		if err := tx.exec(`DELETE FROM fault WHERE message = ? AND position = ?`, message, r.Place.Record); err != nil {
			return err
		}
		if err := tx.addFaults(message, faultsOf(r)); err != nil {
			return err
		}
	}
	return tx.recount(t.Mapping, message)
}

func (tx *Tx) recount(mapping, message string) error {
	const of = `e.message = message.id AND e.kind IN ('flag', 'access', 'number-inactive')`
	err := tx.exec(`UPDATE message SET state = ?, mapping = ?,
		accepted = (SELECT count(*) FROM event e WHERE `+of+` AND e.withdrawn = 0),
		open = (SELECT count(*) FROM event e JOIN outbox o ON o.seq = e.seq WHERE `+of+`) WHERE id = ?`, string(Translated), mapping, message)
	tx.resolved[message] += 0 // it may be complete at once
	return err
}
