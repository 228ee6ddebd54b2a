package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
)

// applyFlag changes the register. The outcome and the change are one transaction, so a copy of the event changes nothing.
func (p *Pipeline) applyFlag(ctx context.Context, e engine.Envelope) engine.Verdict {
	return outcome(p.Store.Write(ctx, func(tx *store.Tx) error {
		first, err := tx.Resolve(e)
		if err != nil || !first {
			return err
		}
		if teeth.Bite("resolve-without-effect") {
			return nil
		}
		return p.Register.Apply(tx, e)
	}))
}

// applyInactive keeps the event: no number is ever swapped by itself. Telling the authorities is the work of another day's room.
func (p *Pipeline) applyInactive(ctx context.Context, e engine.Envelope) engine.Verdict {
	return outcome(p.Store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Resolve(e)
		return err
	}))
}
