package mesh_test

import (
	"bytes"
	"compress/gzip"
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

// crowd runs n calls over some workers and returns how long each took, and all together.
func crowd(workers, n int, call func(i int) error) (each []time.Duration, all time.Duration, err error) {
	var next atomic.Int64
	errs := make([]error, workers)
	each = make([]time.Duration, n)
	var wg sync.WaitGroup
	start := time.Now()
	for w := range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || errs[w] != nil {
					return
				}
				began := time.Now()
				errs[w] = call(i)
				each[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	return each, time.Since(start), errors.Join(errs...)
}

// crowds are the numbers of connections that are measured.
func crowds() []int { return []int{1, 8, 32} }

// eight runs n calls over eight workers and returns how long they took.
func eight(n int, call func(i int) error) (time.Duration, error) {
	_, all, err := crowd(8, n, call)
	return all, err
}

// bare is the reference: a net/http handler that does no more with the same bytes than must be done: a POST writes a file
// and syncs it, a GET reads one, a PUT adds a line to a log and syncs it.
type bare struct {
	dir  string
	next atomic.Int64
	mu   sync.Mutex
	log  *os.File
	zips sync.Pool
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
			err = h.answer(w, r, f)
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

// answer copies a file, in gzip of the fastest kind when that is asked for.
func (h *bare) answer(w http.ResponseWriter, r *http.Request, f io.Reader) error {
	if r.Header.Get("Accept-Encoding") != "gzip" {
		_, err := io.Copy(w, f)
		return err
	}
	w.Header().Set("Content-Encoding", "gzip")
	zip := h.zips.Get().(*gzip.Writer)
	defer h.zips.Put(zip)
	zip.Reset(w)
	_, err := io.Copy(zip, f)
	return errors.Join(err, zip.Close())
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
	meshURL  string
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
	h.zips.New = func() any { z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return z }
	ref := httptest.NewServer(h)
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}
	b.Cleanup(func() { tr.CloseIdleConnections(); ref.Close(); _ = log.Close() })
	return &yard{b: b, sender: w.client(la), receiver: w.client(trust), server: w.server, bareURL: ref.URL, meshURL: w.http.URL, client: &http.Client{Transport: tr}, files: h}
}

func (y *yard) send(body []byte) (string, error) {
	return y.sender.Send(context.Background(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: bytes.NewReader(body)})
}

func (y *yard) bare(method, path string, body []byte, headers ...string) error {
	return y.plain(method, y.bareURL+path, body, headers...)
}

var unzips = sync.Pool{New: func() any { return new(gzip.Reader) }}

// plain makes a call with a plain HTTP client and reads its answer to the end, gzip undone.
func (y *yard) plain(method, url string, body []byte, headers ...string) error {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := y.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	if resp.Header.Get("Content-Encoding") != "gzip" {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	unzip := unzips.Get().(*gzip.Reader)
	defer unzips.Put(unzip)
	if err := unzip.Reset(resp.Body); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, unzip)
	return err
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

func benchSizes(b *testing.B, run func(b *testing.B, workers int, body []byte, n int)) {
	for _, s := range []struct {
		name string
		size int
		n    int
	}{{"1KiB", 1 << 10, 400}, {"100KiB", 100 << 10, 200}, {"1MiB", 1 << 20, 40}} {
		body := make([]byte, s.size)
		for i := range body {
			body[i] = byte(i * i >> 3)
		}
		benchCrowds(b, s.name, func(b *testing.B, workers int) { run(b, workers, body, s.n) })
	}
}

// benchCrowds runs a benchmark over each number of connections.
func benchCrowds(b *testing.B, name string, run func(b *testing.B, workers int)) {
	for _, workers := range crowds() {
		b.Run(fmt.Sprintf("%s/conns=%d", name, workers), func(b *testing.B) { run(b, workers) })
	}
}

// BenchmarkSend compares a durable send with a file written and synced by a bare handler.
func BenchmarkSend(b *testing.B) {
	benchSizes(b, func(b *testing.B, workers int, body []byte, n int) {
		y := newYard(b)
		y.race(workers, n, func(int) error { _, err := y.send(body); return err },
			func(int) error { return y.bare("POST", "/", body) }, y.drain)
	})
}

// BenchmarkGet compares a download, gzip on the way included, with a file read by a bare handler that compresses it alike.
func BenchmarkGet(b *testing.B) {
	benchSizes(b, func(b *testing.B, workers int, body []byte, n int) {
		y := newYard(b)
		ids := y.fill(n, body)
		if err := y.bare("POST", "/", body); err != nil {
			b.Fatal(err)
		}
		y.race(workers, n, func(i int) error {
			in, err := y.receiver.Get(context.Background(), ids[i])
			if err != nil {
				return err
			}
			got, err := io.Copy(io.Discard, in)
			if got != int64(len(body)) {
				err = errors.Join(err, io.ErrUnexpectedEOF)
			}
			return errors.Join(err, in.Close())
		}, func(int) error { return y.bare("GET", "/0", nil, "Accept-Encoding", "gzip") }, func() {})
	})
}

// BenchmarkList compares listing an inbox of 100 with a bare handler that reads a file of about the size of the answer. The
// second case has 3000 acknowledged messages behind it: they must not cost anything.
func BenchmarkList(b *testing.B) {
	for _, history := range []int{0, 3000} {
		benchCrowds(b, fmt.Sprintf("100after%d", history), func(b *testing.B, workers int) {
			y := newYard(b)
			y.fill(history, []byte("x"))
			y.drain()
			y.fill(100, []byte("x"))
			if err := y.bare("POST", "/", make([]byte, 3100)); err != nil {
				b.Fatal(err)
			}
			y.race(workers, 400, func(int) error {
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
	benchCrowds(b, "1KiB", func(b *testing.B, workers int) {
		y := newYard(b)
		var ids []string
		y.race(workers, 400, func(i int) error { return y.receiver.Acknowledge(context.Background(), ids[i]) },
			func(i int) error { return y.bare("PUT", "/"+ids[i], nil) }, func() { ids = y.fill(400, []byte("x")) })
	})
}
