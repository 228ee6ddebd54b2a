package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/register"
	"signalbox/engine/store"
	"signalbox/engine/store/storetest"
	"signalbox/engine/stream"
	"signalbox/mesh"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// box is a mailbox that does as the test says.
type box struct {
	mu     sync.Mutex
	send   func(n int, m mesh.Outgoing) (string, error) // n counts from 1
	track  func(localID string) (mesh.Tracking, error)
	sends  []string // local ids
	tracks int
}

func (b *box) MailboxID() string               { return "SIGNALBOX1" }
func (b *box) Handshake(context.Context) error { return nil }
func (b *box) List(context.Context, mesh.ListOptions) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}
func (b *box) Get(context.Context, string) (*mesh.Incoming, error) { return nil, mesh.ErrNotFound }
func (b *box) Acknowledge(context.Context, string) error           { return nil }

func (b *box) Send(_ context.Context, m mesh.Outgoing) (string, error) {
	if _, err := io.ReadAll(m.Body); err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sends = append(b.sends, m.LocalID)
	return b.send(len(b.sends), m)
}

func (b *box) TrackByLocalID(_ context.Context, localID string) (mesh.Tracking, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tracks++
	return b.track(localID)
}

func (b *box) counts() (sends, tracks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sends), b.tracks
}

// mapping makes one flag of every line of the body that is an NHS number; it panics on "panic".
type mapping struct{}

func (mapping) Digest() string  { return strings.Repeat("0", 64) }
func (mapping) Archive() []byte { return []byte("archive") }
func (mapping) Translate(m engine.Message) iter.Seq[engine.Translated] {
	return func(yield func(engine.Translated) bool) {
		for i, line := range strings.Fields(string(m.Body)) {
			if line == "panic" {
				panic("a mapping that panics about 9990000018")
			}
			if !yield(translated(m, i+1, line)) {
				return
			}
		}
	}
}

func translated(m engine.Message, position int, line string) engine.Translated {
	at := engine.Place{Record: position}
	n, err := engine.ParseNHSNumber(line)
	if err != nil {
		return engine.Translated{Outcome: engine.Rejected, Place: at, Faults: []*engine.Error{
			{Op: "translate", Kind: engine.Invalid, Rule: engine.RuleNHSNumber, Place: at, Err: err}}}
	}
	start, _ := engine.NewDate(2026, 9, 1)
	e := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: m.Source, Message: m.ID, Position: position, Received: m.Received})
	e.Flag = &engine.Flag{
		Subject: engine.Subject{NHSNumber: n, BirthDate: start}, Plan: engine.Plan{Type: engine.ChildProtection, Start: start},
		Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE", EmergencyDuty: "01632960002"},
	}
	return engine.Translated{Outcome: engine.Accepted, Place: at, Event: &e}
}

// blank are the empty records of the tests within the package.
var blank storetest.Records

// start runs a pipeline over the mailbox until the test ends.
func start(t *testing.T, b *box) *Pipeline {
	t.Helper()
	p, _ := running(t, b, nil, time.Hour)
	return p
}

// running runs a pipeline over the mailbox, which it polls that often, and tells by of it; nil: nobody. end drains it, at the latest when the
// test ends.
func running(t *testing.T, b Mailbox, by Observer, poll time.Duration) (p *Pipeline, end func()) {
	t.Helper()
	s, err := store.Open(context.Background(), blank.SQLite(t), time.Now)
	must(t, err)
	reg, err := register.New(register.Default())
	must(t, err)
	local, err := stream.NewLocal(stream.DefaultLocal())
	must(t, err)
	routes, err := NewRoutes([]Route{{
		Name: "testshire", Mailbox: "SIGNALBOX1", Sender: "TESTLA01", Workflow: "U", Supplier: "testshire-csv", Mapping: mapping{},
		Party: notify.Party{Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE", EmergencyDuty: "01632960002"}, Dialect: notify.CSV, SystemID: "999000000001"},
	}}, nil)
	must(t, err)
	rhythm := Default()
	rhythm.Poll, rhythm.Reconcile, rhythm.Retry = poll, time.Second, Retry{Base: time.Millisecond, Max: 10 * time.Millisecond, Attempts: 4}
	p, err = New(rhythm, Rooms{Store: s, Register: reg, Transport: local, Routes: routes, Mailboxes: []Mailbox{b}, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Observer: by})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- p.Run(ctx, func() { close(ready) }) }()
	<-ready
	end = sync.OnceFunc(func() {
		stop()
		must(t, errors.Join(<-ended, local.Close(), s.Close()))
	})
	t.Cleanup(end)
	return p, end
}

func take(t *testing.T, p *Pipeline, upstream, body string) engine.Message {
	t.Helper()
	source := MeshSource("SIGNALBOX1", "TESTLA01")
	m := engine.Message{ID: engine.NewMessageID(source, upstream), Source: source, Upstream: upstream, From: "TESTLA01", WorkflowID: "U",
		Received: time.Now(), Body: []byte(body)}
	_, err := p.Store.Intake(context.Background(), m)
	must(t, err)
	return m
}

// eventually waits for a condition that has to come about by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (p *Pipeline) states(t *testing.T) map[store.EffectState]int {
	t.Helper()
	counts, err := p.Store.EffectCounts(context.Background())
	must(t, err)
	return counts
}

func TestLostReplyIsLookedUpAndNotSentAgain(t *testing.T) {
	b := &box{
		send: func(int, mesh.Outgoing) (string, error) {
			return "", &mesh.Error{Op: "send", Kind: mesh.ErrOutcomeUnknown}
		},
		track: func(string) (mesh.Tracking, error) { return mesh.Tracking{MessageID: "MESH1"}, nil },
	}
	p := start(t, b)
	take(t, p, "1", "9990000018")
	eventually(t, "the effect is sent", func() bool { return p.states(t)[store.Sent] == 1 })
	if sends, tracks := b.counts(); sends != 1 || tracks != 1 {
		t.Errorf("%d sends and %d look-ups, want one of each", sends, tracks)
	}
}

func TestMessageThatNeverArrivedIsSentAgainUnderTheSameID(t *testing.T) {
	b := &box{
		send: func(n int, _ mesh.Outgoing) (string, error) {
			if n == 1 {
				return "", &mesh.Error{Op: "send", Kind: mesh.ErrOutcomeUnknown}
			}
			return "MESH2", nil
		},
		track: func(string) (mesh.Tracking, error) {
			return mesh.Tracking{}, &mesh.Error{Op: "track", Kind: mesh.ErrNotFound}
		},
	}
	p := start(t, b)
	take(t, p, "1", "9990000018")
	eventually(t, "the effect is sent", func() bool { return p.states(t)[store.Sent] == 1 })
	if len(b.sends) != 2 || b.sends[0] != b.sends[1] {
		t.Errorf("sent as %v", b.sends)
	}
}

func TestRefusedMessageIsNotTriedForEver(t *testing.T) {
	b := &box{send: func(int, mesh.Outgoing) (string, error) {
		return "", &mesh.Error{Op: "send", Kind: mesh.ErrRejected, Status: 417, Code: "12"}
	}}
	p := start(t, b)
	take(t, p, "1", "9990000018")
	eventually(t, "the effect has failed", func() bool { return p.states(t)[store.Failed] == 1 })
	if sends, _ := b.counts(); sends != 1 {
		t.Errorf("sent %d times", sends)
	}
}

func TestServerThatIsAwayIsTriedAgain(t *testing.T) {
	b := &box{send: func(n int, _ mesh.Outgoing) (string, error) {
		if n < 3 {
			return "", &mesh.Error{Op: "send", Kind: mesh.ErrTransport}
		}
		return "MESH1", nil
	}}
	p := start(t, b)
	take(t, p, "1", "9990000018")
	eventually(t, "the effect is sent", func() bool { return p.states(t)[store.Sent] == 1 })
}

func TestPoisonGoesIntoQuarantineAndTheRestGoesOn(t *testing.T) {
	b := &box{send: func(int, mesh.Outgoing) (string, error) { return "MESH1", nil }}
	p := start(t, b)
	take(t, p, "1", "panic")
	take(t, p, "2", "9990000018 999000001X 9990000026")
	eventually(t, "the good file is acknowledged", func() bool { return p.states(t)[store.Sent] == 1 })
	eventually(t, "the poison is aside", func() bool {
		backlog, err := p.Store.Backlog(context.Background())
		must(t, err)
		return backlog.Quarantined == 1
	})
}

func TestVerdictsAreActedOn(t *testing.T) {
	p := start(t, &box{send: func(int, mesh.Outgoing) (string, error) { return "MESH1", nil }})
	unavailable := &engine.Error{Op: "x", Kind: engine.Unavailable, Text: "away"}
	for i, tc := range []struct {
		name        string
		verdict     engine.Verdict
		attempts    int
		aside, stop bool
	}{
		{"done", outcome(nil), 0, false, false},
		{"away", outcome(unavailable), 0, false, false},
		{"away for the last time", outcome(unavailable), 3, true, false},
		{"broken", outcome(errors.New("broken")), 0, true, false},
		{"halt", engine.Halt(errors.New("halt")), 0, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// The event is put aside for an hour, so that the running pipeline leaves it to this test.
			e := engine.NewEnvelope(engine.KindFileDone, engine.Origin{Source: "s", Message: engine.NewMessageID("s", fmt.Sprint(i)), Received: time.Now()})
			must(t, p.Store.Write(context.Background(), func(tx *store.Tx) error { return tx.AddEventDue(e, tx.Now().Add(time.Hour)) }))
			before, err := p.Store.Backlog(context.Background())
			must(t, err)
			stopped := false
			if tc.verdict.Action == engine.RetryAt {
				tc.verdict.At = time.Now().Add(time.Hour)
			}
			p.act(context.Background(), e, tc.attempts, tc.verdict, func(error) { stopped = true })
			after, err := p.Store.Backlog(context.Background())
			must(t, err)
			if aside := after.Quarantined > before.Quarantined; stopped != tc.stop || aside != tc.aside {
				t.Errorf("stopped %v, aside %v", stopped, aside)
			}
		})
	}
}

func TestRetryWaits(t *testing.T) {
	r := Retry{Base: time.Second, Max: 10 * time.Second, Attempts: 5}
	for attempts, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		if got := r.wait(attempts); got != want*time.Second {
			t.Errorf("after %d attempts: %s, want %s", attempts, got, want*time.Second)
		}
	}
}

func TestRoutesRefuseAmbiguity(t *testing.T) {
	a := Route{Name: "a", Mailbox: "M", Sender: "S", Workflow: "W", Party: notify.Party{Authority: engine.Authority{ODSCode: "1"}}}
	same, other := a, a
	same.Name, same.Party.Authority.ODSCode = "b", "2"
	other.Name, other.Sender = "c", "T"
	if _, err := NewRoutes([]Route{a, same}, nil); err == nil {
		t.Error("two routes of one sender and workflow are taken")
	}
	if _, err := NewRoutes([]Route{a, other}, nil); err == nil {
		t.Error("two routes of one authority are taken")
	}
	if _, err := NewRoutes(nil, []Source{{Name: "t"}, {Name: "t"}}); err == nil {
		t.Error("two trusts of one name are taken")
	}
}

func TestConfigIsValidated(t *testing.T) {
	must(t, Default().Validate())
	if err := (Config{}).Validate(); err == nil {
		t.Error("an empty rhythm is taken")
	}
}
