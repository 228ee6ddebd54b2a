package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

const (
	testLA    = "TESTLA01"
	testTrust = "TESTTR01"
	testFlow  = "TEST_CPIS_UPLOAD"
	testBack  = "TEST_CPIS_NOTICE"
)

// desk is a MESH server and the environment of a command line.
type desk struct {
	t       *testing.T
	server  *meshserver.Server
	dir     string
	handler atomic.Pointer[http.Handler] // changed between command lines, while the listener may still answer an old one
}

// answers has the server answer by h from now on.
func (d *desk) answers(h http.Handler) { d.handler.Store(&h) }

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir()}
	cfg := meshserver.Default()
	cfg.Dir, cfg.SharedKey = t.TempDir(), "TestKey"
	cfg.Mailboxes = []meshserver.Mailbox{
		{ID: testLA, Password: "la-password", Name: "Northshire Council", ODSCode: "ZZ01", Active: true},
		{ID: testTrust, Password: "trust-password", Name: "Testshire Hospitals", ODSCode: "ZZ02", Active: true},
	}
	cfg.Workflows = []meshserver.Workflow{{ID: testFlow, Senders: []string{testLA}, Receivers: []string{testTrust}},
		{ID: testBack, Senders: []string{testTrust}, Receivers: []string{testLA}}}
	var err error
	if d.server, err = meshserver.New(cfg); err != nil {
		t.Fatal(err)
	}
	d.answers(d.server)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*d.handler.Load()).ServeHTTP(w, r) }))
	t.Cleanup(func() { s.Close(); _ = d.server.Close() })
	t.Setenv(envURL, s.URL)
	t.Setenv(envSharedKey, "TestKey")
	d.as(testLA)
	return d
}

// as makes the command line one of a mailbox's owner.
func (d *desk) as(mailbox string) {
	d.t.Setenv(envMailbox, mailbox)
	d.t.Setenv(envPassword, map[string]string{testLA: "la-password", testTrust: "trust-password"}[mailbox])
}

func (d *desk) file(name string, content []byte) string {
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// mesh runs one command line.
func (d *desk) mesh(args ...string) (code int, out, errOut string) {
	return d.meshIn(d.t.Context(), args...)
}

func (d *desk) meshIn(ctx context.Context, args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = execute(ctx, append([]string{"mesh"}, args...), &o, &e)
	return code, o.String(), e.String()
}

func (d *desk) ok(args ...string) string {
	d.t.Helper()
	code, out, errOut := d.mesh(args...)
	if code != 0 {
		d.t.Fatalf("mesh %s: exit %d, %s", strings.Join(args, " "), code, errOut)
	}
	return strings.TrimSpace(out)
}

func (d *desk) json(args ...string) map[string]any {
	d.t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(d.ok(append(args, "--json")...)), &value); err != nil {
		d.t.Fatalf("mesh %s: %v", strings.Join(args, " "), err)
	}
	return value
}

// A message's whole life by hand.
func TestMeshCommandsEndToEnd(t *testing.T) {
	d := newDesk(t)
	body := bytes.Repeat([]byte("payload "), 5000)
	if got := d.ok("validate"); !strings.HasPrefix(got, "TESTLA01 is valid") {
		t.Errorf("validate: %s", got)
	}
	sent := d.json("send", d.file("ann-smith.xml", body), "--to", testTrust, "--workflow-id", testFlow, "--subject", "Daily", "--compress", "--max-chunk-size", "9000")
	id := sent["message_id"].(string)
	if sent["bytes"] != float64(len(body)) || !strings.HasPrefix(sent["local_id"].(string), "signalbox-") {
		t.Errorf("send: %v", sent)
	}
	if got := d.ok("track", id); !strings.Contains(got, "accepted") {
		t.Errorf("track: %s", got)
	}
	if got := d.json("track", "--local-id", sent["local_id"].(string)); got["message_id"] != id || got["status"] != "accepted" {
		t.Errorf("track: %v", got)
	}
	if got := d.json("lookup", testFlow, "--ods-code", "ZZ02"); len(got["results"].([]any)) != 1 {
		t.Errorf("lookup: %v", got)
	}
	if got := d.ok("lookup", testFlow); got != "TESTTR01  Testshire Hospitals" {
		t.Errorf("lookup: %s", got)
	}
	d.as(testTrust)
	if got := d.ok("list"); got != id {
		t.Errorf("list: %s", got)
	}
	if got := d.json("list", "--workflow-filter", "!"+testFlow); len(got["messages"].([]any)) != 0 {
		t.Errorf("list: %v", got)
	}
	if got := d.ok("list", "--count"); got != "1" {
		t.Errorf("count: %s", got)
	}
	code, out, errOut := d.mesh("get", id)
	if code != 0 || out != string(body) || strings.Contains(errOut, "ann-smith") {
		t.Errorf("get: exit %d, %d bytes, %s", code, len(out), errOut)
	}
	target := filepath.Join(d.dir, "got.dat")
	head := d.json("get", id, "--head")
	got := d.json("get", id, "--output", target, "--ack")
	if raw, err := os.ReadFile(target); err != nil || !bytes.Equal(raw, body) || got["sender"] != testLA || got["subject"] != "Daily" || head["message_id"] != id {
		t.Errorf("get: %v, %v", got, err)
	}
	if got := d.ok("list"); got != "" {
		t.Errorf("after --ack: %s", got)
	}
	if got := d.ok("ack", id); got != id {
		t.Errorf("ack: %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(d.dir, ".mesh-part-*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestMeshSendsStandardInput(t *testing.T) {
	d := newDesk(t)
	root := rootCommand()
	root.SetArgs([]string{"mesh", "send", "-", "--to", testTrust, "--workflow-id", testFlow})
	var out bytes.Buffer
	root.SetIn(io.MultiReader(strings.NewReader("from a pipe")))
	root.SetOut(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if body, err := d.server.Body(strings.TrimSpace(out.String())); err != nil || string(body) != "from a pipe" {
		t.Errorf("%q, %v", body, err)
	}
}

// The exit code tells whose fault it is, and a script can read the error.
func TestMeshExitCodes(t *testing.T) {
	d := newDesk(t)
	file := d.file("x", []byte("x"))
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	cut := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	send := []string{"send", file, "--to", testTrust, "--workflow-id", testFlow}
	for name, test := range map[string]struct {
		handler http.Handler
		args    []string
		code    int
		kind    mesh.Kind
	}{
		"unknown flag":      {nil, []string{"list", "--nonsense"}, 2, ""},
		"no recipient":      {nil, []string{"send", file, "--workflow-id", testFlow}, 2, ""},
		"no such file":      {nil, []string{"send", file + "y", "--to", testTrust, "--workflow-id", testFlow}, 1, ""},
		"a folder":          {nil, []string{"send", d.dir, "--to", testTrust, "--workflow-id", testFlow}, 1, ""},
		"message is wrong":  {nil, []string{"send", file, "--to", "https://x.test", "--workflow-id", testFlow}, 2, mesh.ErrInvalid},
		"bad option":        {nil, []string{"list", "--api-version", "3"}, 2, ""},
		"ack without file":  {nil, []string{"get", "M", "--ack"}, 2, ""},
		"track both":        {nil, []string{"track", "M", "--local-id", "L"}, 2, ""},
		"no such recipient": {nil, []string{"send", file, "--to", "NOBODY", "--workflow-id", testFlow}, 4, mesh.ErrRejected},
		"workflow":          {nil, []string{"send", file, "--to", testTrust, "--workflow-id", "TEST_OTHER"}, 4, mesh.ErrRejected},
		"not found":         {nil, []string{"track", "M"}, 4, mesh.ErrNotFound},
		"gone":              {status(410), []string{"ack", "M"}, 4, mesh.ErrGone},
		"no right":          {status(403), []string{"list"}, 4, mesh.ErrAuth},
		"server fails":      {status(500), []string{"list"}, 3, mesh.ErrServer},
		"no line":           {cut, []string{"validate", "--proxy", "http://127.0.0.1:1"}, 3, mesh.ErrTransport},
		"not known":         {status(500), send, 5, mesh.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if d.answers(test.handler); test.handler == nil {
				d.answers(d.server)
			}
			code, _, errOut := d.mesh(append(test.args, "--json")...)
			if code != test.code {
				t.Fatalf("exit %d, want %d: %s", code, test.code, errOut)
			}
			if test.kind == "" {
				return
			}
			var value map[string]any
			if err := json.Unmarshal([]byte(errOut), &value); err != nil || value["kind"] != string(test.kind) || value["exit"] != float64(code) {
				t.Errorf("%s: %v", errOut, err)
			}
			if code, _, plain := d.mesh(test.args...); code != test.code || !strings.HasPrefix(plain, "signalbox: mesh: ") {
				t.Errorf("exit %d: %s", code, plain)
			}
		})
	}
}

// A secret comes from a file or the environment, is needed, and is never printed.
func TestMeshSecrets(t *testing.T) {
	d := newDesk(t)
	t.Setenv(envPassword, "")
	code, _, errOut := d.mesh("validate")
	if code != 2 || !strings.Contains(errOut, "--password-file or "+envPassword) {
		t.Errorf("exit %d: %s", code, errOut)
	}
	d.ok("validate", "--password-file", d.file("password", []byte("la-password\n")))
	t.Setenv(envSharedKey, "wrong-hush")
	code, _, errOut = d.mesh("validate", "--password-file", d.file("password", []byte("hush")))
	if code != 4 || strings.Contains(errOut, "hush") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	d.ok("validate", "--password-file", d.file("password", []byte("la-password\n")), "--shared-key-file", d.file("key", []byte("TestKey")))
}

func TestMeshFolderServes(t *testing.T) {
	d := newDesk(t)
	root := filepath.Join(d.dir, "folders")
	if err := os.MkdirAll(filepath.Join(root, "OUT"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.file("folders/OUT/upload.dat", []byte("payload"))
	d.file("folders/OUT/upload.ctl", []byte("<DTSControl><To_DTS>TESTTR01</To_DTS><WorkflowId>TEST_CPIS_UPLOAD</WorkflowId></DTSControl>"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		code, _, _ := d.meshIn(ctx, "folder", "--root", root, "--min-age", "0s", "--scan", "20ms")
		ended <- code
	}()
	for deadline := time.Now().Add(30 * time.Second); len(d.server.Inbox(testTrust)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was sent in 30 s")
		}
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
}

// The line for a person: how much, how fast, how long still; nothing for a pipe.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := startProgress(&out, 1<<30, func() time.Time { return now })
	p.at(1)
	if out.Len() != 0 {
		t.Errorf("drawn at once: %q", out.String())
	}
	now = now.Add(2 * time.Second)
	p.at(256 << 20)
	if got, want := out.String(), "\r\x1b[K256.0 MiB of 1.0 GiB  25%  128.0 MiB/s  6s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.end()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("not taken away: %q", out.String())
	}
	if got := startProgress(nil, 0, time.Now).line(1500, time.Second); got != "1.5 KiB  1.5 KiB/s" {
		t.Errorf("size not known: %s", got)
	}
	quiet := newProgress(&out, 1)
	out.Reset()
	quiet.shown = time.Time{}
	quiet.at(1)
	quiet.end()
	if out.Len() != 0 {
		t.Errorf("a pipe hears %q", out.String())
	}
}
