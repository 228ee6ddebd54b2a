// Package observe tells operators how the engine does: Prometheus metrics on a registry of its own, health that says what is wrong, and one
// OpenTelemetry trace a message.
//
// Nothing personal enters: labels and attributes are names from the configuration (mailbox ids, ODS codes, suppliers), words of fixed lists,
// counts, times, and message ids, which are digests. Labels hold no id of a message or event, so the number of series is bounded by the
// configuration.
package observe

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/engine"
	"signalbox/engine/pipeline"
	"signalbox/engine/store"
	"signalbox/engine/stream"
)

// Config says what is observed and how.
type Config struct {
	Mailboxes []string      // ours: each has to be validated and listed before the engine is ready
	Poll      time.Duration // between two listings of a mailbox
	Version   string
	Traces    Traces

	CacheFor time.Duration // figures read from the record are kept for so long, whoever scrapes
	Within   time.Duration // how long one reading of the record, or one check, may take
}

// Default returns the settings for production, without mailboxes and without traces.
func Default() Config {
	return Config{Poll: 5 * time.Minute, CacheFor: 5 * time.Second, Within: 2 * time.Second, Traces: DefaultTraces()}
}

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.Poll <= 0 || c.CacheFor < 0 || c.Within <= 0 {
		errs = append(errs, errors.New("observe: poll, cacheFor or within is out of range"))
	}
	return errors.Join(append(errs, c.Traces.Validate())...)
}

// Record is what is asked of the store. *store.Store is one.
type Record interface {
	Stats(context.Context) (store.Stats, error)
	Pulse(context.Context) error
}

// Backlogs is a transport that knows what its consumer groups have not finished. *stream.Redis is one.
type Backlogs interface {
	Backlogs(ctx context.Context, topic string) ([]stream.Backlog, error)
}

// Observer is the pipeline's observer. It is safe for concurrent use.
type Observer struct {
	cfg     Config
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics
	health  *health
	traces  *traces

	listener *listener // who is silent
}

// New returns an observer. Bind gives it what it looks at; Close ends its exporter and must be called. The error is of the configuration or
// of the exporter's making; the exporter's endpoint need not answer yet.
func New(cfg Config, now func() time.Time, log *slog.Logger) (*Observer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o := &Observer{cfg: cfg, now: now, log: log.With("room", "observe")}
	o.metrics = newMetrics(cfg.Version)
	o.health = newHealth(cfg, now, o.log)
	o.listener = &listener{now: now}
	o.metrics.registry.MustRegister(o.listener)
	var err error
	o.traces, err = newTraces(cfg, now, o.log, o.metrics.exportFailures)
	return o, err
}

// Bind names what is looked at when somebody scrapes or asks: the record and the transport. It is called once, before Handler is served.
func (o *Observer) Bind(record Record, transport stream.Transport) {
	o.health.bind(record, transport)
	backlogs, _ := transport.(Backlogs)
	o.metrics.registry.MustRegister(newRecordCollector(o, record, backlogs), healthCollector{o.health})
}

// Registry returns the registry that holds every metric of the engine.
func (o *Observer) Registry() *prometheus.Registry { return o.metrics.registry }

// Committed counts the store's commits. It fits store.Config.Committed.
func (o *Observer) Committed(changes int, took time.Duration, err error) {
	if err != nil {
		o.metrics.commitFailures.Inc()
		return
	}
	o.metrics.commitDuration.Observe(took.Seconds())
	o.metrics.commitChanges.Observe(float64(changes))
}

// Started says that the engine takes messages in. Draining says that it no longer does.
func (o *Observer) Started() { o.health.setPhase(running) }

// Listening says whether the FHIR listener answers.
func (o *Observer) Listening(open bool) { o.health.setListening(open) }

// Draining says that the engine stops: it is not ready from now on.
func (o *Observer) Draining() { o.health.setPhase(draining) }

// Close sends what is left of the traces, waits for checks that still run, and ends the exporter. The store is closed before.
func (o *Observer) Close(ctx context.Context) error {
	o.health.pulse.wait()
	return o.traces.close(ctx)
}

// Beat notes that a worker goes on.
func (o *Observer) Beat(worker string, within time.Duration) { o.health.beat(worker, within) }

// Rest forgets a worker that has ended.
func (o *Observer) Rest(worker string) { o.health.rest(worker) }

// Validated notes a mailbox's handshake.
func (o *Observer) Validated(mailbox string) { o.health.validated(mailbox) }

// Elsewhere notes that another process polls the mailbox.
func (o *Observer) Elsewhere(mailbox string) { o.health.polledElsewhere(mailbox) }

// Seen notes a message in a mailbox's list.
func (o *Observer) Seen(mailbox, meshID string) { o.health.seen(mailbox, meshID) }

// Acknowledged notes that the message has left the mailbox.
func (o *Observer) Acknowledged(mailbox, meshID string) { o.health.acknowledged(mailbox, meshID) }

// Listed notes the end of a round over a mailbox.
func (o *Observer) Listed(mailbox string, failed int, err error) {
	o.health.listed(mailbox, err)
	result := "ok"
	if err != nil {
		result = "failed"
	}
	o.metrics.listings.WithLabelValues(mailbox, result).Inc()
	o.metrics.uncollected.WithLabelValues(mailbox).Add(float64(failed))
}

// Intake counts a message that became durable.
func (o *Observer) Intake(in pipeline.Intake) {
	if in.Repeat {
		o.metrics.repeats.WithLabelValues(string(in.Way), in.Mailbox).Inc()
		return
	}
	o.metrics.received.WithLabelValues(string(in.Way), in.Mailbox).Inc()
	o.metrics.receivedBytes.WithLabelValues(string(in.Way), in.Mailbox).Add(float64(in.Bytes))
}

// Translated counts a message's records.
func (o *Observer) Translated(supplier string, counts map[engine.Outcome]int) {
	for outcome, n := range counts {
		o.metrics.records.WithLabelValues(supplier, string(outcome)).Add(float64(n))
	}
}

// Unmapped counts codes that a code table does not know. Their values are in no label: a code may be anything that a sender wrote.
func (o *Observer) Unmapped(supplier, table string, n int) {
	o.metrics.unmapped.WithLabelValues(supplier, table).Add(float64(n))
}

// Reloaded counts a changed folder of a supplier that was taken into use, or refused: then the old mapping stays and /readyz says so.
func (o *Observer) Reloaded(supplier string, ok bool) {
	result := "loaded"
	if !ok {
		result = "refused"
	}
	o.metrics.reloads.WithLabelValues(supplier, result).Inc()
	o.refused(supplier, !ok)
}

// Unrefused says that the folder is again the one in use.
func (o *Observer) Unrefused(supplier string) { o.refused(supplier, false) }

func (o *Observer) refused(supplier string, refused bool) {
	value := 0.0
	if refused {
		value = 1
	}
	o.metrics.mappingRefused.WithLabelValues(supplier).Set(value)
	o.health.setRefused(supplier, refused)
}

// Unrouted counts a message without a route.
func (o *Observer) Unrouted() { o.metrics.unrouted.Inc() }

// Published counts events on their way to the stream.
func (o *Observer) Published(k engine.Kind, n int, err error) {
	if err != nil {
		o.metrics.publishFailures.WithLabelValues(pipeline.Topic(k)).Inc()
		return
	}
	o.metrics.published.WithLabelValues(pipeline.Topic(k)).Add(float64(n))
}

// Handled counts a verdict.
func (o *Observer) Handled(k engine.Kind, a engine.Action) {
	o.metrics.handled.WithLabelValues(pipeline.Topic(k), a.String()).Inc()
}

// Traced counts the children of a file by what PDS makes of them.
func (o *Observer) Traced(counts map[engine.TraceOutcome]int) {
	for outcome, n := range counts {
		o.metrics.traced.WithLabelValues(string(outcome)).Add(float64(n))
	}
}

// TraceWaits counts a file that waits for PDS.
func (o *Observer) TraceWaits(progress bool) {
	answers := "none"
	if progress {
		answers = "some"
	}
	o.metrics.traceWaits.WithLabelValues(answers).Inc()
}

// Reconciled counts events that are published again.
func (o *Observer) Reconciled(n int64) { o.metrics.reconciled.Add(float64(n)) }

// Sent counts an effect, measures how long its accesses waited, and puts the sending into the trace of each message that it concerns.
func (o *Observer) Sent(e store.Effect, began time.Time, causes []store.Cause) {
	now := o.now()
	o.metrics.effects.WithLabelValues(string(e.Kind), e.Authority, "sent").Inc()
	o.metrics.steps.WithLabelValues("send").Observe(now.Sub(began).Seconds())
	for _, c := range causes {
		if !c.Access.IsZero() {
			o.metrics.notificationDelay.Observe(max(0, now.Sub(c.Access).Seconds()))
		}
	}
	o.traces.sent(e, began, now, causes)
}

// Unsent counts an effect that was not sent.
func (o *Observer) Unsent(e store.Effect, forGood bool) {
	outcome := "retried"
	if forGood {
		outcome = "refused"
	}
	o.metrics.effects.WithLabelValues(string(e.Kind), e.Authority, outcome).Inc()
}

// Step measures one step and opens its span.
func (o *Observer) Step(ctx context.Context, s pipeline.Step) (context.Context, func(error)) {
	if s.Began.IsZero() {
		s.Began = o.now()
	}
	ctx, end := o.traces.step(ctx, s)
	return ctx, func(err error) {
		now := o.now()
		o.metrics.steps.WithLabelValues(s.Name).Observe(now.Sub(s.Began).Seconds())
		end(now, err)
	}
}

var _ pipeline.Observer = (*Observer)(nil)
