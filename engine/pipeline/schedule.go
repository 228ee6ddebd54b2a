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
	for _, route := range p.Routes.senders {
		if ctx.Err() != nil {
			return
		}
		p.scheduleEmpty(ctx, route)
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
