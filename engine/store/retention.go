package store

import (
	"context"
	"slices"
	"strings"
	"time"
)

// retentionBatch is how many bodies one transaction looks at: others write in between.
const retentionBatch = 256

// unneeded is what must hold for a body to be removed: it is older than the policy says, and so is every message that brought it; each of
// them is complete with nothing open, nothing parked and nothing in the outbox; no flag of the register and no notice that still has to be
// told rests on it; and no effect that is still to be sent, or that its receiver has not collected yet, is made of it. A failed effect is kept for the person who looks at it.
const unneeded = `r.encoding <> 'removed' AND r.created < ?
	AND NOT EXISTS (SELECT 1 FROM effect f WHERE f.digest = r.digest AND (f.state NOT IN ('sent', 'undelivered') OR f.ask > 0))
	AND NOT EXISTS (SELECT 1 FROM message m WHERE m.digest = r.digest AND (
		m.received >= ? OR m.open <> 0 OR m.state NOT IN ('complete', 'report')
		OR EXISTS (SELECT 1 FROM fault p WHERE p.message = m.id AND p.outcome = 'parked')
		OR EXISTS (SELECT 1 FROM event e JOIN outbox o ON o.seq = e.seq WHERE e.message = m.id)
		OR m.id IN (SELECT e.message FROM flag g JOIN event e ON e.seq = g.event)
		OR m.id IN (SELECT e.message FROM notice n JOIN event e ON e.seq = n.event OR e.seq = n.flag WHERE n.effect = '')))`

// RemoveRaw removes the bodies that are older than before and that nothing needs any more, and returns how many. Their digests stay: what was
// received and when can still be proved. A body that arrives again is kept again.
func (s *Store) RemoveRaw(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for after, more := "", true; more; {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		var n int
		err := s.Write(ctx, func(tx *Tx) (err error) {
			n = 0
			var old []any
			if old, err = tx.oldRaw(after, before); err != nil {
				return err
			}
			if more = len(old) > 0; !more {
				return nil
			}
			n, err = tx.removeRaw(old, before)
			if err == nil {
				after = old[len(old)-1].(string)
			}
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// oldRaw returns the digests of the next old bodies and locks them. What another transaction holds is just being referred to.
func (tx *Tx) oldRaw(after string, before time.Time) ([]any, error) {
	rows, err := tx.query(`SELECT digest FROM raw WHERE digest > ? AND created < ? AND encoding <> 'removed' ORDER BY digest LIMIT ? {lock}`,
		after, micros(before), retentionBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []any
	for rows.Next() {
		var digest string
		if err := rows.Scan(&digest); err != nil {
			return nil, unavailable("retention", err)
		}
		out = append(out, digest)
	}
	return out, unavailable("retention", rows.Err())
}

// removeRaw asks only once the rows are locked: what was committed until then is seen, and what comes later waits and brings the body back.
func (tx *Tx) removeRaw(old []any, before time.Time) (int, error) {
	which := `FROM raw r WHERE r.digest IN (` + strings.TrimSuffix(strings.Repeat("?,", len(old)), ",") + `) AND ` + unneeded
	args := append(slices.Clone(old), micros(before), micros(before))
	if err := tx.exec(`DELETE FROM part WHERE spool IN (SELECT r.spool `+which+` AND r.spool <> '')`, args...); err != nil {
		return 0, err
	}
	n, err := tx.changed(`UPDATE raw SET body = ?, encoding = 'removed', spool = '' WHERE digest IN (SELECT r.digest `+which+`)`,
		append([]any{[]byte{}}, args...)...)
	return int(n), err
}
