package observe

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"signalbox/engine"
	"signalbox/engine/pipeline"
	"signalbox/engine/store"
)

// Bounds of a trace: a file of a hundred thousand records must not make as many spans.
const (
	maxRecords = 100 // the first records of a message have spans of their own; the step that translates counts them all
	maxCauses  = 32  // one sending appears in the traces of so many messages
)

// traces makes one trace a message. Trace and root span are named by the message's id, which every event carries: whoever handles an event,
// in whatever process, after whatever restart, derives the same trace from it. Nothing is passed on beside the event.
type traces struct {
	provider *sdktrace.TracerProvider // nil: off
	tracer   trace.Tracer
}

func newTraces(cfg Config, now func() time.Time, log *slog.Logger, failures prometheus.Counter) (*traces, error) {
	next, err := cfg.Traces.exporter()
	if err != nil || next == nil {
		return &traces{}, err
	}
	version := cfg.Version
	if version == "" {
		version = "unknown"
	}
	exporter := &patient{next: next, log: log, failures: failures, now: now}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithIDGenerator(names{}),
		// The decision depends on the trace's name alone, so every process takes the same one.
		sdktrace.WithSampler(sdktrace.TraceIDRatioBased(cfg.Traces.Sample)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "signalbox"), attribute.String("service.version", version))),
	)
	return &traces{provider: provider, tracer: provider.Tracer("signalbox/engine")}, nil
}

// close sends what is left.
func (t *traces) close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// SpanContext returns the trace of a message and its root span, and whether the id can name one. The trace id is the message id itself, 32
// hexadecimal digits; the root's span id is the first eight bytes of SHA-256 over "signalbox root span", a zero byte and the message id.
func SpanContext(m engine.MessageID) (trace.SpanContext, bool) {
	var id trace.TraceID
	if len(m) != 2*len(id) {
		return trace.SpanContext{}, false
	}
	if _, err := hex.Decode(id[:], []byte(m)); err != nil {
		return trace.SpanContext{}, false
	}
	sum := sha256.Sum256([]byte("signalbox root span\x00" + string(m)))
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID(sum[:8]), TraceFlags: trace.FlagsSampled, Remote: true})
	return sc, sc.IsValid()
}

// step opens a span: the root of the message's trace, or a child of it.
func (t *traces) step(ctx context.Context, s pipeline.Step) (context.Context, func(time.Time, error)) {
	if t.provider == nil || s.Record > maxRecords {
		return ctx, func(time.Time, error) {}
	}
	root, ok := SpanContext(s.Message)
	if !ok {
		return ctx, func(time.Time, error) {}
	}
	options := []trace.SpanStartOption{trace.WithTimestamp(s.Began), trace.WithAttributes(about(s)...)}
	if s.First {
		ctx = context.WithValue(ctx, rootKey{}, root)
		options = append(options, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer))
	} else {
		ctx = trace.ContextWithRemoteSpanContext(ctx, root)
		options = append(options, trace.WithSpanKind(trace.SpanKindConsumer))
	}
	ctx, span := t.tracer.Start(ctx, s.Name, options...)
	return ctx, func(at time.Time, err error) {
		fail(span, err)
		span.End(trace.WithTimestamp(at))
	}
}

func about(s pipeline.Step) []attribute.KeyValue {
	out := []attribute.KeyValue{attribute.String("signalbox.message", string(s.Message))}
	if s.Record > 0 {
		out = append(out, attribute.Int("signalbox.record", s.Record))
	}
	if s.Mailbox != "" {
		out = append(out, attribute.String("signalbox.mailbox", s.Mailbox))
	}
	return out
}

// fail notes the kind of an error. Its text stays out: a span is read by more people than the log is.
func fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	kind := engine.KindOf(err).String()
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, kind)
}

// sent puts the sending of an effect into the trace of each message that it answers or tells of, all linked to the first.
func (t *traces) sent(e store.Effect, began, ended time.Time, causes []store.Cause) {
	if t.provider == nil {
		return
	}
	var first trace.SpanContext
	told := map[engine.MessageID]bool{}
	for _, c := range causes {
		root, ok := SpanContext(c.Message)
		if !ok || told[c.Message] || len(told) == maxCauses {
			continue
		}
		told[c.Message] = true
		options := []trace.SpanStartOption{
			trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
				attribute.String("signalbox.message", string(c.Message)), attribute.String("signalbox.effect", string(e.Kind)),
				attribute.String("signalbox.la", e.Authority), attribute.Int("signalbox.causes", len(causes)), attribute.Int("signalbox.attempt", e.Attempts+1)),
		}
		if first.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: first}))
		}
		_, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), root), "send", options...)
		span.End(trace.WithTimestamp(ended))
		if !first.IsValid() {
			first = span.SpanContext()
		}
	}
}

type rootKey struct{}

// names gives a root span the name that its message has, and every other span a random one.
type names struct{}

// NewIDs names a root span.
func (n names) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if root, ok := ctx.Value(rootKey{}).(trace.SpanContext); ok {
		return root.TraceID(), root.SpanID()
	}
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()|1) // never all zero
	return id, n.NewSpanID(ctx, id)
}

// NewSpanID names a child.
func (names) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var id trace.SpanID
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}
