package pipeline

import (
	"context"

	"signalbox/engine"
	"signalbox/engine/hook"
	"signalbox/engine/store"
	"signalbox/fhir/api"
)

// A sender that does not wait may name an address to which the answer goes. The courier posts it once the message is translated, and again
// until it is taken: the same message has the same answer and the same request id, by which the sender tells a repeat.

// Respond keeps where the answer to a message goes.
func (p *Pipeline) Respond(ctx context.Context, client string, id engine.MessageID, endpoint string) error {
	return p.Store.KeepResponse(ctx, store.Response{Message: id, Client: client, Endpoint: endpoint})
}

// responses posts the answers that are due.
func (p *Pipeline) responses(ctx context.Context) {
	if p.Hooks == nil || p.Answer == nil {
		return
	}
	due, err := p.Store.DueResponses(ctx, courierBatch)
	if err != nil {
		p.complain(ctx, "cannot read answers that are due, will try again", err)
		return
	}
	for _, r := range due {
		if ctx.Err() != nil {
			return
		}
		p.Observer.Beat(courierWorker, stall)
		if err := p.respond(ctx, r); err != nil {
			p.complain(ctx, "answer not recorded, will be posted again", err)
		}
	}
}

func (p *Pipeline) respond(ctx context.Context, r store.Response) error {
	arrival, err := p.Store.Arrival(ctx, r.Message)
	if engine.KindOf(err) == engine.NotFound && err != nil {
		return p.Store.ResponseMissed(ctx, r.Message, "the message is no longer kept", p.Now(), true)
	}
	if err != nil {
		return err
	}
	out, err := p.Outcome(ctx, arrival.Message.Source, r.Message, 0)
	if err != nil || !out.Settled {
		return err
	}
	body, mediaType, err := p.Answer(arrival.Message, out)
	if err != nil {
		return p.Store.ResponseMissed(ctx, r.Message, "the answer could not be written", p.Now(), true)
	}
	why := p.Hooks.Post(ctx, hook.Post{Receiver: r.Client, Endpoint: r.Endpoint, RequestID: engine.NewUUID("response", string(r.Message)),
		MediaType: mediaType, Body: body})
	within := context.WithoutCancel(ctx)
	if why == nil {
		p.Log.Info("sender answered", "step", "courier", "message", r.Message, "failures", r.Attempts)
		return p.Store.ResponseDone(within, r.Message)
	}
	if ctx.Err() != nil { // we are stopping, or the lease is over: the sender is not to blame
		return nil
	}
	giveUp := r.Attempts+1 >= p.cfg.HookTries || engine.KindOf(why) == engine.Denied
	p.Log.Warn("sender not reached", "step", "courier", "message", r.Message, "failures", r.Attempts+1, "error", why)
	if giveUp {
		p.Log.Error("answer given up: its sender has to ask for it", "step", "courier", "message", r.Message)
	}
	return p.Store.ResponseMissed(within, r.Message, reasonOf(why), p.Now().Add(p.cfg.Retry.wait(r.Attempts)), giveUp)
}

// Answer writes the answer to a message, and says in which media type. api.AnswerTo is one.
type Answer func(m engine.Message, out api.Outcome) (body []byte, mediaType string, err error)
