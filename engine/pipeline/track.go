package pipeline

import (
	"context"
	"errors"
	"time"

	"signalbox/engine/store"
	"signalbox/mesh"
)

// tracker is a mailbox that can say what became of a message after it was sent. The folders of another MESH client cannot: SENT says that
// MESH has the message, and nothing says that the receiver took it.
type tracker interface {
	Track(ctx context.Context, messageID string) (mesh.Tracking, error)
}

var _ tracker = (*mesh.Client)(nil)

// firstAsk returns when MESH is asked for the first time what became of an effect; zero where it cannot be asked, and for what need not
// arrive: the next empty notification says more than the last.
func (p *Pipeline) firstAsk(e store.Effect, box Mailbox, receipt string) time.Time {
	if _, ok := box.(tracker); !ok || receipt == "" || e.Kind == store.EmptyNotification {
		return time.Time{}
	}
	return p.Now().Add(p.cfg.Track)
}

// track asks what became of sent effects, until their receivers have taken them: MESH wants to be asked sparingly, so the wait between two
// questions grows with the age of the message.
func (p *Pipeline) track(ctx context.Context) {
	due, err := p.Store.DueDeliveries(ctx, courierBatch)
	if err != nil {
		p.complain(ctx, "cannot read deliveries, will try again", err)
		return
	}
	for _, d := range due {
		if ctx.Err() != nil {
			return
		}
		p.Observer.Beat(courierWorker, stall)
		if err := p.trackOne(ctx, d); err != nil {
			p.complain(ctx, "delivery not recorded, will be asked again", err)
			return
		}
	}
}

func (p *Pipeline) trackOne(ctx context.Context, d store.Delivery) error {
	route, _ := p.Routes.responsible(d.Authority)
	box, _ := mailbox(p.Mailboxes, route.Mailbox)
	from, ok := box.(tracker)
	if !ok { // the authority's route has changed: nobody can be asked any more
		return p.Store.AskAgain(ctx, d.ID, time.Time{})
	}
	t, err := from.Track(ctx, d.Receipt)
	switch {
	case errors.Is(err, mesh.ErrNotFound): // MESH forgets after 30 days
		return p.Store.AskAgain(ctx, d.ID, time.Time{})
	case err != nil:
		p.complain(ctx, "cannot ask what became of a message, will try again", err)
	case t.Status == mesh.Acknowledged:
		p.Log.Info("message collected", "step", string(d.Kind), "la", d.Authority, "effect", d.ID, "mesh", d.Receipt)
		return p.Store.MarkCollected(ctx, d.ID, p.Now())
	case t.Status == mesh.Undeliverable, t.Status == mesh.Failed:
		return p.undelivered(ctx, d.Receipt, t.StatusCode)
	}
	if err := p.alarm(ctx, d); err != nil {
		return err
	}
	return p.Store.AskAgain(ctx, d.ID, p.Now().Add(min(max(p.Now().Sub(d.Sent), p.cfg.Track), p.cfg.TrackMost)))
}

// alarm says once that an authority does not collect what it is told.
func (p *Pipeline) alarm(ctx context.Context, d store.Delivery) error {
	if waited := p.Now().Sub(d.Since); waited >= p.cfg.Uncollected && d.Alarmed.IsZero() {
		first, err := p.Store.MarkAlarmed(ctx, d.ID)
		if err != nil || !first {
			return err
		}
		p.Log.Error("message not collected, the authority does not read its mailbox", "step", string(d.Kind), "la", d.Authority, "effect", d.ID,
			"mesh", d.Receipt, "duration", waited.Round(time.Hour))
	}
	return nil
}

// codeUndelivered is the status code of a message that its receiver did not collect in time (MESH API specification: 14).
const codeUndelivered = "14"

// undelivered takes it that MESH has given up a message of ours. A notification that was not collected is told again, because an access that
// nobody is told of would be lost; anything else, and any other reason, waits for a person.
func (p *Pipeline) undelivered(ctx context.Context, receipt, code string) error {
	reason := "MESH report, status code " + code
	if code == codeUndelivered {
		next, err := p.Store.Reopen(ctx, receipt, reason)
		if err != nil {
			return err
		}
		if next != "" {
			p.Log.Warn("notification not collected in time, it is told again", "step", "collect", "mesh", receipt, "effect", next, "code", code)
			return nil
		}
	}
	ours, err := p.Store.FailReceipt(ctx, receipt, reason)
	p.Log.Warn("a message was not delivered", "step", "collect", "mesh", receipt, "code", code, "ours", ours)
	return err
}
