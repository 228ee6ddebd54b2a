package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/fhir/api"
)

// Receive takes a trust's FHIR message. It becomes durable like a file, and the same road turns it into an access event. The preview tells
// the sender at once what translation will refuse; the message is kept all the same.
func (p *Pipeline) Receive(ctx context.Context, m engine.Message) (api.Receipt, error) {
	mapping, ok := p.Routes.Mapping(m)
	if !ok {
		return api.Receipt{}, errNoRoute
	}
	m.ID = engine.NewMessageID(m.Source, m.Upstream)
	ctx, end := p.Observer.Step(ctx, Step{Name: "receive", Message: m.ID, First: true})
	receipt := api.Receipt{ID: m.ID}
	for r := range mapping.Translate(m) {
		if r.Outcome == engine.Rejected || r.Outcome == engine.Parked {
			receipt.Faults = append(receipt.Faults, r.Faults...)
		}
	}
	fresh, err := p.Store.Intake(ctx, m)
	receipt.Duplicate = !fresh
	end(err)
	if err == nil {
		p.Observer.Intake(Intake{Way: WayFHIR, Bytes: len(m.Body), Repeat: !fresh})
		p.Log.Info("message received", "step", "receive", "source", m.Source, "message", m.ID, "bytes", len(m.Body), "repeat", !fresh,
			"faults", len(receipt.Faults))
	}
	return receipt, err
}

var _ api.Desk = (*Pipeline)(nil)
