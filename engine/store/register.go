package store

import (
	"cmp"
	"database/sql"
	"slices"

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
	Message   engine.MessageID // that made the event, and the record in it
	Position  int
}

func (r FlagRow) key() eventKey { return eventKey{r.Message, engine.KindFlag, r.Position} }

// PutFlag writes a row unless the register holds a greater version. Whatever the order in which the versions come, the same row is left.
func (tx *Tx) PutFlag(r FlagRow) error {
	_, err := tx.RaiseFlag(r)
	return err
}

// RaiseFlag is PutFlag and reports whether the row is different now.
func (tx *Tx) RaiseFlag(r FlagRow) (changed bool, err error) {
	n, err := tx.raise([]FlagRow{r})
	return n == 1, err
}

// PutFlags is PutFlag for many rows, in any order.
func (tx *Tx) PutFlags(rows []FlagRow) error {
	rows = slices.Clone(rows)
	// In one order in every process, so that none waits for another in a circle; of one row's versions the greatest comes first.
	slices.SortStableFunc(rows, func(a, b FlagRow) int {
		if teeth.Bite("bulk-keeps-lesser") {
			a, b = b, a
		}
		return cmp.Or(compareFlags(a, b), cmp.Compare(b.Version, a.Version))
	})
	rows = slices.CompactFunc(rows, func(a, b FlagRow) bool { return compareFlags(a, b) == 0 }) // a statement cannot change a row twice
	for len(rows) > 0 {
		n := chunk(len(rows))
		if _, err := tx.raise(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func compareFlags(a, b FlagRow) int {
	return cmp.Or(cmp.Compare(a.NHSNumber.Reveal(), b.NHSNumber.Reveal()), cmp.Compare(a.Authority, b.Authority), cmp.Compare(a.Plan, b.Plan))
}

// raise writes different rows of the register and returns how many of them are different now.
func (tx *Tx) raise(rows []FlagRow) (int64, error) {
	newer := "excluded.version > flag.version"
	if teeth.Bite("register-takes-lesser") {
		newer = "true"
	}
	args := make([]any, 0, 5*len(rows))
	for _, r := range rows {
		seq, err := tx.seqOf(r.key())
		if err != nil {
			return 0, err
		}
		args = append(args, r.NHSNumber.Reveal(), r.Authority, string(r.Plan), r.Version, seq)
	}
	return tx.changed(`INSERT INTO flag (nhs, la, plan, version, event) VALUES `+values(len(rows), 5)+`
		ON CONFLICT (nhs, la, plan) DO UPDATE SET version = excluded.version, event = excluded.event WHERE `+newer, args...)
}

// Flags returns the newest flag event of each authority and plan type for a person, ordered by authority and plan type. Whether each
// stands is for the register to say.
func (tx *Tx) Flags(n engine.NHSNumber) ([]engine.Envelope, error) {
	rows, err := tx.query(`SELECT e.body FROM flag f JOIN event e ON e.seq = f.event WHERE f.nhs = ? ORDER BY f.la, f.plan`, n.Reveal())
	if err != nil {
		return nil, err
	}
	return envelopes(rows)
}

// PutAccess records an access and reports whether it is new: one id is recorded once.
func (tx *Tx) PutAccess(e engine.Envelope) (fresh bool, err error) {
	a := *e.Access
	if teeth.Bite("access-recorded-twice") {
		a.ID += tx.now.String()
	}
	if teeth.Bite("history-counts-scheduled") {
		a.Scheduled = false
	}
	n, err := tx.changed(`INSERT INTO access (id, nhs, at, scheduled, message, position) VALUES (?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`,
		a.ID, a.Subject.NHSNumber.Reveal(), micros(a.At), number(a.Scheduled), string(e.Origin.Message), e.Origin.Position)
	return n == 1, err
}

// itsEvent joins an access with its event.
const itsEvent = `JOIN event e ON e.message = a.message AND e.position = a.position AND e.kind = 'access'`

// AccessEvent returns the event of a recorded access. The error is of kind NotFound when there is none.
func (tx *Tx) AccessEvent(id string) (engine.Envelope, error) {
	rows, err := tx.query(`SELECT e.body FROM access a `+itsEvent+` WHERE a.id = ?`, id)
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
	rows, err := tx.query(`SELECT e.body FROM access a `+itsEvent+` WHERE a.nhs = ? AND a.scheduled = 0 AND a.id <> ?
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
