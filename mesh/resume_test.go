package mesh_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"signalbox/mesh"
)

// frugal is a server of one message in chunks that cuts the connection after so many bytes of a chunk, as often as told.
type frugal struct {
	pieces [][]byte
	zip    bool
	cutAt  map[int]int // chunk -> bytes of body to let through
	cuts   int         // times that each of them is cut
	left   map[int]int
	asked  []string
	change func(http.Header, int)
}

func (f *frugal) wrap(http.Handler) http.Handler {
	if f.left == nil {
		f.left = map[int]int{}
		for n := range f.cutAt {
			f.left[n] = f.cuts
		}
	}
	return http.HandlerFunc(f.serve)
}

func (f *frugal) serve(w http.ResponseWriter, r *http.Request) {
	n := 1
	if _, tail, ok := strings.Cut(r.URL.Path, "/inbox/M/"); ok {
		n, _ = strconv.Atoi(tail)
	}
	f.asked = append(f.asked, fmt.Sprint(n))
	body := f.pieces[n-1]
	h := w.Header()
	h.Set("Mex-MessageID", "M")
	h.Set("Mex-Chunk-Range", fmt.Sprintf("%d:%d", n, len(f.pieces)))
	if f.zip {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, _ = z.Write(body)
		_ = z.Close()
		body = out.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f.change != nil {
		f.change(h, n)
	}
	if n < len(f.pieces) {
		w.WriteHeader(http.StatusPartialContent)
	}
	if at, ok := f.cutAt[n]; ok && f.left[n] > 0 && at < len(body) {
		f.left[n]--
		_, _ = w.Write(body[:at])
		_ = http.NewResponseController(w).Flush()
		cut(w)
	}
	_, _ = w.Write(body)
}

func pieces(n, size int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, size)
		_, _ = random{1 << 40}.ReadAt(out[i], int64(i)<<32)
	}
	return out
}

// A chunk that is lost half-way is fetched again, and only that chunk; what comes out is the whole.
func TestDownloadResumesAtTheLostChunk(t *testing.T) {
	for _, zip := range []bool{false, true} {
		w := start(t)
		f := &frugal{pieces: pieces(4, 50_000), zip: zip, cutAt: map[int]int{2: 30_000, 4: 0}, cuts: 2}
		w.fault(f.wrap)
		var got bytes.Buffer
		_, n, err := w.client(trust).Download(t.Context(), "M", &got)
		want := bytes.Join(f.pieces, nil)
		if err != nil || n != int64(len(want)) || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("gzip %v: %d bytes of %d, %v", zip, n, len(want), err)
		}
		if asked := strings.Join(f.asked, " "); asked != "1 2 2 2 3 4 4 4" {
			t.Errorf("gzip %v: asked for chunks %s", zip, asked)
		}
	}
}

// Whatever is cut wherever, fewer times than there are attempts, comes out whole; one more and it is an error, never a part
// that looks whole.
func TestDownloadAssemblyProperty(t *testing.T) {
	w := start(t)
	rapid.Check(t, func(rt *rapid.T) {
		f := &frugal{zip: rapid.Bool().Draw(rt, "gzip"), cutAt: map[int]int{}, cuts: rapid.IntRange(0, 5).Draw(rt, "cuts")}
		f.pieces = pieces(rapid.IntRange(1, 5).Draw(rt, "chunks"), rapid.IntRange(1, 9000).Draw(rt, "size"))
		for range rapid.IntRange(0, 3).Draw(rt, "places") {
			f.cutAt[rapid.IntRange(1, len(f.pieces)).Draw(rt, "chunk")] = rapid.IntRange(0, 9000).Draw(rt, "at")
		}
		w.fault(f.wrap)
		var got bytes.Buffer
		_, _, err := w.client(trust).Download(t.Context(), "M", &got)
		want := bytes.Join(f.pieces, nil)
		if err == nil && !bytes.Equal(got.Bytes(), want) || err != nil && !bytes.HasPrefix(want, got.Bytes()) {
			rt.Fatalf("%d bytes of %d, %v", got.Len(), len(want), err)
		}
		if err != nil && f.cuts < 4 {
			rt.Fatalf("%d cuts a chunk: %v", f.cuts, err)
		}
	})
}

// What arrives the second time must be what arrived the first.
func TestResumedChunkMustBeTheSame(t *testing.T) {
	w := start(t)
	f := &frugal{pieces: pieces(1, 50_000), cutAt: map[int]int{1: 30_000}, cuts: 1}
	f.change = func(http.Header, int) { f.pieces[0][5]++ }
	w.fault(f.wrap)
	_, _, err := w.client(trust).Download(t.Context(), "M", io.Discard)
	if !errors.Is(err, mesh.ErrProtocol) {
		t.Errorf("error %v, want one of protocol", err)
	}
}

// Chunks in another order, of another message, or of another count never become a payload.
func TestChunksOutOfOrderAreRefused(t *testing.T) {
	for name, change := range map[string]func(http.Header, int){
		"number":  func(h http.Header, n int) { h.Set("Mex-Chunk-Range", "1:3") },
		"total":   func(h http.Header, n int) { h.Set("Mex-Chunk-Range", fmt.Sprintf("%d:9", n)) },
		"message": func(h http.Header, n int) { h.Set("Mex-MessageID", "N") },
	} {
		w := start(t)
		f := &frugal{pieces: pieces(3, 100), change: func(h http.Header, n int) {
			if n == 2 {
				change(h, n)
			}
		}}
		w.fault(f.wrap)
		n := &bytes.Buffer{}
		_, _, err := w.client(trust).Download(t.Context(), "M", n)
		if !errors.Is(err, mesh.ErrProtocol) || n.Len() != 100 {
			t.Errorf("%s: %d bytes, error %v", name, n.Len(), err)
		}
	}
}

// The specification's own samples of an unchunked message show the range 2:2.
func TestUnchunkedMessageWithAnOddRange(t *testing.T) {
	w := start(t)
	f := &frugal{pieces: pieces(1, 10), change: func(h http.Header, _ int) { h.Set("Mex-Chunk-Range", "2:2") }}
	w.fault(f.wrap)
	if _, n, err := w.client(trust).Download(t.Context(), "M", io.Discard); n != 10 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A writer that fails is not the service's fault: nothing is fetched again, and the error is the writer's.
func TestDownloadToABrokenWriter(t *testing.T) {
	w := start(t)
	id := w.send(w.client(la), make([]byte, 100))
	full := errors.New("disk full")
	var calls atomic.Int32
	w.fault(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); next.ServeHTTP(w, r) })
	})
	_, _, err := w.client(trust).Download(t.Context(), id, writer(func([]byte) (int, error) { return 0, full }))
	if !errors.Is(err, full) || calls.Load() != 1 || len(w.server.Inbox(trust)) != 1 {
		t.Errorf("error %v after %d calls", err, calls.Load())
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// A message that came another way reads like any other, its limit included.
func TestNewIncoming(t *testing.T) {
	in := mesh.NewIncoming(mesh.Header{MessageID: "M", MessageType: mesh.Data}, io.NopCloser(strings.NewReader("payload")))
	in.SetLimit(7)
	if got, err := io.ReadAll(in); string(got) != "payload" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	in = mesh.NewIncoming(mesh.Header{MessageID: "M"}, io.NopCloser(strings.NewReader("payload")))
	in.SetLimit(6)
	if _, err := io.ReadAll(in); !errors.Is(err, mesh.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	in = mesh.NewIncoming(mesh.Header{MessageID: "M"}, io.NopCloser(failing{}))
	if _, err := io.ReadAll(in); !errors.Is(err, mesh.ErrTransport) {
		t.Errorf("error %v", err)
	}
}

// Whatever a server says of its chunks, a download ends, and never with more than the limit.
func FuzzChunkAssembly(f *testing.F) {
	f.Add("1:2", 206, "one", "2:2", 200, "two", false)
	f.Add("1:1", 200, "one", "", 404, "", true)
	f.Add("2:2", 200, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "9:9", 206, "", true)
	f.Fuzz(func(t *testing.T, range1 string, status1 int, body1, range2 string, status2 int, body2 string, zip bool) {
		status1, status2 = 200+status1&7, 200+status2&7
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			chunks, status, body := range1, status1, body1
			if !strings.HasSuffix(r.URL.Path, "/M") {
				chunks, status, body = range2, status2, body2
			}
			h := http.Header{"Mex-Chunk-Range": {chunks}}
			if zip {
				h.Set("Content-Encoding", "gzip")
			}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		cfg := mesh.Default()
		cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Transport = "http://mesh.test", trust, "p", "k", transport
		cfg.Backoff, cfg.MaxBackoff, cfg.Attempts, cfg.MaxMessage = 1, 1, 2, 1000
		c, err := mesh.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		_, n, err := c.Download(t.Context(), "M", &got)
		if n > 1000 {
			t.Errorf("%d bytes", n)
		}
		if err == nil && !zip && status1 == 200 && got.String() != body1 {
			t.Error("one chunk came out as something else")
		}
		if err == nil && !zip && status1 == 206 && status2 == 200 && got.String() != body1+body2 {
			t.Error("two chunks came out as something else")
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
