package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/store"
)

// reply tells the LA what became of its file, once every record has its outcome. The acknowledgement is planned in the ledger, under an id
// made from the event, in one transaction with the outcome; the courier sends it.
func (p *Pipeline) reply(ctx context.Context, e engine.Envelope) engine.Verdict {
	leave, err := p.files.enter(ctx)
	if err != nil {
		return outcome(err)
	}
	defer leave()
	arrival, err := p.Store.ArrivalOpened(ctx, e.Origin.Message)
	if err != nil {
		return outcome(err)
	}
	route, ok := p.Routes.sender(arrival.Message)
	if !ok { // a trust's message was answered over HTTP
		return outcome(p.Store.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Resolve(e)
			return err
		}))
	}
	ack := p.Store.NewSpool(ctx)
	effect := store.Effect{ID: notify.AcknowledgementID(e.Origin.Message), Kind: store.Acknowledgement, Authority: route.Party.Authority.ODSCode}
	if err = notify.Acknowledge(ctx, ack, p.Store, route.Party, arrival); err == nil {
		err = arrival.Broken()
	}
	if err == nil {
		effect, err = p.Store.PackSpool(effect, ack)
	}
	if err != nil {
		ack.Discard()
		return outcome(err)
	}
	err = p.Store.Write(ctx, func(tx *store.Tx) error {
		first, err := tx.Resolve(e)
		if err != nil || !first {
			return err
		}
		effect.Due = tx.Now()
		return tx.PlanEffect(effect)
	})
	if err != nil {
		ack.Discard()
	} else {
		p.Log.Info("acknowledgement planned", "step", "reply", "message", arrival.Message.ID, "la", route.Party.Authority.ODSCode, "bytes", ack.Size())
	}
	return outcome(err)
}
