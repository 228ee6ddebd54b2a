package pipeline

import (
	"context"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/mesh/cpis"
)

// sought is a record that has no NHS number.
type sought struct {
	who      engine.Subject
	position int
}

// note remembers who is to be looked for once the whole file has been asked about.
func (t *tracing) note(rec engine.Translated) {
	if t.Seeker != nil && numberless(rec) {
		t.nobody = append(t.nobody, sought{engine.Subject{Given: rec.About.Given, Family: rec.About.Family, BirthDate: rec.About.BirthDate}, rec.Place.Record})
	}
}

// seek asks PDS for the children of records that have no NHS number, and opens a task about each that it finds. The record stays refused and
// nothing is swapped: a person has to confirm the number. A file never waits for it: who was not asked about is asked about with the next file.
func (t *tracing) seek(ctx context.Context) {
	if len(t.nobody) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(t.Tracer.Together(ctx, engine.NewUUID(string(t.message.ID))), t.cfg.Trace.Slice)
	defer stop()
	asked, found := 0, 0
	for _, s := range t.nobody {
		n, ok, err := t.Seeker.Seek(ctx, s.who)
		if err != nil {
			t.Log.Warn("cannot look for children without an NHS number, will try again with the next file", "step", "trace", "message", t.message.ID, "error", err)
			break
		}
		if asked++; !ok {
			continue
		}
		found++
		task := store.Task{Kind: store.TaskFound, Authority: t.route.Party.Authority.ODSCode, NHSNumber: n, Message: t.message.ID, Position: s.position}
		t.tasks = append(t.tasks, func(tx *store.Tx) error {
			task := task // a transaction that is tried again opens it again
			_, err := tx.OpenTask(&task)
			return err
		})
	}
	if asked > 0 {
		t.Log.Info("looked for children without an NHS number", "step", "trace", "message", t.message.ID, "count", asked, "accepted", found)
	}
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
