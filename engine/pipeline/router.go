package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"signalbox/engine"
	"signalbox/engine/stream"
	"signalbox/internal/teeth"
)

// Group is the consumer group of the engine's own handlers. Other consumers of the topics use groups of their own.
const Group = "signalbox"

// attemptsMetadata says how often the event has come to nothing before.
const attemptsMetadata = "signalbox_attempts"

// drainTimeout is how long handlers have to finish when the engine stops.
const drainTimeout = 30 * time.Second

// Topic names the topic of a kind of event.
func Topic(k engine.Kind) string { return "signalbox." + string(k) }

// handler does the work of one event and says what shall become of it. It runs again with the same event after any crash, so what it does
// has to be in one transaction with its outcome.
type handler func(ctx context.Context, e engine.Envelope) engine.Verdict

func (p *Pipeline) handlers() map[engine.Kind]handler {
	return map[engine.Kind]handler{
		engine.KindMessage:        p.translate,
		engine.KindFlag:           p.applyFlag,
		engine.KindAccess:         p.tell,
		engine.KindNumberInactive: p.applyInactive,
		engine.KindFileDone:       p.reply,
		engine.KindPattern:        p.tellPattern,
	}
}

// router connects each topic to its handler. stop ends the engine when a handler's verdict is to stop.
func (p *Pipeline) router(stop context.CancelCauseFunc) (*message.Router, error) {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: drainTimeout}, quiet(p.Log))
	if err != nil {
		return nil, fmt.Errorf("router: %w", err)
	}
	sub, err := p.Transport.Subscriber(Group)
	if err != nil {
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	for kind := range p.handlers() {
		router.AddConsumerHandler(string(kind), Topic(kind), sub, func(m *message.Message) error {
			p.handle(m, kind, stop)
			return nil // never a nack: what is not done stays in the store without an outcome, and comes back
		})
	}
	return router, nil
}

// quiet is Watermill's log, one level down: its notes on handlers that start and stop are of no interest to an operator.
func quiet(log *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(log.With("room", "router"), map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
}

func (p *Pipeline) handle(m *message.Message, kind engine.Kind, stop context.CancelCauseFunc) {
	p.relaying.do(func() { p.Observer.Beat(relayWorker(kind), stall) }) // in process the relay waits for us: what we finish is its progress
	if m.Metadata.Get(bundleMetadata) != "" && p.bundles(kind) {
		p.handleBundle(m, kind, stop)
		return
	}
	if e, ok := p.read(m.Payload, kind); ok {
		attempts, _ := strconv.Atoi(m.Metadata.Get(attemptsMetadata))
		p.handleOne(m.Context(), e, attempts, stop)
	}
}

// read decodes an event. The store has the true copy of every event of ours; what cannot be read here is damage on the way, or a stranger.
func (p *Pipeline) read(payload []byte, kind engine.Kind) (engine.Envelope, bool) {
	e, err := engine.DecodeEnvelope(payload)
	if err != nil || e.Kind != kind {
		p.Log.Error("unreadable event on the stream, left to the reconciler", "topic", Topic(kind), "error", err)
		return e, false
	}
	return e, true
}

func (p *Pipeline) handleOne(ctx context.Context, e engine.Envelope, attempts int, stop context.CancelCauseFunc) {
	ctx, end := p.Observer.Step(ctx, Step{Name: stepOf(e.Kind), Message: e.Origin.Message, Record: e.Origin.Position})
	v := p.guarded(ctx, e, p.handlers()[e.Kind])
	end(v.Reason)
	p.act(ctx, e, attempts, v, stop)
}

// guarded turns a panic of a handler into a verdict: one poisoned event must not take the others down.
func (p *Pipeline) guarded(ctx context.Context, e engine.Envelope, h handler) (v engine.Verdict) {
	defer func() {
		if teeth.Bite("panic-takes-all-down") {
			return
		}
		if r := recover(); r != nil {
			v = engine.Aside(&engine.Error{Op: "handle " + string(e.Kind), Kind: engine.Internal, Text: fmt.Sprintf("panic of type %T", r)})
		}
	}()
	return h(ctx, e)
}

// act carries out a verdict. When the store cannot be reached the event keeps no outcome, and the reconciler brings it back.
func (p *Pipeline) act(ctx context.Context, e engine.Envelope, attempts int, v engine.Verdict, stop context.CancelCauseFunc) {
	if teeth.Bite("retry-for-ever") {
		attempts = 0
	}
	waits := waitsForTrace(v)
	if v.Action == engine.RetryAt && !waits && attempts+1 >= p.cfg.Retry.Attempts {
		v.Action = engine.Quarantine
	}
	p.Observer.Handled(e.Kind, v.Action)
	var err error
	switch v.Action {
	case engine.Ack:
		if p.within() {
			p.settled.note(e)
		}
		return
	case engine.RetryAt:
		if waits {
			p.Log.Info("file waits for PDS", "step", "trace", "message", e.Origin.Message, "reason", v.Reason)
			if err = p.Store.Wait(ctx, e, v.At, v.Reason.Error()); err == nil {
				return
			}
			break
		}
		if v.At.IsZero() {
			v.At = p.Now().Add(p.cfg.Retry.wait(attempts))
		}
		err = p.Store.Postpone(ctx, e, v.At, v.Reason.Error())
	case engine.Quarantine:
		err = p.Store.SetAside(ctx, e, v.Reason.Error())
	case engine.Stop:
		stop(v.Reason)
	}
	p.Log.Warn("event not done", "kind", e.Kind, "event", e.ID, "verdict", v.Action.String(), "reason", v.Reason)
	if err != nil {
		p.Log.Error("verdict not recorded, left to the reconciler", "event", e.ID, "error", err)
	}
}

// outcome turns an error of a handler into a verdict: what may pass by itself is tried again, everything else waits for a person.
func outcome(err error) engine.Verdict {
	if err == nil {
		return engine.Done()
	}
	switch engine.KindOf(err) {
	case engine.Unavailable, engine.Unsure:
		return engine.Later(time.Time{}, err)
	default:
		return engine.Aside(err)
	}
}

// onStream makes the Watermill message of a due event. Its UUID is the event id, so every copy can be told.
func onStream(id engine.EventID, key string, attempts int, body []byte) *message.Message {
	m := message.NewMessage(string(id), body)
	m.Metadata.Set(stream.KeyMetadata, key)
	m.Metadata.Set(attemptsMetadata, strconv.Itoa(attempts))
	return m
}
