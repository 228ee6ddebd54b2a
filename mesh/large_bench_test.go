package mesh_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"signalbox/mesh"
)

// envLargeBytes sets the size of the message of BenchmarkLarge; 1073741824 is the figure of record.
const envLargeBytes = "MESH_BENCH_BYTES"

// copier is the reference: an upload goes to a file and is synced; a download comes from it.
type copier struct{ file string }

func (h copier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		f, err := os.Open(h.file)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer f.Close()
		_, _ = io.Copy(w, f)
		return
	}
	f, err := os.Create(h.file)
	if err == nil {
		_, err = io.Copy(f, r.Body)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// BenchmarkLarge sends one large message and downloads it to a synced file, beside copying the same bytes over a bare connection
// with the same compression: gzip on the way up, stored so, and undone on the way down. The size is 64 MiB
// unless MESH_BENCH_BYTES says otherwise.
func BenchmarkLarge(b *testing.B) {
	size := int64(64 << 20)
	if n, err := strconv.ParseInt(os.Getenv(envLargeBytes), 10, 64); err == nil {
		size = n
	}
	dir := b.TempDir()
	file := filepath.Join(dir, "payload")
	writePayload(b, file, size)
	y := newYard(b)
	c := httptest.NewServer(copier{filepath.Join(dir, "stored")})
	defer c.Close()
	var spent, bare time.Duration
	rounds := 0
	for b.Loop() {
		start := time.Now()
		if err := y.large(file, filepath.Join(dir, "got"), size); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if err := copyBare(c.URL, file, filepath.Join(dir, "copied"), size); err != nil {
			b.Fatal(err)
		}
		spent, bare, rounds = spent+middle.Sub(start), bare+time.Since(middle), rounds+1
	}
	b.SetBytes(size)
	b.ReportMetric(float64(rounds)*float64(size)/(1<<20)/spent.Seconds(), "MiB/s")
	b.ReportMetric(float64(bare)/float64(spent), "x_ref:bare-gzip-copy")
}

// writePayload writes text that compresses like a file of records does.
func writePayload(b *testing.B, name string, size int64) {
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := &limited{w: f, left: size}
	for i := 0; w.left > 0; i++ {
		fmt.Fprintf(w, "record %08d, open, 2026-%02d-%02d, %x\r\n", i, 1+i%12, 1+i%28, uint64(i)*0x9e3779b97f4a7c15)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

type limited struct {
	w    io.Writer
	left int64
	buf  []byte
}

func (l *limited) Write(p []byte) (int, error) {
	n := len(p)
	if int64(n) > l.left {
		p = p[:l.left]
	}
	l.left -= int64(len(p))
	l.buf = append(l.buf, p...)
	if len(l.buf) > 1<<20 || l.left == 0 {
		if _, err := l.w.Write(l.buf); err != nil {
			return 0, err
		}
		l.buf = l.buf[:0]
	}
	return n, nil
}

func (y *yard) large(file, to string, size int64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx := context.Background()
	id, err := y.sender.Send(ctx, mesh.Outgoing{To: trust, WorkflowID: flow, Compress: true, Body: f})
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, n, err := y.receiver.Download(ctx, id, out)
	if n != size {
		err = errors.Join(err, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, out.Sync(), out.Close(), y.receiver.Acknowledge(ctx, id))
}

func copyBare(url, file, to string, size int64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r, w := io.Pipe()
	zipped := make(chan error, 1)
	go func() {
		buf := bufio.NewWriterSize(w, 64<<10) // the compressor writes some 240 bytes at a time
		z := gzip.NewWriter(buf)
		_, err := io.Copy(z, f)
		err = errors.Join(err, z.Close(), buf.Flush())
		_ = w.CloseWithError(err)
		zipped <- err
	}()
	resp, err := http.Post(url, "application/octet-stream", r)
	if err := errors.Join(err, r.Close(), <-zipped); err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp, err = http.Get(url); err != nil {
		return err
	}
	defer resp.Body.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, z)
	if n != size {
		err = errors.Join(err, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, out.Sync(), out.Close())
}
