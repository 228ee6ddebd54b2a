package meshserver

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// zeros is gzip of n zero bytes, 1,028 times smaller than them, in members of 8 MiB or less.
func zeros(t testing.TB, n int64) []byte {
	t.Helper()
	size := min(n, 8<<20)
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if _, err := io.CopyN(w, zeroes{}, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(out.Bytes(), int(n/size))
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A bomb is kept as it came, is not unpacked to its end for anybody, and takes no memory to speak of.
func TestBombs(t *testing.T) {
	const size = 512 << 20
	b := newBench(t)
	bomb := zeros(t, size)
	if ratio := size / len(bomb); ratio < 1000 {
		t.Fatalf("the bomb is but %d:1", ratio)
	}
	id := b.send(string(bomb), "Content-Encoding: gzip")
	if r := b.call("GET", trust, "/inbox/"+id, "", "Accept-Encoding: gzip"); r.status != 200 || r.body != string(bomb) {
		t.Errorf("as it is: %d, %d bytes", r.status, len(r.body))
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	req, _ := http.NewRequest("GET", b.http.URL+"/messageexchange/"+trust+"/inbox/"+id, nil)
	req.Header.Set("Authorization", b.token(trust))
	began := time.Now()
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	runtime.ReadMemStats(&after)
	if err == nil || n > bombFrom+1<<20 {
		t.Errorf("%d of %d bytes were unpacked, %v", n, size, err)
	}
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 8<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	t.Logf("refused after %d MiB and %v", n>>20, time.Since(began).Round(time.Millisecond))
}

// What compresses well without being a bomb is delivered: a test's message of one letter, say.
func TestNoBomb(t *testing.T) {
	b := newBench(t)
	for _, size := range []int64{1 << 20, bombFrom} {
		id := b.send(string(zeros(t, size)), "Content-Encoding: gzip")
		if r := b.call("GET", trust, "/inbox/"+id, ""); r.status != 200 || int64(len(r.body)) != size {
			t.Errorf("%d bytes: %d, %d bytes came", size, r.status, len(r.body))
		}
	}
}

// Of gzip in gzip, one layer is the transfer's and the other is the payload: nobody asked for that to be undone.
func TestGzipOfGzip(t *testing.T) {
	b := newBench(t)
	inner := zip(repeat("synthetic ", 1000))
	id := b.send(zip(inner), "Content-Encoding: gzip")
	if r := b.call("GET", trust, "/inbox/"+id, ""); r.status != 200 || r.body != inner {
		t.Errorf("%d, %d bytes", r.status, len(r.body))
	}
	bomb := zip(string(zeros(t, 1<<28)))
	id = b.send(bomb, "Content-Encoding: gzip")
	if r := b.call("GET", trust, "/inbox/"+id, ""); r.status != 200 || len(r.body) > 1<<20 {
		t.Errorf("%d, %d bytes", r.status, len(r.body))
	}
}

// ask sends a request to a server without a network and returns what came of an answer, and whether the connection was broken.
func ask(s *Server, req *http.Request) (status int, body string, broken bool) {
	rec := &recorder{headerNames: headerNames{header: http.Header{}}}
	defer func() {
		status, body = rec.status, rec.body.String()
		if p := recover(); p != nil {
			err, _ := p.(error)
			if broken = errors.Is(err, http.ErrAbortHandler); !broken {
				panic(p)
			}
		}
	}()
	s.ServeHTTP(rec, req)
	return 0, "", false
}

type recorder struct {
	headerNames
	body bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// fuzzed is a server to fuzz, in the profile that looks closest at headers.
func fuzzed(f *testing.F, profile Profile) *bench {
	b := &bench{t: f, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	cfg := testConfig(f.TempDir())
	cfg.Now, cfg.Profile, cfg.MaxRequest = b.clock, profile, 1<<16
	var err error
	if b.server, err = New(cfg); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = b.server.Close() })
	return b
}

// Whatever stands in the headers of a send, it is taken or refused, and what is taken is delivered with them.
func FuzzSendHeaders(f *testing.F) {
	b := fuzzed(f, Strict)
	f.Add(trust, flow, "1:1", "", "sum", "l", "text/plain")
	f.Add("GPPROVIDER_9990000018_01012020_Test", flow, "", "gzip", "", "", "")
	f.Add(" testtr01 ", "http://x", "1:2", "br", "a=b", "\x01", "a\tb")
	f.Fuzz(func(t *testing.T, to, workflow, chunks, encoding, sum, local, kind string) {
		req, _ := http.NewRequest("POST", "/messageexchange/"+la+"/outbox", strings.NewReader("synthetic"))
		for name, value := range map[string]string{
			"Mex-To": to, "Mex-Workflowid": workflow, "Mex-Chunk-Range": chunks, "Content-Encoding": encoding, "Mex-Content-Checksum": sum,
			"Mex-Localid": local, "Mex-Content-Type": kind,
		} {
			req.Header[name] = []string{value}
		}
		req.Header.Set("Authorization", b.token(la))
		req.Header.Set("Accept", "application/vnd.mesh.v2+json")
		status, body, broken := ask(b.server, req)
		switch {
		case broken:
			t.Error("the connection is broken")
		case status == 202:
			m, ok := b.server.Message(strings.Split(body, `"`)[3])
			if !ok || m.LocalID != local || m.WorkflowID != workflow || m.Checksum != sum {
				t.Errorf("taken and not kept as it came: %+v", m)
			}
		case status != 400 && status != 417 && status != 422:
			t.Errorf("%d %s", status, body)
		}
	})
}

// Whatever an Authorization header holds, it passes only as a token of the mailbox.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"", "NHSMESH ", "NHSMESH TESTLA01:n:0:202601011200:00", "nhsmesh:TESTLA01::::", "NHSMESH  TESTLA01:a:b:c:d:e"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	servers := map[bool]*bench{true: fuzzed(f, Strict), false: fuzzed(f, Sandbox)}
	f.Fuzz(func(t *testing.T, header string, strict bool) {
		req, _ := http.NewRequest("GET", "/messageexchange/"+la+"/count", nil)
		req.Header["Authorization"] = []string{header}
		if status, body, _ := ask(servers[strict].server, req); status != 403 {
			t.Errorf("%d %s", status, body)
		}
	})
}

// Whatever was sent as gzip, it is delivered as it came to who takes gzip; to others it is unpacked, refused, or breaks off.
func FuzzGzipBody(f *testing.F) {
	b := fuzzed(f, Strict)
	f.Add([]byte(zip("synthetic")))
	f.Add([]byte(zip("synthetic"))[:12])
	f.Add([]byte("synthetic"))
	f.Add(append([]byte(zip("one")), zip("two")...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 || len(raw) > 1<<16 {
			return
		}
		post, _ := http.NewRequest("POST", "/messageexchange/"+la+"/outbox", bytes.NewReader(raw))
		post.Header = http.Header{"Mex-To": {trust}, "Mex-Workflowid": {flow}, "Content-Encoding": {"gzip"}, "Authorization": {b.token(la)}, "Accept": {"application/vnd.mesh.v2+json"}}
		status, body, _ := ask(b.server, post)
		if status != 202 {
			t.Fatalf("%d %s", status, body)
		}
		id := strings.Split(body, `"`)[3]
		get := func(coding string) (int, string, bool) {
			req, _ := http.NewRequest("GET", "/messageexchange/"+trust+"/inbox/"+id, nil)
			req.Header = http.Header{"Accept-Encoding": {coding}, "Authorization": {b.token(trust)}}
			return ask(b.server, req)
		}
		if status, body, _ := get("gzip"); status != 200 || body != string(raw) {
			t.Errorf("as it is: %d, %d bytes", status, len(body))
		}
		want, err := unpack(raw)
		status, body, broken := get("identity")
		switch {
		case err == nil && (status != 200 || body != want):
			t.Errorf("unpacked: %d, %d bytes for %d", status, len(body), len(want))
		case err != nil && !broken && status != 500:
			t.Errorf("what is no gzip looks whole: %d", status)
		}
	})
}

func unpack(raw []byte) (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(r)
	return string(out), err
}
