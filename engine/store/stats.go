package store

import (
	"context"
	"time"

	"signalbox/engine"
)

// Stats is the record's state at one moment, as an operator watches it.
type Stats struct {
	Topics             map[engine.Kind]TopicStats
	Effects            map[EffectKind]EffectStats
	OldestNotice       map[string]time.Time // by authority: the oldest notice that no notification tells of yet
	Uncollected        []Uncollected        // sent, and not known to be collected
	Tasks              []OpenTasks          // that wait for a person
	QuarantineMessages int                  // whole messages that no mapping could be applied to
}

// TopicStats counts the events of one kind without an outcome.
type TopicStats struct {
	Waiting, Streamed, Quarantined int
	OldestWaiting, OldestStreamed  time.Time // since when the oldest is due and unpublished, and published without an outcome; zero: none
}

// EffectStats counts the effects of one kind that are not sent.
type EffectStats struct {
	Planned, Attempted, Failed int
	OldestOpen                 time.Time // when the oldest that is planned or attempted was planned; zero: none
}

// Stats reads the record's state. It reads the open rows only, so its cost grows with the backlog and not with the record.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	out := Stats{Topics: map[engine.Kind]TopicStats{}, Effects: map[EffectKind]EffectStats{}}
	for _, k := range engine.Kinds() {
		out.Topics[k] = TopicStats{}
	}
	for _, k := range EffectKinds() {
		out.Effects[k] = EffectStats{}
	}
	for _, read := range []func(context.Context, *Stats) error{s.topicStats, s.effectStats} {
		if err := read(ctx, &out); err != nil {
			return Stats{}, unavailable("stats", err)
		}
	}
	var err error
	if out.OldestNotice, err = s.OldestNotice(ctx); err != nil {
		return Stats{}, err
	}
	if out.Uncollected, err = s.Uncollected(ctx); err != nil {
		return Stats{}, err
	}
	if out.Tasks, err = s.OpenTasks(ctx); err != nil {
		return Stats{}, err
	}
	err = s.row(ctx, `SELECT count(*) FROM message WHERE state = 'quarantined'`).Scan(&out.QuarantineMessages)
	return out, unavailable("stats", err)
}

func (s *Store) topicStats(ctx context.Context, out *Stats) error {
	rows, err := s.rows(ctx, `SELECT kind, state, count(*), min(due), min(published) FROM outbox GROUP BY kind, state`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind engine.Kind
		var state, n int
		var due, published int64
		if err := rows.Scan(&kind, &state, &n, &due, &published); err != nil {
			return err
		}
		t := out.Topics[kind]
		switch state {
		case toPublish:
			t.Waiting, t.OldestWaiting = n, fromMicros(due)
		case inFlight:
			t.Streamed, t.OldestStreamed = n, fromMicros(published)
		case quarantined:
			t.Quarantined = n
		}
		out.Topics[kind] = t
	}
	return rows.Err()
}

func (s *Store) effectStats(ctx context.Context, out *Stats) error {
	rows, err := s.rows(ctx, `SELECT kind, state, count(*), min(created) FROM effect WHERE state IN ('planned', 'attempted')
		GROUP BY kind, state UNION ALL SELECT kind, state, count(*), min(created) FROM effect WHERE state = 'failed' GROUP BY kind, state`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind EffectKind
		var state EffectState
		var n int
		var created int64
		if err := rows.Scan(&kind, &state, &n, &created); err != nil {
			return err
		}
		e, at := out.Effects[kind], fromMicros(created)
		switch state {
		case Planned:
			e.Planned = n
		case Attempted:
			e.Attempted = n
		case Failed:
			e.Failed = n
		}
		if state != Failed && (e.OldestOpen.IsZero() || at.Before(e.OldestOpen)) {
			e.OldestOpen = at
		}
		out.Effects[kind] = e
	}
	return rows.Err()
}

// Pulse writes one row and commits it: an error says that the record cannot be written now. It may outlast ctx when the disk hangs.
func (s *Store) Pulse(ctx context.Context) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`INSERT INTO pulse (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at`, micros(tx.now))
	})
}

// Cause is why an effect left the engine: the message that it answers, or an access that it tells of.
type Cause struct {
	Message engine.MessageID
	Access  time.Time // when the access was; zero for an acknowledgement
}

// Causes returns the accesses that a notification tells of, oldest first.
func (s *Store) Causes(ctx context.Context, effect string) ([]Cause, error) {
	rows, err := s.rows(ctx, `SELECT e.message, a.at FROM notice n JOIN event e ON e.seq = n.event JOIN access a ON a.id = n.access
		WHERE n.effect = ? AND n.effect <> '' ORDER BY a.at, a.id`, effect)
	if err != nil {
		return nil, unavailable("causes", err)
	}
	defer rows.Close()
	var out []Cause
	for rows.Next() {
		var c Cause
		var at int64
		if err := rows.Scan(&c.Message, &at); err != nil {
			return nil, unavailable("causes", err)
		}
		c.Access = fromMicros(at)
		out = append(out, c)
	}
	return out, unavailable("causes", rows.Err())
}
