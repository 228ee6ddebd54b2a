package pipeline

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
	"signalbox/mesh"
	"signalbox/mesh/folder"
)

// collect polls one of our mailboxes until ctx ends: list, download, make durable, and only then acknowledge (promise 1). The poller keeps
// MESH's etiquette; what is ours is the order.
func (p *Pipeline) collect(ctx context.Context, box Mailbox) {
	log := p.Log.With("step", "collect", "mailbox", box.MailboxID())
	poller := p.poller(box)
	failed := map[string]int{} // rounds that each message has failed in
	poller.Take = func(ctx context.Context, id string) error { return p.take(ctx, box, id, failed) }
	poller.Failed = func(op, id string, err error) { complainOf(log, op, id, err) }
	listed, polled := poller.Listed, p.polled(ctx, box.MailboxID())
	poller.Listed = func(missed int, err error) {
		if listed(missed, err); err == nil {
			polled()
		}
	}
	if err := poller.Run(ctx); err != nil {
		log.Error("mailbox cannot be polled", "error", err)
	}
}

// poller has the rhythm of the configuration and tells the observer.
func (p *Pipeline) poller(box Mailbox) mesh.Poller {
	every, worker := p.every(box), collectWorker(box.MailboxID())
	poller := mesh.DefaultPoller()
	// What MESH asks of a client of five minutes, in the proportions of ours: 150 mailboxes do not begin at once.
	poller.Spread = min(poller.Spread, every/10)
	poller.Every, poller.MaxEvery = every, 3*every
	poller.Box = box
	poller.Resting = func(wait time.Duration) { p.Observer.Beat(worker, max(p.patience(), wait+stall)) }
	poller.Validated = func() { p.Observer.Validated(box.MailboxID()) }
	poller.Listed = func(missed int, err error) { p.Observer.Listed(box.MailboxID(), missed, err) }
	return poller
}

func complainOf(log *slog.Logger, op, id string, err error) {
	switch op {
	case "handshake":
		log.Error("mailbox cannot be validated, will try again", "error", err)
	case "list":
		log.Error("mailbox cannot be listed, will try again", "error", err)
	default:
		log.Error("message not collected, will try again", "message", id, "error", err)
	}
}

// passOver is the number of rounds after which a message that cannot be collected holds up the others no longer: about a minute.
const passOver = 6

// take collects one message, oldest first. An authority's later file wins over its earlier one, so files must not overtake each other:
// trouble on the way holds the round, and the next begins with the same message, soon. A message that is itself the trouble stays in the
// inbox and is passed over at once; one that fails in many rounds is passed over then.
func (p *Pipeline) take(ctx context.Context, box Mailbox, id string, failed map[string]int) error {
	err := p.collectSeen(ctx, box, id)
	if err == nil || ctx.Err() != nil {
		delete(failed, id)
		return err
	}
	if teeth.Bite("poison-blocks-mailbox") {
		return &mesh.Held{After: p.every(box), Err: err}
	}
	if atFault(err) {
		return passed{err}
	}
	if engine.KindOf(err) != engine.Unavailable || teeth.Bite("full-disk-blames-files") { // while our own record is away, no message is to blame
		failed[id]++
	}
	if failed[id] < passOver {
		return &mesh.Held{After: p.cfg.Retry.wait(failed[id]), Err: err}
	}
	return passed{err}
}

// passed is the failure of a message that holds up no other. The poller must not see what is in it, for it would end the round when the
// service was busy with this message.
type passed struct{ error }

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
	spool := p.Store.NewSpool(ctx)
	_, err := io.Copy(spool, in)
	var fresh bool
	m := p.arrived(box, id, in.Header)
	if err == nil {
		fresh, err = p.Store.IntakeSpool(ctx, m, spool)
	}
	if err != nil {
		spool.Discard()
		return err
	}
	p.Observer.Intake(Intake{Way: WayMESH, Mailbox: box.MailboxID(), Bytes: int(spool.Size()), Repeat: !fresh})
	p.Log.Info("file collected", "step", "collect", "source", m.Source, "message", m.ID, "mesh", id, "bytes", spool.Size(), "repeat", !fresh)
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
