package store

import (
	"context"
	"encoding/hex"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// The states of an event in the outbox. An event that is not in the outbox has its outcome.
const (
	toPublish   = 0
	inFlight    = 1
	quarantined = 2
)

// Pending is an event to be published.
type Pending struct {
	Seq  int64
	ID   engine.EventID
	Key  string
	Body []byte // CloudEvents 1.0 JSON
	// Attempts is how often it was published before.
	Attempts int
	due      int64
}

// AddEvent writes an event and puts it into the outbox. An event that is there already is left as it is.
func (tx *Tx) AddEvent(e engine.Envelope) error {
	_, err := tx.addEvent(e)
	return err
}

// AddFact writes an event that needs no further handling, because its effect is part of the same transaction.
func (tx *Tx) AddFact(e engine.Envelope) error {
	_, _, err := tx.writeEvent(e)
	return err
}

func (tx *Tx) addEvent(e engine.Envelope) (fresh bool, err error) {
	seq, fresh, err := tx.writeEvent(e)
	if err != nil || !fresh {
		return false, err
	}
	tx.wake[e.Kind] = true
	return true, tx.exec(`INSERT INTO outbox (seq, kind, key, state, due) VALUES (?,?,?,?,?)`, seq, string(e.Kind), e.Key(), toPublish, micros(tx.now))
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
	res, err := tx.run(`INSERT INTO event (id, kind, message, position, body) VALUES (?,?,?,?,?) ON CONFLICT (id) DO NOTHING`,
		id, string(e.Kind), string(e.Origin.Message), e.Origin.Position, body)
	if err != nil {
		return 0, false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, false, unavailable("store write", err)
	}
	seq, err = res.LastInsertId()
	return seq, true, unavailable("store write", err)
}

func eventKey(id engine.EventID) ([]byte, error) {
	key, err := hex.DecodeString(string(id))
	if err != nil || len(key) != 32 {
		return nil, &engine.Error{Op: "event id", Kind: engine.Invalid, Text: "an event id is 64 hexadecimal digits"}
	}
	return key, nil
}

// Due returns up to limit events of a kind that are due for publishing, oldest first, while fewer than window are in flight.
func (s *Store) Due(ctx context.Context, k engine.Kind, limit, window int) ([]Pending, error) {
	var flying int
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM outbox WHERE kind = ? AND state = ?`, string(k), inFlight).Scan(&flying)
	if err != nil {
		return nil, unavailable("outbox", err)
	}
	if teeth.Bite("no-bound-in-flight") {
		flying = 0
	}
	limit = min(limit, window-flying)
	if limit <= 0 {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, `SELECT o.seq, e.id, o.key, e.body, o.due, o.attempts FROM outbox o JOIN event e ON e.seq = o.seq
		WHERE o.kind = ? AND o.state = ? AND o.due <= ? ORDER BY o.due, o.seq LIMIT ?`, string(k), toPublish, micros(s.now()), limit)
	if err != nil {
		return nil, unavailable("outbox", err)
	}
	defer rows.Close()
	var out []Pending
	for rows.Next() {
		var p Pending
		var id []byte
		if err := rows.Scan(&p.Seq, &id, &p.Key, &p.Body, &p.due, &p.Attempts); err != nil {
			return nil, unavailable("outbox", err)
		}
		p.ID = engine.EventID(hex.EncodeToString(id))
		out = append(out, p)
	}
	return out, unavailable("outbox", rows.Err())
}

// MarkPublished notes that the events are on the stream. It is called after they were published: an event whose mark is lost is
// published again under the same id, and an event that got its outcome or a new date meanwhile is left alone.
func (s *Store) MarkPublished(ctx context.Context, events []Pending) error {
	return s.Write(ctx, func(tx *Tx) error {
		for _, p := range events {
			if teeth.Bite("mark-over-verdict") {
				_ = tx.exec(`UPDATE outbox SET due = ? WHERE seq = ?`, p.due, p.Seq)
			}
			if err := tx.exec(`UPDATE outbox SET state = 1, published = ?, attempts = attempts + 1 WHERE seq = ? AND state = 0 AND due = ?`,
				micros(tx.now), p.Seq, p.due); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reconcile makes every event that was published before the given time and has no outcome due again, and returns how many there were.
// This is what makes the stream disposable.
func (s *Store) Reconcile(ctx context.Context, before time.Time) (int64, error) {
	var n int64
	if teeth.Bite("skip-the-reconciler") {
		return 0, nil
	}
	err := s.Write(ctx, func(tx *Tx) error {
		n = 0
		for _, k := range engine.Kinds() {
			changed, err := tx.changed(`UPDATE outbox SET state = 0 WHERE kind = ? AND state = 1 AND published < ?`, string(k), micros(before))
			if err != nil {
				return err
			}
			if n += changed; changed > 0 {
				tx.wake[k] = true
			}
		}
		return nil
	})
	return n, err
}

// Resolve notes that the event has its outcome and reports whether it had none before: a handler does its work only when Resolve
// says true, in the same transaction. When a message's last event is resolved, the message is complete and a file-done event is due.
func (tx *Tx) Resolve(e engine.Envelope) (first bool, err error) {
	id, err := eventKey(e.ID)
	if err != nil {
		return false, err
	}
	n, err := tx.changed(`DELETE FROM outbox WHERE seq = (SELECT seq FROM event WHERE id = ?) AND state <> ?`, id, quarantined)
	if n == 1 && counted(e.Kind) {
		tx.resolved[string(e.Origin.Message)]++
	}
	if teeth.Bite("handle-every-copy") {
		return true, err
	}
	return n == 1, err
}

// counted tells whether events of the kind keep their message open.
func counted(k engine.Kind) bool {
	return k == engine.KindFlag || k == engine.KindAccess || k == engine.KindNumberInactive
}

// settle completes the messages whose last events were resolved in this transaction. It runs once, before the commit.
func (tx *Tx) settle() error {
	for message, n := range tx.resolved {
		if teeth.Bite("acknowledge-before-last-event") {
			n++
		}
		if err := tx.exec(`UPDATE message SET open = open - ? WHERE id = ?`, n, message); err != nil {
			return err
		}
		complete, err := tx.changed(`UPDATE message SET state = ? WHERE id = ? AND open = 0 AND state = ?`,
			string(Complete), message, string(Translated))
		if err != nil {
			return err
		}
		if complete == 1 {
			if err := tx.addFileDone(message); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tx *Tx) addFileDone(message string) error {
	rows, err := tx.query(`SELECT source, received, mapping FROM message WHERE id = ?`, message)
	if err != nil {
		return err
	}
	defer rows.Close()
	o := engine.Origin{Message: engine.MessageID(message)}
	var received int64
	for rows.Next() {
		if err := rows.Scan(&o.Source, &received, &o.Mapping); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	o.Received = fromMicros(received)
	return tx.AddEvent(engine.NewEnvelope(engine.KindFileDone, o))
}

// Postpone hands the event back at a later time, with the reason.
func (s *Store) Postpone(ctx context.Context, id engine.EventID, at time.Time, reason string) error {
	return s.setOutcome(ctx, id, toPublish, at, reason)
}

// SetAside puts the event into quarantine with its reason. Its message stays open, so that the reply waits for a person.
func (s *Store) SetAside(ctx context.Context, id engine.EventID, reason string) error {
	return s.setOutcome(ctx, id, quarantined, s.now(), reason)
}

func (s *Store) setOutcome(ctx context.Context, id engine.EventID, state int, due time.Time, reason string) error {
	key, err := eventKey(id)
	if err != nil {
		return err
	}
	final := quarantined
	if teeth.Bite("retry-frees-quarantined") {
		final = -1
	}
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`UPDATE outbox SET state = ?, due = ?, reason = ?
			WHERE seq = (SELECT seq FROM event WHERE id = ?) AND state <> ?`, state, micros(due), reason, key, final)
	})
}

// Backlog counts the events of each kind without an outcome, and those in quarantine.
type Backlog struct {
	Open        map[engine.Kind]int
	Quarantined int
}

// Backlog counts what is still to be done.
func (s *Store) Backlog(ctx context.Context) (Backlog, error) {
	b := Backlog{Open: map[engine.Kind]int{}}
	rows, err := s.read.QueryContext(ctx, `SELECT kind, state = ?, count(*) FROM outbox GROUP BY kind, state = ?`, quarantined, quarantined)
	if err != nil {
		return b, unavailable("backlog", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var aside bool
		var n int
		if err := rows.Scan(&kind, &aside, &n); err != nil {
			return b, unavailable("backlog", err)
		}
		if aside {
			b.Quarantined += n
		} else {
			b.Open[engine.Kind(kind)] += n
		}
	}
	return b, unavailable("backlog", rows.Err())
}
