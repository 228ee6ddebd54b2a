package store

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Delivery is how a sent effect fares at the other side.
type Delivery struct {
	ID        string
	Kind      EffectKind
	Authority string // ODS code
	State     EffectState
	Receipt   string
	Created   time.Time
	Sent      time.Time // zero: not yet
	Since     time.Time // when it was first sent, also under an id that this one follows; zero: not yet
	Collected time.Time // when the receiver was known to have it; zero: not known
	Alarmed   time.Time // when somebody was told that it is not collected; zero: not
	Round     int       // how often it was undelivered before
	Asked     bool      // MESH is still asked whether it was collected
	Accesses  int       // that it tells of; only Deliveries counts them
	Reason    string
}

// MarkHanded is MarkSent for an effect whose receiver has still to collect it: from ask on it is to be asked whether it has. A zero ask
// means that nobody can be asked.
func (s *Store) MarkHanded(ctx context.Context, id, receipt string, ask time.Time) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`UPDATE effect SET state = 'sent', sent = ?, receipt = ?, reason = '', ask = ?, since = CASE WHEN since = 0 THEN ? ELSE since END
			WHERE id = ? AND state NOT IN ('failed', 'undelivered')`, micros(tx.now), receipt, orNever(ask), micros(tx.now), id)
	})
}

const deliveryColumns = `id, kind, la, state, receipt, created, sent, since, collected, alarmed, round, reason, ask`

// DueDeliveries returns up to limit sent effects of which it is time to ask whether they were collected.
func (s *Store) DueDeliveries(ctx context.Context, limit int) ([]Delivery, error) {
	return s.deliveries(ctx, `SELECT `+deliveryColumns+`, 0 FROM effect WHERE ask > 0 AND ask <= ? AND state = 'sent' ORDER BY ask, id LIMIT ?`,
		micros(s.Now()), limit)
}

// Deliveries returns the notifications of an authority, or of all where la is empty, that were planned since a time, oldest first; open
// leaves out those that the receiver is known to have.
func (s *Store) Deliveries(ctx context.Context, la string, since time.Time, open bool) ([]Delivery, error) {
	return s.deliveries(ctx, `SELECT `+deliveryColumns+`, (SELECT count(*) FROM notice n WHERE n.effect = e.id AND n.effect <> '') FROM effect e
		WHERE kind IN ('notification', 'empty-notification') AND (la = ? OR ? = '') AND created >= ?
		AND (? = 0 OR state IN ('planned', 'attempted', 'failed') OR ask > 0) ORDER BY created, id`, la, la, micros(since), number(open))
}

func (s *Store) deliveries(ctx context.Context, query string, args ...any) ([]Delivery, error) {
	rows, err := s.rows(ctx, query, args...)
	if err != nil {
		return nil, unavailable("deliveries", err)
	}
	defer rows.Close()
	var out []Delivery
	for rows.Next() {
		var d Delivery
		var created, sent, since, collected, alarmed, ask int64
		if err := rows.Scan(&d.ID, &d.Kind, &d.Authority, &d.State, &d.Receipt, &created, &sent, &since, &collected, &alarmed, &d.Round, &d.Reason, &ask,
			&d.Accesses); err != nil {
			return nil, unavailable("deliveries", err)
		}
		d.Created, d.Sent, d.Since, d.Collected, d.Alarmed = sometime(created), sometime(sent), sometime(since), sometime(collected), sometime(alarmed)
		d.Asked = ask > 0
		out = append(out, d)
	}
	return out, unavailable("deliveries", rows.Err())
}

// AskAgain notes when it is to be asked next whether an effect was collected; a zero time means not any more.
func (s *Store) AskAgain(ctx context.Context, id string, at time.Time) error {
	return s.setEffect(ctx, `UPDATE effect SET ask = ? WHERE id = ? AND state = 'sent' AND collected = 0`, orNever(at), id)
}

// MarkCollected notes that the receiver has an effect: it took the message out of its mailbox.
func (s *Store) MarkCollected(ctx context.Context, id string, at time.Time) error {
	return s.setEffect(ctx, `UPDATE effect SET collected = ?, ask = 0 WHERE id = ? AND state = 'sent' AND collected = 0`, micros(at), id)
}

// MarkAlarmed notes that somebody was told of an effect that nobody collects, and reports whether this is the first time.
func (s *Store) MarkAlarmed(ctx context.Context, id string) (first bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		n, err := tx.changed(`UPDATE effect SET alarmed = ? WHERE id = ? AND alarmed = 0`, micros(tx.now), id)
		first = n == 1
		return err
	})
	return first, err
}

// toldAgain separates an effect's own id from the number of times that it was undelivered.
const toldAgain = "-again-"

// Reopen takes it that the message with that receipt was thrown away uncollected. What a notification told is to be told again: the same
// bytes, under an id that follows from the first, in one transaction, so that it is told again once however often and by whomever it is
// reported. next is that id. It is empty, and nothing is changed, when the receipt is of no sent notification, or of one that its receiver is known to have.
func (s *Store) Reopen(ctx context.Context, receipt, reason string) (next string, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		next = ""
		var id, la, digest string
		var since, alarmed int64
		var round int
		found, err := tx.scan(`SELECT id, la, digest, since, alarmed, round FROM effect WHERE receipt = ? AND receipt <> '' AND kind = 'notification' AND state = 'sent'
			AND collected = 0 {wait}`, []any{receipt}, &id, &la, &digest, &since, &alarmed, &round)
		if err != nil || !found {
			return err
		}
		first, _, _ := strings.Cut(id, toldAgain)
		next = first + toldAgain + strconv.Itoa(round+1)
		tx.post = true
		if err := tx.exec(`INSERT INTO effect (id, kind, la, digest, state, due, created, since, alarmed, round) VALUES (?,?,?,?,?,?,?,?,?,?)
			ON CONFLICT (id) DO NOTHING`, next, string(Notification), la, digest, string(Planned), micros(tx.now), micros(tx.now), since, alarmed, round+1); err != nil {
			return err
		}
		if err := tx.exec(`UPDATE notice SET effect = ? WHERE effect = ? AND effect <> ''`, next, id); err != nil {
			return err
		}
		return tx.exec(`UPDATE effect SET state = 'undelivered', ask = 0, reason = ? WHERE id = ?`, reason, id)
	})
	return next, err
}

// sometime reads a time that is 0 where there is none.
func sometime(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return fromMicros(n)
}

// LastTold returns when the last notification of an authority was planned, an empty one included; zero when there was none.
func (tx *Tx) LastTold(la string) (time.Time, error) {
	var at int64
	_, err := tx.scan(`SELECT created FROM effect WHERE la = ? AND kind IN ('notification', 'empty-notification') ORDER BY created DESC LIMIT 1`, []any{la}, &at)
	return sometime(at), err
}

// HasEffect reports whether the ledger has an effect of that id.
func (s *Store) HasEffect(ctx context.Context, id string) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT count(*) FROM effect WHERE id = ?`, id).Scan(&n)
	return n > 0, unavailable("effect", err)
}

// Uncollected is what sent effects of one kind wait for at one authority.
type Uncollected struct {
	Kind      EffectKind
	Authority string
	Count     int
	Oldest    time.Time // when the oldest was first sent
}

// Uncollected counts the sent effects that nobody has collected yet.
func (s *Store) Uncollected(ctx context.Context) ([]Uncollected, error) {
	rows, err := s.rows(ctx, `SELECT kind, la, count(*), min(since) FROM effect WHERE ask > 0 GROUP BY kind, la ORDER BY kind, la`)
	if err != nil {
		return nil, unavailable("uncollected", err)
	}
	defer rows.Close()
	var out []Uncollected
	for rows.Next() {
		var u Uncollected
		var at int64
		if err := rows.Scan(&u.Kind, &u.Authority, &u.Count, &at); err != nil {
			return nil, unavailable("uncollected", err)
		}
		u.Oldest = fromMicros(at)
		out = append(out, u)
	}
	return out, unavailable("uncollected", rows.Err())
}
