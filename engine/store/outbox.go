package store

import (
	"context"
	"maps"
	"slices"
	"sync"
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
	limit, err := s.free(ctx, k, limit, window)
	if err != nil || limit <= 0 {
		return nil, err
	}
	rows, err := s.rows(ctx, `SELECT o.seq, e.id, e.body, o.due, o.attempts FROM outbox o JOIN event e ON e.seq = o.seq
		WHERE o.kind = ? AND o.state = ? AND o.due <= ? ORDER BY o.due, o.seq LIMIT ?`, string(k), toPublish, micros(s.Now()), limit)
	if err != nil {
		return nil, unavailable("outbox", err)
	}
	defer rows.Close()
	var out []Pending
	for rows.Next() {
		var p Pending
		var id []byte
		if err := rows.Scan(&p.Seq, &id, &p.Body, &p.due, &p.Attempts); err != nil {
			return nil, unavailable("outbox", err)
		}
		p.ID, p.Key = eventID(id), partitionKey(p.Body)
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable("outbox", err)
	}
	s.flying[k].take(len(out))
	return out, nil
}

// flying bounds from above how many events of a kind are in flight, without counting them each time: counting costs as much as there are.
// Whoever relays is alone, so nobody else adds to them; outcomes only make them fewer.
type flying struct {
	mu      sync.Mutex
	atMost  int
	counted time.Time // zero: never
}

// How long a count is good for: another process may have relayed meanwhile. A full window is looked at more often.
const (
	recount     = time.Second
	recountFull = recount / 10
)

func (f *flying) take(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.atMost += n
}

// free returns how many of limit events fit into the window. When there is room for a few only it says none: they would be many small
// batches, and there is enough in flight to wait for.
func (s *Store) free(ctx context.Context, k engine.Kind, limit, window int) (int, error) {
	f := s.flying[k]
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := time.Since(f.counted); age > recount || age > recountFull && f.atMost+limit > window {
		err := s.row(ctx, `SELECT count(*) FROM outbox WHERE kind = ? AND state = ?`, string(k), inFlight).Scan(&f.atMost)
		if err != nil {
			return 0, unavailable("outbox", err)
		}
		f.counted = time.Now()
	}
	if teeth.Bite("no-bound-in-flight") {
		f.atMost = 0
	}
	room := window - f.atMost
	if room < min(limit, window/2)/2 {
		return 0, nil
	}
	return min(limit, room), nil
}

// MarkPublished notes that the events are on the stream. It is called after they were published: an event whose mark is lost is
// published again under the same id, and an event that got its outcome or a new date meanwhile is left alone.
func (s *Store) MarkPublished(ctx context.Context, events []Pending) error {
	return s.Write(ctx, func(tx *Tx) error {
		for left := events; len(left) > 0; {
			n := min(len(left), mostInList)
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
	seqs := make([]int64, 0, len(events))
	for _, p := range events {
		if teeth.Bite("mark-over-verdict") {
			_ = tx.exec(`UPDATE outbox SET due = ? WHERE seq = ?`, p.due, p.Seq)
		}
		latest = max(latest, p.due)
		seqs = append(seqs, p.Seq)
	}
	d := tx.store.dialect
	size := d.list(len(seqs))
	args := d.many([]any{micros(tx.now)}, seqs, size)
	return tx.exec(`UPDATE outbox SET state = 1, published = ? WHERE seq IN
		(SELECT seq FROM outbox WHERE seq `+d.in(size)+` AND state = 0 AND due <= ? {lock})`, append(args, latest)...)
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
// says true, in the same transaction. A copy of what the event was before a replay changed it has no outcome to give. When a message's last
// event is resolved, the message is complete and a file-done event is due.
func (tx *Tx) Resolve(e engine.Envelope) (first bool, err error) {
	open, err := tx.ResolveAll([]engine.Envelope{e})
	return len(open) == 1, err
}

// ResolveAll is Resolve for many events: it returns those that had no outcome before, in the order given, each once.
func (tx *Tx) ResolveAll(events []engine.Envelope) (open []engine.Envelope, err error) {
	if teeth.Bite("handle-every-copy") {
		defer func() { open = events }()
	}
	asked := map[group][]engine.Envelope{}
	var order []group
	for _, e := range events {
		g := tx.store.dialect.group(e)
		if asked[g] == nil {
			order = append(order, g)
		}
		asked[g] = append(asked[g], e)
	}
	first := map[eventKey]bool{}
	for _, g := range order {
		for left := asked[g]; len(left) > 0; {
			n := min(len(left), mostInList)
			if err := tx.resolve(g, left[:n], first); err != nil {
				return nil, err
			}
			left = left[n:]
		}
	}
	for _, e := range events {
		if k := keyOf(e); first[k] {
			first[k] = teeth.Bite("copies-count-together") // a copy beside it has no outcome to give
			open = append(open, e)
		}
	}
	return open, nil
}

// resolve takes events of one group out of the outbox and adds those that were there to first.
func (tx *Tx) resolve(g group, events []engine.Envelope, first map[eventKey]bool) error {
	query, args := tx.store.dialect.resolve(g, events)
	rows, err := tx.query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		at, seq := eventKey{kind: g.kind}, int64(0)
		if err := rows.Scan(&seq, &at.message, &at.position); err != nil {
			return unavailable("store write", err)
		}
		first[at], tx.seqs[at] = true, seq
		if counted(g.kind) {
			tx.resolved[string(at.message)]++
		}
		if g.kind == engine.KindFlag {
			tx.applied[string(at.message)] = append(tx.applied[string(at.message)], int64(at.position))
		}
	}
	return unavailable("store write", rows.Err())
}

// counted tells whether events of the kind keep their message open.
func counted(k engine.Kind) bool {
	return k == engine.KindFlag || k == engine.KindAccess || k == engine.KindNumberInactive
}

// settle completes the messages whose last events were resolved in this transaction, and keeps when their flags began to count. It runs once,
// before the commit.
func (tx *Tx) settle() error {
	for _, message := range slices.Sorted(maps.Keys(tx.applied)) {
		if err := tx.addCounted(message, tx.applied[message], true); err != nil {
			return err
		}
	}
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
