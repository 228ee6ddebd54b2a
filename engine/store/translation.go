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
	Also    []func(*Tx) error // done in the same transaction, once, after the records have been read; again when the transaction is
}

// SaveTranslation writes the events, the faults and the outbox rows of a message in one transaction, and resolves the event that asked
// for it. Doing it twice changes nothing. Records is read once, before the transaction, and each record is let go when it is encoded.
func (s *Store) SaveTranslation(ctx context.Context, t Translation) error {
	w, err := t.prepare()
	if err != nil {
		return err
	}
	return s.Write(ctx, func(tx *Tx) error {
		first, err := tx.Resolve(t.Wait)
		if err != nil || !first {
			return err
		}
		if err := tx.translate(w); err != nil {
			return err
		}
		for _, also := range t.Also {
			if err := also(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// prepared is a translation as it is written.
type prepared struct {
	message engine.MessageID
	mapping string
	records int
	events  []eventRow
	faults  []faultRow
	refused []refusedRow
}

// faultRow is one fault of a record. number counts the record's faults from 0.
type faultRow struct {
	position, number int
	outcome          engine.Outcome
	fault            *engine.Error
}

// prepare does what needs no transaction, so that none waits for it.
func (t Translation) prepare() (prepared, error) {
	w := prepared{message: t.Wait.Origin.Message, mapping: t.Mapping}
	seen, whole := map[int]bool{}, 0
	for r := range t.Records {
		if r.Place.Record > 0 {
			w.records++
		}
		for _, f := range faultsOf(r) {
			if f.position == 0 { // what is said of the whole file may come in several places
				f.number = whole
				whole++
			}
			w.faults = append(w.faults, f)
		}
		if r.About != nil && r.About.Authority != "" {
			w.refused = append(w.refused, refusedRow{r.Place.Record, *r.About})
		}
		if r.Event == nil {
			continue
		}
		if at := r.Event.Origin.Position; seen[at] {
			return w, &engine.Error{Op: "save translation", Kind: engine.Internal, Rule: engine.RuleDuplicate, Place: r.Place,
				Text: "two records of one message have the same position"}
		} else {
			seen[at] = true
		}
		row, err := encode(*r.Event)
		if err != nil {
			return w, err
		}
		w.events = append(w.events, row)
	}
	return w, nil
}

// translate writes the events, the faults and the outbox rows of a message that had none.
func (tx *Tx) translate(w prepared) error {
	message := string(w.message)
	if err := tx.addFaults(message, w.faults); err != nil {
		return err
	}
	if err := tx.addRefused(message, w.refused); err != nil {
		return err
	}
	if err := tx.addEvents(w.message, w.events); err != nil {
		return err
	}
	if err := tx.exec(`UPDATE message SET state = ?, mapping = ?, records = ?, accepted = ?, open = ? WHERE id = ?`,
		string(Translated), w.mapping, w.records, len(w.events), len(w.events), message); err != nil {
		return err
	}
	tx.resolved[message] += 0 // a message without events is complete at once
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
func (s *Store) Faults(ctx context.Context, id engine.MessageID) ([]Fault, error) {
	rows, err := s.rows(ctx, `SELECT position, outcome, rule, kind, path, line, col, start, finish, text FROM fault
		WHERE message = ? ORDER BY position, number`, string(id))
	if err != nil {
		return nil, unavailable("faults", err)
	}
	defer rows.Close()
	var out []Fault
	for rows.Next() {
		f := Fault{Error: engine.Error{Op: "translate"}}
		at := &f.Error.Place
		if err := rows.Scan(&at.Record, &f.Outcome, &f.Error.Rule, &f.Error.Kind, &at.Path, &at.Line, &at.Column, &at.Start, &at.End,
			&f.Error.Text); err != nil {
			return nil, unavailable("faults", err)
		}
		out = append(out, f)
	}
	return out, unavailable("faults", rows.Err())
}

// AcceptedPositions returns the positions of the records of a message that made an event, ascending.
func (s *Store) AcceptedPositions(ctx context.Context, id engine.MessageID) ([]int, error) {
	rows, err := s.rows(ctx, `SELECT position FROM event WHERE message = ? AND kind IN (?,?,?) AND withdrawn = 0 ORDER BY position`,
		string(id), string(engine.KindFlag), string(engine.KindAccess), string(engine.KindNumberInactive))
	if err != nil {
		return nil, unavailable("events", err)
	}
	defer rows.Close()
	var out []int
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, unavailable("events", err)
		}
		out = append(out, n)
	}
	return out, unavailable("events", rows.Err())
}
