// Package pipeline is the main job from end to end: intake, translate, apply, reply, answer, notify. Its step files carry the numbers of the
// six steps that the README draws; the other files are the plumbing between them.
//
//	step1_collect.go    an LA's file is collected from MESH and made durable before it is acknowledged
//	step2_translate.go  adapter and mapping turn each record into a flag event, or into a fault with its reason
//	step2_trace.go      PDS is asked whether each child of a file is the one who has that NHS number
//	step2_seek.go       PDS is asked for the child of a record that has no NHS number; a person has to confirm what it finds
//	step2_apply.go      flag events change the register
//	step3_reply.go      the LA is told which records stand, which do not, and why
//	step4_ask.go        a trust asks about a child: the access is durable before the answer leaves
//	step5_notify.go     the responsible LAs are told of each unscheduled access
//	step5_pattern.go    the LA is told of a child who was seen across boundaries
//	step6_receive.go    a trust's FHIR message has the same effect, by the same road as a file
//
//	alone.go            what one process does at a time, when several share a record: leases
//	router.go           events from the stream to their handlers, verdicts back to the store
//	relay.go            due events from the store to the stream, and again when they have no outcome
//	bundle.go           many flags in one message, where the stream is within the process
//	share.go            one transaction for handlers that run beside each other; how many files are in memory at once
//	retention.go        raw messages that are old and that nothing needs are removed, where the policy says so
//	silence.go          who should have been heard by now, and was not
//	courier.go          planned effects from the ledger to MESH
//	subscribers.go      notifications from the ledger to who has subscribed to them
//	routes.go           which mapping and which authority a message belongs to
//	observer.go         what metrics, health and traces are told
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"signalbox/engine"
	"signalbox/engine/hook"
	"signalbox/engine/pattern"
	"signalbox/engine/register"
	"signalbox/engine/silence"
	"signalbox/engine/store"
	"signalbox/engine/stream"
	"signalbox/fhir/api/subscription"
	"signalbox/mesh"
)

// Mapping turns a raw message into canonical events. *mappings.Mapping is one.
type Mapping interface {
	// Digest names the mapping folder's contents; every event carries it.
	Digest() string
	// Archive returns the folder, so that it can be kept under its digest.
	Archive() []byte
	// Translate yields one outcome a record, in order, the same for the same bytes for ever. It is given the message with its Body, or, where the
	// mapping has a method Streams() bool that says true, perhaps with Open set in its place.
	Translate(engine.Message) iter.Seq[engine.Translated]
}

// Mailbox is what the pipeline asks of a MESH mailbox. *mesh.Client is one.
type Mailbox interface {
	MailboxID() string
	Handshake(ctx context.Context) error
	List(ctx context.Context, o mesh.ListOptions) iter.Seq2[string, error]
	Get(ctx context.Context, messageID string) (*mesh.Incoming, error)
	Acknowledge(ctx context.Context, messageID string) error
	Send(ctx context.Context, m mesh.Outgoing) (string, error)
	TrackByLocalID(ctx context.Context, localID string) (mesh.Tracking, error)
}

// Config holds the pipeline's rhythm and bounds.
type Config struct {
	Poll        time.Duration // between two listings of a mailbox; MESH asks for about 5 minutes
	MaxMessage  int64         // bytes of one file, decompressed; a larger one is left in the inbox and reported
	Batch       int           // events published at once
	Window      int           // events of a kind on the stream without an outcome, at most
	Reconcile   time.Duration // an event on the stream without an outcome for so long is published again
	Idle        time.Duration // relay and courier look so often for what the time alone has made due
	Lease       time.Duration // polling, relay and courier pass to another process so long after the one that did them has died
	RetainRaw   time.Duration // raw messages are removed after so long, once nothing needs them; 0: never
	Track       time.Duration // after its sending MESH is asked what became of a message; each further wait is as long as the message is old
	TrackMost   time.Duration // the longest such wait
	Uncollected time.Duration // an authority that has not collected a message for so long is reported
	HookTries   int           // posts to a subscriber that come to nothing one after the other, after which its subscription is in error
	Retry       Retry
	Trace       Trace
}

// Retry is the schedule of attempts: the wait doubles from Base to Max, and after Attempts the event goes into quarantine. Jitter is the
// share of each wait that is left to chance, so that what failed together does not come back together.
type Retry struct {
	Base, Max time.Duration
	Jitter    float64 // 0 to 1
	Attempts  int
}

// Default returns the settings for production.
func Default() Config {
	return Config{
		Poll: 5 * time.Minute, MaxMessage: 64 << 20, Batch: 1000, Window: 20_000, Reconcile: time.Minute, Idle: 250 * time.Millisecond, Lease: 15 * time.Second, HookTries: 8,
		Track: 15 * time.Minute, TrackMost: 6 * time.Hour, Uncollected: 4 * 24 * time.Hour,
		Retry: Retry{Base: time.Second, Max: 10 * time.Minute, Jitter: 0.5, Attempts: 20},
		Trace: DefaultTrace(),
	}
}

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	for name, ok := range map[string]bool{
		"poll": c.Poll > 0, "maxMessage": c.MaxMessage > 0, "batch": c.Batch > 0, "window": c.Window >= c.Batch, "reconcile": c.Reconcile > 0, "idle": c.Idle > 0 && c.Idle < stall, "lease": c.Lease >= time.Millisecond, "retainRaw": c.RetainRaw >= 0, "trace": c.Trace.valid(), "hookTries": c.HookTries > 0,
		"track": c.Track > 0 && c.TrackMost >= c.Track && c.Uncollected > 0,
		"retry": c.Retry.Base > 0 && c.Retry.Max >= c.Retry.Base && c.Retry.Attempts > 0 && c.Retry.Jitter >= 0 && c.Retry.Jitter <= 1,
	} {
		if !ok {
			errs = append(errs, fmt.Errorf("pipeline.%s: is out of range", name))
		}
	}
	return errors.Join(errs...)
}

// wait returns how long to wait after so many attempts: at most Max, at least what Jitter leaves of it.
func (r Retry) wait(attempts int) time.Duration {
	d := r.Base
	for i := 0; i < attempts && d < r.Max; i++ {
		d *= 2
	}
	d = min(d, r.Max)
	return d - time.Duration(rand.Float64()*r.Jitter*float64(d))
}

// Rooms are what the pipeline connects.
type Rooms struct {
	Store     *store.Store
	Register  *register.Register
	Transport stream.Transport
	Routes    *Routes
	Mailboxes []Mailbox
	Owner     string           // this process's name in leases, needed where the store is shared; no other running process has it
	Now       func() time.Time // the record's clock, which all processes have in common
	Log       *slog.Logger
	Observer  Observer       // nil: nobody looks
	Hooks     Hooks          // nil: nobody can subscribe
	Tracer    engine.Tracer  // asks PDS about each child that an authority sends; nil: nobody is asked
	Seeker    engine.Seeker  // looks in PDS for who has no NHS number; nil: nobody is looked for
	Patterns  *pattern.Watch // looks for children who are seen across boundaries; nil: nobody looks
	// TraceRules names the comparison that Tracer makes: an answer that was made by other rules is not used again.
	TraceRules string
	Watcher    *silence.Watcher // knows who should have been heard; nil: nobody is listened for
	Answer     Answer           // writes what senders of messages are answered; nil: nobody can have it posted
	// Notifications writes what subscribers are told.
	Notifications subscription.Writer
}

// Hooks posts a notification to a subscriber. *hook.Poster is one; its errors say what is known of a post that failed.
type Hooks interface {
	Post(ctx context.Context, n hook.Post) error
}

// Pipeline runs the main job until it is told to stop.
type Pipeline struct {
	Rooms
	cfg        Config
	relaying   relaying
	translated waiting   // callers that wait for what becomes of a message
	files      gate      // files that are translated or answered
	shared     sharing   // transactions of flag events
	settled    settled   // events that were done while the relay waited
	forgot     time.Time // when the courier last had old answers of PDS forgotten
}

// New returns a pipeline over the rooms. Nothing runs before Run.
func New(cfg Config, rooms Rooms) (*Pipeline, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if rooms.Owner == "" {
		if rooms.Store.Shared() {
			return nil, errors.New("pipeline: the process has no name to hold leases under")
		}
		rooms.Owner = "engine"
	}
	for _, r := range rooms.Routes.current.Load().senders {
		if _, ok := mailbox(rooms.Mailboxes, r.Mailbox); !ok {
			return nil, fmt.Errorf("route %s: no mailbox of ours has the configured id", r.Name)
		}
	}
	if rooms.Observer == nil {
		rooms.Observer = Unobserved{}
	}
	return &Pipeline{Rooms: rooms, cfg: cfg, files: newGate()}, nil
}

// Run works until ctx ends, then drains: what was taken from the stream is finished, what was not stays in the store. ready is called once
// events flow. The error is nil after a drain that ctx asked for.
func (p *Pipeline) Run(ctx context.Context, ready func()) error {
	if err := p.keepMappings(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	router, err := p.router(stop)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	// The router outlives ctx, so that handlers can finish: it is closed after everything that feeds it has stopped.
	routed := make(chan error, 1)
	go func() { routed <- router.Run(context.WithoutCancel(ctx)) }()
	select {
	case <-router.Running():
	case err := <-routed:
		return fmt.Errorf("router did not start: %w", err)
	}
	for name, work := range p.tasks() {
		running.Go(func() { p.alone(ctx, name, work) })
	}
	ready()
	select {
	case <-ctx.Done():
	case err := <-routed:
		stop(fmt.Errorf("router stopped by itself: %w", errors.Join(err, io.ErrUnexpectedEOF)))
		routed <- nil
	}
	running.Wait()
	err = errors.Join(router.Close(), <-routed)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// keepMappings stores every mapping folder in use under its digest: an event must be derivable for as long as it is kept.
func (p *Pipeline) keepMappings(ctx context.Context) error {
	for name, m := range p.Routes.mappings() {
		if err := p.Store.KeepMapping(ctx, m.Digest(), name, m.Archive()); err != nil {
			return err
		}
	}
	return nil
}

// Replace takes another mapping for a supplier from now on. It is kept under its digest before any event can carry that; what is being translated goes on
// with the mapping that it began with.
func (p *Pipeline) Replace(ctx context.Context, supplier string, m Mapping) error {
	if err := p.Store.KeepMapping(ctx, m.Digest(), supplier, m.Archive()); err != nil {
		return err
	}
	if !p.Routes.Replace(supplier, m) {
		return fmt.Errorf("replace the mapping of %s: no route names it", supplier)
	}
	return nil
}

func mailbox(all []Mailbox, id string) (Mailbox, bool) {
	for _, m := range all {
		if m.MailboxID() == id {
			return m, true
		}
	}
	return nil, false
}

// pause waits for d, or for a wake-up, or for the end of ctx; it reports whether to go on.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-t.C:
	}
	return ctx.Err() == nil
}
