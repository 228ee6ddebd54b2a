package pipeline

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
	"signalbox/mesh"
	"signalbox/mesh/folder"
)

// handshakeEvery is how often a mailbox is validated: MESH asks for once in 24 hours.
const handshakeEvery = 24 * time.Hour

// collect polls one of our mailboxes: list, download, make durable, and only then acknowledge (promise 1).
func (p *Pipeline) collect(ctx context.Context, box Mailbox) {
	log := p.Log.With("step", "collect", "mailbox", box.MailboxID())
	var validated time.Time
	failed := map[string]int{} // rounds that each message has failed in
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
		if !pause(ctx, p.collectRound(ctx, box, failed, log), nil) {
			return
		}
	}
}

// passOver is the number of rounds after which a message that cannot be collected holds up the others no longer: about a minute.
const passOver = 6

// collectRound takes what waits, oldest first, and returns how long to wait for the next round. An authority's later file wins over its
// earlier one, so files must not overtake each other: trouble on the way ends the round, and the next begins with the same message, soon. A
// message that is itself the trouble stays in the inbox and is passed over at once; one that fails in many rounds is passed over then.
func (p *Pipeline) collectRound(ctx context.Context, box Mailbox, failed map[string]int, log *slog.Logger) time.Duration {
	missed, listing := 0, error(nil)
	defer func() { p.Observer.Listed(box.MailboxID(), missed, errors.Join(listing, ctx.Err())) }()
	for id, err := range box.List(ctx, mesh.ListOptions{}) {
		if listing = err; err == nil {
			err = p.collectSeen(ctx, box, id)
		}
		if err == nil || ctx.Err() != nil {
			delete(failed, id)
			continue
		}
		if id != "" {
			missed++
		}
		log.Error("message not collected, will try again", "message", id, "error", err)
		if teeth.Bite("poison-blocks-mailbox") {
			return p.every(box)
		}
		if id == "" || atFault(err) {
			continue
		}
		if engine.KindOf(err) != engine.Unavailable || teeth.Bite("full-disk-blames-files") { // while our own record is away, no message is to blame
			failed[id]++
		}
		if failed[id] < passOver {
			return p.cfg.Retry.wait(failed[id])
		}
	}
	return p.every(box)
}

// atFault reports whether it is the message that cannot be collected, whatever the state of the line and the record.
func atFault(err error) bool {
	if teeth.Bite("files-overtake") {
		return true
	}
	for _, kind := range []mesh.Kind{mesh.ErrProtocol, mesh.ErrTooLarge, mesh.ErrGone, mesh.ErrNotFound, mesh.ErrRejected, mesh.ErrInvalid} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// every is the time between two rounds. A folder says its own, because the service's etiquette does not bind it.
func (p *Pipeline) every(box Mailbox) time.Duration {
	if near, ok := box.(interface{ Every() time.Duration }); ok {
		return near.Every()
	}
	return p.cfg.Poll
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
	if teeth.Bite("acknowledge-before-intake") {
		_ = box.Acknowledge(ctx, id)
	}
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
	var body bytes.Buffer // it doubles as it grows: a large file is copied less often than io.ReadAll would
	if _, err := body.ReadFrom(in); err != nil {
		return err
	}
	m := p.arrived(box, id, in.Header)
	m.Body = body.Bytes()
	fresh, err := p.Store.Intake(ctx, m)
	if err != nil {
		return err
	}
	p.Observer.Intake(Intake{Way: WayMESH, Mailbox: box.MailboxID(), Bytes: len(m.Body), Repeat: !fresh})
	p.Log.Info("file collected", "step", "collect", "source", m.Source, "message", m.ID, "mesh", id, "bytes", len(m.Body), "repeat", !fresh)
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
	return p.undelivered(ctx, h.LinkedMessageID, h.StatusCode)
}

func (p *Pipeline) arrived(box Mailbox, id string, h mesh.Header) engine.Message {
	source := MeshSource(box.MailboxID(), h.From)
	if teeth.Bite("message-id-holds-time") {
		id += p.Now().String()
	}
	return engine.Message{
		ID: engine.NewMessageID(source, id), Source: source, Upstream: id, From: h.From, WorkflowID: h.WorkflowID,
		LocalID: h.LocalID, FileName: h.FileName, Received: p.Now(),
	}
}

var (
	_ Mailbox = (*mesh.Client)(nil)
	_ Mailbox = (*folder.Box)(nil)
)

// errNoRoute is the reason of a message that no route names.
var errNoRoute = &engine.Error{Op: "route", Kind: engine.Unmapped, Rule: engine.RuleNoRoute,
	Text: "no route is configured for this mailbox, sender and workflow: add one to the configuration and replay the message"}
