package mesh_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"signalbox/mesh"
)

// alone is a client whose service is a function.
func alone(t *testing.T, answer func(*http.Request) (*http.Response, error), change ...func(*mesh.Config)) *mesh.Client {
	t.Helper()
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Transport = "http://mesh.test", la, "p", "k", roundTripper(answer)
	for _, f := range change {
		f(&cfg)
	}
	c, err := mesh.New(cfg)
	must(t, err)
	return c
}

// giant is several GiB, less where that would take minutes.
func giant() int64 {
	if raceEnabled || testing.Short() {
		return 256 << 20
	}
	return 4 << 30
}

// Several GiB go up in chunks of 75 MiB, and down again, in a heap that does not grow: nothing in the client is as large as a message,
// nor as a chunk, so that 100 GB take no more.
func TestSeveralGiBInBoundedMemory(t *testing.T) {
	size, chunk := giant(), mesh.Default().ChunkSize
	total := int((size + chunk - 1) / chunk)
	taken, requests := int64(0), 0
	c := alone(t, func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		if r.Method == http.MethodPost {
			n, err := io.Copy(io.Discard, r.Body)
			taken, requests = taken+n, requests+1
			return &http.Response{StatusCode: 202, Header: h, Body: io.NopCloser(strings.NewReader(`{"message_id":"M"}`))}, err
		}
		n, status := 1, 200
		if _, tail, ok := strings.Cut(r.URL.Path, "/inbox/M/"); ok {
			n, _ = strconv.Atoi(tail)
		}
		if n < total {
			status = 206
		}
		h.Set("Mex-Chunk-Range", fmt.Sprintf("%d:%d", n, total))
		piece := io.NewSectionReader(zeros{}, 0, min(chunk, size-int64(n-1)*chunk))
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(piece)}, nil
	}, func(cfg *mesh.Config) { cfg.MaxMessage = size })
	peak := watchHeap(t)
	if _, err := c.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: io.NewSectionReader(zeros{}, 0, size)}); err != nil || taken != size || requests != total {
		t.Fatalf("%d bytes of %d in %d requests, %v", taken, size, requests, err)
	}
	if _, n, err := c.Download(t.Context(), "M", io.Discard); err != nil || n != size {
		t.Fatalf("%d bytes of %d, %v", n, size, err)
	}
	if most := peak(); most > 32<<20 {
		t.Errorf("the heap rose to %d MiB", most>>20)
	}
}

// bomb is a gzip stream of some 1,028 to 1 that would be 16 GiB: the same member again and again.
func bomb(t *testing.T) io.Reader {
	t.Helper()
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	_, err := io.CopyN(z, io.NewSectionReader(zeros{}, 0, 1<<40), 16<<20)
	must(t, errors.Join(err, z.Close()))
	if ratio := (16 << 20) / member.Len(); ratio < 1000 {
		t.Fatalf("a bomb of %d to 1", ratio)
	}
	again := make([]io.Reader, 1024)
	for i := range again {
		again[i] = bytes.NewReader(member.Bytes())
	}
	return io.MultiReader(again...)
}

// A bomb is refused at the client's limit, to a writer and to a file, and leaves nothing; a bomb within a gzip is a payload like any
// other, for only the transfer's compression is undone.
func TestBombsAreRefusedByTheClient(t *testing.T) {
	var inner bytes.Buffer
	serve := func(body func() io.Reader) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(body())}, nil
		}
	}
	bounded := func(cfg *mesh.Config) { cfg.MaxMessage = 32 << 20 }
	plain := alone(t, serve(func() io.Reader { return bomb(t) }), bounded)
	peak := watchHeap(t)
	_, n, err := plain.Download(t.Context(), "M", io.Discard)
	if !errors.Is(err, mesh.ErrTooLarge) || n > 32<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	dir := t.TempDir()
	if _, _, err := plain.DownloadFile(t.Context(), "M", filepath.Join(dir, "f"), mesh.DownloadOptions{}); !errors.Is(err, mesh.ErrTooLarge) {
		t.Errorf("to a file: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if most := peak(); most > 64<<20 {
		t.Errorf("the heap rose to %d MiB", most>>20)
	}
	z := gzip.NewWriter(&inner)
	_, err = io.CopyN(z, zeroReader{}, 1<<20)
	must(t, errors.Join(err, z.Close()))
	twice := alone(t, serve(func() io.Reader {
		var outer bytes.Buffer
		z := gzip.NewWriter(&outer)
		_, err := z.Write(inner.Bytes())
		must(t, errors.Join(err, z.Close()))
		return &outer
	}), bounded)
	var got bytes.Buffer
	if _, _, err := twice.Download(t.Context(), "M", &got); err != nil || !bytes.Equal(got.Bytes(), inner.Bytes()) {
		t.Errorf("gzip of gzip: %d bytes, %v", got.Len(), err)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Whatever stands where a gzip stream should, a download ends within its limit, and what decompresses whole comes out whole.
func FuzzGzipDownload(f *testing.F) {
	var good bytes.Buffer
	z := gzip.NewWriter(&good)
	_, _ = z.Write([]byte("payload"))
	_ = z.Close()
	f.Add(good.Bytes())
	f.Add(append(bytes.Clone(good.Bytes()), good.Bytes()...))
	f.Add(good.Bytes()[:good.Len()-3])
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := alone(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(bytes.NewReader(raw))}, nil
		}, func(cfg *mesh.Config) { cfg.MaxMessage, cfg.Backoff, cfg.MaxBackoff, cfg.Attempts = 10_000, 1, 1, 2 })
		var got bytes.Buffer
		_, n, err := c.Download(t.Context(), "M", &got)
		want, bad := []byte(nil), error(nil)
		if len(raw) > 0 {
			var r *gzip.Reader
			if r, bad = gzip.NewReader(bytes.NewReader(raw)); bad == nil {
				want, bad = io.ReadAll(io.LimitReader(r, 10_001))
			}
		}
		if whole := bad == nil && len(want) <= 10_000; whole != (err == nil) || whole && !bytes.Equal(got.Bytes(), want) || n > 10_000 {
			t.Errorf("%d bytes of %d, %v and %v", n, len(want), err, bad)
		}
	})
}
