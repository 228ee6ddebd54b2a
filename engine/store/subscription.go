package store

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"time"

	"signalbox/engine"
)

// SubscriptionState is how far a subscription has come (FHIR R4 value set subscription-status).
type SubscriptionState string

// The states of a subscription.
const (
	SubscriptionRequested SubscriptionState = "requested" // not yet reached: its authority is told over MESH
	SubscriptionActive    SubscriptionState = "active"
	SubscriptionError     SubscriptionState = "error" // given up on; somebody has to subscribe anew
	SubscriptionOff       SubscriptionState = "off"
)

// Subscription says that an authority's system takes notifications over HTTP. An authority has one that is not off.
type Subscription struct {
	ID        string // UUID
	Authority string // ODS code
	Client    string // the receiver's name in the configuration
	Endpoint  string
	Headers   []string // "Name: value", as the receiver wants them sent; secret
	Content   string   // id-only or full-resource
	Why       string
	Heartbeat time.Duration
	Expires   time.Time // zero: never
	State     SubscriptionState
	Reason    string    // of the last failure
	Events    int       // the last number that was given to an event
	Failures  int       // posts in a row that came to nothing
	Due       time.Time // the next handshake or heartbeat, and nothing before it after a failure
}

// LogValue keeps endpoint and headers out of logs.
func (s Subscription) LogValue() slog.Value { return slog.StringValue(s.ID) }

const subscriptionColumns = `id, la, client, endpoint, headers, content, why, heartbeat, expires, state, reason, events, failures, due`

// CreateSubscription keeps a subscription as requested. It reports false, and keeps nothing, when the authority has one that is not off.
func (s *Store) CreateSubscription(ctx context.Context, n Subscription) (created bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		rows, err := tx.changed(`INSERT INTO subscription (id, la, client, endpoint, headers, content, why, heartbeat, expires, state, due, created)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`, n.ID, n.Authority, n.Client, n.Endpoint, strings.Join(n.Headers, "\n"), n.Content,
			n.Why, int(n.Heartbeat/time.Second), orNever(n.Expires), string(SubscriptionRequested), micros(tx.now), micros(tx.now))
		created = rows == 1
		tx.post = true
		return err
	})
	return created, err
}

// orNever is a time as it is stored, 0 for none.
func orNever(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

// Subscription returns a subscription. The error is of kind NotFound when there is none, or when it is off.
func (s *Store) Subscription(ctx context.Context, id string) (Subscription, error) {
	return oneSubscription(s.rows(ctx, `SELECT `+subscriptionColumns+` FROM subscription WHERE id = ? AND state <> 'off'`, id))
}

// SubscriptionOf returns the subscription of an authority. The error is of kind NotFound when it has none.
func (s *Store) SubscriptionOf(ctx context.Context, la string) (Subscription, error) {
	return oneSubscription(s.rows(ctx, `SELECT `+subscriptionColumns+` FROM subscription WHERE la = ? AND state <> 'off'`, la))
}

// DueSubscriptions returns the subscriptions that wait for a handshake or a heartbeat, and those that are over.
func (s *Store) DueSubscriptions(ctx context.Context) ([]Subscription, error) {
	now := micros(s.Now())
	return subscriptions(s.rows(ctx, `SELECT `+subscriptionColumns+` FROM subscription WHERE state <> 'off' AND (expires <> 0 AND expires <= ?
		OR due <= ? AND (state = 'requested' OR state = 'active' AND heartbeat > 0)) ORDER BY due, id`, now, now))
}

func oneSubscription(rows *sql.Rows, err error) (Subscription, error) {
	all, err := subscriptions(rows, err)
	if err == nil && len(all) == 0 {
		err = &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "no such subscription"}
	}
	if err != nil {
		return Subscription{}, err
	}
	return all[0], nil
}

func subscriptions(rows *sql.Rows, err error) ([]Subscription, error) {
	if err != nil {
		return nil, unavailable("subscriptions", err)
	}
	defer rows.Close()
	var out []Subscription
	for rows.Next() {
		var s Subscription
		var headers string
		var heartbeat, expires, due int64
		if err := rows.Scan(&s.ID, &s.Authority, &s.Client, &s.Endpoint, &headers, &s.Content, &s.Why, &heartbeat, &expires, &s.State, &s.Reason,
			&s.Events, &s.Failures, &due); err != nil {
			return nil, unavailable("subscriptions", err)
		}
		if headers != "" {
			s.Headers = strings.Split(headers, "\n")
		}
		if expires != 0 {
			s.Expires = fromMicros(expires)
		}
		s.Heartbeat, s.Due = time.Duration(heartbeat)*time.Second, fromMicros(due)
		out = append(out, s)
	}
	return out, unavailable("subscriptions", rows.Err())
}

// HeardSubscription notes that the receiver took a post: it is active, and its next heartbeat is due at that time.
func (s *Store) HeardSubscription(ctx context.Context, id string, next time.Time) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`UPDATE subscription SET state = 'active', failures = 0, reason = '', due = ? WHERE id = ? AND state IN ('requested', 'active')`, micros(next), id)
	})
}

// MissedSubscription notes that a post came to nothing. With giveUp the subscription is in error; else nothing is posted before that time.
func (s *Store) MissedSubscription(ctx context.Context, id, reason string, next time.Time, giveUp bool) error {
	return s.Write(ctx, func(tx *Tx) error {
		tx.post = true
		state := ""
		if giveUp {
			state = string(SubscriptionError)
		}
		return tx.exec(`UPDATE subscription SET state = CASE WHEN ? = '' THEN state ELSE ? END, failures = failures + 1, reason = ?, due = ?
			WHERE id = ? AND state IN ('requested', 'active')`, state, state, reason, micros(next), id)
	})
}

// EndSubscription turns a subscription off.
func (s *Store) EndSubscription(ctx context.Context, id string) error {
	return s.Write(ctx, func(tx *Tx) error {
		tx.post = true
		return tx.exec(`UPDATE subscription SET state = 'off', headers = '' WHERE id = ?`, id)
	})
}

// Told is one access under the number by which a subscriber knows it.
type Told struct {
	Number       int
	Access, Flag engine.Envelope
}

// ToldBy reports whether the effect was ever given to the subscription.
func (s *Store) ToldBy(ctx context.Context, effect, subscription string) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT count(*) FROM told WHERE effect = ? AND subscription = ?`, effect, subscription).Scan(&n)
	return n > 0, unavailable("told", err)
}

// ClaimTold is MarkAttempted for an effect that goes to a subscription: in the same transaction each of its accesses gets its number, the first
// time. The numbers are the same however often the effect is attempted, so that a receiver can tell a repeat.
func (s *Store) ClaimTold(ctx context.Context, e Effect, by Lease, subscription string) (claimed bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		claimed = false
		if held, err := tx.holds(by); err != nil || !held {
			return err
		}
		n, err := tx.changed(`UPDATE effect SET state = 'attempted', attempts = attempts + 1
			WHERE id = ? AND state IN ('planned', 'attempted') AND attempts = ?`, e.ID, e.Attempts)
		if err != nil || n != 1 {
			return err
		}
		claimed = true
		return tx.number(e, subscription)
	})
	return claimed, err
}

func (tx *Tx) number(e Effect, subscription string) error {
	var have, last int64
	if _, err := tx.scan(`SELECT count(*) FROM told WHERE effect = ? AND subscription = ?`, []any{e.ID, subscription}, &have); err != nil || have > 0 {
		return err
	}
	found, err := tx.scan(`SELECT events FROM subscription WHERE id = ? {wait}`, []any{subscription}, &last)
	if err == nil && !found {
		err = &engine.Error{Op: "number accesses", Kind: engine.NotFound, Text: "no such subscription"}
	}
	if err != nil {
		return err
	}
	accesses, err := tx.accessesOf(e)
	if err != nil {
		return err
	}
	for _, access := range accesses {
		last++
		if err := tx.exec(`INSERT INTO told (subscription, number, effect, la, access) VALUES (?,?,?,?,?)`, subscription, last, e.ID, e.Authority, access); err != nil {
			return err
		}
	}
	return tx.exec(`UPDATE subscription SET events = ? WHERE id = ?`, last, subscription)
}

func (tx *Tx) accessesOf(e Effect) ([]string, error) {
	rows, err := tx.query(`SELECT access FROM notice WHERE la = ? AND effect = ? ORDER BY created, access`, e.Authority, e.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var access string
		if err := rows.Scan(&access); err != nil {
			return nil, unavailable("notices", err)
		}
		out = append(out, access)
	}
	return out, unavailable("notices", rows.Err())
}

// ToldTo returns what a subscription was told under the numbers from first to last, in order, at most limit. With an effect, only what that
// effect tells of.
func (s *Store) ToldTo(ctx context.Context, subscription, effect string, first, last, limit int) ([]Told, error) {
	rows, err := s.rows(ctx, `SELECT t.number, a.body, f.body FROM told t JOIN notice n ON n.la = t.la AND n.access = t.access
		JOIN event a ON a.seq = n.event JOIN event f ON f.seq = n.flag
		WHERE t.subscription = ? AND (? = '' OR t.effect = ?) AND t.number BETWEEN ? AND ? ORDER BY t.number LIMIT ?`,
		subscription, effect, effect, first, last, limit)
	if err != nil {
		return nil, unavailable("told", err)
	}
	defer rows.Close()
	var out []Told
	for rows.Next() {
		var t Told
		var access, flag []byte
		if err := rows.Scan(&t.Number, &access, &flag); err != nil {
			return nil, unavailable("told", err)
		}
		if t.Access, err = engine.DecodeEnvelope(access); err != nil {
			return nil, err
		}
		if t.Flag, err = engine.DecodeEnvelope(flag); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, unavailable("told", rows.Err())
}
