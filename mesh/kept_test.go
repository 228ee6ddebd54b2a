package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/mesh"
)

// payload is a file to send, and the folder in which how far it came is kept.
func payload(t *testing.T, body []byte) (m mesh.Outgoing, dir string) {
	t.Helper()
	dir = t.TempDir()
	name := filepath.Join(dir, "ann-smith.dat")
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return mesh.Outgoing{To: trust, WorkflowID: flow, Body: f}, dir
}

func states(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".mesh-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// counting counts the requests of a method, and breaks the connection from the nth on.
func (w *world) counting(method string, n int) *atomic.Int32 {
	count := &atomic.Int32{}
	w.fault(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == method && int(count.Add(1)) >= n && n > 0 {
				cut(rw)
			}
			next.ServeHTTP(rw, r)
		})
	})
	return count
}

func short(c *mesh.Config) { c.ChunkSize, c.Attempts, c.Settle = 1000, 1, 5*time.Millisecond }

// A sending that failed at a chunk goes on with that chunk in another client, under the local id that was kept; nothing is left behind
// when it is done, and the names of what is kept tell nothing of the payload.
func TestKeptSendGoesOnAtTheMissingChunk(t *testing.T) {
	w := start(t)
	body := pieces(1, 4500)[0]
	m, dir := payload(t, body)
	w.counting("POST", 3)
	first, err := w.client(la, short).SendKept(t.Context(), m, dir)
	if !errors.Is(err, mesh.ErrTransport) || first.LocalID == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	left := states(t, dir)
	if len(left) != 1 || strings.Contains(left[0], "ann") {
		t.Fatalf("kept: %v", left)
	}
	count := w.counting("POST", -1)
	if _, err := m.Body.(io.Seeker).Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	again, err := w.client(la, short).SendKept(t.Context(), m, dir)
	if err != nil || again.LocalID != first.LocalID || count.Load() != 3 {
		t.Fatalf("%+v after %d requests, %v", again, count.Load(), err)
	}
	if _, got := w.get(w.client(trust), again.MessageID); !bytes.Equal(got, body) {
		t.Error("another message arrived")
	}
	if left := states(t, dir); len(left) != 0 || len(w.server.Inbox(trust)) != 1 {
		t.Errorf("left: %v", left)
	}
}

// A process that dies right after the request was put on record has sent nothing; one that dies with a torn line knows what the lines
// before say. Neither makes the next send twice.
func TestKeptSendReadsWhatIsTorn(t *testing.T) {
	for _, torn := range []string{"", `{"message_id":"2026`, "\x00\x00\x00"} {
		w := start(t)
		m, dir := payload(t, []byte("payload"))
		w.fault(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { cut(rw) })
		})
		if _, err := w.client(la, short).SendKept(t.Context(), m, dir); !errors.Is(err, mesh.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		name := states(t, dir)[0]
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(torn); errors.Join(err, f.Close()) != nil {
			t.Fatal(err)
		}
		w.fault(nil)
		if _, err := w.client(la, short).SendKept(t.Context(), m, dir); err != nil || len(w.server.Inbox(trust)) != 1 {
			t.Errorf("%q: %d arrived, %v", torn, len(w.server.Inbox(trust)), err)
		}
	}
}

// A refusal is the end of the matter: a corrected message begins anew, and so does the same one.
func TestKeptSendForgetsWhatWasRefused(t *testing.T) {
	w := start(t)
	m, dir := payload(t, []byte("payload"))
	m.To = "NOBODY"
	if _, err := w.client(la, short).SendKept(t.Context(), m, dir); !errors.Is(err, mesh.ErrRejected) {
		t.Fatal(err)
	}
	m.To, m.WorkflowID = trust, ""
	if _, err := w.client(la, short).SendKept(t.Context(), m, dir); !errors.Is(err, mesh.ErrInvalid) {
		t.Fatal(err)
	}
	if left := states(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := w.client(la, short).SendKept(t.Context(), m, filepath.Join(dir, "none")); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Two processes at the same message would send it twice.
func TestKeptSendHasOneSender(t *testing.T) {
	w := start(t)
	m, dir := payload(t, []byte("payload"))
	asked, goOn := make(chan struct{}), make(chan struct{})
	w.fault(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { close(asked); <-goOn; next.ServeHTTP(rw, r) })
	})
	done := make(chan error, 1)
	go func() { _, err := w.client(la).SendKept(context.Background(), m, dir); done <- err }()
	<-asked
	if _, err := w.client(la).SendKept(t.Context(), m, dir); !errors.Is(err, mesh.ErrInUse) {
		t.Errorf("a second sender: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A download that broke goes on behind the chunks that are durable; what does not go together begins anew; the file is seen whole or
// not at all.
func TestDownloadFileGoesOn(t *testing.T) {
	body := pieces(1, 4500)[0]
	for name, harm := range map[string]func(t *testing.T, part, state string){
		"as it was left": func(*testing.T, string, string) {},
		"part is gone":   func(t *testing.T, part, _ string) { must(t, os.Remove(part)) },
		"part is short":  func(t *testing.T, part, _ string) { must(t, os.Truncate(part, 100)) },
		"part is longer": func(t *testing.T, part, _ string) {
			must(t, os.WriteFile(part, append(bytes.Clone(body[:3000]), "xyz"...), 0o600))
		},
		"state is gone": func(t *testing.T, _, state string) { must(t, os.Remove(state)) },
		"another total": func(t *testing.T, _, state string) {
			must(t, os.WriteFile(state, []byte(`{"message_id":"","total":9,"chunks":3,"bytes":3000}`+"\n"), 0o600))
		},
	} {
		w := start(t)
		id := w.send(w.client(la, short), body)
		path := filepath.Join(t.TempDir(), "got.dat")
		w.counting("GET", 4)
		if _, _, err := w.client(trust, short).DownloadFile(t.Context(), id, path, mesh.DownloadOptions{}); !errors.Is(err, mesh.ErrTransport) {
			t.Fatalf("%s: %v", name, err)
		}
		left := states(t, filepath.Dir(path))
		if _, err := os.Stat(path); err == nil || len(left) != 2 {
			t.Fatalf("%s: left %v", name, left)
		}
		harm(t, left[0], left[1])
		count := w.counting("GET", -1)
		most := int64(0)
		h, n, err := w.client(trust, short).DownloadFile(t.Context(), id, path, mesh.DownloadOptions{Taken: func(n int64) { most = n }})
		got, err2 := os.ReadFile(path)
		if err := errors.Join(err, err2); err != nil || !bytes.Equal(got, body) || n != 4500 || most != 4500 || h.From != la {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		goesOn := name == "as it was left" || name == "part is longer"
		if want := map[bool]int32{true: 2, false: 5}[goesOn]; count.Load() != want {
			t.Errorf("%s: %d chunks were fetched, want %d", name, count.Load(), want)
		}
		if left := states(t, filepath.Dir(path)); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A message that is gone or too large leaves nothing behind; a report makes no file.
func TestDownloadFileThatEnds(t *testing.T) {
	w := start(t)
	id := w.send(w.client(la), make([]byte, 100))
	dir := t.TempDir()
	for name, c := range map[string]struct {
		id   string
		most int64
		kind mesh.Kind
	}{"unknown": {"NONE", 1000, mesh.ErrNotFound}, "too large": {id, 99, mesh.ErrTooLarge}, "no id": {"", 1000, mesh.ErrInvalid}} {
		_, _, err := w.client(trust, func(cfg *mesh.Config) { cfg.MaxMessage = c.most }).DownloadFile(t.Context(), c.id, filepath.Join(dir, "f"), mesh.DownloadOptions{})
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	report := w.report(id)
	if h, n, err := w.client(la).DownloadFile(t.Context(), report, filepath.Join(dir, "f"), mesh.DownloadOptions{}); err != nil || !h.IsReport() || n != 0 {
		t.Errorf("report: %+v, %v", h, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
