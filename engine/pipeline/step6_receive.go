package pipeline

import (
	"context"
	"slices"
	"sync"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/fhir/api"
)

// Receive takes a trust's FHIR message. It becomes durable like a file, and the same road turns it into access events.
func (p *Pipeline) Receive(ctx context.Context, m engine.Message) (api.Receipt, error) {
	if _, ok := p.Routes.Mapping(m); !ok {
		return api.Receipt{}, errNoRoute
	}
	m.ID = engine.NewMessageID(m.Source, m.Upstream)
	ctx, end := p.Observer.Step(ctx, Step{Name: "receive", Message: m.ID, First: true})
	fresh, err := p.Store.Intake(ctx, m)
	end(err)
	if err == nil {
		p.Observer.Intake(Intake{Way: WayFHIR, Bytes: len(m.Body), Repeat: !fresh})
		p.Log.Info("message received", "step", "receive", "source", m.Source, "message", m.ID, "bytes", len(m.Body), "repeat", !fresh)
	}
	return api.Receipt{ID: m.ID, Duplicate: !fresh}, err
}

// Preview says what translation would make of a message, for senders whose message is taken whole or not at all.
func (p *Pipeline) Preview(ctx context.Context, m engine.Message) ([]api.Record, error) {
	mapping, ok := p.Routes.Mapping(m)
	if !ok {
		return nil, errNoRoute
	}
	m.ID = engine.NewMessageID(m.Source, m.Upstream)
	if _, err := p.Store.Standing(ctx, m.ID); engine.KindOf(err) != engine.NotFound {
		return nil, err
	}
	var out []api.Record
	for _, r := range p.Routes.Translate(m, mapping) {
		out = append(out, api.Record{Position: r.Place.Record, Outcome: r.Outcome, Faults: r.Faults})
	}
	return out, nil
}

// outcomeEvery is how often the record is asked about a message that another process may be translating.
const outcomeEvery = 100 * time.Millisecond

// Outcome waits until a message is translated, for a sender who waits for the answer. What this process translates wakes it at once.
func (p *Pipeline) Outcome(ctx context.Context, source string, id engine.MessageID, within time.Duration) (api.Outcome, error) {
	woken, leave := p.translated.wait(id)
	defer leave()
	for end := time.Now().Add(within); ; { // how long a caller waits is a matter of this process's own clock
		at, err := p.standing(ctx, source, id)
		if err != nil {
			return api.Outcome{}, err
		}
		out := api.Outcome{Received: at.Received, Settled: at.State != store.Received}
		if out.Settled {
			out.Records, err = p.records(ctx, id)
			return out, err
		}
		left := time.Until(end)
		if left <= 0 || !pause(ctx, min(left, outcomeEvery), woken) {
			return out, nil
		}
	}
}

// Sent returns a message as it was sent.
func (p *Pipeline) Sent(ctx context.Context, source string, id engine.MessageID) (engine.Message, error) {
	if _, err := p.standing(ctx, source, id); err != nil {
		return engine.Message{}, err
	}
	arrival, err := p.Store.Arrival(ctx, id)
	return arrival.Message, err
}

// standing keeps one sender from asking about another's messages.
func (p *Pipeline) standing(ctx context.Context, source string, id engine.MessageID) (store.Standing, error) {
	at, err := p.Store.Standing(ctx, id)
	if err == nil && at.Source != source {
		err = &engine.Error{Op: "message outcome", Kind: engine.NotFound, Text: "no such message"}
	}
	return at, err
}

// records says what became of each record of a translated message, in order.
func (p *Pipeline) records(ctx context.Context, id engine.MessageID) ([]api.Record, error) {
	faults, err := p.Store.Faults(ctx, id)
	if err != nil {
		return nil, err
	}
	by := map[int]*api.Record{}
	for n, err := range p.Store.AcceptedPositions(ctx, id) {
		if err != nil {
			return nil, err
		}
		by[n] = &api.Record{Position: n, Outcome: engine.Accepted}
	}
	for _, f := range faults {
		r := by[f.Error.Place.Record]
		if r == nil {
			r = &api.Record{Position: f.Error.Place.Record, Outcome: f.Outcome}
			by[r.Position] = r
		}
		fault := f.Error
		r.Faults = append(r.Faults, &fault)
	}
	var out []api.Record
	for _, r := range by {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b api.Record) int { return a.Position - b.Position })
	return out, nil
}

// waiting wakes those who wait for a message's translation in this process.
type waiting struct {
	mu sync.Mutex
	by map[engine.MessageID][]chan struct{}
}

// wait returns a channel that receives once the message is translated, and a function that gives it up.
func (w *waiting) wait(id engine.MessageID) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[engine.MessageID][]chan struct{}{}
	}
	w.by[id] = append(w.by[id], c)
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		left := slices.DeleteFunc(w.by[id], func(other chan struct{}) bool { return other == c })
		if len(left) == 0 {
			delete(w.by, id)
			return
		}
		w.by[id] = left
	}
}

func (w *waiting) wake(id engine.MessageID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.by[id] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

var _ api.Desk = (*Pipeline)(nil)
