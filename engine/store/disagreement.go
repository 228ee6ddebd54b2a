package store

import (
	"context"
	"time"
)

// Disagreement is a document of which one FHIR reader takes what the other refuses. It holds rules and places, and no datum.
type Disagreement struct {
	Digest string // SHA-256 of the document, under which the record has it where it was kept
	Class  string // of fhir/gotchas.md, or undecided
	Reader string // that refuses
	Rule   string // of its first fault
	Place  string // FHIRPath of that
	Faults int
	Times  int // how often it was seen
	Seen   time.Time
}

// KeepDisagreement keeps a disagreement; the same document again is counted.
func (s *Store) KeepDisagreement(ctx context.Context, d Disagreement) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`INSERT INTO disagreement (digest, class, reader, rule, place, faults, times, seen) VALUES (?,?,?,?,?,?,1,?)
			ON CONFLICT (digest, class) DO UPDATE SET times = disagreement.times + 1, seen = excluded.seen`,
			d.Digest, d.Class, d.Reader, d.Rule, d.Place, d.Faults, micros(tx.now))
	})
}

// Disagreements lists the last so many, the newest first.
func (s *Store) Disagreements(ctx context.Context, most int) ([]Disagreement, error) {
	rows, err := s.rows(ctx, `SELECT digest, class, reader, rule, place, faults, times, seen FROM disagreement ORDER BY seen DESC, digest LIMIT ?`, most)
	if err != nil {
		return nil, unavailable("disagreements", err)
	}
	defer rows.Close()
	var out []Disagreement
	for rows.Next() {
		var d Disagreement
		var seen int64
		if err := rows.Scan(&d.Digest, &d.Class, &d.Reader, &d.Rule, &d.Place, &d.Faults, &d.Times, &seen); err != nil {
			return nil, unavailable("disagreements", err)
		}
		d.Seen = fromMicros(seen)
		out = append(out, d)
	}
	return out, unavailable("disagreements", rows.Err())
}
