package pipeline

import (
	"bytes"
	"context"
	"strconv"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"signalbox/engine"
	"signalbox/engine/store"
)

// bundleMost is how many events one message carries within the process. What the relay takes at once is cut into such messages, which are with handlers together.
const bundleMost = 1000

// bundleMetadata says how many events a message carries, where that is not one.
const bundleMetadata = "signalbox_events"

// bundles reports whether events of the kind travel many to a message. They do when nobody else can read the stream, because it is within this
// process, and when neither their order nor their company matters, which is true of flags: the register says so.
func (p *Pipeline) bundles(k engine.Kind) bool { return p.within() && k == engine.KindFlag }

// within reports whether the stream is within this process: Publish then returns when the handlers are done.
func (p *Pipeline) within() bool {
	t, says := p.Transport.(interface{ InProcess() bool })
	return says && t.InProcess()
}

// settled remembers which events were done while their relay waited for it, so that it need not mark what has left the outbox.
type settled struct {
	mu   sync.Mutex
	done map[engine.EventID]bool
}

func (s *settled) note(events ...engine.Envelope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = map[engine.EventID]bool{}
	}
	for _, e := range events {
		s.done[e.ID] = true
	}
}

// without returns what is not done of the events, and forgets them.
func (s *settled) without(events []store.Pending) []store.Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []store.Pending
	for _, e := range events {
		if !s.done[e.ID] {
			left = append(left, e)
		}
		delete(s.done, e.ID)
	}
	return left
}

// bundled makes messages of many events each: their CloudEvents, a line each, which is what JSON lines are. An event that came to nothing
// before travels alone.
func bundled(due []store.Pending) []*message.Message {
	var out []*message.Message
	var fresh []store.Pending
	for _, p := range due {
		if p.Attempts > 0 {
			out = append(out, onStream(p.ID, p.Key, p.Attempts, p.Body))
		} else {
			fresh = append(fresh, p)
		}
	}
	for len(fresh) > 0 {
		n := min(len(fresh), bundleMost)
		lines := make([][]byte, n)
		for i, p := range fresh[:n] {
			lines[i] = p.Body
		}
		m := onStream(fresh[0].ID, "", 0, bytes.Join(lines, []byte{'\n'}))
		m.Metadata.Set(bundleMetadata, strconv.Itoa(n))
		out, fresh = append(out, m), fresh[n:]
	}
	return out
}

// handleBundle handles many events in one transaction. When that fails, each is handled again by itself and has its own verdict.
func (p *Pipeline) handleBundle(m *message.Message, kind engine.Kind, stop context.CancelCauseFunc) {
	var events []engine.Envelope
	for line := range bytes.SplitSeq(m.Payload, []byte{'\n'}) {
		if e, ok := p.read(line, kind); ok {
			events = append(events, e)
		}
	}
	ends := make([]func(error), len(events))
	for i, e := range events {
		_, ends[i] = p.Observer.Step(m.Context(), Step{Name: stepOf(kind), Message: e.Origin.Message, Record: e.Origin.Position})
	}
	v := p.guarded(m.Context(), engine.Envelope{Kind: kind}, func(ctx context.Context, _ engine.Envelope) engine.Verdict {
		return outcome(p.applyFlags(ctx, events))
	})
	for _, end := range ends {
		end(v.Reason)
	}
	if v.Action == engine.Ack {
		p.settled.note(events...)
		for range events {
			p.Observer.Handled(kind, engine.Ack)
		}
		return
	}
	var alone sync.WaitGroup
	for _, e := range events {
		alone.Go(func() { p.handleOne(m.Context(), e, 0, stop) })
	}
	alone.Wait()
}
