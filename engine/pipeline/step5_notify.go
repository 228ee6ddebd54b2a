package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/engine/store"
)

// tell notes which authorities have to be told of an unscheduled access: one notice each, in one transaction with the outcome. The courier
// gathers an authority's notices for its window and sends them as one notification. In the same transaction it is looked whether the child has
// now been seen across boundaries.
func (p *Pipeline) tell(ctx context.Context, e engine.Envelope) engine.Verdict {
	var told int
	var raised []engine.Envelope
	err := p.Store.Write(ctx, func(tx *store.Tx) error {
		told, raised = 0, nil
		first, err := tx.Resolve(e)
		if err != nil || !first {
			return err
		}
		witnessed, err := p.Register.Witness(tx, e)
		if err != nil || !witnessed {
			return err
		}
		concerned, err := p.Register.Concerned(tx, *e.Access)
		if err != nil {
			return err
		}
		flags := register.Responsible(concerned)
		for _, flag := range flags {
			if err := tx.PutNotice(store.Notice{Authority: flag.Flag.Authority.ODSCode, Access: e, Flag: flag}); err != nil {
				return err
			}
		}
		if told = len(flags); told > 0 && p.Patterns != nil {
			raised, err = p.Patterns.Note(tx, e, concerned)
		}
		return err
	})
	if err == nil {
		p.Log.Info("access noted", "step", "notify", "access", e.Access.ID, "authorities", told, "scheduled", e.Access.Scheduled)
	}
	for _, r := range raised {
		p.Log.Info("a child was seen across boundaries", "step", "notify", "event", r.ID, "la", r.Pattern.Authority, "count", len(r.Pattern.Visits))
	}
	return outcome(err)
}
