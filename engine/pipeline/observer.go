package pipeline

import (
	"context"
	"time"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/silence"
	"signalbox/engine/store"
)

// Observer is told what the pipeline does, for metrics, health and traces. Its methods are called from many goroutines and must return at
// once. They are told no personal data: mailbox ids, ODS codes, supplier names, counts, times and ids derived by hashing only.
type Observer interface {
	// Beat says that a worker goes on; unless it beats again within the given time, something holds it up.
	Beat(worker string, within time.Duration)
	// Rest says that a worker has ended because the pipeline drains.
	Rest(worker string)

	// Validated says that MESH has accepted the mailbox's handshake.
	Validated(mailbox string)
	// Elsewhere says that another process holds the mailbox's lease and polls it.
	Elsewhere(mailbox string)
	// Seen says that the mailbox listed a message; Acknowledged that the message was made durable and acknowledged.
	Seen(mailbox, meshID string)
	// Acknowledged ends what Seen began.
	Acknowledged(mailbox, meshID string)
	// Listed ends one round over a mailbox: err is the first thing that went wrong with the listing, failed counts messages left for the
	// next round.
	Listed(mailbox string, failed int, err error)

	// Intake says that a message became durable.
	Intake(Intake)
	// Translated counts the records of a message by outcome; Unrouted says that no route names the message.
	Translated(supplier string, counts map[engine.Outcome]int)
	// Unmapped counts the codes of a message that a code table of its supplier does not know.
	Unmapped(supplier, table string, n int)
	// Unrouted says that a message was kept aside because no route names it.
	Unrouted()
	// Traced counts the children of a file by what PDS makes of them; those that PDS was not asked about again are among them.
	Traced(counts map[engine.TraceOutcome]int)
	// TraceWaits says that a file waits because PDS has not answered about all of its children, or, where progress is false, about none of those
	// that it was asked about now.
	TraceWaits(progress bool)
	// Silence tells, in every round, what is made of each sender, and until when the calendar of bank holidays reaches; nil when this process
	// does not look any more.
	Silence(reports []silence.Report, calendar time.Time)
	// Published says that n events went to the stream, or why it is not known that they did.
	Published(k engine.Kind, n int, err error)
	// Handled says what became of an event that came from the stream.
	Handled(k engine.Kind, a engine.Action)
	// Reconciled says that n events without an outcome were made due again.
	Reconciled(n int64)

	// Sent says that MESH took an effect whose sending began at that time, and what it answers or tells of.
	Sent(e store.Effect, began time.Time, causes []store.Cause)
	// Unsent says that an effect was not sent: for good, or to be tried again.
	Unsent(e store.Effect, forGood bool)

	// Step opens one step in the trace of a message. The returned function ends it and is called once.
	Step(context.Context, Step) (context.Context, func(error))
}

// Way is how a message came in.
type Way string

// The ways in.
const (
	WayMESH   Way = "mesh"   // a file from a mailbox
	WayReport Way = "report" // a MESH report about a message of ours
	WayFHIR   Way = "fhir"   // a trust's FHIR message
	WayQuery  Way = "query"  // a trust's query, which is an access
)

// Intake is one message made durable.
type Intake struct {
	Way     Way
	Mailbox string // ours; empty for what came over FHIR
	Bytes   int
	Repeat  bool // it was durable already
}

// Step is one step of a message's way. The trace of a message is named by the message's id, so every process that handles one of its events
// derives the same trace from the event alone.
type Step struct {
	Name    string // one word of a fixed list: a metric label as well
	Message engine.MessageID
	Record  int       // position in the message; 0 for the whole
	First   bool      // the step that took the message in: all others are its children
	Began   time.Time // zero: now
	Mailbox string    // ours, where one is concerned
}

// Unobserved is the observer that looks away. Embed it to observe a part.
type Unobserved struct{}

// Beat does nothing.
func (Unobserved) Beat(string, time.Duration) {}

// Rest does nothing.
func (Unobserved) Rest(string) {}

// Validated does nothing.
func (Unobserved) Validated(string) {}

// Elsewhere does nothing.
func (Unobserved) Elsewhere(string) {}

// Seen does nothing.
func (Unobserved) Seen(string, string) {}

// Acknowledged does nothing.
func (Unobserved) Acknowledged(string, string) {}

// Listed does nothing.
func (Unobserved) Listed(string, int, error) {}

// Intake does nothing.
func (Unobserved) Intake(Intake) {}

// Translated does nothing.
func (Unobserved) Translated(string, map[engine.Outcome]int) {}

// Unmapped does nothing.
func (Unobserved) Unmapped(string, string, int) {}

// Unrouted does nothing.
func (Unobserved) Unrouted() {}

// Published does nothing.
func (Unobserved) Published(engine.Kind, int, error) {}

// Handled does nothing.
func (Unobserved) Handled(engine.Kind, engine.Action) {}

// Traced does nothing.
func (Unobserved) Traced(map[engine.TraceOutcome]int) {}

// TraceWaits does nothing.
func (Unobserved) TraceWaits(bool) {}

// Silence does nothing.
func (Unobserved) Silence([]silence.Report, time.Time) {}

// Reconciled does nothing.
func (Unobserved) Reconciled(int64) {}

// Sent does nothing.
func (Unobserved) Sent(store.Effect, time.Time, []store.Cause) {}

// Unsent does nothing.
func (Unobserved) Unsent(store.Effect, bool) {}

// Step does nothing.
func (Unobserved) Step(ctx context.Context, _ Step) (context.Context, func(error)) {
	return ctx, func(error) {}
}

var _ Observer = Unobserved{}

// stall is how long a worker may take over one piece of work: a file of the greatest size on a slow disk, a message to a slow MESH.
const stall = 5 * time.Minute

// The names of the workers, as health reports show them.
const (
	courierWorker   = "courier"
	reconcileWorker = "reconcile"
	retentionWorker = "retention"
)

func relayWorker(k engine.Kind) string      { return "relay " + string(k) }
func collectWorker(mailbox string) string   { return "collect " + mailbox }
func (p *Pipeline) patience() time.Duration { return p.cfg.Poll + stall } // of who waits for a collector

// stepOf names the step that handles a kind of event.
func stepOf(k engine.Kind) string {
	switch k {
	case engine.KindMessage:
		return "translate"
	case engine.KindFlag, engine.KindNumberInactive:
		return "apply"
	case engine.KindAccess, engine.KindPattern:
		return "tell"
	case engine.KindFileDone:
		return "reply"
	}
	return "handle"
}

// tellSent reports an effect that MESH has taken, with what caused it: the file that an acknowledgement answers, or the accesses that a
// notification tells of.
func (p *Pipeline) tellSent(ctx context.Context, e store.Effect, began time.Time) {
	if m, ok := notify.Answers(e.ID); ok {
		p.Observer.Sent(e, began, []store.Cause{{Message: m}})
		return
	}
	causes, err := p.Store.Causes(ctx, e.ID)
	if err != nil {
		p.complain(ctx, "cannot read what a notification tells of: its delay is not measured", err)
	}
	p.Observer.Sent(e, began, causes)
}
