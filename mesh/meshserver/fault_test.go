package meshserver

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/mesh"
)

func n64(n int64) *int64 { return &n }

// broken sends a request that is to break, and returns what of the answer arrived.
func (b *bench) broken(method, mailbox, path, body string, headers ...string) (status int, got string, err error) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.http.URL+"/messageexchange/"+mailbox+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.GetBody = nil // so that it is not repeated
	req.Header.Set("Authorization", b.token(mailbox))
	req.Header.Set("Accept", "application/vnd.mesh.v2+json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

func TestStatusFault(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Faults = []Fault{
			{Mailbox: strings.ToLower(la), Method: "post", Path: "outbox", Times: 1, Status: 503, RetryAfter: 7, Body: "<html>busy</html>"},
			{Path: "outbox", Times: 1, Status: 502, After: true},
		}
	})
	to := []string{"Mex-To: " + trust, "Mex-WorkflowID: " + flow}
	r := b.call("POST", la, "/outbox", "x", to...)
	if r.status != 503 || r.body != "<html>busy</html>" || r.header.Get("Retry-After") != "7" || r.header.Get("Content-Type") != "text/html" {
		t.Errorf("%+v", r)
	}
	if n := len(b.server.Inbox(trust)); n != 0 {
		t.Errorf("%d messages although the request did not get through", n)
	}
	if r = b.call("POST", la, "/outbox", "x", to...); r.status != 502 || r.body != "" {
		t.Errorf("%+v", r)
	}
	if n := len(b.server.Inbox(trust)); n != 1 {
		t.Errorf("%d messages although the request was done", n)
	}
	b.wantStatus("after that", b.call("POST", la, "/outbox", "x", to...), 202)
}

func TestLostReply(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Faults = []Fault{{Path: "outbox", Times: 1, Lost: true}} })
	if status, _, err := b.broken("POST", la, "/outbox", "x", "Mex-To: "+trust, "Mex-WorkflowID: "+flow); err == nil {
		t.Errorf("an answer came: %d", status)
	}
	if n := len(b.server.Inbox(trust)); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestCutAnswer(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Faults = []Fault{{Path: "inbox/*", Times: 1, Cut: n64(4)}, {Path: "inbox/*", Times: 1, Cut: n64(0)}, {Path: "inbox/*", Times: 1, Cut: n64(100)}}
	})
	id := b.send("0123456789")
	for _, want := range []string{"0123", ""} {
		if status, got, err := b.broken("GET", trust, "/inbox/"+id, ""); status != 200 || got != want || err == nil {
			t.Errorf("%d %q, %v", status, got, err)
		}
	}
	if status, got, err := b.broken("GET", trust, "/inbox/"+id, ""); status != 200 || got != "0123456789" || err != nil {
		t.Errorf("a cut behind the end: %d %q, %v", status, got, err)
	}
}

// An error may befall a message after it was accepted, when it is whole: the recipient never has it, the sender is told.
func TestAsynchronousError(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Faults = []Fault{{Path: "outbox*", Error: "15"}, {Path: "outbox/*/*", Error: "XX"}} })
	whole := b.send("x", "Mex-LocalID: l", "Mex-Subject: s")
	first := b.send("x", "Mex-Chunk-Range: 1:2")
	b.wantStatus("second", b.call("POST", la, "/outbox/"+first+"/2", "y", "Mex-Chunk-Range: 2:2"), 202)
	if n := len(b.server.Inbox(trust)); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
	reports := b.server.Inbox(la)
	if len(reports) != 2 {
		t.Fatalf("%d reports", len(reports))
	}
	r := b.call("GET", la, "/inbox/"+reports[0].ID, "")
	for name, want := range map[string]string{
		"Mex-MessageType": "REPORT", "Mex-LinkedMsgID": whole, "Mex-StatusCode": "15", "Mex-StatusEvent": "SEND", "Mex-StatusSuccess": "ERROR", "Mex-LocalID": "l",
		"Mex-StatusDescription": "Bad 'Child Protection - Information Sharing' (CP-IS) File", "Mex-WorkflowID": flow, "Mex-To": la, "Mex-From": "", "Mex-Subject": "s",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if reports[1].LinkedID != first || reports[1].StatusCode != "XX" {
		t.Errorf("%+v", reports[1])
	}
	for _, id := range []string{whole, first} {
		if m, _ := b.server.Message(id); m.Status != "error" {
			t.Errorf("status %s", m.Status)
		}
	}
}

// The chances of a fault are the same in each run with the same seed, and near what was asked for.
func TestFaultsAreRepeatable(t *testing.T) {
	rules := []Fault{{Path: "outbox", Probability: 0.3, Status: 503}}
	run := func(seed uint64) (out string, n int) {
		in := newInjector(rules, seed)
		for range 2000 {
			hit := in.pick("POST", []string{"messageexchange", la, "outbox"}) != nil
			if out += map[bool]string{true: "x", false: "."}[hit]; hit {
				n++
			}
		}
		return out, n
	}
	one, n := run(1)
	if again, _ := run(1); again != one {
		t.Error("the same seed makes another run")
	}
	if other, _ := run(2); other == one {
		t.Error("another seed makes the same run")
	}
	if math.Abs(float64(n)-600) > 100 {
		t.Errorf("%d of 2000", n)
	}
	in := newInjector(rules, 1)
	for _, segments := range [][]string{{"messageexchange", la, "inbox"}, {"messageexchange"}, {"health"}, {"admin", "reset"}} {
		for range 100 {
			if in.pick("POST", segments) != nil {
				t.Errorf("%v fits", segments)
			}
		}
	}
}

func TestDelayEndsWithItsRequest(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Faults = []Fault{{Path: "count", Times: 1, Delay: time.Millisecond}, {Path: "count", Times: 1, Delay: time.Hour}}
	})
	b.wantStatus("delayed", b.call("GET", la, "/count", ""), 200)
	b.client.Timeout = 50 * time.Millisecond
	if _, _, err := b.broken("GET", la, "/count", ""); err == nil {
		t.Error("an hour passed")
	}
	b.client.Timeout = 0 // the server's end of the request ends as well, or closing the server would hang
}

func TestFaultsAreChecked(t *testing.T) {
	for want, f := range map[string]Fault{
		"Probability": {Status: 503, Probability: 1.5}, "Times": {Status: 503, Times: -1}, "Status": {Status: 99}, "pattern": {Status: 503, Path: "["},
		"Cut": {Cut: n64(-1)}, "one of": {}, "want one": {Status: 503, Lost: true},
	} {
		cfg := testConfig(t.TempDir())
		cfg.Faults = []Fault{{Lost: true}, f}
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Faults[1]") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestReadFiles(t *testing.T) {
	mailboxes, err := ReadMailboxes(strings.NewReader("\ufeff" + `{"mailbox_id": "X26ABC1", "mailbox_name": "N", "billing_entity": "England", "ods_code": "X26", "org_code": "C", "org_name": "O", "password": "p", "extra": 1}

# a comment
{"mailbox_id": "X26ABC2", "mailbox_name": "N", "password": "p", "active": false}`))
	want := Mailbox{ID: "X26ABC1", Password: "p", Name: "N", BillingEntity: "England", ODSCode: "X26", OrgCode: "C", OrgName: "O", Active: true}
	if err != nil || len(mailboxes) != 2 || mailboxes[0] != want || mailboxes[1].Active {
		t.Errorf("%+v, %v", mailboxes, err)
	}
	workflows, err := ReadWorkflows(strings.NewReader(`{"workflow_id": "TEST", "senders": ["X26ABC1"], "receivers": ["X26ABC2", "X26ABC3"]}`))
	if err != nil || len(workflows) != 1 || workflows[0].ID != "TEST" || len(workflows[0].Receivers) != 2 {
		t.Errorf("%+v, %v", workflows, err)
	}
	faults, err := ReadFaults(strings.NewReader(`{"mailbox":"A","method":"GET","path":"inbox/*","probability":0.5,"times":2,"status":503,"after":true,"delay":"250ms"}
{"cut":0}
{"lost":true}
{"error":"14"}`))
	if err != nil || len(faults) != 4 || faults[0].Delay != 250*time.Millisecond || *faults[1].Cut != 0 || !faults[2].Lost || faults[3].Error != "14" {
		t.Errorf("%+v, %v", faults, err)
	}
	for name, read := range map[string]func(string) error{
		`{"password":"secret-password"`:   func(s string) error { _, err := ReadMailboxes(strings.NewReader("\n" + s)); return err },
		`{"senders":3}`:                   func(s string) error { _, err := ReadWorkflows(strings.NewReader("\n" + s)); return err },
		`{"stauts":503}`:                  func(s string) error { _, err := ReadFaults(strings.NewReader("\n" + s)); return err },
		`{"status":503,"delay":"a year"}`: func(s string) error { _, err := ReadFaults(strings.NewReader("\n" + s)); return err },
		`{}`:                              func(s string) error { _, err := ReadFaults(strings.NewReader("\n" + s)); return err },
	} {
		if err := read(name); err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Config{Dir: "d", SharedKey: "k", Mailboxes: SandboxMailboxes(), Workflows: SandboxWorkflows()}).Validate(); err != nil {
		t.Errorf("the sandbox's own mailboxes: %v", err)
	}
	var _ mesh.Secret = mailboxes[0].Password
}
