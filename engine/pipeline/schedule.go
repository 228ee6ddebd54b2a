package pipeline

import (
	"context"
	"time"

	"signalbox/engine/notify"
	"signalbox/engine/store"
)

// scheduleEvery is how often it is looked what an authority is to be sent because of the time alone.
const scheduleEvery = time.Minute

// schedule plans what goes to authorities by the clock: a notification of nothing where nothing was told for long, and the list of the
// children who are not protected.
func (p *Pipeline) schedule(ctx context.Context) {
	p.forgetTraces(ctx)
	for _, route := range p.Routes.current.Load().senders {
		if ctx.Err() != nil {
			return
		}
		p.scheduleEmpty(ctx, route)
		p.scheduleNotProtected(ctx, route)
	}
}

// forgetEvery is how often old answers of PDS are forgotten.
const forgetEvery = time.Hour

// forgetTraces has the record forget what PDS said of children so long ago that it is asked again anyhow. The courier alone calls it.
func (p *Pipeline) forgetTraces(ctx context.Context) {
	now := p.Now()
	if p.Tracer == nil || now.Sub(p.forgot) < forgetEvery {
		return
	}
	n, err := p.Store.ForgetTraces(ctx, now.Add(-max(p.cfg.Trace.Keep, p.cfg.Trace.KeepRefused)))
	if err != nil {
		p.complain(ctx, "cannot forget old answers of PDS, will try again", err)
		return
	}
	if p.forgot = now; n > 0 {
		p.Log.Info("old answers of PDS forgotten", "step", "trace", "count", n)
	}
}

func (p *Pipeline) scheduleEmpty(ctx context.Context, route Route) {
	if route.EmptyAfter <= 0 {
		return
	}
	var planned bool
	err := p.Store.Write(ctx, func(tx *store.Tx) (err error) {
		planned, err = notify.GatherNone(tx, route.Party, route.EmptyAfter)
		return err
	})
	if err != nil {
		p.complain(ctx, "cannot plan an empty notification, will try again", err)
		return
	}
	if planned {
		p.Log.Info("empty notification planned", "step", "notify", "la", route.Party.Authority.ODSCode)
	}
}

// scheduleNotProtected plans an authority's list of the children who are not protected, once in each span of the configured length, also when
// there is none: the next list says more than the last.
func (p *Pipeline) scheduleNotProtected(ctx context.Context, route Route) {
	if route.NotProtectedEvery <= 0 {
		return
	}
	la := route.Party.Authority.ODSCode
	id := notify.EffectID(store.NotProtected, la+"\x00"+p.Now().UTC().Truncate(route.NotProtectedEvery).Format(time.RFC3339))
	known, err := p.Store.HasEffect(ctx, id)
	if err != nil || known {
		if err != nil {
			p.complain(ctx, "cannot read the ledger, will try again", err)
		}
		return
	}
	all, err := notify.NotProtected(ctx, p.Store, p.Register, la, MeshSource(route.Mailbox, route.Sender), time.Time{})
	var body []byte
	if err == nil {
		body, err = notify.NotProtectedCSV(all)
	}
	if err == nil {
		effect := p.Store.Pack(store.Effect{ID: id, Kind: store.NotProtected, Authority: la, Body: body})
		err = p.Store.Write(ctx, func(tx *store.Tx) error {
			effect.Due = tx.Now()
			return tx.PlanEffect(effect)
		})
	}
	if err != nil {
		p.complain(ctx, "cannot plan the list of children who are not protected, will try again", err)
		return
	}
	p.Log.Info("list of children who are not protected planned", "step", "notify", "la", la, "count", len(all))
}
