package store

import (
	"encoding/hex"
	"time"

	"signalbox/engine"
)

// eventKey is what the database finds an event by. The event's id is made from the same (engine.NewEventID); the source beside it belongs to
// the message.
type eventKey struct {
	message  engine.MessageID
	kind     engine.Kind
	position int
}

func keyOf(e engine.Envelope) eventKey {
	return eventKey{e.Origin.Message, e.Kind, e.Origin.Position}
}

// eventRow is an event as it is written.
type eventRow struct {
	id   []byte
	key  eventKey
	body []byte // CloudEvents 1.0 JSON
}

// encode is work that needs no transaction: who has many events does it before.
func encode(e engine.Envelope) (eventRow, error) {
	id, err := hashOf(e.ID)
	if err != nil {
		return eventRow{}, err
	}
	body, err := e.Encode()
	return eventRow{id, keyOf(e), body}, err
}

// AddEvent writes an event and puts it into the outbox. An event that is there already is left as it is.
func (tx *Tx) AddEvent(e engine.Envelope) error { return tx.AddEventDue(e, tx.now) }

// AddEventDue is AddEvent for an event that shall not be published before a time.
func (tx *Tx) AddEventDue(e engine.Envelope, due time.Time) error {
	seq, fresh, err := tx.writeEvent(e)
	if err != nil || !fresh {
		return err
	}
	tx.wake[e.Kind] = true
	return tx.exec(`INSERT INTO outbox (seq, kind, state, due) VALUES (?,?,?,?)`, seq, string(e.Kind), toPublish, micros(due))
}

// AddFact writes an event that needs no further handling, because its effect is part of the same transaction.
func (tx *Tx) AddFact(e engine.Envelope) error {
	_, _, err := tx.writeEvent(e)
	return err
}

const insertEvent = `INSERT INTO event (id, kind, message, position, body) VALUES `

// writeEvent returns the row's number and whether it is new.
func (tx *Tx) writeEvent(e engine.Envelope) (seq int64, fresh bool, err error) {
	row, err := encode(e)
	if err != nil {
		return 0, false, err
	}
	seq, fresh, err = tx.insert(insertEvent+values(1, 5)+" ON CONFLICT (message, position, kind) DO NOTHING", row.args(nil)...)
	if fresh {
		tx.seqs[row.key] = seq
	}
	return seq, fresh, err
}

func (r eventRow) args(to []any) []any {
	return append(to, r.id, string(r.key.kind), string(r.key.message), r.key.position, r.body)
}

// addEvents writes the new events of the records of one message, many to a statement. One that is there
// already is an error.
func (tx *Tx) addEvents(message engine.MessageID, events []eventRow) error {
	added := int64(0)
	for left := events; len(left) > 0; {
		n := chunk(len(left))
		args := make([]any, 0, 5*n)
		for _, r := range left[:n] {
			args = r.args(args)
			tx.wake[r.key.kind] = true
		}
		changed, err := tx.changed(insertEvent+values(n, 5)+" ON CONFLICT (message, position, kind) DO NOTHING", args...)
		if err != nil {
			return err
		}
		added += changed
		left = left[n:]
	}
	if added != int64(len(events)) {
		return &engine.Error{Op: "save translation", Kind: engine.Internal, Rule: engine.RuleDuplicate, Text: "an event of the message is there already"}
	}
	return nil
}

// openEvents puts the events of a message that had none into the outbox.
func (tx *Tx) openEvents(message engine.MessageID) error {
	// All of them at once, read from the index that the rows above have just filled.
	return tx.exec(`INSERT INTO outbox (seq, kind, state, due) SELECT seq, kind, 0, CAST(? AS {int}) FROM event
		WHERE message = ? AND kind IN (?,?,?) ORDER BY seq`, micros(tx.now), string(message),
		string(engine.KindFlag), string(engine.KindAccess), string(engine.KindNumberInactive))
}

// seqOf returns the row of an event that is in the record.
func (tx *Tx) seqOf(k eventKey) (int64, error) {
	if seq, known := tx.seqs[k]; known {
		return seq, nil
	}
	var seq int64
	ok, err := tx.scan(`SELECT seq FROM event WHERE message = ? AND position = ? AND kind = ?`, []any{string(k.message), k.position, string(k.kind)}, &seq)
	if err == nil && !ok {
		err = &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "no such event"}
	}
	if err != nil {
		return 0, err
	}
	tx.seqs[k] = seq
	return seq, nil
}

func eventID(hash []byte) engine.EventID { return engine.EventID(hex.EncodeToString(hash)) }

func hashOf(id engine.EventID) ([]byte, error) {
	hash, err := hex.DecodeString(string(id))
	if err != nil || len(hash) != 32 {
		return nil, &engine.Error{Op: "event id", Kind: engine.Invalid, Text: "an event id is 64 hexadecimal digits"}
	}
	return hash, nil
}
