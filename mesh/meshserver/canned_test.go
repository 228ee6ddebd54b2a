package meshserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func canned(c *Config) {
	c.Profile, c.Canned, c.Mailboxes, c.Workflows = Sandbox, true, SandboxMailboxes(), SandboxWorkflows()
}

// The canned store has the sandbox's three messages, answers as if things changed, and nothing does.
func TestCannedStore(t *testing.T) {
	b := newBench(t, canned)
	list := func(mailbox string) string {
		r := b.call("GET", mailbox, "/inbox", "", "Accept:")
		return r.body
	}
	check := func(when string) {
		t.Helper()
		if got := list("X26ABC1") + list("X26ABC2") + list("X26ABC3"); got != `{"messages":["SIMPLE_MESSAGE"]}{"messages":["CHUNKED_MESSAGE_GZ"]}{"messages":[]}` {
			t.Errorf("%s: %s", when, got)
		}
	}
	check("at first")
	b.wantStatus("undelivered", b.call("GET", "X26ABC1", "/inbox/UNDELIVERED_MESSAGE", ""), 410)
	if r := b.call("GET", "X26ABC1", "/inbox/simple_message", "", "Accept-Encoding: identity"); r.status != 200 || !strings.HasPrefix(r.body, "Synthetic text, part 1 of 1.") {
		t.Errorf("%d %s", r.status, r.body)
	}
	for n, status := range map[string]int{"1": 206, "2": 200} {
		r := b.call("GET", "X26ABC2", "/inbox/CHUNKED_MESSAGE_GZ/"+n, "", "Accept-Encoding: gzip")
		if r.status != status || r.header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(unzip(t, r.body), "Synthetic text, part "+n+" of 2.") {
			t.Errorf("chunk %s: %d %v", n, r.status, r.header)
		}
	}
	b.wantStatus("acknowledge", b.call("PUT", "X26ABC1", "/inbox/SIMPLE_MESSAGE/status/acknowledged", ""), 200)
	r := b.call("POST", "X26ABC1", "/outbox", "x", "Mex-To: X26ABC2", "Mex-WorkflowID: TEST_WORKFLOW")
	if b.wantStatus("send", r, 202); b.object(r)["message_id"] == "" {
		t.Errorf("send: %s", r.body)
	}
	b.wantStatus("a larger one", b.call("POST", "X26ABC1", "/outbox", repeat("x", 300<<10), "Mex-To: X26ABC2", "Mex-WorkflowID: TEST_WORKFLOW"), 202)
	if files, err := os.ReadDir(filepath.Join(b.server.cfg.Dir, "bodies")); err != nil || len(files) > 0 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
	b.wantStatus("reset", b.call("DELETE", "admin", "/reset", ""), 405)
	b.wantStatus("reset of a mailbox", b.call("DELETE", "admin", "/reset/X26ABC1", ""), 405)
	b.wantStatus("event", b.call("POST", "admin", "/message/SIMPLE_MESSAGE/event", `{"status":"error"}`), 200)
	r = b.call("POST", "admin", "/report", `{"mailbox_id":"X26ABC1","code":"14","description":"d","workflow_id":"w"}`)
	if b.wantStatus("report", r, 200); len(b.object(r)["message_id"].(string)) != 32 {
		t.Errorf("report: %s", r.body)
	}
	b.pass(365 * 24 * time.Hour)
	check("after all of it, and a year")
}

// A canned store in a directory is the same after a restart, and has no message for a mailbox that is not there.
func TestCannedStoreOpensAgain(t *testing.T) {
	cfg := testConfig(t.TempDir())
	canned(&cfg)
	cfg.Mailboxes = cfg.Mailboxes[:1]
	for range 2 {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if inbox := s.Inbox("X26ABC1"); len(inbox) != 1 || inbox[0].ID != "SIMPLE_MESSAGE" {
			t.Errorf("%+v", inbox)
		}
		if _, known := s.Message("CHUNKED_MESSAGE_GZ"); known {
			t.Error("a mailbox that is not configured has a message")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// How tokens are looked at can be set as in the sandbox.
func TestAuthModes(t *testing.T) {
	for _, c := range []struct {
		auth          Auth
		mailbox       string
		authorization string
		status        int
		text          string
	}{
		{AuthNone, la, "", 200, ""},
		{AuthNone, la, "nonsense", 200, ""},
		{AuthNone, "NOBODY", "", 403, "No mailbox matched"},
		{AuthNone, idle, "", 403, "Request Received from Inactive Mailbox"},
		{AuthCanned, la, "NHSMESH TESTLA01:VALID:1:things", 200, ""},
		{AuthCanned, strings.ToLower(la), "nhsmesh TESTLA01:valid", 200, ""},
		{AuthCanned, la, "NHSMESH TESTLA01:INVALID:1:things", 403, "Invalid Authentication Token"},
		{AuthCanned, la, "NHSMESH TESTTR01:VALID:1:things", 403, "Mailbox id does not match token"},
		{AuthCanned, la, "", 403, "Error reading from Authorization header"},
		{AuthCanned, "NOBODY", "NHSMESH NOBODY:VALID", 403, "No mailbox matched"},
		{AuthFull, la, "NHSMESH TESTLA01:VALID:1:things", 403, "Error reading from Authorization header"},
	} {
		b := newBench(t, func(cfg *Config) { cfg.Auth = c.auth })
		r := b.call("GET", c.mailbox, "/count", "", "Authorization:"+c.authorization)
		if r.status != c.status || !strings.Contains(r.body, c.text) {
			t.Errorf("%s, %q: %d %s", c.auth, c.authorization, r.status, r.body)
		}
	}
	cfg := testConfig(t.TempDir())
	cfg.Auth = "some"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "Auth: want") {
		t.Errorf("%v", err)
	}
}

// Five days pass when a test says so, over HTTP: the message comes back as a report, tokens of now go on to pass, and a reset
// sets the clock right.
func TestAdvance(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Admin = true })
	id := b.send("x")
	for body, want := range map[string]int{`{}`: 400, `{"advance":"5 days"}`: 400, `{"advance":"-1h"}`: 400} {
		b.wantStatus(body, b.call("POST", "admin", "/clock", body), want)
	}
	r := b.call("POST", "admin", "/clock", `{"advance":"120h"}`)
	if r.status != 200 || r.body != `{"now":"2026-01-06T12:00:00"}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	b.wantStatus("a token of now", b.call("GET", la, "/count", ""), 200)
	reports := b.server.Inbox(la)
	if m, _ := b.server.Message(id); m.Status != "undeliverable" || len(reports) != 1 || reports[0].StatusCode != "14" {
		t.Errorf("%s, %+v", m.Status, reports)
	}
	b.server.Advance(25 * 24 * time.Hour)
	b.wantStatus("after thirty days", b.call("GET", la, "/outbox/tracking?messageID="+id, ""), 404)
	if b.wantStatus("reset", b.call("DELETE", "admin", "/reset", ""), 200); !b.server.now().Equal(b.clock()) {
		t.Errorf("the clock is at %v after a reset", b.server.now())
	}
}
