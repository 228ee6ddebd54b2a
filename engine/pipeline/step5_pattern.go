package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/store"
)

// tellPattern tells an authority of a child who was seen across boundaries, where its route says under which workflow: with every visit that is
// known by now, once. The outcome and the planned message are one transaction.
func (p *Pipeline) tellPattern(ctx context.Context, e engine.Envelope) engine.Verdict {
	route, _ := p.Routes.responsible(e.Pattern.Authority)
	told := route.PatternWorkflow != "" && p.Patterns != nil
	err := p.Store.Write(ctx, func(tx *store.Tx) error {
		first, err := tx.Resolve(e)
		if err != nil || !first || !told {
			return err
		}
		crossing, err := p.crossing(tx, e)
		if err != nil {
			return err
		}
		return notify.PlanPattern(tx, route.Party, crossing)
	})
	if err == nil && !told {
		p.Log.Info("a child was seen across boundaries, and the authority's route names no workflow to tell it", "step", "notify", "event", e.ID,
			"la", e.Pattern.Authority)
	}
	return outcome(err)
}

// crossing gathers what is known of a pattern now.
func (p *Pipeline) crossing(tx *store.Tx, e engine.Envelope) (notify.Crossing, error) {
	about := e.Pattern
	seen, err := tx.Visits(about.NHSNumber, about.Authority, about.Plan, about.Since.ISO(), about.Day.ISO())
	if err != nil {
		return notify.Crossing{}, err
	}
	found := p.Patterns.Look(about.Since, about.Day, seen)
	return notify.CrossingOf(tx, e, found.Visits, found.Organisations, found.Areas)
}
