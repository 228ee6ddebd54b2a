package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
)

// applyFlag changes the register. The outcome and the change are one transaction, so a copy of the event changes nothing.
func (p *Pipeline) applyFlag(ctx context.Context, e engine.Envelope) engine.Verdict {
	return outcome(p.shared.do(ctx, e, p.applyFlags))
}

// applyFlags is applyFlag for many events in one transaction. Neither their order nor their company changes what the register holds.
func (p *Pipeline) applyFlags(ctx context.Context, events []engine.Envelope) error {
	return p.Store.Write(ctx, func(tx *store.Tx) error {
		open, err := tx.ResolveAll(events)
		if err != nil || teeth.Bite("resolve-without-effect") {
			return err
		}
		return p.Register.ApplyAll(tx, open)
	})
}

// applyInactive tells every authority that has flagged the number, suspends the child's uploads and opens a task with each. No number is ever
// swapped by itself, and what stands keeps standing.
func (p *Pipeline) applyInactive(ctx context.Context, e engine.Envelope) engine.Verdict {
	return outcome(p.Store.Write(ctx, func(tx *store.Tx) error {
		first, err := tx.Resolve(e)
		if err != nil || !first {
			return err
		}
		flags, err := tx.Flags(e.Inactive.Old)
		if err != nil {
			return err
		}
		kind := store.TaskInactive
		if len(e.Inactive.Replacements) > 0 {
			kind = store.TaskSuperseded
		}
		for _, flag := range flags {
			route, ok := p.Routes.responsible(flag.Flag.Authority.ODSCode)
			if !ok {
				route.Party.Authority = flag.Flag.Authority // nobody to tell, but somebody has to look
			}
			if err := p.openTask(tx, route, flag, kind, e.Inactive.Replacements); err != nil {
				return err
			}
		}
		return nil
	}))
}
