package store

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
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
	// Attempts is how often it came to nothing: a verdict handed it back, or it was published and had no outcome.
	Attempts int
	due      int64
}

// Due returns up to limit events of a kind that are due for publishing, oldest first, while fewer than window are in flight.
func (s *Store) Due(ctx context.Context, k engine.Kind, limit, window int) ([]Pending, error) {
	var flying int
	err := s.row(ctx, `SELECT count(*) FROM outbox WHERE kind = ? AND state = ?`, string(k), inFlight).Scan(&flying)
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
	rows, err := s.rows(ctx, `SELECT o.seq, e.id, o.key, e.body, o.due, o.attempts FROM outbox o JOIN event e ON e.seq = o.seq
		WHERE o.kind = ? AND o.state = ? AND o.due <= ? ORDER BY o.due, o.seq LIMIT ?`, string(k), toPublish, micros(s.Now()), limit)
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
		for left := events; len(left) > 0; {
			n := chunk(len(left))
			if err := tx.markPublished(left[:n]); err != nil {
				return err
			}
			left = left[n:]
		}
		return nil
	})
}

// markPublished leaves out what another transaction holds: that is just getting its outcome or its new date.
func (tx *Tx) markPublished(events []Pending) error {
	latest := int64(0)
	args := []any{micros(tx.now)}
	for _, p := range events {
		if teeth.Bite("mark-over-verdict") {
			_ = tx.exec(`UPDATE outbox SET due = ? WHERE seq = ?`, p.due, p.Seq)
		}
		latest = max(latest, p.due)
		args = append(args, p.Seq)
	}
	return tx.exec(`UPDATE outbox SET state = 1, published = ? WHERE seq IN
		(SELECT seq FROM outbox WHERE seq IN `+values(1, len(events))+` AND state = 0 AND due <= ? {lock})`, append(args, latest)...)
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
			changed, err := tx.changed(`UPDATE outbox SET state = 0, attempts = attempts + 1 WHERE seq IN
				(SELECT seq FROM outbox WHERE kind = ? AND state = 1 AND published < ? {lock})`, string(k), micros(before))
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
// says true, in the same transaction. A copy of what the event was before a replay changed it has no outcome to give. When a message's last event is resolved, the message is complete and a file-done event is due.
func (tx *Tx) Resolve(e engine.Envelope) (first bool, err error) {
	id, err := eventKey(e.ID)
	if err != nil {
		return false, err
	}
	n, err := tx.changed(`DELETE FROM outbox WHERE seq = (SELECT seq FROM event WHERE id = ?) AND state <> ?
		AND NOT EXISTS (SELECT 1 FROM superseded WHERE event = ? AND mapping = ?)`, id, quarantined, id, e.Origin.Mapping)
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
	for _, message := range slices.Sorted(maps.Keys(tx.resolved)) { // in one order in every process, so that none waits for another in a circle
		n := tx.resolved[message]
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
	o := engine.Origin{Message: engine.MessageID(message)}
	var received int64
	if _, err := tx.scan(`SELECT source, received, mapping FROM message WHERE id = ?`, []any{message}, &o.Source, &received, &o.Mapping); err != nil {
		return err
	}
	o.Received = fromMicros(received)
	return tx.AddEvent(engine.NewEnvelope(engine.KindFileDone, o))
}

// Backlog counts the events of each kind without an outcome, and those in quarantine.
type Backlog struct {
	Open        map[engine.Kind]int
	Quarantined int
}

// Backlog counts what is still to be done.
func (s *Store) Backlog(ctx context.Context) (Backlog, error) {
	b := Backlog{Open: map[engine.Kind]int{}}
	rows, err := s.rows(ctx, `SELECT kind, state, count(*) FROM outbox GROUP BY kind, state`)
	if err != nil {
		return b, unavailable("backlog", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var state, n int
		if err := rows.Scan(&kind, &state, &n); err != nil {
			return b, unavailable("backlog", err)
		}
		if state == quarantined {
			b.Quarantined += n
		} else {
			b.Open[engine.Kind(kind)] += n
		}
	}
	return b, unavailable("backlog", rows.Err())
}
