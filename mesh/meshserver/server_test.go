package meshserver

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestConfigIsChecked(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"Dir": func(c *Config) { c.Dir = "" }, "SharedKey": func(c *Config) { c.SharedKey = "" }, "MaxRequest": func(c *Config) { c.MaxRequest = -1 },
		"InlineBodies": func(c *Config) { c.InlineBodies = 1<<20 + 1 }, "Mailboxes:": func(c *Config) { c.Mailboxes = nil },
		"Mailboxes[0]": func(c *Config) { c.Mailboxes[0].ID = "A:B" }, "Mailboxes[1]": func(c *Config) { c.Mailboxes[1].ID = strings.ToLower(la) },
		"Mailboxes[2]":     func(c *Config) { c.Mailboxes[2].Password = "" },
		"Workflows[0]: ID": func(c *Config) { c.Workflows = []Workflow{{}} },
	} {
		cfg := testConfig(t.TempDir())
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := (Config{}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not everything is reported: %v", err)
	}
	s, err := New(Config{Dir: t.TempDir(), SharedKey: "k", Mailboxes: []Mailbox{{ID: la, Password: "p", Active: true}}})
	if err != nil {
		t.Fatalf("zero fields do not take their defaults: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// File names say which message and nothing else.
func TestFileNamesHoldNothingButMessageIDs(t *testing.T) {
	var dir string
	b := newBench(t, func(c *Config) { dir = c.Dir; c.InlineBodies = -1 })
	b.send("synthetic payload", "Mex-FileName: secret-file", "Mex-LocalID: secret-local", "Mex-Subject: secret-subject")
	allowed := regexp.MustCompile(`^(journal|lock|bodies|tokens|tokens/\d{10}|bodies/\d{20}_[0-9A-F]{6}\.\d+\.[a-z0-9]+)$`)
	n := 0
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, path); rel != "." {
			if n++; !allowed.MatchString(rel) {
				t.Errorf("file name %s", rel)
			}
		}
		return err
	})
	if err != nil || n != 6 {
		t.Errorf("%d names, %v", n, err)
	}
}

func TestInspection(t *testing.T) {
	for _, inline := range []int64{-1, 3, 100} {
		b := newBench(t, func(c *Config) { c.InlineBodies = inline })
		id := b.send("first ", "Mex-Chunk-Range: 1:2", "Mex-LocalID: L")
		b.wantStatus("chunk", b.call("POST", la, "/outbox/"+id+"/2", "second", "Mex-Chunk-Range: 2:2"), 202)
		inbox := b.server.Inbox(strings.ToLower(trust))
		if len(inbox) != 1 || inbox[0].ID != id || inbox[0].LocalID != "L" || inbox[0].Size != 12 || !inbox[0].Accepted.Equal(b.clock()) {
			t.Fatalf("inbox %+v", inbox)
		}
		if body, err := b.server.Body(id); err != nil || string(body) != "first second" {
			t.Errorf("body %q, %v", body, err)
		}
		if m, ok := b.server.Message(strings.ToLower(id)); !ok || m.Status != "accepted" {
			t.Errorf("message %+v", m)
		}
		if _, ok := b.server.Message("NONE"); ok {
			t.Error("unknown message found")
		}
		if _, err := b.server.Body("NONE"); err == nil {
			t.Error("unknown body found")
		}
	}
}

// After Close nothing is promised any more, and the log says why without a word of the message.
func TestClosedServerPromisesNothing(t *testing.T) {
	var log bytes.Buffer
	b := newBench(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	waiting := b.send("x")
	if err := b.server.spool.Close(); err != nil {
		t.Fatal(err)
	}
	r := b.call("POST", la, "/outbox", "synthetic payload", "Mex-To: "+trust, "Mex-WorkflowID: "+flow, "Mex-Subject: secret-subject")
	b.wantStatus("send", r, 500)
	id, _ := b.object(r)["internal_id"].(string)
	if id == "" || !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "is closed") || strings.Contains(log.String(), "secret") {
		t.Errorf("internal id %q, log %s", id, log.String())
	}
	b.wantStatus("acknowledge", b.call("PUT", trust, "/inbox/"+waiting+"/status/acknowledged", ""), 500)
	cfg := b.server.cfg // reopen, so that the cleanup has something to close
	var err error
	if b.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if inbox := b.server.Inbox(trust); len(inbox) != 1 || inbox[0].ID != waiting {
		t.Errorf("inbox after all %v", inbox)
	}
}

func TestMessageIDsNeverRepeatAndSortByAge(t *testing.T) {
	m := &idMaker{}
	now := time.Date(2026, 1, 1, 12, 0, 0, 999, time.UTC)
	last := ""
	for i := range 2000 {
		if i == 1000 {
			now = now.Add(-time.Hour) // the clock was set back
		}
		id := m.message(now)
		if !idForm.MatchString(id) || id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func TestPageTokens(t *testing.T) {
	s := &Server{cfg: Config{SharedKey: "k"}}
	for _, seq := range []uint64{0, 1, 1 << 40} {
		token := s.pageToken(trust, seq)
		if got, ok := s.readPageToken(trust, token); !ok || got != seq || len(token) < 24 {
			t.Errorf("%d came back as %d from %s", seq, got, token)
		}
		if _, ok := s.readPageToken(la, token); ok {
			t.Error("another mailbox's token passed")
		}
	}
}

// An upload that breaks off leaves nothing behind.
func TestBrokenUpload(t *testing.T) {
	var dir string
	b := newBench(t, func(c *Config) { dir = c.Dir; c.InlineBodies = 10 })
	x := &exchange{s: b.server, w: &headerNames{header: http.Header{}}, version: 2}
	req, _ := http.NewRequest("POST", "/", &breaks{left: 5000})
	x.r = req
	if x.receive("ID", 1) != nil {
		t.Error("a broken body was taken")
	}
	if w := x.w.(*headerNames); w.status != 400 {
		t.Errorf("status %d", w.status)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "bodies")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

type breaks struct{ left int }

func (b *breaks) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("connection reset")
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func FuzzPath(f *testing.F) {
	f.Add("GET", "/messageexchange/TESTLA01/inbox")
	f.Add("PUT", "/messageexchange/TESTLA01/inbox/x/status/acknowledged")
	f.Add("GET", "/messageexchange/%2F/%zz")
	s, err := New(testConfig(f.TempDir()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, method, path string) {
		req, err := http.NewRequest(method, "http://x", nil)
		if err != nil {
			return
		}
		if req.URL, err = req.URL.Parse("http://x/" + path); err != nil {
			return
		}
		rec := &headerNames{header: http.Header{}}
		s.ServeHTTP(rec, req)
		if rec.status == 0 || rec.status >= 500 || rec.status == 202 {
			t.Errorf("%s %s: %d", method, path, rec.status)
		}
	})
}

// One list of workflows serves several lists of mailboxes: mailboxes that are not there are passed over, as in the sandbox.
func TestWorkflowsMayNameOtherMailboxes(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Workflows = []Workflow{{ID: flow, Senders: []string{la, "NOBODY"}, Receivers: []string{trust, "NOBODY", idle}}}
	})
	r := b.call("GET", "workflowsearch", "/"+flow, "")
	if want := `{"results":[{"mailbox_id":"TESTTR01","mailbox_name":"Testshire Hospitals"}]}`; r.body != want {
		t.Errorf("%d %s", r.status, r.body)
	}
	b.wantFault("send to it", b.call("POST", la, "/outbox", "x", "Mex-To: NOBODY", "Mex-WorkflowID: "+flow), 417, "SEND", "12", "Unregistered to address")
}
