package pipeline

import (
	"context"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
)

// seek asks PDS for the children of records that have no NHS number, and opens a task about each that it finds. The record stays refused and
// nothing is swapped: a person has to confirm the number. A file never waits for it: who was not asked about is asked about with the next file.
func (p *Pipeline) seek(ctx context.Context, m engine.Message, r Route, records []engine.Translated) (also []func(*store.Tx) error) {
	if p.Seeker == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(p.Tracer.Together(ctx, engine.NewUUID(string(m.ID))), p.cfg.Trace.Slice)
	defer stop()
	sought, found := 0, 0
	for _, rec := range records {
		if !numberless(rec) {
			continue
		}
		who := engine.Subject{Given: rec.About.Given, Family: rec.About.Family, BirthDate: rec.About.BirthDate}
		n, ok, err := p.Seeker.Seek(ctx, who)
		if err != nil {
			p.Log.Warn("cannot look for children without an NHS number, will try again with the next file", "step", "trace", "message", m.ID, "error", err)
			break
		}
		if sought++; !ok {
			continue
		}
		found++
		task := store.Task{Kind: store.TaskFound, Authority: r.Party.Authority.ODSCode, NHSNumber: n, Message: m.ID, Position: rec.Place.Record}
		also = append(also, func(tx *store.Tx) error {
			task := task // a transaction that is tried again opens it again
			_, err := tx.OpenTask(&task)
			return err
		})
	}
	if sought > 0 {
		p.Log.Info("looked for children without an NHS number", "step", "trace", "message", m.ID, "count", sought, "accepted", found)
	}
	return also
}

// numberless reports whether a record was refused because it has no NHS number. A number that is wrong is the sender's to mend: to look for another
// person by the name beside it would hide the mistake.
func numberless(t engine.Translated) bool {
	if t.Outcome != engine.Rejected || t.About == nil || !t.About.NHSNumber.IsZero() {
		return false
	}
	for _, f := range t.Faults {
		if f.Rule == cpis.RuleNHSNumber || f.Rule == engine.RuleMandatory && strings.HasPrefix(f.Sentence(), "subject.nhsNumber") {
			return true
		}
	}
	return false
}
