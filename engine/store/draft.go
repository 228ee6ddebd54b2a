package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"encoding/hex"

	"signalbox/engine"
)

// draftRows is how many rows of a translation are in memory at a time. What there is more of waits in the record, compressed, for the one
// transaction that writes all of it.
const draftRows = 1024

// rows are what some records of one message come to.
type rows struct {
	events  []eventRow
	faults  []faultRow
	refused []refusedRow
}

func (r rows) len() int { return len(r.events) + len(r.faults) + len(r.refused) }

// add writes the rows.
func (tx *Tx) addRows(message engine.MessageID, r rows) error {
	if err := tx.addFaults(string(message), r.faults); err != nil {
		return err
	}
	if err := tx.addRefused(string(message), r.refused); err != nil {
		return err
	}
	return tx.addEvents(message, r.events)
}

// draft is a translation that is being made.
type draft struct {
	s    *Store // nil: all rows stay in memory
	ctx  context.Context
	name string // of the spool that holds its batches
	part int    // batches in the spool
	rows        // that are in none yet
}

// full puts the rows away when there are many.
func (d *draft) full() error {
	if d.s == nil || d.len() < draftRows {
		return nil
	}
	if d.name == "" {
		var id [16]byte
		rand.Read(id[:]) // never fails (crypto/rand)
		d.name = hex.EncodeToString(id[:])
	}
	body, err := d.rows.encode()
	if err == nil {
		err = d.s.addPart(d.ctx, d.name, d.part+1, d.s.squeeze(body))
	}
	if err != nil {
		return err
	}
	d.part++
	d.rows = rows{events: d.events[:0], faults: d.faults[:0], refused: d.refused[:0]}
	return nil
}

// write writes all rows in one transaction and takes them out of the spool.
func (d *draft) write(tx *Tx, message engine.MessageID) error {
	for number := 1; number <= d.part; number++ {
		var body []byte
		found, err := tx.scan(`SELECT body FROM part WHERE spool = ? AND number = ?`, []any{d.name, number}, &body)
		if err == nil && !found {
			err = &engine.Error{Op: "save translation", Kind: engine.Unavailable, Text: "a part of the translation is not in the record any more: it is made again"}
		}
		if err != nil {
			return err
		}
		batch, err := tx.store.decodeRows(tx.ctx, body)
		if err != nil {
			return err
		}
		if err := tx.addRows(message, batch); err != nil {
			return err
		}
	}
	if err := tx.addRows(message, d.rows); err != nil {
		return err
	}
	return d.dropIn(tx)
}

// dropIn empties the spool in a transaction.
func (d *draft) dropIn(tx *Tx) error {
	if d.part == 0 {
		return nil
	}
	return tx.dropParts(d.name)
}

// drop lets go of what was put away for nothing. What cannot be removed now is found by SweepParts.
func (d *draft) drop() {
	if d.part > 0 {
		_ = d.s.dropParts(context.WithoutCancel(d.ctx), d.name) // the sweep is the second try
	}
}

// The form in which rows wait. It is read by the process that wrote it, so it need not last.
type (
	draftBatch struct {
		Events  []draftEvent
		Faults  []draftFault
		Refused []draftRefused
	}
	draftEvent struct {
		ID, Body      []byte
		Kind, Message string
		Position      int
	}
	draftFault struct {
		Position, Number        int
		Outcome, Rule, Sentence string
		Kind                    int
		Path                    string
		Line, Column            int
		Start, End              int64
	}
	draftRefused struct {
		Position                 int
		Authority, Number, Local string
	}
)

func (r rows) encode() ([]byte, error) {
	var b draftBatch
	for _, e := range r.events {
		b.Events = append(b.Events, draftEvent{e.id, e.body, string(e.key.kind), string(e.key.message), e.key.position})
	}
	for _, f := range r.faults {
		at := f.fault.Place
		b.Faults = append(b.Faults, draftFault{f.position, f.number, string(f.outcome), f.fault.Rule, f.fault.Sentence(), int(f.fault.Kind),
			at.Path, at.Line, at.Column, at.Start, at.End})
	}
	for _, w := range r.refused {
		b.Refused = append(b.Refused, draftRefused{w.position, w.about.Authority, w.about.NHSNumber.Reveal(), w.about.LocalID.Reveal()})
	}
	var out bytes.Buffer
	err := gob.NewEncoder(&out).Encode(b)
	return out.Bytes(), err
}

// squeeze compresses a batch.
func (s *Store) squeeze(body []byte) []byte {
	var out bytes.Buffer
	w := s.deflater(&out)
	defer s.deflaters.Put(w)
	_, _ = w.Write(body) // into memory: it does not fail
	_ = w.Close()
	return out.Bytes()
}

func (s *Store) decodeRows(ctx context.Context, body []byte) (r rows, err error) {
	from, err := s.reader(ctx, packed{body: body, encoding: deflated})
	if err != nil {
		return r, err
	}
	var b draftBatch
	if err := gob.NewDecoder(from).Decode(&b); err != nil {
		return r, &engine.Error{Op: "save translation", Kind: engine.Internal, Text: "a part of the translation is damaged", Err: err}
	}
	for _, e := range b.Events {
		r.events = append(r.events, eventRow{e.ID, eventKey{engine.MessageID(e.Message), engine.Kind(e.Kind), e.Position}, e.Body})
	}
	for _, f := range b.Faults {
		r.faults = append(r.faults, faultRow{f.Position, f.Number, engine.Outcome(f.Outcome), &engine.Error{Rule: f.Rule, Kind: engine.ErrorKind(f.Kind), Text: f.Sentence,
			Place: engine.Place{Record: f.Position, Path: f.Path, Line: f.Line, Column: f.Column, Start: f.Start, End: f.End}}})
	}
	for _, w := range b.Refused {
		about := engine.About{Authority: w.Authority, LocalID: engine.Personal(w.Local)}
		if w.Number != "" {
			if about.NHSNumber, err = engine.ParseNHSNumber(w.Number); err != nil {
				return r, err
			}
		}
		r.refused = append(r.refused, refusedRow{w.Position, about})
	}
	return r, nil
}
