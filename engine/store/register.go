package store

import (
	"database/sql"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// FlagRow is one row of the register: the newest event for a person, an authority and a plan type.
type FlagRow struct {
	NHSNumber engine.NHSNumber
	Authority string // ODS code
	Plan      engine.PlanType
	Version   string // orders the events of one row; the greatest stands
	Event     engine.EventID
}

// PutFlag writes a row unless the register holds a greater version. Whatever the order in which the versions come, the same row is left.
func (tx *Tx) PutFlag(r FlagRow) error {
	_, err := tx.RaiseFlag(r)
	return err
}

// RaiseFlag is PutFlag and reports whether the row is different now.
func (tx *Tx) RaiseFlag(r FlagRow) (changed bool, err error) {
	id, err := eventKey(r.Event)
	if err != nil {
		return false, err
	}
	newer := "excluded.version > flag.version"
	if teeth.Bite("register-takes-lesser") {
		newer = "true"
	}
	n, err := tx.changed(`INSERT INTO flag (nhs, la, plan, version, event) VALUES (?,?,?,?,?)
		ON CONFLICT (nhs, la, plan) DO UPDATE SET version = excluded.version, event = excluded.event WHERE `+newer,
		r.NHSNumber.Reveal(), r.Authority, string(r.Plan), r.Version, id)
	return n == 1, err
}

// Flags returns the newest flag event of each authority and plan type for a person, ordered by authority and plan type. Whether each
// stands is for the register to say.
func (tx *Tx) Flags(n engine.NHSNumber) ([]engine.Envelope, error) {
	rows, err := tx.query(`SELECT e.body FROM flag f JOIN event e ON e.id = f.event WHERE f.nhs = ? ORDER BY f.la, f.plan`, n.Reveal())
	if err != nil {
		return nil, err
	}
	return envelopes(rows)
}

// PutAccess records an access and reports whether it is new: one id is recorded once.
func (tx *Tx) PutAccess(e engine.Envelope) (fresh bool, err error) {
	id, err := eventKey(e.ID)
	if err != nil {
		return false, err
	}
	a := *e.Access
	if teeth.Bite("access-recorded-twice") {
		a.ID += tx.now.String()
	}
	if teeth.Bite("history-counts-scheduled") {
		a.Scheduled = false
	}
	n, err := tx.changed(`INSERT INTO access (id, nhs, at, scheduled, event) VALUES (?,?,?,?,?) ON CONFLICT (id) DO NOTHING`,
		a.ID, a.Subject.NHSNumber.Reveal(), micros(a.At), number(a.Scheduled), id)
	return n == 1, err
}

// AccessEvent returns the event of a recorded access. The error is of kind NotFound when there is none.
func (tx *Tx) AccessEvent(id string) (engine.Envelope, error) {
	rows, err := tx.query(`SELECT e.body FROM access a JOIN event e ON e.id = a.event WHERE a.id = ?`, id)
	if err != nil {
		return engine.Envelope{}, err
	}
	found, err := envelopes(rows)
	if err == nil && len(found) == 0 {
		err = &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "no such access"}
	}
	if err != nil {
		return engine.Envelope{}, err
	}
	return found[0], nil
}

// History returns the unscheduled accesses of a person, newest first, at most limit, without the one whose id is given.
func (tx *Tx) History(n engine.NHSNumber, limit int, without string) ([]engine.Envelope, error) {
	rows, err := tx.query(`SELECT e.body FROM access a JOIN event e ON e.id = a.event WHERE a.nhs = ? AND a.scheduled = 0 AND a.id <> ?
		ORDER BY a.at DESC, a.id LIMIT ?`, n.Reveal(), without, limit)
	if err != nil {
		return nil, err
	}
	return envelopes(rows)
}

// envelopes decodes a column of event bodies and closes the rows.
func envelopes(rows *sql.Rows) ([]engine.Envelope, error) {
	defer rows.Close()
	var out []engine.Envelope
	var body sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&body); err != nil {
			return nil, unavailable("store read", err)
		}
		e, err := engine.DecodeEnvelope(body)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, unavailable("store read", rows.Err())
}

// number is how a truth is stored.
func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
