package store

import (
	"bytes"
	"context"
	"io"
	"time"

	"signalbox/internal/teeth"
)

// EffectKind is the kind of thing that leaves the engine.
type EffectKind string

// The kinds of effect.
const (
	Acknowledgement   EffectKind = "acknowledgement"    // of an upload file, to its LA
	Notification      EffectKind = "notification"       // of accesses, to an LA
	EmptyNotification EffectKind = "empty-notification" // of no access: the way to the LA is open and nobody looked
	NotProtected      EffectKind = "not-protected"      // which of its children an LA is not protecting
	InactiveNotice    EffectKind = "inactive-number"    // of an NHS number that is no longer in use, to an LA
	PatternNotice     EffectKind = "pattern"            // of a child of an LA that was seen across boundaries
)

// EffectKinds returns every kind.
func EffectKinds() []EffectKind {
	return []EffectKind{Acknowledgement, Notification, EmptyNotification, NotProtected, InactiveNotice, PatternNotice}
}

// EffectState is how far an effect has come.
type EffectState string

// The states of an effect. An attempted effect whose reply was lost is looked up at the other side before it is sent again.
const (
	Planned   EffectState = "planned"
	Attempted EffectState = "attempted"
	Sent      EffectState = "sent"
	Failed    EffectState = "failed" // refused for good, or reported as undelivered; a person has to look

	Undelivered EffectState = "undelivered" // thrown away uncollected; another effect tells the same again
)

// Effect is one row of the ledger: something to be sent to an authority, under an id that is the same however often it is planned.
type Effect struct {
	ID        string // also the MESH local id: it holds nothing personal
	Kind      EffectKind
	Authority string // ODS code
	Body      []byte
	// Open gives the body of an effect that is read from the ledger and too large to lie in Body. The reading is bound to the context that the
	// effect was read with.
	Open     func() (io.ReadCloser, error)
	Size     int64 // bytes of the body, wherever it is; set when the effect is read from the ledger
	State    EffectState
	Due      time.Time
	Attempts int
	Receipt  string // the MESH message id, once sent
	Reason   string // of the last failure

	raw *packed // the body as it is kept, where Pack has made it
}

// Pack does ahead of a transaction what PlanEffect would have to do in it, while others wait: it compresses the body.
func (s *Store) Pack(e Effect) Effect {
	raw := s.pack(e.Body)
	e.raw = &raw
	return e
}

// PackSpool gives an effect the body that was written to a spool.
func (s *Store) PackSpool(e Effect, body *Spool) (Effect, error) {
	raw, err := body.pack()
	e.raw = &raw
	return e, err
}

// Reader gives the body of an effect from the ledger, from its start.
func (e Effect) Reader() (io.ReadCloser, error) {
	if e.Open != nil {
		return e.Open()
	}
	return inList{bytes.NewReader(e.Body)}, nil
}

// inList is a body that came with its effect: it can be read at any place, so that an attempt that broke off can be made again.
type inList struct{ *bytes.Reader }

// Close does nothing.
func (inList) Close() error { return nil }

// PlanEffect writes an effect before it is attempted. An effect that is there already is left as it is.
func (tx *Tx) PlanEffect(e Effect) error {
	if teeth.Bite("effect-planned-again") {
		e.ID += tx.now.String()
	}
	if e.raw == nil {
		e = tx.store.Pack(e)
	}
	if err := tx.keepRaw(*e.raw); err != nil {
		return err
	}
	tx.post = true
	return tx.exec(`INSERT INTO effect (id, kind, la, digest, state, due, created) VALUES (?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`,
		e.ID, string(e.Kind), e.Authority, e.raw.digest, string(Planned), micros(e.Due), micros(tx.now))
}

// broughtAlong is the size in bytes up to which DueEffects brings a body along: many effects may be due.
const broughtAlong = 64 << 10

// DueEffects returns up to limit effects that are due for sending, oldest first. Large bodies are opened when they are wanted.
func (s *Store) DueEffects(ctx context.Context, limit int) ([]Effect, error) {
	rows, err := s.rows(ctx, `SELECT id, kind, la, CASE WHEN size <= ? AND spool = '' THEN body END, encoding, size, spool, state, due, attempts, e.digest
		FROM effect e JOIN raw r ON r.digest = e.digest
		WHERE state IN ('planned', 'attempted') AND due <= ? ORDER BY due, id LIMIT ?`, broughtAlong, micros(s.Now()), limit)
	if err != nil {
		return nil, unavailable("effects", err)
	}
	defer rows.Close()
	var out []Effect
	for rows.Next() {
		var e Effect
		var due int64
		var raw packed
		if err := rows.Scan(&e.ID, &e.Kind, &e.Authority, &raw.body, &raw.encoding, &raw.size, &raw.spool, &e.State, &due, &e.Attempts, &raw.digest); err != nil {
			return nil, unavailable("effects", err)
		}
		if e.Size = raw.size; raw.body == nil && raw.encoding != removed {
			e.Open = func() (io.ReadCloser, error) { return s.openRaw(ctx, raw.digest) }
		} else if e.Body, err = s.unpack(ctx, raw); err != nil {
			return nil, err
		} else {
			e.Size = int64(len(e.Body))
		}
		e.Due = fromMicros(due)
		out = append(out, e)
	}
	return out, unavailable("effects", rows.Err())
}

// MarkAttempted claims an effect for the holder of a lease and notes that it is about to be sent: from now on it is unknown whether it
// happened, until MarkSent. It reports false, and changes nothing, when the lease has gone to somebody else or another attempt came first:
// then the effect MUST NOT be sent. e is the effect as DueEffects returned it.
func (s *Store) MarkAttempted(ctx context.Context, e Effect, by Lease) (claimed bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		claimed = false
		if held, err := tx.holds(by); err != nil || !held {
			return err
		}
		n, err := tx.changed(`UPDATE effect SET state = 'attempted', attempts = attempts + 1
			WHERE id = ? AND state IN ('planned', 'attempted') AND attempts = ?`, e.ID, e.Attempts)
		claimed = n == 1
		return err
	})
	return claimed, err
}

// MarkSent notes the effect's receipt: it happened.
func (s *Store) MarkSent(ctx context.Context, id, receipt string) error {
	return s.MarkHanded(ctx, id, receipt, time.Time{})
}

// RetryEffect hands the effect back at a later time. unsure keeps it attempted, so that it is looked up first.
func (s *Store) RetryEffect(ctx context.Context, id string, at time.Time, unsure bool, reason string) error {
	state := Planned
	if unsure && !teeth.Bite("unsure-is-undone") {
		state = Attempted
	}
	return s.setEffect(ctx, `UPDATE effect SET state = ?, due = ?, reason = ? WHERE id = ? AND state IN ('planned', 'attempted')`, string(state), micros(at), reason, id)
}

// FailEffect notes that the effect was refused for good.
func (s *Store) FailEffect(ctx context.Context, id, reason string) error {
	return s.setEffect(ctx, `UPDATE effect SET state = 'failed', reason = ? WHERE id = ? AND state <> 'sent'`, reason, id)
}

// FailReceipt notes that the other side reported the message with that receipt as undelivered, and reports whether it was ours.
func (s *Store) FailReceipt(ctx context.Context, receipt, reason string) (ours bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		n, err := tx.changed(`UPDATE effect SET state = 'failed', ask = 0, reason = ? WHERE receipt = ? AND state <> 'undelivered' AND collected = 0`, reason, receipt)
		ours = n > 0
		return err
	})
	return ours, err
}

func (s *Store) setEffect(ctx context.Context, query string, args ...any) error {
	return s.Write(ctx, func(tx *Tx) error { return tx.exec(query, args...) })
}

// EffectCounts counts the effects of each state.
func (s *Store) EffectCounts(ctx context.Context) (map[EffectState]int, error) {
	rows, err := s.rows(ctx, `SELECT state, count(*) FROM effect GROUP BY state`)
	if err != nil {
		return nil, unavailable("effects", err)
	}
	defer rows.Close()
	out := map[EffectState]int{}
	for rows.Next() {
		var state EffectState
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, unavailable("effects", err)
		}
		out[state] = n
	}
	return out, unavailable("effects", rows.Err())
}
