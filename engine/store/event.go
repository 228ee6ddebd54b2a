package store

import (
	"encoding/hex"
	"time"

	"signalbox/engine"
)

// AddEvent writes an event and puts it into the outbox. An event that is there already is left as it is.
func (tx *Tx) AddEvent(e engine.Envelope) error { return tx.AddEventDue(e, tx.now) }

// AddEventDue is AddEvent for an event that shall not be published before a time.
func (tx *Tx) AddEventDue(e engine.Envelope, due time.Time) error {
	_, err := tx.addEvent(e, due)
	return err
}

// AddFact writes an event that needs no further handling, because its effect is part of the same transaction.
func (tx *Tx) AddFact(e engine.Envelope) error {
	_, _, err := tx.writeEvent(e)
	return err
}

func (tx *Tx) addEvent(e engine.Envelope, due time.Time) (fresh bool, err error) {
	seq, fresh, err := tx.writeEvent(e)
	if err != nil || !fresh {
		return false, err
	}
	tx.wake[e.Kind] = true
	return true, tx.exec(`INSERT INTO outbox (seq, kind, key, state, due) VALUES (?,?,?,?,?)`, seq, string(e.Kind), e.Key(), toPublish, micros(due))
}

// writeEvent returns the row's number and whether it is new.
func (tx *Tx) writeEvent(e engine.Envelope) (seq int64, fresh bool, err error) {
	id, err := eventKey(e.ID)
	if err != nil {
		return 0, false, err
	}
	body, err := e.Encode()
	if err != nil {
		return 0, false, err
	}
	return tx.insert(insertEvent+" VALUES (?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
		id, string(e.Kind), string(e.Origin.Message), e.Origin.Position, body)
}

const insertEvent = `INSERT INTO event (id, kind, message, position, body)`

// addEvents writes new events of one message, of different positions, many to a statement. One that is there already is an error.
func (tx *Tx) addEvents(events []engine.Envelope) error {
	for len(events) > 0 {
		n := chunk(len(events))
		if err := tx.addChunk(events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

func (tx *Tx) addChunk(events []engine.Envelope) error {
	args := make([]any, 0, 5*len(events))
	at := make(map[int]engine.Envelope, len(events))
	for _, e := range events {
		id, err := eventKey(e.ID)
		if err != nil {
			return err
		}
		body, err := e.Encode()
		if err != nil {
			return err
		}
		args = append(args, id, string(e.Kind), string(e.Origin.Message), e.Origin.Position, body)
		at[e.Origin.Position] = e
	}
	rows, err := tx.query(insertEvent+" VALUES "+values(len(events), 5)+" ON CONFLICT (id) DO NOTHING RETURNING seq, position", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	args = args[:0]
	added := 0
	for ; rows.Next(); added++ {
		var seq int64
		var position int
		if err := rows.Scan(&seq, &position); err != nil {
			return unavailable("store write", err)
		}
		e := at[position]
		args = append(args, seq, string(e.Kind), e.Key(), toPublish, micros(tx.now))
		tx.wake[e.Kind] = true
	}
	if err := rows.Err(); err != nil {
		return unavailable("store write", err)
	}
	if added != len(events) {
		return &engine.Error{Op: "save translation", Kind: engine.Internal, Rule: engine.RuleDuplicate, Text: "an event of the message is there already"}
	}
	return tx.exec(`INSERT INTO outbox (seq, kind, key, state, due) VALUES `+values(len(events), 5), args...)
}

func eventID(key []byte) engine.EventID { return engine.EventID(hex.EncodeToString(key)) }

func eventKey(id engine.EventID) ([]byte, error) {
	key, err := hex.DecodeString(string(id))
	if err != nil || len(key) != 32 {
		return nil, &engine.Error{Op: "event id", Kind: engine.Invalid, Text: "an event id is 64 hexadecimal digits"}
	}
	return key, nil
}
