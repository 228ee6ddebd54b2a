package pipeline

import (
	"context"
	"time"

	"signalbox/engine/store"
)

// retentionEvery is how often old bodies are looked for.
const retentionEvery = time.Hour

// retention removes the bodies of raw messages, and the rows about them, that are older than the policy says and that nothing needs any more.
func (p *Pipeline) retention(ctx context.Context, _ store.Lease) {
	for {
		before := p.Now().Add(-p.cfg.RetainRaw)
		n, err := p.Store.RemoveRaw(ctx, before)
		rows := int64(0)
		if err == nil {
			rows, err = p.Store.ClearOld(ctx, before)
		}
		if err != nil && ctx.Err() == nil {
			p.Log.Error("old messages not removed, will try again", "step", "retention", "error", err)
		}
		if n > 0 || rows > 0 {
			p.Log.Info("old messages removed", "step", "retention", "bodies", n, "rows", rows)
		}
		if !pause(ctx, retentionEvery, nil) {
			return
		}
	}
}
