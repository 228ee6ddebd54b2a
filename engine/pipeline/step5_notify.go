package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/store"
)

// tell notes which authorities have to be told of an unscheduled access: one notice each, in one transaction with the outcome. The courier
// gathers an authority's notices for its window and sends them as one notification.
func (p *Pipeline) tell(ctx context.Context, e engine.Envelope) engine.Verdict {
	var told int
	err := p.Store.Write(ctx, func(tx *store.Tx) error {
		told = 0
		first, err := tx.Resolve(e)
		if err != nil || !first {
			return err
		}
		witnessed, err := p.Register.Witness(tx, e)
		if err != nil || !witnessed {
			return err
		}
		flags, err := p.Register.Responsible(tx, *e.Access)
		if err != nil {
			return err
		}
		for _, flag := range flags {
			if err := tx.PutNotice(store.Notice{Authority: flag.Flag.Authority.ODSCode, Access: e, Flag: flag}); err != nil {
				return err
			}
		}
		told = len(flags)
		return nil
	})
	if err == nil {
		p.Log.Info("access noted", "step", "notify", "access", e.Access.ID, "authorities", told, "scheduled", e.Access.Scheduled)
	}
	return outcome(err)
}
