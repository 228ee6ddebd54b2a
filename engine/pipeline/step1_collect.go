package pipeline

import (
	"context"
	"errors"
	"io"
	"time"

	"signalbox/engine"
	"signalbox/mesh"
)

// handshakeEvery is how often a mailbox is validated: MESH asks for once in 24 hours.
const handshakeEvery = 24 * time.Hour

// collect polls one of our mailboxes: list, download, make durable, and only then acknowledge (promise 1).
func (p *Pipeline) collect(ctx context.Context, box Mailbox) {
	log := p.Log.With("step", "collect", "mailbox", box.MailboxID())
	var validated time.Time
	for {
		p.Observer.Beat(collectWorker(box.MailboxID()), p.patience())
		if now := p.Now(); now.Sub(validated) >= handshakeEvery {
			if err := box.Handshake(ctx); err == nil {
				validated = now
				p.Observer.Validated(box.MailboxID())
			} else if ctx.Err() == nil {
				log.Error("mailbox cannot be validated, will try again", "error", err)
			}
		}
		failed, listing := 0, error(nil)
		for id, err := range box.List(ctx, mesh.ListOptions{}) {
			if err != nil {
				listing = err
			} else if err = p.collectSeen(ctx, box, id); err != nil {
				failed++
			}
			// One message that cannot be collected must not block the others: it stays in the inbox for the next round.
			if err != nil && ctx.Err() == nil {
				log.Error("message not collected, will try again", "message", id, "error", err)
			}
		}
		p.Observer.Listed(box.MailboxID(), failed, errors.Join(listing, ctx.Err()))
		if !pause(ctx, p.cfg.Poll, nil) {
			return
		}
	}
}

// collectSeen collects one message under the observer's eyes.
func (p *Pipeline) collectSeen(ctx context.Context, box Mailbox, id string) error {
	p.Observer.Seen(box.MailboxID(), id)
	err := p.collectOne(ctx, box, id)
	if err == nil {
		p.Observer.Acknowledged(box.MailboxID(), id)
	}
	p.Observer.Beat(collectWorker(box.MailboxID()), p.patience())
	return err
}

func (p *Pipeline) collectOne(ctx context.Context, box Mailbox, id string) (err error) {
	began := p.Now()
	in, err := box.Get(ctx, id)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.Header.IsReport() {
		err = p.keepReport(ctx, box, id, in.Header)
	} else {
		var end func(error)
		ctx, end = p.Observer.Step(ctx, Step{Name: "collect", Message: p.arrived(box, id, in.Header).ID, First: true, Began: began, Mailbox: box.MailboxID()})
		defer func() { end(err) }()
		err = p.keepFile(ctx, box, id, in)
	}
	if err != nil {
		return err
	}
	return box.Acknowledge(ctx, id)
}

func (p *Pipeline) keepFile(ctx context.Context, box Mailbox, id string, in *mesh.Incoming) error {
	in.SetLimit(p.cfg.MaxMessage)
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	m := p.arrived(box, id, in.Header)
	m.Body = body
	fresh, err := p.Store.Intake(ctx, m)
	if err != nil {
		return err
	}
	p.Observer.Intake(Intake{Way: WayMESH, Mailbox: box.MailboxID(), Bytes: len(body), Repeat: !fresh})
	p.Log.Info("file collected", "step", "collect", "source", m.Source, "message", m.ID, "mesh", id, "bytes", len(body), "repeat", !fresh)
	return nil
}

// keepReport takes a REPORT: it has no body, and tells that a message of ours was not delivered.
func (p *Pipeline) keepReport(ctx context.Context, box Mailbox, id string, h mesh.Header) error {
	if err := p.Store.KeepReport(ctx, p.arrived(box, id, h)); err != nil {
		return err
	}
	p.Observer.Intake(Intake{Way: WayReport, Mailbox: box.MailboxID()})
	if h.LinkedMessageID == "" {
		p.Log.Warn("report about an unnamed message", "step", "collect", "mesh", id, "code", h.StatusCode)
		return nil
	}
	ours, err := p.Store.FailReceipt(ctx, h.LinkedMessageID, "MESH report, status code "+h.StatusCode)
	p.Log.Warn("a message was not delivered", "step", "collect", "mesh", h.LinkedMessageID, "code", h.StatusCode, "ours", ours)
	return err
}

func (p *Pipeline) arrived(box Mailbox, id string, h mesh.Header) engine.Message {
	source := MeshSource(box.MailboxID(), h.From)
	return engine.Message{
		ID: engine.NewMessageID(source, id), Source: source, Upstream: id, From: h.From, WorkflowID: h.WorkflowID,
		LocalID: h.LocalID, FileName: h.FileName, Received: p.Now(),
	}
}

var _ Mailbox = (*mesh.Client)(nil)

// errNoRoute is the reason of a message that no route names.
var errNoRoute = &engine.Error{Op: "route", Kind: engine.Unmapped, Rule: engine.RuleNoRoute,
	Text: "no route is configured for this mailbox, sender and workflow: add one to the configuration and replay the message"}
