// Package harness runs the whole engine for tests and benchmarks: a MESH server, the engine through the same app.Run as the binary, local
// authorities with mailboxes, and a trust, all on loopback.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"signalbox/engine/app"
	"signalbox/engine/observe"
	"signalbox/engine/pipeline"
	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

// Names and secrets of the harness. None is of a real service.
const (
	Mailbox  = "SIGNALBOX1"
	Workflow = "TEST_CPIS_UPLOAD"
	// HL7V3 is the path at which HL7 V3 queries are answered.
	HL7V3 = "/HL7V3/query"
	Token = "harness-token"
	// QueryToken and SendToken belong to trusts with one right only.
	QueryToken = "harness-query-token"
	SendToken  = "harness-send-token"

	password  = "harness-password"
	sharedKey = "harness-shared-key"
)

// World is everything that stands around one engine.
type World struct {
	Dir    string
	Mesh   *meshserver.Server
	Config app.Config
	Log    *Log
	// Spans takes the engine's spans; nil: none are made.
	Spans observe.Exporter
	// Rhythm may change the pipeline before Start.
	Rhythm func(*pipeline.Config)

	server *httptest.Server
	engine chan error
	stop   context.CancelFunc
	FHIR   string
	State  app.Running
}

// Log keeps what the engine logs, at every level.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends a log line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns everything that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// LA is one local authority of the world.
type LA struct {
	Mailbox, Supplier, ODSCode, Name, Dialect string
}

// Testshire sends CP-IS XML.
func Testshire() LA {
	return LA{Mailbox: "TESTLA01", Supplier: "testshire-cpisxml", ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL", Dialect: "cpis-xml"}
}

// Northshire sends CSV.
func Northshire() LA {
	return LA{Mailbox: "TESTLA02", Supplier: "northshire-csv", ODSCode: "998", Name: "NORTHSHIRE COUNTY COUNCIL", Dialect: "csv"}
}

// New builds a world with the given authorities in a temporary folder. The engine does not run before Start.
func New(t testing.TB, las ...LA) *World {
	t.Helper()
	w := &World{Dir: t.TempDir(), Log: &Log{}}
	mailboxes := []meshserver.Mailbox{{ID: Mailbox, Password: password, Active: true}, {ID: "STRANGER", Password: password, Active: true}}
	w.Config = app.DefaultConfig()
	for _, la := range las {
		mailboxes = append(mailboxes, meshserver.Mailbox{ID: la.Mailbox, Password: password, ODSCode: la.ODSCode, Active: true})
		w.Config.Routes = append(w.Config.Routes, la.route())
	}
	var err error
	if w.Mesh, err = meshserver.New(meshserver.Config{Dir: filepath.Join(w.Dir, "mesh"), SharedKey: sharedKey, Mailboxes: mailboxes}); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.Mesh)
	t.Cleanup(func() {
		w.server.Close()
		if err := w.Mesh.Close(); err != nil {
			t.Error(err)
		}
	})
	w.configure()
	return w
}

func (la LA) route() app.Route {
	return app.Route{
		Name: la.Mailbox, Mailbox: Mailbox, Sender: la.Mailbox, Supplier: la.Supplier, Dialect: la.Dialect,
		Authority: app.Authority{ODSCode: la.ODSCode, Name: la.Name, OfficeHours: "01632960001", EmergencyDuty: "01632960002"},
		Workflows: app.Workflows{Upload: Workflow, Acknowledgement: "TEST_CPIS_ACK", Notification: "TEST_CPIS_ACCESS"},
	}
}

func (w *World) configure() {
	c := &w.Config
	c.Store.Path = filepath.Join(w.Dir, "record", "signalbox.db")
	c.Mesh.URL, c.Mesh.SharedKey, c.Mesh.Poll = w.server.URL, app.Held(sharedKey), app.Duration(50*time.Millisecond)
	c.Mailboxes = []app.Mailbox{{ID: Mailbox, Password: app.Held(password)}}
	c.SystemID, c.Listen.FHIR, c.Listen.Operations = "999000000001", "127.0.0.1:0", "127.0.0.1:0"
	c.FHIR.Development, c.FHIR.Limits.PerSecond = true, 0 // benchmarks ask as fast as they can
	c.Listen.HL7V3 = HL7V3
	trust := app.Trust{ODSCode: "RXX99", Display: "TEST EMERGENCY DEPARTMENT", DeviceID: "999000000002", Setting: "emergency", Supplier: "testshire-trust-fhir",
		Transactions: "testshire-trust-encounters"}
	for name, t := range map[string]struct {
		token  string
		rights []string
	}{"both": {Token, []string{"query", "send"}}, "query-only": {QueryToken, []string{"query"}}, "send-only": {SendToken, []string{"send"}}} {
		trust.Name, trust.Token, trust.Rights = name, app.Held(t.token), t.rights
		c.Trusts = append(c.Trusts, trust)
	}
}

// Start runs the engine and waits until it is ready. It is stopped, and its drain checked, when the test ends.
func (w *World) Start(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan app.Running, 1)
	w.stop, w.engine = stop, make(chan error, 1)
	go func() {
		w.engine <- app.Run(ctx, w.Config, app.Options{
			Log: slog.New(slog.NewJSONHandler(w.Log, &slog.HandlerOptions{Level: slog.LevelDebug})), Ready: func(r app.Running) { ready <- r },
			Pipeline: w.Rhythm, Version: "test", Spans: w.Spans,
		})
	}()
	select {
	case w.State = <-ready:
		w.FHIR = w.State.FHIR
	case err := <-w.engine:
		stop()
		t.Fatalf("the engine did not start: %v", err)
	}
	t.Cleanup(func() { w.Stop(t) })
}

// Stop stops the engine as SIGTERM would and checks that it drained without an error. A second call does nothing.
func (w *World) Stop(t testing.TB) {
	t.Helper()
	if w.stop == nil {
		return
	}
	w.stop()
	w.stop = nil
	if err := <-w.engine; err != nil {
		t.Errorf("the engine stopped with: %v", err)
	}
}

// Client opens a mailbox of the world.
func (w *World) Client(t testing.TB, mailbox string) *mesh.Client {
	t.Helper()
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey = w.server.URL, mailbox, password, sharedKey
	c, err := mesh.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Send uploads a file from an authority's mailbox.
func (w *World) Send(t testing.TB, from *mesh.Client, localID string, body []byte) {
	t.Helper()
	_, err := from.Send(context.Background(), mesh.Outgoing{
		To: Mailbox, WorkflowID: Workflow, LocalID: localID, FileName: "upload", Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Letter is a message that an authority received.
type Letter struct {
	Header mesh.Header
	Body   []byte
}

// patience bounds every wait, so that a test that would hang fails with a sentence.
const patience = 2 * time.Minute

// Receive waits for n messages in a mailbox, acknowledges and returns them.
func (w *World) Receive(t testing.TB, box *mesh.Client, n int) []Letter {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out []Letter
	for len(out) < n {
		for id, err := range box.List(ctx, mesh.ListOptions{}) {
			if err != nil {
				t.Fatalf("%s lists: %v", box.MailboxID(), err)
			}
			out = append(out, collect(ctx, t, box, id))
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s received %d messages, want %d", box.MailboxID(), len(out), n)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return out
}

func collect(ctx context.Context, t testing.TB, box *mesh.Client, id string) Letter {
	t.Helper()
	in, err := box.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	body, err := io.ReadAll(in)
	if err == nil {
		err = box.Acknowledge(ctx, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	judge(t, body)
	return Letter{Header: in.Header, Body: body}
}

// Settle waits until no event and no effect is open.
func (w *World) Settle(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		open, err := w.open()
		if err == nil && open == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events and effects are still open: %v", open, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *World) open() (int, error) {
	backlog, err := w.State.Store.Backlog(context.Background())
	if err != nil {
		return 0, err
	}
	open := 0
	for _, n := range backlog.Open {
		open += n
	}
	effects, err := w.State.Store.EffectCounts(context.Background())
	return open + effects["planned"] + effects["attempted"], err
}

// Ask sends one request to the FHIR listener and returns status and body.
func (w *World) Ask(t testing.TB, client *http.Client, method, path, token string, headers map[string]string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, w.FHIR+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// FreePort returns a loopback address that nothing listens on at the moment.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Must ends the test on an error.
func Must(t testing.TB, err error, more ...error) {
	t.Helper()
	if err := errors.Join(append(more, err)...); err != nil {
		t.Fatal(err)
	}
}

// Number returns the i-th valid NHS number of the 999 range, from 0.
func Number(i int) string { return Numbers(i + 1)[i] }

// Numbers returns the first n valid NHS numbers of the 999 range.
func Numbers(n int) []string {
	out := make([]string, 0, n)
	for stem := 999000000; len(out) < n; stem++ {
		sum := 0
		for place, s := 0, fmt.Sprint(stem); place < 9; place++ {
			sum += int(s[place]-'0') * (10 - place)
		}
		if check := (11 - sum%11) % 11; check != 10 {
			out = append(out, fmt.Sprintf("%d%d", stem, check))
		}
	}
	return out
}
