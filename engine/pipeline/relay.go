package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/engine/stream"
	"signalbox/internal/teeth"
)

// relay publishes the due events of one kind, in batches, and marks them. When it is not sure that a batch went out it is published again,
// under the same ids.
func (p *Pipeline) relay(ctx context.Context, k engine.Kind) {
	for {
		p.Observer.Beat(relayWorker(k), stall)
		n, err := p.publishDue(ctx, k)
		if err != nil && ctx.Err() == nil {
			p.Log.Error("cannot publish, will try again", "kind", k, "error", err)
		}
		if n > 0 && err == nil {
			continue
		}
		if !pause(ctx, p.cfg.Idle, p.Store.Wake(k)) {
			return
		}
	}
}

func (p *Pipeline) publishDue(ctx context.Context, k engine.Kind) (int, error) {
	due, err := p.Store.Due(ctx, k, p.cfg.Batch, p.cfg.Window)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	if teeth.Bite("mark-before-publish") {
		if err := p.Store.MarkPublished(ctx, due); err != nil {
			return 0, err
		}
	}
	err = p.Transport.Publish(Topic(k), p.messages(k, due)...)
	p.Observer.Published(k, len(due), err)
	left := due
	if p.within() {
		left = p.settled.without(due)
	}
	if err != nil && !(teeth.Bite("unsure-is-published") && errors.Is(err, stream.ErrUnsure)) {
		return 0, err
	}
	if len(left) == 0 {
		return len(due), nil
	}
	return len(due), p.Store.MarkPublished(ctx, left)
}

func (p *Pipeline) messages(k engine.Kind, due []store.Pending) []*message.Message {
	if p.bundles(k) {
		return bundled(due)
	}
	out := make([]*message.Message, len(due))
	for i, p := range due {
		out[i] = onStream(p.ID, p.Key, p.Attempts, p.Body)
	}
	return out
}

// reconcile brings back whatever was published and has no outcome: the stream may lose anything at any moment.
func (p *Pipeline) reconcile(ctx context.Context, _ store.Lease) {
	var swept time.Time
	for pause(ctx, p.cfg.Reconcile/4, nil) {
		p.Observer.Beat(reconcileWorker, p.cfg.Reconcile+stall)
		if now := p.Now(); now.Sub(swept) >= sweepEvery {
			swept = now
			p.sweep(ctx)
		}
		n, err := p.Store.Reconcile(ctx, p.Now().Add(-p.cfg.Reconcile))
		if err != nil && ctx.Err() == nil {
			p.Log.Error("cannot reconcile, will try again", "error", err)
		}
		if n > 0 {
			p.Observer.Reconciled(n)
			p.Log.Warn("events without an outcome are published again", "events", n)
		}
	}
}

// sweepEvery is how often it is looked for what processes that died have left half-written.
const sweepEvery = time.Hour

func (p *Pipeline) sweep(ctx context.Context) {
	n, err := p.Store.SweepParts(ctx)
	if err != nil && ctx.Err() == nil {
		p.Log.Error("what was left half-written is not removed, will try again", "error", err)
	}
	if n > 0 {
		p.Log.Info("what was left half-written is removed", "count", n)
	}
}
