package pipeline

import (
	"context"
	"errors"
	"strconv"
	"time"

	"signalbox/engine"
	"signalbox/engine/hook"
	"signalbox/engine/store"
	"signalbox/fhir"
	"signalbox/fhir/api/subscription"
)

// A subscriber is another way for the same effect to reach its authority. An authority whose subscription is active is told by a post to its
// endpoint; one that has none, or whose subscription waits for its handshake or is in error, over MESH. What has been given to one way
// and may have arrived stays with it, for as long as that way is open.

// tend shakes hands with new subscribers, sends heartbeats, and turns off what is over.
func (p *Pipeline) tend(ctx context.Context, _ store.Lease) {
	if p.Hooks == nil {
		return
	}
	due, err := p.Store.DueSubscriptions(ctx)
	if err != nil {
		p.complain(ctx, "cannot read subscriptions, will try again", err)
		return
	}
	for _, s := range due {
		if ctx.Err() != nil {
			return
		}
		p.Observer.Beat(courierWorker, stall)
		if err := p.tendOne(ctx, s); err != nil {
			p.complain(ctx, "subscription not recorded, will try again", err)
		}
	}
}

func (p *Pipeline) tendOne(ctx context.Context, s store.Subscription) error {
	if !s.Expires.IsZero() && !p.Now().Before(s.Expires) {
		p.Log.Info("subscription is over", "step", "courier", "subscription", s.ID, "la", s.Authority)
		return p.Store.EndSubscription(ctx, s.ID)
	}
	kind := subscription.Heartbeat
	if s.State == store.SubscriptionRequested {
		kind = subscription.Handshake
	}
	body := p.Notifications.Notification(kind, s, nil, s.Content)
	err := p.Hooks.Post(ctx, p.letterTo(s, engine.NewUUID(string(kind), s.ID, strconv.FormatInt(s.Due.UnixMicro(), 10)), body))
	if err != nil {
		return p.missed(ctx, s, err)
	}
	if kind == subscription.Handshake {
		p.Log.Info("subscription is active", "step", "courier", "subscription", s.ID, "la", s.Authority)
	}
	return p.heard(ctx, s)
}

func (p *Pipeline) letterTo(s store.Subscription, requestID string, body []byte) hook.Post {
	return hook.Post{Receiver: s.Client, Endpoint: s.Endpoint, Headers: s.Headers, RequestID: requestID, MediaType: fhir.MediaType, Body: body}
}

// heard notes that a subscriber took a post.
func (p *Pipeline) heard(ctx context.Context, s store.Subscription) error {
	return p.Store.HeardSubscription(context.WithoutCancel(ctx), s.ID, p.Now().Add(s.Heartbeat))
}

// missed notes that a post came to nothing. A subscriber that fails too often, or that is gone or not allowed any more, is given up on.
func (p *Pipeline) missed(ctx context.Context, s store.Subscription, why error) error {
	if ctx.Err() != nil { // we are stopping, or the lease is over: the subscriber is not to blame
		return nil
	}
	giveUp := s.Failures+1 >= p.cfg.HookTries || engine.KindOf(why) == engine.Denied
	p.Log.Warn("subscriber not reached", "step", "courier", "subscription", s.ID, "la", s.Authority, "failures", s.Failures+1, "error", why)
	if giveUp {
		p.Log.Error("subscription given up: its authority is told over MESH where the configuration says so", "step", "courier", "subscription", s.ID, "la", s.Authority)
	}
	return p.Store.MissedSubscription(ctx, s.ID, reasonOf(why), p.Now().Add(p.cfg.Retry.wait(s.Failures)), giveUp)
}

// reasonOf is what a subscriber is shown of an error.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*engine.Error](err); ok {
		return e.Sentence()
	}
	return "the post failed"
}

// deliverByHook posts a notification to its authority's subscriber, and reports whether the effect is dealt with for now. It is not when
// the authority is to be told over MESH.
func (p *Pipeline) deliverByHook(ctx context.Context, e store.Effect, by store.Lease) (done bool, err error) {
	if p.Hooks == nil || e.Kind != store.Notification {
		return false, nil
	}
	s, err := p.Store.SubscriptionOf(ctx, e.Authority)
	if err != nil {
		return false, notFoundIsNil(err)
	}
	unknown := e.State == store.Attempted
	if unknown {
		if before, err := p.Store.ToldBy(ctx, e.ID, s.ID); err != nil || !before { // it may have gone over MESH: looked up there
			return false, err
		}
	}
	route, _ := p.Routes.responsible(e.Authority)
	switch {
	case s.State == store.SubscriptionError && route.OnlyHook:
		return true, p.Store.RetryEffect(ctx, e.ID, p.Now().Add(p.cfg.Retry.Max), unknown, "the authority's subscription is in error, and nothing else is configured")
	case s.State != store.SubscriptionActive:
		return false, nil
	case s.Failures > 0 && p.Now().Before(s.Due):
		return true, p.Store.RetryEffect(ctx, e.ID, s.Due, unknown, s.Reason)
	}
	return true, p.post(ctx, e, s, by)
}

func notFoundIsNil(err error) error {
	if engine.KindOf(err) == engine.NotFound {
		return nil
	}
	return err
}

// post posts a notification. An attempt whose answer was lost is unknown, and nobody can be asked about it: it is posted again with the same
// bytes, numbers and request id, by which the subscriber tells a repeat.
func (p *Pipeline) post(ctx context.Context, e store.Effect, s store.Subscription, by store.Lease) error {
	began := p.Now()
	claimed, err := p.Store.ClaimTold(ctx, e, by, s.ID)
	if err != nil || !claimed || ctx.Err() != nil {
		return err
	}
	told, err := p.Store.ToldTo(ctx, s.ID, e.ID, 1, maxNumber, maxTold)
	if err != nil {
		return err
	}
	why := p.Hooks.Post(ctx, p.letterTo(s, engine.NewUUID("notification", s.ID, e.ID), p.Notifications.Notification(subscription.Event, s, told, s.Content)))
	if why == nil {
		return p.posted(ctx, e, s, began, len(told))
	}
	p.Observer.Unsent(e, false)
	unknown := engine.KindOf(why) == engine.Unsure || ctx.Err() != nil || e.State == store.Attempted
	if err := p.Store.RetryEffect(context.WithoutCancel(ctx), e.ID, p.Now().Add(p.cfg.Retry.wait(s.Failures)), unknown, reasonOf(why)); err != nil {
		return err
	}
	return p.missed(ctx, s, why)
}

// maxNumber is past every number of an event; maxTold is more than one notification ever tells of.
const maxNumber, maxTold = 1 << 31, 10_000

func (p *Pipeline) posted(ctx context.Context, e store.Effect, s store.Subscription, began time.Time, accesses int) error {
	if err := p.Store.MarkSent(context.WithoutCancel(ctx), e.ID, "subscription/"+s.ID); err != nil {
		return err
	}
	p.tellSent(ctx, e, began)
	p.Log.Info("subscriber told", "step", string(e.Kind), "la", e.Authority, "effect", e.ID, "subscription", s.ID, "accesses", accesses)
	return p.heard(ctx, s)
}
