package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	la    = "TESTLA01"
	trust = "TESTTR01"
	flow  = "TEST_CPIS_UPLOAD"
)

func serverConfig(dir string) meshserver.Config {
	cfg := meshserver.Default()
	cfg.Dir, cfg.SharedKey = dir, "TestKey"
	cfg.Mailboxes = []meshserver.Mailbox{
		{ID: la, Password: "la-password", Name: "Northshire Council", ODSCode: "ZZ01", Active: true},
		{ID: trust, Password: "trust-password", Name: "Testshire Hospitals", ODSCode: "ZZ02", Active: true},
	}
	return cfg
}

// world is a MESH server on a loopback port, with a wrapper around it for faults.
type world struct {
	t      testing.TB
	dir    string
	inline int64
	server *meshserver.Server
	http   *httptest.Server
	mu     sync.Mutex
	wrap   func(http.Handler) http.Handler
}

func start(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir()}
	if _, bench := t.(*testing.B); !bench {
		w.inline = 16 << 10 // so that both ways of storing are walked
	}
	w.open()
	w.http = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		var h http.Handler = w.server
		if w.wrap != nil {
			h = w.wrap(h)
		}
		w.mu.Unlock()
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		w.http.Close()
		if err := w.server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

func (w *world) open() {
	cfg := serverConfig(w.dir)
	cfg.InlineBodies = w.inline
	server, err := meshserver.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server = server
}

// restart stops the server and starts another in the same directory.
func (w *world) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.server.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// fault puts a wrapper around the server; nil takes it away.
func (w *world) fault(wrap func(http.Handler) http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrap = wrap
}

func (w *world) client(mailbox string, change ...func(*mesh.Config)) *mesh.Client {
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.SharedKey = w.http.URL, mailbox, "TestKey"
	cfg.Password = map[string]mesh.Secret{la: "la-password", trust: "trust-password"}[mailbox]
	cfg.Backoff, cfg.MaxBackoff = time.Millisecond, 2*time.Millisecond
	for _, f := range change {
		f(&cfg)
	}
	c, err := mesh.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func chunks(size int64) func(*mesh.Config) { return func(c *mesh.Config) { c.ChunkSize = size } }

func (w *world) send(c *mesh.Client, body []byte, change ...func(*mesh.Outgoing)) string {
	w.t.Helper()
	m := mesh.Outgoing{To: trust, WorkflowID: flow, Body: bytes.NewReader(body)}
	for _, f := range change {
		f(&m)
	}
	id, err := c.Send(context.Background(), m)
	if err != nil {
		w.t.Fatalf("send: %v", err)
	}
	return id
}

func (w *world) get(c *mesh.Client, id string) (mesh.Header, []byte) {
	w.t.Helper()
	in, err := c.Get(context.Background(), id)
	if err != nil {
		w.t.Fatalf("get: %v", err)
	}
	body, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		w.t.Fatalf("get: %v", err)
	}
	return in.Header, body
}

func (w *world) list(c *mesh.Client, o mesh.ListOptions) []string {
	w.t.Helper()
	ids := []string{}
	for id, err := range c.List(context.Background(), o) {
		if err != nil {
			w.t.Fatalf("list: %v", err)
		}
		ids = append(ids, id)
	}
	return ids
}

func (w *world) ack(c *mesh.Client, id string) {
	w.t.Helper()
	if err := c.Acknowledge(context.Background(), id); err != nil {
		w.t.Fatalf("acknowledge: %v", err)
	}
}

func wantKind(t *testing.T, err error, kind mesh.Kind, status int) {
	t.Helper()
	e, ok := errors.AsType[*mesh.Error](err)
	if !ok || !errors.Is(err, kind) || e.Status != status {
		t.Fatalf("error %v, want kind %q and status %d", err, string(kind), status)
	}
}
