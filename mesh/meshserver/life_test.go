package meshserver

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/mesh"
)

// reopen ends the server and starts another in its directory.
func (b *bench) reopen() {
	b.t.Helper()
	if err := b.server.Close(); err != nil {
		b.t.Fatal(err)
	}
	var err error
	if b.server, err = New(b.server.cfg); err != nil {
		b.t.Fatal(err)
	}
	b.http.Config.Handler = b.server
}

// Five days pass: the message leaves the inbox, its sender is told, a restart in between changes nothing, and after thirty
// days nothing is left of it, on disk or in memory. Nobody asks the server anything meanwhile but its owner.
func TestFiveDaysAndThirty(t *testing.T) {
	var dir string
	b := newBench(t, func(c *Config) { dir, c.InlineBodies = c.Dir, 4 })
	id := b.send("a body in a file", "Mex-LocalID: l", "Mex-Subject: s", "Mex-FileName: f")
	b.send("x")
	taken := b.server.Inbox(trust)[1].ID
	b.wantStatus("acknowledge", b.call("PUT", trust, "/inbox/"+taken+"/status/acknowledged", ""), 200)
	b.pass(inboxTime - time.Second)
	if n := len(b.server.Inbox(trust)); n != 1 {
		t.Fatalf("%d messages before the time", n)
	}
	b.reopen()
	b.pass(time.Second)
	if err := b.server.Sweep(b.clock()); err != nil {
		t.Fatal(err)
	}
	reports := b.server.Inbox(la)
	if len(b.server.Inbox(trust)) != 0 || len(reports) != 1 {
		t.Fatalf("%d messages, %d reports", len(b.server.Inbox(trust)), len(reports))
	}
	r := b.call("GET", la, "/inbox/"+reports[0].ID, "")
	for name, want := range map[string]string{
		"Mex-MessageType": "REPORT", "Mex-LinkedMsgID": id, "Mex-StatusCode": "14", "Mex-StatusEvent": "SEND", "Mex-StatusSuccess": "ERROR",
		"Mex-StatusDescription": "Message not collected by recipient after 5 days", "Mex-Subject": "NDR: s", "Mex-LocalID": "l", "Mex-WorkflowID": flow,
		"Mex-FileName": "", "Mex-From": "", "Content-Length": "0", "Mex-StatusTimestamp": "20260106120000",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.status != 200 || r.body != "" {
		t.Errorf("report: %d %q", r.status, r.body)
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "bodies")); len(files) != 1 {
		t.Errorf("%d body files: the service desk could put the message back", len(files))
	}
	b.pass(keepTime)
	if err := b.server.Sweep(b.clock()); err != nil {
		t.Fatal(err)
	}
	if _, there := b.server.Message(id); there {
		t.Error("the message is known after thirty days")
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "bodies")); len(files) != 0 {
		t.Errorf("%d body files are left", len(files))
	}
	b.wantFault("tracking", b.call("GET", la, "/outbox/tracking?messageID="+id, ""), 404, "", "", "Not Found")
	b.pass(keepTime)
	b.wantStatus("any call sweeps", b.call("GET", la, "/count", ""), 200)
	if n := b.server.spool.Size(); n != 0 {
		t.Errorf("%d messages are known", n)
	}
}

// A report that nobody collects goes as quietly as it came.
func TestUncollectedReport(t *testing.T) {
	b := newBench(t)
	id, err := b.server.PutReport(Report{To: la, Code: "12"})
	if err != nil {
		t.Fatal(err)
	}
	b.pass(inboxTime)
	b.wantStatus("count", b.call("GET", la, "/count", ""), 200)
	if m, _ := b.server.Message(id); m.Status != "undeliverable" || b.server.spool.Size() != 1 {
		t.Errorf("%s, %d messages", m.Status, b.server.spool.Size())
	}
}

// In the sandbox nothing expires, and what was acknowledged can be had until it is deleted.
func TestSandboxKeeps(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Profile, c.InlineBodies = Sandbox, 4 })
	id := b.send("a body in a file")
	if !regexp.MustCompile(`^[0-9A-F]{32}$`).MatchString(id) {
		t.Errorf("message id %s", id)
	}
	b.pass(10 * 24 * time.Hour)
	b.wantStatus("acknowledge", b.call("PUT", trust, "/inbox/"+id+"/status/acknowledged", ""), 200)
	b.reopen()
	if r := b.call("GET", trust, "/inbox/"+id, ""); r.status != 200 || r.body != "a body in a file" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := len(b.server.Inbox(la)); n != 0 {
		t.Errorf("%d reports", n)
	}
	b.pass(20 * 24 * time.Hour)
	b.wantStatus("deleted", b.call("GET", trust, "/inbox/"+id, ""), 404)
}

// A used token stays used when the server restarts, whatever hour it is, and its files go when none of their tokens can pass.
func TestUsedTokensSurviveARestart(t *testing.T) {
	var dir string
	b := newBench(t, func(c *Config) { dir = c.Dir })
	ahead := mesh.NewToken(la, "ahead", "0", b.clock().Add(2*time.Hour), "password", "TestKey").Header()
	for _, name := range []string{ahead, mesh.NewToken(la, "now", "0", b.clock(), "password", "TestKey").Header()} {
		b.wantStatus("first", b.call("GET", la, "/count", "", "Authorization: "+name), 200)
		b.reopen()
		b.wantFault("again", b.call("GET", la, "/count", "", "Authorization: "+name), 403, "", "", "Error Duplicated Authentication Token")
	}
	b.pass(4 * time.Hour)
	b.reopen()
	b.wantFault("at the end of its window", b.call("GET", la, "/count", "", "Authorization: "+ahead), 403, "", "", "Error Duplicated Authentication Token")
	// A record that was not written whole does not disturb the ones that follow.
	name := filepath.Join(dir, "tokens", b.clock().UTC().Format(hourFile))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("torn")
	_ = f.Close()
	b.reopen()
	late := b.token(la)
	b.wantStatus("after a torn record", b.call("GET", la, "/count", "", "Authorization: "+late), 200)
	b.reopen()
	b.wantStatus("it counts", b.call("GET", la, "/count", "", "Authorization: "+late), 403)
	for range 6 {
		b.pass(time.Hour)
		b.wantStatus("an hour later", b.call("GET", la, "/count", ""), 200)
	}
	files, err := os.ReadDir(filepath.Join(dir, "tokens"))
	if err != nil || len(files) > 6 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestETags(t *testing.T) {
	b := newBench(t)
	id := b.send("synthetic", "Mex-Chunk-Range: 1:2")
	b.wantStatus("chunk", b.call("POST", la, "/outbox/"+id+"/2", "more", "Mex-Chunk-Range: 2:2"), 202)
	form := regexp.MustCompile(`^"[0-9a-f]{40}"$`)
	seen := map[string]bool{}
	for _, call := range []struct{ path, accept string }{{"", ""}, {"/2", ""}, {"", "gzip"}, {"/2", "gzip"}} {
		headers := []string{"Accept-Encoding: " + call.accept}
		r := b.call("GET", trust, "/inbox/"+id+call.path, "", headers...)
		tag := r.header.Get("ETag")
		if !form.MatchString(tag) || seen[tag] {
			t.Errorf("%v: ETag %s", call, tag)
		}
		seen[tag] = true
		for value, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: r.status} {
			if again := b.call("GET", trust, "/inbox/"+id+call.path, "", append(headers, "If-None-Match: "+value)...); again.status != status || status == 304 && again.body != "" {
				t.Errorf("%v with %s: %d", call, value, again.status)
			}
		}
	}
	if head := b.call("HEAD", trust, "/inbox/"+id, ""); !seen[head.header.Get("ETag")] {
		t.Errorf("HEAD has the ETag %s", head.header.Get("ETag"))
	}
}

func TestTransportSecurityIsToldWithTLSAlone(t *testing.T) {
	for _, profile := range []Profile{Strict, Sandbox} {
		b := newBench(t, func(c *Config) { c.Profile = profile })
		for _, secured := range []bool{false, true} {
			rec := &headerNames{header: http.Header{}}
			req, _ := http.NewRequest("GET", "/health", nil)
			if secured {
				req.TLS = &tls.ConnectionState{}
			}
			b.server.ServeHTTP(rec, req)
			if told := rec.header.Get("Strict-Transport-Security") != ""; told != (secured && profile == Strict) {
				t.Errorf("%s, TLS %v: told %v", profile, secured, told)
			}
		}
	}
}

func TestRichListings(t *testing.T) {
	b := newBench(t)
	var ids []string
	for i := range 12 {
		ids = append(ids, b.send("x", "Mex-LocalID: "+fmt.Sprint("L", i)))
		b.pass(time.Second)
	}
	b.wantStatus("acknowledge", b.call("PUT", trust, "/inbox/"+ids[3]+"/status/acknowledged", ""), 200)
	for _, box := range []struct{ mailbox, path string }{{trust, "/inbox/rich?max_results=10"}, {la, "/outbox/rich?max_results=10"}} {
		var got []string
		path := box.path
		for pages := 0; path != "" && pages < 5; pages++ {
			var page struct {
				ValidAt  string `json:"valid_at"`
				Messages []map[string]any
				Links    map[string]string
			}
			b.decode(b.call("GET", box.mailbox, path, ""), &page)
			for _, m := range page.Messages {
				got = append(got, m["message_id"].(string))
				if m["sender"] != la || m["recipient"] != trust || m["recipient_name"] != "Testshire Hospitals" || m["message_type"] != "DATA" || m["workflow_id"] != flow {
					t.Errorf("%v", m)
				}
				if m["message_id"] == ids[3] && m["status"] != "acknowledged" {
					t.Errorf("%v", m)
				}
			}
			path = strings.TrimPrefix(page.Links["next"], "/messageexchange/"+box.mailbox)
			b.reopen()
		}
		for i, id := range got {
			if len(got) != 12 || id != ids[11-i] {
				t.Fatalf("%s: %v", box.path, got)
			}
		}
	}
	for path, status := range map[string]int{
		"/inbox/rich?max_results=0": 400, "/inbox/rich?max_results=2001": 400, "/outbox/rich?max_results=9": 400, "/inbox/rich?start_time=yesterday": 400,
		"/inbox/rich?continue_from=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": 400, "/inbox/rich?start_time=2026-01-01T12:00:05Z": 200,
	} {
		if r := b.call("GET", trust, path, ""); r.status != status || status == 200 && strings.Count(r.body, "message_id") != 6 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

// Nothing of an address that names a patient is kept: not in the answers, not on disk.
func TestPatientAddressesAreNotKept(t *testing.T) {
	var dir string
	b := newBench(t, func(c *Config) { dir = c.Dir })
	for _, headers := range [][]string{{}, {"Mex-Chunk-Range: 2:2"}} {
		r := b.call("POST", la, "/outbox", "x", append(headers, "Mex-To: GPPROVIDER_9990000018_01012020_Secretname", "Mex-WorkflowID: "+flow)...)
		if strings.Contains(r.body, "999") || strings.Contains(strings.ToLower(r.body), "secret") {
			t.Errorf("%s", r.body)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil || len(raw) == 0 || strings.Contains(string(raw), "9990000018") || strings.Contains(strings.ToUpper(string(raw)), "SECRETNAME") {
		t.Errorf("the journal of %d bytes holds the address, %v", len(raw), err)
	}
}

func TestAdminIsClosedUnlessAskedFor(t *testing.T) {
	for open, status := range map[bool]int{false: 404, true: 200} {
		b := newBench(t, func(c *Config) { c.Admin = open })
		req, _ := http.NewRequest("DELETE", b.http.URL+"/admin/reset", nil)
		b.wantStatus(fmt.Sprint("open ", open), b.do(req), status)
	}
}

// The table of differences names each switch once, and says something about it.
func TestDifferencesAreWhole(t *testing.T) {
	seen := map[quirk]bool{}
	for _, d := range Differences() {
		if seen[d.quirk] || d.What == "" || d.Strict == "" || d.Sandbox == "" || d.Source == "" || d.Strict == d.Sandbox {
			t.Errorf("%+v", d)
		}
		seen[d.quirk] = true
	}
	if len(seen) != int(quirks) {
		t.Errorf("%d rows for %d switches", len(seen), quirks)
	}
	for _, name := range []string{"strict", "sandbox"} {
		if _, err := ParseProfile(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseProfile("lax"); err == nil {
		t.Error("an unknown profile passes")
	}
}
