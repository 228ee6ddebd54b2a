package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"signalbox/engine"
)

// Hour is an hour in which accesses of one source were received.
type Hour struct {
	Source      string // such as fhir/NAME
	Begin       time.Time
	First, Last time.Time
	Asked       int
}

// heardBatch is how many rows of the record are read at once to find out who asked.
const heardBatch = 20_000

// HearAccesses counts accesses that have been recorded since it was last called into the hours of their sources, up to an event that LastEvent
// named. It is not part of the transaction that records an access, so it costs no query anything. more says that it was not all: call again. Several
// processes may call it at once; each access counts once.
func (s *Store) HearAccesses(ctx context.Context, upTo int64) (more bool, err error) {
	var from int64
	if err := s.row(ctx, `SELECT seq FROM heard_until WHERE id = 1`).Scan(&from); err != nil {
		return false, unavailable("heard", err)
	}
	to := min(from+heardBatch, upTo)
	if to <= from {
		return false, nil
	}
	rows, err := s.rows(ctx, `SELECT body FROM event WHERE seq > ? AND seq <= ? AND kind = 'access'`, from, to)
	if err != nil {
		return false, unavailable("heard", err)
	}
	events, err := envelopes(rows)
	if err != nil {
		return false, err
	}
	hours := hoursOf(events)
	return to < upTo, s.Write(ctx, func(tx *Tx) error {
		n, err := tx.changed(`UPDATE heard_until SET seq = ? WHERE id = 1 AND seq = ?`, to, from)
		if err != nil || n == 0 { // another process has counted these
			return err
		}
		return tx.hear(hours)
	})
}

// hoursOf gathers accesses, in one order in every process.
func hoursOf(events []engine.Envelope) []Hour {
	type key struct {
		source string
		hour   int64
	}
	all := map[key]Hour{}
	for _, e := range events {
		at := e.Origin.Received
		k := key{e.Origin.Source, at.Truncate(time.Hour).Unix()}
		h, seen := all[k]
		if !seen {
			h = Hour{Source: k.source, Begin: at.Truncate(time.Hour), First: at, Last: at}
		}
		if at.Before(h.First) {
			h.First = at
		}
		if at.After(h.Last) {
			h.Last = at
		}
		h.Asked++
		all[k] = h
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Hour) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), a.Begin.Compare(b.Begin))
	})
}

func (tx *Tx) hear(hours []Hour) error {
	for _, h := range hours {
		if err := tx.exec(`INSERT INTO heard (source, hour, opening, closing, asked) VALUES (?,?,?,?,?) ON CONFLICT (source, hour) DO UPDATE SET
			opening = CASE WHEN excluded.opening < heard.opening THEN excluded.opening ELSE heard.opening END,
			closing = CASE WHEN excluded.closing > heard.closing THEN excluded.closing ELSE heard.closing END,
			asked = heard.asked + excluded.asked`, h.Source, micros(h.Begin), micros(h.First), micros(h.Last), h.Asked); err != nil {
			return err
		}
	}
	return nil
}

// LastEvent returns the number of the newest event. Where several processes write, one with a lower number may still be under way.
func (s *Store) LastEvent(ctx context.Context) (seq int64, err error) {
	err = s.row(ctx, `SELECT COALESCE(max(seq), 0) FROM event`).Scan(&seq)
	return seq, unavailable("heard", err)
}

// HoursOf returns the hours in which a source was heard, in order.
func (s *Store) HoursOf(ctx context.Context, source string) ([]Hour, error) {
	rows, err := s.rows(ctx, `SELECT hour, opening, closing, asked FROM heard WHERE source = ? ORDER BY hour`, source)
	if err != nil {
		return nil, unavailable("heard", err)
	}
	defer rows.Close()
	var out []Hour
	for rows.Next() {
		h := Hour{Source: source}
		var hour, first, last int64
		if err := rows.Scan(&hour, &first, &last, &h.Asked); err != nil {
			return nil, unavailable("heard", err)
		}
		h.Begin, h.First, h.Last = fromMicros(hour), fromMicros(first), fromMicros(last)
		out = append(out, h)
	}
	return out, unavailable("heard", rows.Err())
}

// HeardSince returns when each source was last heard that was heard in the hour of a time or later.
func (s *Store) HeardSince(ctx context.Context, at time.Time) (map[string]time.Time, error) {
	return s.timesBy(ctx, `SELECT source, max(closing) FROM heard WHERE hour >= ? GROUP BY source`, micros(at.Truncate(time.Hour)))
}

// ForgetHeard removes of each source the hours that were longer ago than span when it was heard last: what is learnt from stays, however long a
// source has been silent.
func (s *Store) ForgetHeard(ctx context.Context, span time.Duration) (n int64, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		n, err = tx.changed(`DELETE FROM heard WHERE hour < (SELECT max(h.hour) FROM heard h WHERE h.source = heard.source) - ?`, span.Microseconds())
		return err
	})
	return n, err
}

// NotePolled notes that a mailbox of ours was listed to its end.
func (s *Store) NotePolled(ctx context.Context, mailbox string) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`INSERT INTO polled (mailbox, at) VALUES (?,?) ON CONFLICT (mailbox) DO UPDATE SET at = excluded.at`, mailbox, micros(tx.now))
	})
}

// Polled returns when each of our mailboxes was last listed to its end, by any process; to the minute.
func (s *Store) Polled(ctx context.Context) (map[string]time.Time, error) {
	return s.timesBy(ctx, `SELECT mailbox, at FROM polled`)
}

func (s *Store) timesBy(ctx context.Context, query string, args ...any) (map[string]time.Time, error) {
	rows, err := s.rows(ctx, query, args...)
	if err != nil {
		return nil, unavailable("heard", err)
	}
	defer rows.Close()
	out := map[string]time.Time{}
	for rows.Next() {
		var name string
		var at int64
		if err := rows.Scan(&name, &at); err != nil {
			return nil, unavailable("heard", err)
		}
		out[name] = fromMicros(at)
	}
	return out, unavailable("heard", rows.Err())
}

// FilesOf returns when files of a source and workflow were received, in order: the newest, and those of so long before it.
func (s *Store) FilesOf(ctx context.Context, source, workflow string, span time.Duration) ([]time.Time, error) {
	rows, err := s.rows(ctx, `SELECT received FROM message WHERE source = ? AND workflow = ? AND state <> 'report' AND received >=
		(SELECT max(received) FROM message WHERE source = ? AND workflow = ? AND state <> 'report') - ? ORDER BY received`,
		source, workflow, source, workflow, span.Microseconds())
	if err != nil {
		return nil, unavailable("files", err)
	}
	defer rows.Close()
	var out []time.Time
	for rows.Next() {
		var at int64
		if err := rows.Scan(&at); err != nil {
			return nil, unavailable("files", err)
		}
		out = append(out, fromMicros(at))
	}
	return out, unavailable("files", rows.Err())
}

// Stay is how long one message lay in an authority's mailbox.
type Stay struct {
	Sent      time.Time
	Collected time.Time // zero: it lies there
}

// Stays returns the messages to an authority that were collected after a time, or that lie in its mailbox now. What nobody can be asked about is
// left out.
func (s *Store) Stays(ctx context.Context, la string, after time.Time) ([]Stay, error) {
	rows, err := s.rows(ctx, `SELECT since, collected FROM effect WHERE la = ? AND collected > 0 AND collected > ?
		UNION ALL SELECT since, 0 FROM effect WHERE la = ? AND ask > 0 AND state = 'sent'`, la, micros(after), la)
	if err != nil {
		return nil, unavailable("stays", err)
	}
	defer rows.Close()
	var out []Stay
	for rows.Next() {
		var sent, collected int64
		if err := rows.Scan(&sent, &collected); err != nil {
			return nil, unavailable("stays", err)
		}
		out = append(out, Stay{sometime(sent), sometime(collected)})
	}
	return out, unavailable("stays", rows.Err())
}
