package pipeline

import (
	"context"
	"errors"
	"io"
	"time"

	"signalbox/engine/notify"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
	"signalbox/mesh"
)

// courierBatch is how many effects are taken from the ledger at once.
const courierBatch = 64

// courier closes notification windows that are over and sends what the ledger has due.
func (p *Pipeline) courier(ctx context.Context, by store.Lease) {
	var looked time.Time // when it was last asked what is to be sent by the clock
	for {
		p.Observer.Beat(courierWorker, stall)
		p.closeWindows(ctx)
		if now := p.Now(); now.Sub(looked) >= scheduleEvery {
			looked = now
			p.schedule(ctx)
		}
		p.tend(ctx, by)
		p.track(ctx)
		p.responses(ctx)
		sent := p.sendDue(ctx, by)
		if sent == courierBatch {
			continue
		}
		if !pause(ctx, p.cfg.Idle, p.Store.WakeCourier()) {
			return
		}
	}
}

// closeWindows plans one notification for each authority whose oldest notice is older than its window.
func (p *Pipeline) closeWindows(ctx context.Context) {
	oldest, err := p.Store.OldestNotice(ctx)
	if err != nil {
		p.complain(ctx, "cannot read notices, will try again", err)
		return
	}
	for la, since := range oldest {
		route, ok := p.Routes.responsible(la)
		if !ok {
			p.Log.Error("an authority with notices has no route: nobody can tell it", "step", "notify", "la", la)
			continue
		}
		if p.Now().Sub(since) < route.Window && !route.Party.Urgent && !teeth.Bite("window-ignored") {
			continue
		}
		var n int
		err := p.Store.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = notify.Gather(tx, route.Party)
			return err
		})
		if err != nil {
			p.complain(ctx, "cannot plan a notification, will try again", err)
			continue
		}
		p.Log.Info("notification planned", "step", "notify", "la", la, "accesses", n)
	}
}

func (p *Pipeline) sendDue(ctx context.Context, by store.Lease) int {
	due, err := p.Store.DueEffects(ctx, courierBatch)
	if err != nil {
		p.complain(ctx, "cannot read the ledger, will try again", err)
		return 0
	}
	for _, e := range due {
		if ctx.Err() != nil {
			return 0
		}
		p.Observer.Beat(courierWorker, stall)
		if err := p.deliver(ctx, e, by); err != nil {
			p.complain(ctx, "effect not recorded, will be looked up", err)
		}
	}
	return len(due)
}

// deliver brings one effect to its authority's mailbox, while ctx lasts: that is as long as the lease. An effect that was attempted before is looked up first: MESH does not recognise a
// message that is sent twice.
func (p *Pipeline) deliver(ctx context.Context, e store.Effect, by store.Lease) error {
	route, ok := p.Routes.responsible(e.Authority)
	if !ok {
		return p.Store.RetryEffect(ctx, e.ID, p.Now().Add(p.cfg.Retry.Max), e.State == store.Attempted, "the authority has no route")
	}
	if done, err := p.deliverByHook(ctx, e, by); done || err != nil {
		return err
	}
	box, _ := mailbox(p.Mailboxes, route.Mailbox) // New has checked that it is there
	began := p.Now()
	if e.State == store.Attempted && !teeth.Bite("attempt-not-looked-up") {
		switch found, err := box.TrackByLocalID(ctx, e.ID); {
		case err == nil:
			return p.sent(ctx, e, box, found.MessageID, began)
		case errors.Is(err, mesh.ErrNotUnique):
			return p.sent(ctx, e, box, "", began)
		case !errors.Is(err, mesh.ErrNotFound):
			return p.Store.RetryEffect(ctx, e.ID, p.later(e), true, err.Error())
		}
	}
	claimed, err := true, error(nil)
	if !teeth.Bite("effect-before-ledger") {
		claimed, err = p.Store.MarkAttempted(ctx, e, by)
	}
	if err != nil || !claimed || stands(ctx) != nil { // not ours any more: whoever has the lease now looks it up and sends it
		return err
	}
	body, err := e.Reader()
	if err != nil { // nothing was sent
		return errors.Join(err, p.Store.RetryEffect(context.WithoutCancel(ctx), e.ID, p.later(e), false, err.Error()))
	}
	defer body.Close()
	receipt, err := box.Send(ctx, p.letter(ctx, e, route, body))
	switch {
	case err == nil:
		return p.sent(ctx, e, box, receipt, began)
	case errors.Is(err, errLeaseOver): // nothing was sent, and whoever has the lease now looks it up and sends it
		return err
	case errors.Is(err, mesh.ErrRejected), errors.Is(err, mesh.ErrInvalid):
		p.Log.Error("message refused for good", "step", string(e.Kind), "la", e.Authority, "effect", e.ID, "error", err)
		p.Observer.Unsent(e, true)
		return p.Store.FailEffect(ctx, e.ID, err.Error())
	default:
		p.complain(ctx, "message not sent, will try again", err)
		p.Observer.Unsent(e, false)
		return p.Store.RetryEffect(context.WithoutCancel(ctx), e.ID, p.later(e), unsure(err), err.Error())
	}
}

// unsure reports whether the message may have been taken in spite of the error.
func unsure(err error) bool {
	return errors.Is(err, mesh.ErrOutcomeUnknown) && !teeth.Bite("unknown-is-undone") || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (p *Pipeline) sent(ctx context.Context, e store.Effect, box Mailbox, receipt string, began time.Time) error {
	if err := p.Store.MarkHanded(context.WithoutCancel(ctx), e.ID, receipt, p.firstAsk(e, box, receipt)); err != nil {
		return err
	}
	p.tellSent(ctx, e, began)
	p.Log.Info("message sent", "step", string(e.Kind), "la", e.Authority, "effect", e.ID, "mesh", receipt, "bytes", e.Size)
	return nil
}

// letter addresses an effect. File name and local id are the effect's id: they hold nothing personal.
func (p *Pipeline) letter(ctx context.Context, e store.Effect, r Route, body io.Reader) mesh.Outgoing {
	workflow := r.AcknowledgementWorkflow
	switch e.Kind {
	case store.Notification, store.EmptyNotification:
		workflow = r.NotificationWorkflow
	case store.NotProtected:
		workflow = r.NotProtectedWorkflow
	case store.PatternNotice:
		workflow = r.PatternWorkflow
	case store.InactiveNotice:
		workflow = r.InactiveWorkflow
	}
	extension, contentType := notify.Form(e.Kind, r.Party)
	return mesh.Outgoing{
		To: r.Sender, WorkflowID: workflow, LocalID: e.ID, FileName: e.ID + extension, ContentType: contentType,
		Subject: string(e.Kind), Body: body, Size: e.Size, Compress: r.Compress,
		Proceed: func() error { return stands(ctx) },
	}
}

func (p *Pipeline) later(e store.Effect) time.Time { return p.Now().Add(p.cfg.Retry.wait(e.Attempts)) }

func (p *Pipeline) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		p.Log.Error(what, "step", "courier", "error", err)
	}
}
