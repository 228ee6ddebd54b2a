package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/register"
)

// Ask answers a trust about a child. The register is read and the access event written in one transaction that is durable before Ask
// returns: no flag is read without a record (promise 2). The event then takes the same road as one from a message.
func (p *Pipeline) Ask(ctx context.Context, a engine.Access, q register.Question) (register.Answer, error) {
	source := TrustSource(a.By.Organisation.ODSCode)
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: source, Message: engine.NewMessageID(source, a.ID), Received: p.Now()})
	e.Access = &a
	ctx, end := p.Observer.Step(ctx, Step{Name: "ask", Message: e.Origin.Message, First: true})
	answer, err := p.Register.Ask(ctx, p.Store, e, q)
	end(err)
	if err == nil {
		p.Observer.Intake(Intake{Way: WayQuery, Repeat: answer.Repeat})
		p.Log.Info("trust answered", "step", "ask", "access", a.ID, "by", a.By.Organisation.ODSCode, "flags", len(answer.Flags),
			"history", len(answer.History), "scheduled", a.Scheduled, "repeat", answer.Repeat)
	}
	return answer, err
}

// TrustSource names where a trust's request came in.
func TrustSource(name string) string { return "fhir/" + name }
