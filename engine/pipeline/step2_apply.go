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

// applyInactive keeps the event: no number is ever swapped by itself. Telling the authorities is the work of another day's room.
func (p *Pipeline) applyInactive(ctx context.Context, e engine.Envelope) engine.Verdict {
	return outcome(p.Store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Resolve(e)
		return err
	}))
}
