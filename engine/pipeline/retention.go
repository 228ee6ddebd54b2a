package pipeline

import (
	"context"
	"time"

	"signalbox/engine/store"
)

// retentionEvery is how often old bodies are looked for.
const retentionEvery = time.Hour

// retention removes the bodies of raw messages that are older than the policy says and that nothing needs any more.
func (p *Pipeline) retention(ctx context.Context, _ store.Lease) {
	for {
		n, err := p.Store.RemoveRaw(ctx, p.Now().Add(-p.cfg.RetainRaw))
		if err != nil && ctx.Err() == nil {
			p.Log.Error("old messages not removed, will try again", "step", "retention", "error", err)
		}
		if n > 0 {
			p.Log.Info("old messages removed", "step", "retention", "bodies", n)
		}
		if !pause(ctx, retentionEvery, nil) {
			return
		}
	}
}
