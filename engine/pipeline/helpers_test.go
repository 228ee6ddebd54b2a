package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/pattern"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/silence"
	"signalbox/engine/store"
	"signalbox/engine/store/storetest"
	"signalbox/engine/stream"
	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

// records are the empty records of this test binary.
var records storetest.Records

func TestMain(m *testing.M) { os.Exit(records.Main(m)) }

const (
	ours = "SIGNALBOX1"
	la   = "TESTLA01"

	otherLA = "TESTLA02"
	child   = "9990000018"
)

// bench is a pipeline with everything that it needs, in simulated time: it lives inside one synctest bubble, and an hour takes no time.
type bench struct {
	store  *store.Store
	record string // its file
	mesh   *meshserver.Server
	la     *mesh.Client
	box    *mailbox
	stream *carrier
	pipe   *pipeline.Pipeline
	cfg    pipeline.Config
	window time.Duration
	mapper mapping
	route  func(*pipeline.Route) // changes the authority's route
	more   []pipeline.Route      // of other authorities
	said   notes                 // warnings and errors of the log
	ahead  atomic.Int64          // by how much everybody's clock is ahead of the bubble's, in nanoseconds
	tracer engine.Tracer
	watch  *silence.Config // who is listened for; nil: nobody
	ears   pipeline.Observer
	// patterns looks for children who are seen across boundaries; nil: nobody looks.
	patterns *pattern.Watch
	log      *notes // what is logged, of every level; nil: nothing is kept
}

// now is the clock of the record, the engine and MESH.
func (b *bench) now() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }

// leap lets so much time pass without anybody noticing, and then a few seconds with everybody at work.
func (b *bench) leap(d time.Duration) {
	b.ahead.Add(int64(d))
	time.Sleep(3 * time.Second)
	synctest.Wait()
}

// mailbox is ours, with places to interfere.
type mailbox struct {
	*mesh.Client
	list        func() error // before each listing
	get         func(id string) error
	acknowledge func(id string) error // before the acknowledgement is sent
	send        func(m mesh.Outgoing) error
	sent        func() error // after the message was sent
}

func (m *mailbox) List(ctx context.Context, o mesh.ListOptions) iter.Seq2[string, error] {
	if m.list != nil {
		if err := m.list(); err != nil {
			return func(yield func(string, error) bool) { yield("", err) }
		}
	}
	return m.Client.List(ctx, o)
}

func (m *mailbox) Get(ctx context.Context, id string) (*mesh.Incoming, error) {
	if m.get != nil {
		if err := m.get(id); err != nil {
			return nil, err
		}
	}
	return m.Client.Get(ctx, id)
}

func (m *mailbox) Acknowledge(ctx context.Context, id string) error {
	if m.acknowledge != nil {
		if err := m.acknowledge(id); err != nil {
			return err
		}
	}
	return m.Client.Acknowledge(ctx, id)
}

func (m *mailbox) Send(ctx context.Context, o mesh.Outgoing) (string, error) {
	if m.send != nil {
		if err := m.send(o); err != nil {
			return "", err
		}
	}
	id, err := m.Client.Send(ctx, o)
	if err == nil && m.sent != nil {
		if err := m.sent(); err != nil {
			return "", err
		}
	}
	return id, err
}

// notes are what was logged.
type notes struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds to the notes.
func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

// String is what has been written so far.
func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

func (n *notes) count(words string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Count(n.text.String(), words)
}

// carrier is the in-process transport, with a place to refuse.
type carrier struct {
	stream.Transport
	mu      sync.Mutex
	publish func(topic string) error
	carried map[string]int // messages by topic
}

// InProcess is what the transport within says.
func (c *carrier) InProcess() bool { return true }

func (c *carrier) Publish(topic string, messages ...*message.Message) error {
	c.mu.Lock()
	refuse := c.publish
	if c.carried == nil {
		c.carried = map[string]int{}
	}
	c.carried[topic] += len(messages)
	c.mu.Unlock()
	if refuse != nil {
		if err := refuse(topic); err != nil {
			return err
		}
	}
	return c.Transport.Publish(topic, messages...)
}

// mapping reads lines of number, first day of the plan, the ODS code of whoever flags and, where it is not child protection, the plan's type. It can
// panic.
type mapping struct{ panics bool }

func (m mapping) Digest() string  { return strings.Repeat("0", 64) }
func (m mapping) Archive() []byte { return []byte("mapping") }

func (m mapping) Translate(raw engine.Message) iter.Seq[engine.Translated] {
	return func(yield func(engine.Translated) bool) {
		if m.panics {
			panic("a mapping that is broken")
		}
		for i, line := range strings.Split(strings.TrimSpace(string(raw.Body)), "\n") {
			f := strings.Fields(line)
			number, err1 := engine.ParseNHSNumber(f[0])
			start, err2 := engine.MustLayout("hl7").Parse(f[1])
			if errors.Join(err1, err2) != nil {
				panic("the test's own line is wrong")
			}
			e := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: raw.Source, Message: raw.ID, Position: i + 1, Received: raw.Received})
			plan := engine.ChildProtection
			if len(f) > 3 {
				plan = engine.PlanType(f[3])
			}
			e.Flag = &engine.Flag{Subject: engine.Subject{NHSNumber: number}, Plan: engine.Plan{Type: plan, Start: start}, LocalID: engine.Personal("L" + f[0]),
				Authority: engine.Authority{ODSCode: f[2], Name: "TESTSHIRE COUNTY COUNCIL"}}
			if !yield(engine.Translated{Outcome: engine.Accepted, Place: engine.Place{Record: i + 1}, Event: &e}) {
				return
			}
		}
	}
}

// direct calls a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, r)
	out := answer.Result()
	for name, values := range answer.Result().Header { // the server writes names in lower case, and a network would bring them back
		out.Header[http.CanonicalHeaderKey(name)] = values
	}
	return out, nil
}

// inBubble builds a bench, lets arrange change it, runs the pipeline and then the test, and stops everything.
func inBubble(t *testing.T, arrange func(*bench), test func(t *testing.T, b *bench)) {
	record := records.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		b := &bench{cfg: pipeline.Default(), record: record.Path}
		// Each look of a worker is real work, and no test here is about how often they look: a simulated second would cost forty.
		b.cfg.Poll, b.cfg.Idle, b.cfg.Lease, b.cfg.Reconcile = time.Second, 2*time.Second, 6*time.Hour, 24*time.Hour
		b.open(t)
		if arrange != nil {
			arrange(b)
		}
		b.build(t)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		ready := make(chan struct{})
		go func() { done <- b.pipe.Run(ctx, func() { close(ready) }) }()
		t.Cleanup(func() {
			stop()
			if err := errors.Join(<-done, b.stream.Close(), b.store.Close(), b.mesh.Close()); err != nil {
				t.Error(err)
			}
		})
		<-ready
		test(t, b)
	})
}

func (b *bench) open(t *testing.T) {
	t.Helper()
	var err error
	b.mesh, err = meshserver.New(meshserver.Config{Dir: filepath.Join(t.TempDir(), "mesh"), SharedKey: "key", Now: b.now, Mailboxes: []meshserver.Mailbox{
		{ID: ours, Password: "p", Active: true}, {ID: la, Password: "p", Active: true}, {ID: otherLA, Password: "p", Active: true},
	}})
	must(t, err)
	b.la, b.box = b.client(t, la), &mailbox{Client: b.client(t, ours)}
	cfg := store.Default()
	cfg.Path = b.record
	b.store, err = store.Open(context.Background(), cfg, b.now)
	must(t, err)
	local, err := stream.NewLocal(stream.DefaultLocal())
	must(t, err)
	b.stream = &carrier{Transport: local}
}

func (b *bench) client(t *testing.T, id string) *mesh.Client {
	t.Helper()
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Transport = "http://mesh.invalid", id, "p", "key", direct{b.mesh}
	cfg.Now = b.now
	c, err := mesh.New(cfg)
	must(t, err)
	return c
}

func (b *bench) build(t *testing.T) {
	t.Helper()
	first := pipeline.Route{
		Name: "testshire", Mailbox: ours, Sender: la, Workflow: "TEST_UPLOAD", Supplier: "test", Mapping: b.mapper, Window: b.window,
		Party:                   notify.Party{Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL", EmergencyDuty: "01632960002"}, Dialect: notify.CSV, SystemID: "999000000001"},
		AcknowledgementWorkflow: "TEST_ACK", NotificationWorkflow: "TEST_ACCESS", InactiveWorkflow: "TEST_INACTIVE",
	}
	if b.route != nil {
		b.route(&first)
	}
	routes, err := pipeline.NewRoutes(append([]pipeline.Route{first}, b.more...), nil)
	must(t, err)
	reg, err := register.New(register.Default())
	must(t, err)
	log := slog.New(slog.NewTextHandler(&b.said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if b.log != nil {
		log = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	rooms := pipeline.Rooms{Store: b.store, Register: reg, Transport: b.stream, Routes: routes,
		Mailboxes: []pipeline.Mailbox{b.box}, Now: b.now, Log: log, Tracer: b.tracer, TraceRules: "test", Observer: b.ears, Patterns: b.patterns}
	if b.watch != nil {
		rooms.Watcher, err = silence.NewWatcher(*b.watch, b.store, []silence.Sender{{Kind: silence.Poll, Name: ours},
			{Kind: silence.File, Name: "999", Source: pipeline.MeshSource(ours, la), Workflow: "TEST_UPLOAD"}})
		must(t, err)
	}
	b.pipe, err = pipeline.New(b.cfg, rooms)
	must(t, err)
}

// upload sends lines of the mapping's from the authority and returns the message id.
func (b *bench) upload(t *testing.T, lines ...string) string {
	t.Helper()
	body := strings.Join(lines, "\n")
	id, err := b.la.Send(context.Background(), mesh.Outgoing{To: ours, WorkflowID: "TEST_UPLOAD", Body: strings.NewReader(body), Size: int64(len(body))})
	must(t, err)
	return id
}

// letters returns the bodies that wait for the authority under a workflow.
func (b *bench) letters(t *testing.T, workflow string) [][]byte {
	t.Helper()
	return b.lettersTo(t, b.la, workflow)
}

func (b *bench) lettersTo(t *testing.T, to *mesh.Client, workflow string) [][]byte {
	t.Helper()
	var out [][]byte
	for _, m := range b.mesh.Inbox(to.MailboxID()) {
		if m.WorkflowID != workflow {
			continue
		}
		in, err := to.Get(context.Background(), m.ID)
		must(t, err)
		body, err := io.ReadAll(in)
		must(t, errors.Join(err, in.Close()))
		out = append(out, bytes.Clone(body))
	}
	return out
}

// ask looks at the child and returns the first days of the plans that stand.
func (b *bench) ask(t *testing.T, id string, scheduled bool) []string {
	t.Helper()
	number, err := engine.ParseNHSNumber(child)
	must(t, err)
	answer, err := b.pipe.Ask(context.Background(), engine.Access{ID: id, Subject: engine.Subject{NHSNumber: number}, At: time.Now(), Scheduled: scheduled,
		By: engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: "RXX99", Name: "TEST EMERGENCY DEPARTMENT"}}}, register.Everything)
	must(t, err)
	var out []string
	for _, f := range answer.Flags {
		out = append(out, f.Plan.Start.HL7())
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
