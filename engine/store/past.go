package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"slices"
	"sort"
	"time"

	"signalbox/engine"
)

// Stretch is a span of time by the record's clock in which one wording of a flag event counted: it was applied, no replay had changed it, and
// none had withdrawn it.
type Stretch struct {
	Event    engine.Envelope
	From     time.Time
	To       time.Time // until then, not then; zero: it counts still
	Assumed  bool      // From is when its message arrived: when it was applied was not kept then
	Upstream string    // the MESH message id of its message
}

// Counted reports whether the event counted at a time.
func (s Stretch) Counted(at time.Time) bool {
	return !s.From.After(at) && (s.To.IsZero() || at.Before(s.To))
}

// PastFlags returns every stretch of every flag event that is or was about a person, the earliest first. It reads all flag events of the
// record, on a connection beside those that write.
func (s *Store) PastFlags(ctx context.Context, n engine.NHSNumber) ([]Stretch, error) {
	options := &sql.TxOptions{ReadOnly: true}
	if s.Shared() {
		options.Isolation = sql.LevelRepeatableRead // on SQLite every transaction is
	}
	moment, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return nil, unavailable("past", err)
	}
	defer func() { _ = moment.Rollback() }() // nothing was written
	ask := func(query string, args ...any) (*sql.Rows, error) {
		rows, err := moment.QueryContext(ctx, s.text(query), s.dialect.args(args)...)
		return rows, unavailable("past", err)
	}
	seqs, err := mentions(ask, n.Key())
	if err != nil {
		return nil, err
	}
	var out []Stretch
	for _, seq := range seqs {
		all, err := courses(ask, `e.seq = ?`, seq)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			for _, stretch := range c.stretches() {
				if stretch.Event.Flag != nil && stretch.Event.Flag.Subject.NHSNumber == n {
					out = append(out, stretch)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Stretch) int { return a.From.Compare(b.From) })
	return out, nil
}

// asker runs a query of one moment.
type asker func(query string, args ...any) (*sql.Rows, error)

// mentions finds the flag events that are about a person, or were before a replay, by the pseudonym: the rows of events.
func mentions(ask asker, key string) ([]int64, error) {
	found := map[int64]bool{}
	for _, query := range []string{
		`SELECT seq, body FROM event WHERE kind = 'flag'`,
		`SELECT event, body FROM superseded`,
	} {
		rows, err := ask(query)
		if err != nil {
			return nil, err
		}
		var seq int64
		var body sql.RawBytes
		for rows.Next() {
			if err := rows.Scan(&seq, &body); err != nil {
				_ = rows.Close() // the first error says more
				return nil, unavailable("past", err)
			}
			if partitionKey(body) == key {
				found[seq] = true
			}
		}
		if err := rows.Close(); err != nil {
			return nil, unavailable("past", err)
		}
		if err := rows.Err(); err != nil {
			return nil, unavailable("past", err)
		}
	}
	out := make([]int64, 0, len(found))
	for seq := range found {
		out = append(out, seq)
	}
	slices.Sort(out)
	return out, nil
}

// course is what the record knows of one flag event: its wordings, and when it began and ceased to count.
type course struct {
	now       engine.Envelope
	upstream  string
	outbox    int // its state there; -1: it is not there
	withdrawn bool
	before    []Revision // what it was, oldest first
	turns     []turn     // oldest first
}

type turn struct {
	at     time.Time
	counts bool
}

// courses reads the flag events that a condition on message m and event e chooses, by their rows.
func courses(ask asker, where string, args ...any) (map[int64]*course, error) {
	const of = ` FROM event e JOIN message m ON m.id = e.message `
	out, at := map[int64]*course{}, map[eventKey]*course{}
	rows, err := ask(`SELECT e.seq, e.body, e.withdrawn, m.upstream, COALESCE((SELECT o.state FROM outbox o WHERE o.seq = e.seq), -1)`+of+
		`WHERE e.kind = 'flag' AND `+where, args...)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var seq int64
		var body []byte
		var withdrawn int
		c := &course{}
		if err := rows.Scan(&seq, &body, &withdrawn, &c.upstream, &c.outbox); err != nil {
			return unavailable("past", err)
		}
		var err error
		c.now, err = engine.DecodeEnvelope(body)
		c.withdrawn = withdrawn > 0
		out[seq], at[keyOf(c.now)] = c, c
		return err
	})
	if err != nil {
		return nil, err
	}
	if rows, err = ask(`SELECT s.event, s.at, s.body FROM superseded s JOIN event e ON e.seq = s.event JOIN message m ON m.id = e.message
		WHERE e.kind = 'flag' AND `+where+` ORDER BY s.event, s.revision`, args...); err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var seq, until int64
		var body []byte
		if err := rows.Scan(&seq, &until, &body); err != nil {
			return unavailable("past", err)
		}
		e, err := engine.DecodeEnvelope(body)
		out[seq].before = append(out[seq].before, Revision{At: fromMicros(until), Body: e})
		return err
	})
	if err != nil {
		return nil, err
	}
	rows, err = ask(`SELECT c.message, c.at, c.counts, c.positions FROM counted c
		WHERE c.message IN (SELECT m.id`+of+`WHERE e.kind = 'flag' AND `+where+`) ORDER BY c.at, c.seq`, args...)
	if err != nil {
		return nil, err
	}
	return out, each(rows, func() error {
		var message engine.MessageID
		var when, counts int64
		var runs []byte
		if err := rows.Scan(&message, &when, &counts, &runs); err != nil {
			return unavailable("past", err)
		}
		for _, position := range unpackRuns(runs) {
			if c := at[eventKey{message, engine.KindFlag, int(position)}]; c != nil {
				c.turns = append(c.turns, turn{fromMicros(when), counts == 1})
			}
		}
		return nil
	})
}

// each calls do for every row and closes them.
func each(rows *sql.Rows, do func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := do(); err != nil {
			return err
		}
	}
	return unavailable("past", rows.Err())
}

// stretches are the times in which the event counted, cut where a replay changed its wording.
func (c *course) stretches() []Stretch {
	turns, assumed := c.turns, time.Time{}
	if len(turns) == 0 && c.outbox < 0 && !c.withdrawn || len(turns) > 0 && !turns[0].counts {
		// It was applied before that was kept.
		assumed = c.now.Origin.Received
		turns = append([]turn{{assumed, true}}, turns...)
	}
	var out []Stretch
	for i, t := range turns {
		if !t.counts || i > 0 && turns[i-1].counts {
			continue
		}
		var to time.Time
		for _, later := range turns[i+1:] {
			if !later.counts {
				to = later.at
				break
			}
		}
		out = append(out, c.cut(Stretch{From: t.at, To: to, Assumed: i == 0 && !assumed.IsZero(), Upstream: c.upstream})...)
	}
	return out
}

// cut divides a stretch by the wordings that the event had in it.
func (c *course) cut(whole Stretch) []Stretch {
	var out []Stretch
	for _, r := range c.before {
		if !r.At.After(whole.From) {
			continue
		}
		if !whole.To.IsZero() && !r.At.Before(whole.To) {
			whole.Event = r.Body
			return append(out, whole)
		}
		part := whole
		part.Event, part.To = r.Body, r.At
		out = append(out, part)
		whole.From, whole.Assumed = r.At, false
	}
	whole.Event = c.now
	return append(out, whole)
}

// at returns the wording that counted at a time.
func (c *course) at(when time.Time) (e engine.Envelope, counted bool) {
	for _, s := range c.stretches() {
		if s.Counted(when) {
			return s.Event, true
		}
	}
	return c.now, false
}

// later reports whether the event is still to count after a time, as far as is known now.
func (c *course) later(when time.Time) bool {
	return c.outbox >= 0 || slices.ContainsFunc(c.turns, func(t turn) bool { return t.counts && t.at.After(when) })
}

// addCounted keeps when records of a message began to count, or ceased to: this transaction's time.
func (tx *Tx) addCounted(message string, positions []int64, counts bool) error {
	return tx.exec(`INSERT INTO counted (message, at, counts, positions) VALUES (?,?,?,?)`, message, micros(tx.now), number(counts), packRuns(positions))
}

// packRuns writes positions as runs: the gap since the last run, and the length of this one. The records of a file that are applied together
// lie together, so hundreds of them take a few bytes.
func packRuns(positions []int64) []byte {
	sort.Slice(positions, func(i, j int) bool { return positions[i] < positions[j] })
	positions = slices.Compact(positions)
	var out []byte
	next := int64(0)
	for i := 0; i < len(positions); {
		n := i + 1
		for n < len(positions) && positions[n] == positions[n-1]+1 {
			n++
		}
		out = binary.AppendUvarint(out, uint64(positions[i]-next))
		out = binary.AppendUvarint(out, uint64(n-i))
		next, i = positions[n-1]+1, n
	}
	return out
}

func unpackRuns(runs []byte) []int64 {
	var out []int64
	next := int64(0)
	for len(runs) > 0 {
		gap, n := binary.Uvarint(runs)
		length, m := binary.Uvarint(runs[max(n, 0):])
		if n <= 0 || m <= 0 {
			return out
		}
		runs = runs[n+m:]
		next += int64(gap)
		for range length {
			out = append(out, next)
			next++
		}
	}
	return out
}

// PastAccesses returns the unscheduled accesses of a person of which the record knew at a time, newest first. An access is known since its
// message arrived, or since it was asked.
func (s *Store) PastAccesses(ctx context.Context, n engine.NHSNumber, known time.Time) ([]engine.Envelope, error) {
	rows, err := s.rows(ctx, `SELECT e.body FROM access a `+itsEvent+` WHERE a.nhs = ? AND a.scheduled = 0 ORDER BY a.at DESC, a.id`, n.Reveal())
	if err != nil {
		return nil, unavailable("past", err)
	}
	all, err := envelopes(rows)
	return slices.DeleteFunc(all, func(e engine.Envelope) bool { return e.Origin.Received.After(known) }), err
}

// Inspection is that somebody asked what stood in the past.
type Inspection struct {
	At        time.Time
	Who, Why  string // of the operator, in their own words; no personal data of the child
	NHSNumber engine.NHSNumber
	Valid     time.Time // the time that was asked about
	Known     time.Time // by what was known then
}

// KeepInspection keeps who asks before anything is answered.
func (s *Store) KeepInspection(ctx context.Context, i Inspection) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`INSERT INTO inspection (at, who, why, nhs, valid, known) VALUES (?,?,?,?,?,?)`,
			micros(tx.now), i.Who, i.Why, i.NHSNumber.Reveal(), micros(i.Valid), micros(i.Known))
	})
}

// Inspections returns who asked what stood in the past, oldest first.
func (s *Store) Inspections(ctx context.Context) ([]Inspection, error) {
	rows, err := s.rows(ctx, `SELECT at, who, why, nhs, valid, known FROM inspection ORDER BY seq`)
	if err != nil {
		return nil, unavailable("inspections", err)
	}
	var out []Inspection
	err = each(rows, func() error {
		var i Inspection
		var nhs string
		var at, valid, known int64
		if err := rows.Scan(&at, &i.Who, &i.Why, &nhs, &valid, &known); err != nil {
			return unavailable("inspections", err)
		}
		i.At, i.Valid, i.Known = fromMicros(at), fromMicros(valid), fromMicros(known)
		var err error
		i.NHSNumber, err = engine.ParseNHSNumber(nhs)
		out = append(out, i)
		return err
	})
	return out, err
}
