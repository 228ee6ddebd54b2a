package store

import (
	"context"
	"iter"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// Translation is what a mapping made of a raw message.
type Translation struct {
	Wait    engine.Envelope // the message event that asked for the translation
	Mapping string          // digest of the mapping folder
	Records iter.Seq[engine.Translated]
	// Failed, when set, is asked once the records have been read: with an error nothing is written, and it is returned.
	Failed func() error
	Also   []func(*Tx) error // done in the same transaction, once, after the records have been read; again when the transaction is
}

// SaveTranslation writes the events, the faults and the outbox rows of a message in one transaction, and resolves the event that asked
// for it. Doing it twice changes nothing. Records is read once, before the transaction, and each record is let go when it is encoded; what a large
// file comes to is put away in the record until then.
func (s *Store) SaveTranslation(ctx context.Context, t Translation) error {
	d := &draft{s: s, ctx: ctx}
	accepted, records, err := t.prepare(d)
	if err == nil && t.Failed != nil {
		err = t.Failed()
	}
	if err == nil {
		err = s.Write(ctx, func(tx *Tx) error { return tx.translate(t, d, accepted, records) })
	}
	if err != nil {
		d.drop()
	}
	return err
}

// faultRow is one fault of a record. number counts the record's faults from 0.
type faultRow struct {
	position, number int
	outcome          engine.Outcome
	fault            *engine.Error
}

// prepare does what needs no transaction, so that none waits for it.
func (t Translation) prepare(d *draft) (accepted, records int, err error) {
	last, whole := 0, 0
	for r := range t.Records {
		if r.Place.Record > 0 {
			records++
		}
		for _, f := range faultsOf(r) {
			if f.position == 0 { // what is said of the whole file may come in several places
				f.number = whole
				whole++
			}
			d.faults = append(d.faults, f)
		}
		if r.About != nil && r.About.Authority != "" {
			d.refused = append(d.refused, refusedRow{r.Place.Record, *r.About})
		}
		if r.Event != nil {
			if at := r.Event.Origin.Position; at == last { // any other that is there already is refused by the record
				return 0, 0, &engine.Error{Op: "save translation", Kind: engine.Internal, Rule: engine.RuleDuplicate, Place: r.Place,
					Text: "two records of one message have the same position"}
			} else {
				last = at
			}
			row, err := encode(*r.Event)
			if err != nil {
				return 0, 0, err
			}
			d.events = append(d.events, row)
			accepted++
		}
		if err := d.full(); err != nil {
			return 0, 0, err
		}
	}
	return accepted, records, nil
}

// translate writes the events, the faults and the outbox rows of a message that had none.
func (tx *Tx) translate(t Translation, d *draft, accepted, records int) error {
	first, err := tx.Resolve(t.Wait)
	if err != nil {
		return err
	}
	if !first {
		return d.dropIn(tx)
	}
	id := t.Wait.Origin.Message
	if err := d.write(tx, id); err != nil {
		return err
	}
	if accepted > 0 {
		if err := tx.openEvents(id); err != nil {
			return err
		}
	}
	if err := tx.exec(`UPDATE message SET state = ?, mapping = ?, records = ?, accepted = ?, open = ? WHERE id = ?`,
		string(Translated), t.Mapping, records, accepted, accepted, string(id)); err != nil {
		return err
	}
	tx.resolved[string(id)] += 0 // a message without events is complete at once
	for _, also := range t.Also {
		if err := also(tx); err != nil {
			return err
		}
	}
	return nil
}

// faultsOf lists what is to be written of a record that was refused, left out or not taken whole.
func faultsOf(r engine.Translated) []faultRow {
	faults := r.Faults
	if r.Outcome == engine.Skipped {
		faults = []*engine.Error{{Rule: engine.RuleNotSelected, Place: r.Place, Text: "the mapping is not for this record"}}
	}
	if teeth.Bite("faults-forgotten") {
		faults = nil
	}
	var out []faultRow
	for i, f := range faults {
		out = append(out, faultRow{r.Place.Record, i, r.Outcome, f})
	}
	return out
}

func (tx *Tx) addFaults(message string, faults []faultRow) error {
	for len(faults) > 0 {
		n := chunk(len(faults))
		args := make([]any, 0, 12*n)
		for _, r := range faults[:n] {
			f := r.fault
			args = append(args, message, r.position, r.number, string(r.outcome), f.Rule, int(f.Kind), f.Place.Path, f.Place.Line, f.Place.Column,
				f.Place.Start, f.Place.End, f.Sentence())
		}
		if err := tx.exec(`INSERT INTO fault (message, position, number, outcome, rule, kind, path, line, col, start, finish, text)
			VALUES `+values(n, 12)+` ON CONFLICT (message, position, number) DO NOTHING`, args...); err != nil {
			return err
		}
		faults = faults[n:]
	}
	return nil
}

// Refuse quarantines a whole message for which no mapping could be applied, with the reason, and lets its reply go out.
func (s *Store) Refuse(ctx context.Context, wait engine.Envelope, reason *engine.Error) error {
	return s.Write(ctx, func(tx *Tx) error {
		first, err := tx.Resolve(wait)
		if err != nil || !first {
			return err
		}
		message := string(wait.Origin.Message)
		whole := engine.Translated{Outcome: engine.Parked, Faults: []*engine.Error{reason}}
		if err := tx.addFaults(message, faultsOf(whole)); err != nil {
			return err
		}
		return tx.exec(`UPDATE message SET state = ? WHERE id = ?`, string(Quarantined), message)
	})
}

// Fault is one reason why a record made no event, or made one with a field left empty.
type Fault struct {
	Outcome engine.Outcome
	Error   engine.Error
}

// Faults returns every fault of a message in the order of its records; faults of the whole message come first, with Place.Record 0.
func (s *Store) Faults(ctx context.Context, id engine.MessageID) (all []Fault, err error) {
	for f, err := range s.EachFault(ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// page is how many rows of a long list are read at a time.
const page = 1024

// EachFault yields the faults of a message whose record is from or later, in the order of Faults, and holds a page of them at a time. An error is
// the last that it yields.
func (s *Store) EachFault(ctx context.Context, id engine.MessageID, from int) iter.Seq2[Fault, error] {
	return func(yield func(Fault, error) bool) {
		position, number := from, -1
		for {
			some, last, err := s.faults(ctx, id, position, number)
			for _, f := range some {
				if !yield(f, nil) {
					return
				}
			}
			if err != nil {
				yield(Fault{}, err)
				return
			}
			if len(some) < page {
				return
			}
			position, number = some[page-1].Error.Place.Record, last
		}
	}
}

// faults returns a page of what comes after a record's fault of that number, and the number of its last.
func (s *Store) faults(ctx context.Context, id engine.MessageID, position, number int) (out []Fault, last int, err error) {
	rows, err := s.rows(ctx, `SELECT position, number, outcome, rule, kind, path, line, col, start, finish, text FROM fault
		WHERE message = ? AND (position > ? OR position = ? AND number > ?) ORDER BY position, number LIMIT ?`, string(id), position, position, number, page)
	if err != nil {
		return nil, 0, unavailable("faults", err)
	}
	defer rows.Close()
	for rows.Next() {
		f := Fault{Error: engine.Error{Op: "translate"}}
		at := &f.Error.Place
		if err := rows.Scan(&at.Record, &last, &f.Outcome, &f.Error.Rule, &f.Error.Kind, &at.Path, &at.Line, &at.Column, &at.Start, &at.End,
			&f.Error.Text); err != nil {
			return nil, 0, unavailable("faults", err)
		}
		out = append(out, f)
	}
	return out, last, unavailable("faults", rows.Err())
}

// AcceptedPositions yields the positions of the records of a message that made an event, ascending, and holds a page of them at a time. An error is
// the last that it yields.
func (s *Store) AcceptedPositions(ctx context.Context, id engine.MessageID) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for after := 0; ; {
			some, err := s.acceptedAfter(ctx, id, after)
			for _, at := range some {
				if !yield(at, nil) {
					return
				}
			}
			if err != nil {
				yield(0, err)
				return
			}
			if len(some) < page {
				return
			}
			after = some[page-1]
		}
	}
}

func (s *Store) acceptedAfter(ctx context.Context, id engine.MessageID, after int) (out []int, err error) {
	rows, err := s.rows(ctx, `SELECT position FROM event WHERE message = ? AND position > ? AND kind IN (?,?,?) AND withdrawn = 0 ORDER BY position LIMIT ?`,
		string(id), after, string(engine.KindFlag), string(engine.KindAccess), string(engine.KindNumberInactive), page)
	if err != nil {
		return nil, unavailable("events", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, unavailable("events", err)
		}
		out = append(out, n)
	}
	return out, unavailable("events", rows.Err())
}
