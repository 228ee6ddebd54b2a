package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"signalbox/engine"
)

// TraceKey names a person as sent: the same number with another name is another question.
type TraceKey [sha256.Size]byte

// TraceKeyOf returns the key of a subject. rules says by which comparison the answer was made: with other rules it is another question.
func TraceKeyOf(who engine.Subject, rules string) TraceKey {
	var b []byte
	for _, part := range []string{rules, who.NHSNumber.Reveal(), who.BirthDate.ISO(), who.Given.Reveal(), who.Family.Reveal()} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	return sha256.Sum256(b)
}

// Traced is what PDS made of a person, and when.
type Traced struct {
	Key       TraceKey
	NHSNumber engine.NHSNumber
	Trace     engine.Trace
	At        time.Time
}

// Traces returns what is known of the keys.
func (s *Store) Traces(ctx context.Context, keys []TraceKey) (map[TraceKey]Traced, error) {
	out := map[TraceKey]Traced{}
	for len(keys) > 0 {
		n := chunk(len(keys))
		if err := s.traces(ctx, keys[:n], out); err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return out, nil
}

func (s *Store) traces(ctx context.Context, keys []TraceKey, out map[TraceKey]Traced) error {
	args := make([]any, len(keys))
	for i := range keys {
		args[i] = keys[i][:]
	}
	rows, err := s.rows(ctx, `SELECT key, nhs, outcome, step, replacement, at FROM trace WHERE key IN `+values(1, len(args)), args...)
	if err != nil {
		return unavailable("traces", err)
	}
	defer rows.Close()
	for rows.Next() {
		var t Traced
		var key []byte
		var nhs, replacement string
		var at int64
		if err := rows.Scan(&key, &nhs, &t.Trace.Outcome, &t.Trace.Step, &replacement, &at); err != nil {
			return unavailable("traces", err)
		}
		copy(t.Key[:], key)
		if t.NHSNumber, err = engine.ParseNHSNumber(nhs); err != nil {
			return err
		}
		if replacement != "" {
			if t.Trace.Replacement, err = engine.ParseNHSNumber(replacement); err != nil {
				return err
			}
		}
		t.At = fromMicros(at)
		out[t.Key] = t
	}
	return unavailable("traces", rows.Err())
}

// KeepTraces keeps what PDS made of persons, each under its key; a later answer takes the place of an earlier.
func (s *Store) KeepTraces(ctx context.Context, all []Traced) error {
	if len(all) == 0 {
		return nil
	}
	return s.Write(ctx, func(tx *Tx) error {
		for _, t := range all {
			if err := tx.exec(`INSERT INTO trace (key, nhs, outcome, step, replacement, at) VALUES (?,?,?,?,?,?) ON CONFLICT (key) DO UPDATE SET
				outcome = excluded.outcome, step = excluded.step, replacement = excluded.replacement, at = excluded.at`,
				t.Key[:], t.NHSNumber.Reveal(), string(t.Trace.Outcome), t.Trace.Step, t.Trace.Replacement.Reveal(), micros(t.At)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetTraces removes what was learnt before a time and returns how much that was.
func (s *Store) ForgetTraces(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		n, err = tx.changed(`DELETE FROM trace WHERE at < ?`, micros(before))
		return err
	})
	return n, err
}
