package pipeline

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/store"
	"signalbox/mesh"
)

// notebook writes down what an observer is told.
type notebook struct {
	Unobserved
	mu    sync.Mutex
	lines []string
	alive map[string]bool
}

func (n *notebook) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *notebook) has(line string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.lines, line)
}

func (n *notebook) Beat(worker string, within time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alive[worker] = within >= stall
}

func (n *notebook) Rest(worker string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.alive, worker)
}

func (n *notebook) workers() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for w := range n.alive {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}

func (n *notebook) Validated(box string)        { n.note("validated %s", box) }
func (n *notebook) Seen(box, id string)         { n.note("seen %s %s", box, id) }
func (n *notebook) Acknowledged(box, id string) { n.note("acknowledged %s %s", box, id) }
func (n *notebook) Listed(box string, failed int, err error) {
	n.note("listed %s failed=%d ok=%v", box, failed, err == nil)
}
func (n *notebook) Sent(e store.Effect, _ time.Time, causes []store.Cause) {
	n.note("sent %s causes=%d %s", e.Kind, len(causes), causes[0].Message)
}
func (n *notebook) Unsent(e store.Effect, forGood bool) {
	n.note("unsent %s forGood=%v", e.Kind, forGood)
}
func (n *notebook) Handled(k engine.Kind, a engine.Action) { n.note("handled %s %s", k, a) }
func (n *notebook) Published(k engine.Kind, count int, err error) {
	n.note("published %s %d ok=%v", k, count, err == nil)
}
func (n *notebook) Translated(supplier string, counts map[engine.Outcome]int) {
	n.note("translated %s accepted=%d rejected=%d", supplier, counts[engine.Accepted], counts[engine.Rejected])
}
func (n *notebook) Unrouted() { n.note("unrouted") }
func (n *notebook) Step(ctx context.Context, s Step) (context.Context, func(error)) {
	return ctx, func(err error) { n.note("step %s %s record=%d ok=%v", s.Name, s.Message, s.Record, err == nil) }
}

// listing is a mailbox that lists as the test says and cannot be read from.
type listing struct {
	*box
	ids []string
	err error
}

func (l *listing) List(context.Context, mesh.ListOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range l.ids {
			if !yield(id, nil) {
				return
			}
		}
		if l.err != nil {
			yield("", l.err)
		}
	}
}

// observed runs a pipeline under a notebook's eyes; end drains it.
func observed(t *testing.T, b Mailbox) (p *Pipeline, n *notebook, end func()) {
	t.Helper()
	n = &notebook{alive: map[string]bool{}}
	p, end = running(t, b, n, 10*time.Second)
	return p, n, end
}

func (n *notebook) wants(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		eventually(t, "the observer is told: "+line, func() bool { return n.has(line) })
	}
}

func TestTheObserverIsToldOfTheWork(t *testing.T) {
	b := &box{send: func(n int, _ mesh.Outgoing) (string, error) {
		switch n {
		case 1:
			return "", &mesh.Error{Op: "send", Kind: mesh.ErrTransport}
		case 2:
			return "MESH1", nil
		}
		return "", &mesh.Error{Op: "send", Kind: mesh.ErrRejected}
	}}
	p, n, end := observed(t, b)
	m := take(t, p, "1", "9990000018 999000001X")
	n.wants(t, "published message 1 ok=true", "translated testshire-csv accepted=1 rejected=1",
		"step translate "+string(m.ID)+" record=0 ok=true", "step apply "+string(m.ID)+" record=1 ok=true", "step reply "+string(m.ID)+" record=0 ok=true",
		"handled flag ack", "unsent acknowledgement forGood=false", "sent acknowledgement causes=1 "+string(m.ID))
	take(t, p, "2", "9990000026")
	n.wants(t, "unsent acknowledgement forGood=true")
	poison := take(t, p, "3", "panic")
	n.wants(t, "handled message quarantine", "step translate "+string(poison.ID)+" record=0 ok=false")
	stranger := engine.Message{ID: engine.NewMessageID("mesh/SIGNALBOX1/STRANGER", "4"), Source: "mesh/SIGNALBOX1/STRANGER", Upstream: "4", Received: time.Now()}
	if _, err := p.Store.Intake(context.Background(), stranger); err != nil {
		t.Fatal(err)
	}
	n.wants(t, "unrouted")
	want := "[collect SIGNALBOX1 courier reconcile relay access relay file-done relay flag relay message relay number-inactive relay pattern]"
	if got := fmt.Sprint(n.workers()); got != want {
		eventually(t, "all workers have beaten: "+want, func() bool { return fmt.Sprint(n.workers()) == want })
	}
	end()
	if got := n.workers(); len(got) != 0 {
		t.Errorf("after the drain %v are expected to beat", got)
	}
}

func TestTheObserverIsToldOfTheMailbox(t *testing.T) {
	for name, tc := range map[string]struct {
		box  listing
		want string
	}{
		"empty":          {listing{}, "listed SIGNALBOX1 failed=0 ok=true"},
		"cannot be read": {listing{ids: []string{"A", "B"}}, "listed SIGNALBOX1 failed=2 ok=true"},
		"breaks off":     {listing{ids: []string{"A"}, err: mesh.ErrTransport}, "listed SIGNALBOX1 failed=1 ok=false"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.box.box = &box{}
			_, n, _ := observed(t, &tc.box)
			n.wants(t, "validated SIGNALBOX1", tc.want)
			for _, id := range tc.box.ids {
				if !n.has("seen SIGNALBOX1 "+id) || n.has("acknowledged SIGNALBOX1 "+id) {
					t.Errorf("%s was listed and not acknowledged; the observer was told: %s", id, strings.Join(n.lines, "; "))
				}
			}
		})
	}
}

func TestAnAcknowledgementNamesWhatItAnswers(t *testing.T) {
	m := engine.NewMessageID("s", "1")
	id := notify.AcknowledgementID(m)
	if got, ok := notify.Answers(id); !ok || got != m {
		t.Errorf("%s answers %s, %v", id, got, ok)
	}
	if _, ok := notify.Answers(notify.EffectID(store.Notification, "x")); ok {
		t.Error("a notification answers a file")
	}
}

func TestEveryKindHasItsStep(t *testing.T) {
	for _, k := range engine.Kinds() {
		if stepOf(k) == "handle" {
			t.Errorf("%s has no step of its own", k)
		}
	}
}
