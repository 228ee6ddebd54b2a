package store

import (
	"context"
	"strconv"
	"time"

	"signalbox/engine"
)

// Visit is an unscheduled access of a child while a plan of an authority stood.
type Visit struct {
	NHSNumber engine.NHSNumber
	Authority string // ODS code
	Plan      engine.PlanType
	Access    string // its id
	Day       string // that it counts for, ISO 8601
}

// visitLock is the first half of the advisory lock under which the visits of one person are written.
const visitLock = 7226404

// PutVisits writes the visits that one access is: of one person, to each authority and plan type. Until the commit nobody else writes visits
// of that person, so of two at once the later sees both.
func (tx *Tx) PutVisits(all []Visit) error {
	if len(all) == 0 {
		return nil
	}
	if err := tx.alone(all[0].NHSNumber); err != nil {
		return err
	}
	for _, v := range all {
		if err := tx.exec(`INSERT INTO visit (la, access, plan, nhs, day) VALUES (?,?,?,?,?) ON CONFLICT (la, access, plan) DO NOTHING`,
			v.Authority, v.Access, string(v.Plan), v.NHSNumber.Reveal(), v.Day); err != nil {
			return err
		}
	}
	return nil
}

// alone waits for other transactions that write visits of a person. SQLite has one writer.
func (tx *Tx) alone(n engine.NHSNumber) error {
	if !tx.store.Shared() {
		return nil
	}
	half, err := strconv.ParseUint(n.Key()[:8], 16, 32)
	if err != nil {
		return &engine.Error{Op: "visits", Kind: engine.Internal, Text: "a person's key is not hexadecimal"}
	}
	return tx.exec(`SELECT pg_advisory_xact_lock(CAST(? AS INT), CAST(? AS INT))`, visitLock, int64(int32(half)))
}

// Seen is a visit with its access and the day that it counts for.
type Seen struct {
	Day    string
	Access engine.Access
}

// Visits returns a child's visits on the days from since until day, in the order of their days and times.
func (tx *Tx) Visits(n engine.NHSNumber, la string, plan engine.PlanType, since, day string) ([]Seen, error) {
	rows, err := tx.query(`SELECT v.day, e.body FROM visit v JOIN access a ON a.id = v.access `+itsEvent+`
		WHERE v.nhs = ? AND v.la = ? AND v.plan = ? AND v.day >= ? AND v.day <= ? ORDER BY v.day, a.at, a.id`, n.Reveal(), la, string(plan), since, day)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Seen
	for rows.Next() {
		var s Seen
		var body []byte
		if err := rows.Scan(&s.Day, &body); err != nil {
			return nil, unavailable("visits", err)
		}
		e, err := engine.DecodeEnvelope(body)
		if err != nil {
			return nil, err
		}
		s.Access = *e.Access
		out = append(out, s)
	}
	return out, unavailable("visits", rows.Err())
}

// PutPattern records a pattern and puts its event into the outbox, unless the same is there: authority, child, plan type and day name it. It
// reports whether it is new.
func (tx *Tx) PutPattern(e engine.Envelope) (fresh bool, err error) {
	p := e.Pattern
	n, err := tx.changed(`INSERT INTO pattern (nhs, la, plan, day, since, message) VALUES (?,?,?,?,?,?) ON CONFLICT (nhs, la, plan, day) DO NOTHING`,
		p.NHSNumber.Reveal(), p.Authority, string(p.Plan), p.Day.ISO(), p.Since.ISO(), string(e.Origin.Message))
	if err != nil || n == 0 {
		return false, err
	}
	return true, tx.AddEvent(e)
}

// MarkedAccesses returns, of the accesses that an authority has not been told of, those that are part of a pattern, each with the events of
// its patterns in the order of their days.
func (tx *Tx) MarkedAccesses(la string) (map[string][]engine.EventID, error) {
	rows, err := tx.query(`SELECT v.access, e.id FROM notice n JOIN visit v ON v.la = n.la AND v.access = n.access
		JOIN pattern p ON p.nhs = v.nhs AND p.la = v.la AND p.plan = v.plan AND p.since <= v.day AND p.day >= v.day
		JOIN event e ON e.message = p.message AND e.position = 0 AND e.kind = 'pattern'
		WHERE n.la = ? AND n.effect = '' ORDER BY p.day, e.id`, la)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]engine.EventID{}
	for rows.Next() {
		var access string
		var id []byte
		if err := rows.Scan(&access, &id); err != nil {
			return nil, unavailable("patterns", err)
		}
		out[access] = append(out[access], eventID(id))
	}
	return out, unavailable("patterns", rows.Err())
}

// RaisedPattern is a pattern of the record: its event, with the visits that were known when it was raised, and all that are known now.
type RaisedPattern struct {
	Event  engine.Envelope
	Visits []Seen
}

// Patterns returns the patterns of an authority that were raised since a time, the oldest first. An empty authority means all.
func (s *Store) Patterns(ctx context.Context, la string, since time.Time) (out []RaisedPattern, err error) {
	err = s.Write(ctx, func(tx *Tx) error { // one moment for all of them
		out = nil
		rows, err := tx.query(`SELECT e.body FROM pattern p JOIN event e ON e.message = p.message AND e.position = 0 AND e.kind = 'pattern'
			WHERE (p.la = ? OR ? = '') ORDER BY e.seq`, la, la)
		if err != nil {
			return err
		}
		events, err := envelopes(rows)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Origin.Received.Before(since) {
				continue
			}
			p := e.Pattern
			seen, err := tx.Visits(p.NHSNumber, p.Authority, p.Plan, p.Since.ISO(), p.Day.ISO())
			if err != nil {
				return err
			}
			out = append(out, RaisedPattern{Event: e, Visits: seen})
		}
		return nil
	})
	return out, err
}
