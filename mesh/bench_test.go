package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

const benchConns = 8

// eight runs n calls over eight workers and returns how long they took.
func eight(n int, call func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	errs := make([]error, benchConns)
	var wg sync.WaitGroup
	start := time.Now()
	for w := range benchConns {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || errs[w] != nil {
					return
				}
				errs[w] = call(i)
			}
		})
	}
	wg.Wait()
	return time.Since(start), errors.Join(errs...)
}

// bare is the reference: a net/http handler that does no more with the same bytes than must be done: a POST writes a file
// and syncs it, a GET reads one, a PUT adds a line to a log and syncs it.
type bare struct {
	dir  string
	next atomic.Int64
	mu   sync.Mutex
	log  *os.File
}

func (h *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var err error
	switch r.Method {
	case http.MethodPost:
		err = h.store(r.Body)
		w.WriteHeader(http.StatusAccepted)
	case http.MethodGet:
		var f *os.File
		if f, err = os.Open(filepath.Join(h.dir, filepath.Base(r.URL.Path))); err == nil {
			_, err = io.Copy(w, f)
			_ = f.Close()
		}
	case http.MethodPut:
		h.mu.Lock()
		_, err = fmt.Fprintln(h.log, filepath.Base(r.URL.Path))
		err = errors.Join(err, h.log.Sync())
		h.mu.Unlock()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (h *bare) store(body io.Reader) error {
	f, err := os.Create(filepath.Join(h.dir, fmt.Sprint(h.next.Add(1)-1)))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Sync(), f.Close())
}

// yard is both servers, each with a client of its own kind.
type yard struct {
	b        *testing.B
	sender   *mesh.Client
	receiver *mesh.Client
	server   *meshserver.Server
	bareURL  string
	client   *http.Client
	files    *bare
}

func newYard(b *testing.B) *yard {
	w := start(b)
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	h := &bare{dir: b.TempDir(), log: log}
	ref := httptest.NewServer(h)
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
	b.Cleanup(func() { tr.CloseIdleConnections(); ref.Close(); _ = log.Close() })
	return &yard{b: b, sender: w.client(la), receiver: w.client(trust), server: w.server, bareURL: ref.URL, client: &http.Client{Transport: tr}, files: h}
}

func (y *yard) send(body []byte) (string, error) {
	return y.sender.Send(context.Background(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: bytes.NewReader(body)})
}

func (y *yard) bare(method, path string, body []byte) error {
	req, err := http.NewRequest(method, y.bareURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := y.client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// compare runs rounds of both, interleaved, and reports calls a second and how many times faster than the reference.
func (y *yard) compare(n int, ours, ref func(i int) error, prepare func()) {
	var spent, refSpent time.Duration
	rounds := 0
	for y.b.Loop() {
		y.b.StopTimer()
		prepare()
		y.b.StartTimer()
		d, err := eight(n, ours)
		y.b.StopTimer()
		r, refErr := eight(n, ref)
		if err := errors.Join(err, refErr); err != nil {
			y.b.Fatal(err)
		}
		spent, refSpent, rounds = spent+d, refSpent+r, rounds+1
		y.b.StartTimer()
	}
	y.b.ReportMetric(float64(rounds*n)/spent.Seconds(), "ops/s")
	y.b.ReportMetric(float64(refSpent)/float64(spent), "x_ref:bare-handler")
}

func (y *yard) fill(n int, body []byte) []string {
	ids := make([]string, n)
	_, err := eight(n, func(i int) (err error) { ids[i], err = y.send(body); return err })
	if err != nil {
		y.b.Fatal(err)
	}
	return ids
}

func (y *yard) drain() {
	waiting := y.server.Inbox(trust)
	_, err := eight(len(waiting), func(i int) error { return y.receiver.Acknowledge(context.Background(), waiting[i].ID) })
	if err != nil {
		y.b.Fatal(err)
	}
}

func benchSizes(b *testing.B, run func(b *testing.B, body []byte, n int)) {
	for _, s := range []struct {
		name string
		size int
		n    int
	}{{"1KiB", 1 << 10, 400}, {"100KiB", 100 << 10, 200}, {"1MiB", 1 << 20, 40}} {
		b.Run(s.name, func(b *testing.B) {
			body := make([]byte, s.size)
			for i := range body {
				body[i] = byte(i * i >> 3)
			}
			run(b, body, s.n)
		})
	}
}

// BenchmarkSend compares a durable send at 8 connections with a file written and synced by a bare handler.
func BenchmarkSend(b *testing.B) {
	benchSizes(b, func(b *testing.B, body []byte, n int) {
		y := newYard(b)
		y.compare(n, func(int) error { _, err := y.send(body); return err },
			func(int) error { return y.bare("POST", "/", body) }, y.drain)
	})
}

// BenchmarkGet compares a download, gzip on the way included, with a file read by a bare handler.
func BenchmarkGet(b *testing.B) {
	benchSizes(b, func(b *testing.B, body []byte, n int) {
		y := newYard(b)
		ids := y.fill(n, body)
		if err := y.bare("POST", "/", body); err != nil {
			b.Fatal(err)
		}
		y.compare(n, func(i int) error {
			in, err := y.receiver.Get(context.Background(), ids[i])
			if err != nil {
				return err
			}
			got, err := io.Copy(io.Discard, in)
			if got != int64(len(body)) {
				err = errors.Join(err, io.ErrUnexpectedEOF)
			}
			return errors.Join(err, in.Close())
		}, func(int) error { return y.bare("GET", "/0", nil) }, func() {})
	})
}

// BenchmarkList compares listing an inbox of 100 with a bare handler that reads a file of about the size of the answer. The
// second case has 3000 acknowledged messages behind it: they must not cost anything.
func BenchmarkList(b *testing.B) {
	for _, history := range []int{0, 3000} {
		b.Run(fmt.Sprintf("100after%d", history), func(b *testing.B) {
			y := newYard(b)
			y.fill(history, []byte("x"))
			y.drain()
			y.fill(100, []byte("x"))
			if err := y.bare("POST", "/", make([]byte, 3100)); err != nil {
				b.Fatal(err)
			}
			y.compare(400, func(int) error {
				ids, err := collect(y.receiver.List(context.Background(), mesh.ListOptions{}))
				if len(ids) != 100 {
					err = errors.Join(err, errors.New("not all are listed"))
				}
				return err
			}, func(int) error { return y.bare("GET", "/0", nil) }, func() {})
		})
	}
}

// BenchmarkAcknowledge compares a durable acknowledgement with a line in a log, synced by a bare handler.
func BenchmarkAcknowledge(b *testing.B) {
	y := newYard(b)
	var ids []string
	y.compare(400, func(i int) error { return y.receiver.Acknowledge(context.Background(), ids[i]) },
		func(i int) error { return y.bare("PUT", "/"+ids[i], nil) }, func() { ids = y.fill(400, []byte("x")) })
}
