package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/mesh"
	"signalbox/mesh/internal/wire"
	"signalbox/mesh/meshserver"
)

// Eight clients send messages in chunks at once, and any of the answers may be lost, to a first request or to a chunk, before
// or after the request was done. Each message is delivered exactly once, and whole.
func TestLostAnswersLoseAndDoubleNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		chance := func(name string) float64 { return float64(rapid.IntRange(0, 30).Draw(rt, name)) / 100 }
		faults := []meshserver.Fault{}
		add := func(f meshserver.Fault) {
			if f.Probability > 0 {
				faults = append(faults, f)
			}
		}
		add(meshserver.Fault{Path: "outbox", Probability: chance("first answer lost"), Lost: true})
		add(meshserver.Fault{Path: "outbox/*/*", Probability: chance("chunk answer lost"), Lost: true})
		add(meshserver.Fault{Path: "outbox/*/*", Probability: chance("chunk answer spoilt"), Status: 502, After: true})
		add(meshserver.Fault{Path: "outbox/*/*", Probability: chance("chunk not done"), Status: 503})
		r := newRing(t, rt, faults, rapid.Uint64().Draw(rt, "seed"))
		defer r.close()
		sizes := rapid.SliceOfN(rapid.IntRange(1, 200), 8, 8).Draw(rt, "sizes")
		want := map[string]bool{}
		var sending sync.WaitGroup
		for i, size := range sizes {
			body := bytes.Repeat(fmt.Appendf(nil, "%d ", i), size)
			want[string(body)] = true
			sending.Go(func() { r.deliver(fmt.Sprint("L", i), body, i%2 == 0) })
		}
		sending.Wait()
		for _, body := range r.collect() {
			if !want[body] {
				rt.Fatalf("a body of %d bytes came twice, or was never sent", len(body))
			}
			delete(want, body)
		}
		if len(want) > 0 {
			rt.Fatalf("%d messages were not delivered", len(want))
		}
	})
}

// ring is a faulty server for one case, with clients.
type ring struct {
	rt      *rapid.T
	server  *meshserver.Server
	http    *httptest.Server
	dir     string
	clients []*mesh.Client
	mu      sync.Mutex
}

func newRing(t *testing.T, rt *rapid.T, faults []meshserver.Fault, seed uint64) *ring {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		rt.Fatal(err)
	}
	cfg := serverConfig(filepath.Join(dir, "mesh"))
	cfg.Faults, cfg.Seed, cfg.InlineBodies = faults, seed, 32
	r := &ring{rt: rt, dir: dir}
	if r.server, err = meshserver.New(cfg); err != nil {
		rt.Fatal(err)
	}
	r.http = httptest.NewServer(r.server)
	return r
}

func (r *ring) close() {
	for _, c := range r.clients {
		c.Close()
	}
	r.http.Close()
	_ = r.server.Close()
	_ = os.RemoveAll(r.dir)
}

func (r *ring) client(mailbox string, chunk int64) *mesh.Client {
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.SharedKey, cfg.ChunkSize, cfg.Attempts = r.http.URL, mailbox, "TestKey", chunk, 50
	cfg.Password = map[string]mesh.Secret{la: "la-password", trust: "trust-password"}[mailbox]
	cfg.Backoff, cfg.MaxBackoff = time.Microsecond, time.Microsecond
	c, err := mesh.New(cfg)
	if err != nil {
		r.rt.Errorf("client: %v", err)
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients = append(r.clients, c)
	return c
}

// deliver sends until the message is known to have arrived. What became of a request whose answer is lost is asked by local
// id, of which each try has its own.
func (r *ring) deliver(localID string, body []byte, compress bool) {
	c, ctx := r.client(la, 64), context.Background()
	for try := range 100 {
		local := fmt.Sprintf("%s.%d", localID, try)
		id, err := c.Send(ctx, mesh.Outgoing{To: trust, WorkflowID: flow, LocalID: local, Compress: compress, Body: bytes.NewReader(body)})
		if err == nil {
			return
		}
		if !errors.Is(err, mesh.ErrOutcomeUnknown) {
			r.rt.Errorf("send: %v", err)
			return
		}
		var found mesh.Tracking
		if found, err = c.TrackByLocalID(ctx, local); id != "" {
			found, err = c.Track(ctx, id)
		}
		switch {
		case errors.Is(err, mesh.ErrNotFound): // it never arrived
		case err != nil:
			r.rt.Errorf("track: %v", err)
			return
		case found.Status != wire.StatusUploading:
			return
		}
	}
	r.rt.Errorf("100 tries did not do")
}

func (r *ring) collect() []string {
	c, ctx := r.client(trust, 64), context.Background()
	var out []string
	for id, err := range c.List(ctx, mesh.ListOptions{}) {
		if err != nil {
			r.rt.Fatalf("list: %v", err)
		}
		in, err := c.Get(ctx, id)
		if err != nil {
			r.rt.Fatalf("get: %v", err)
		}
		body, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close(), c.Acknowledge(ctx, id)); err != nil {
			r.rt.Fatalf("take: %v", err)
		}
		out = append(out, string(body))
	}
	return out
}
