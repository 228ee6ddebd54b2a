package meshserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"signalbox/mesh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	la    = "TESTLA01"
	trust = "TESTTR01"
	spare = "TESTTR02"
	idle  = "TESTOLD1"
	flow  = "TEST_CPIS_UPLOAD"
)

func testConfig(dir string) Config {
	cfg := Default()
	cfg.Dir, cfg.SharedKey = dir, "TestKey"
	cfg.Mailboxes = []Mailbox{
		{ID: la, Password: "password", Name: "Northshire Council", ODSCode: "ZZ01", OrgCode: "ORG1", OrgName: "Northshire", Active: true},
		{ID: trust, Password: "password", Name: "Testshire Hospitals", ODSCode: "ZZ02", OrgCode: "ORG2", OrgName: "Testshire", Active: true},
		{ID: spare, Password: "password", Name: "Testshire Clinic", ODSCode: "ZZ02", Active: true},
		{ID: idle, Password: "password", Name: "Closed Clinic", ODSCode: "ZZ03"},
	}
	return cfg
}

// bench is a server on a loopback port, spoken to by hand.
type bench struct {
	t      testing.TB
	server *Server
	http   *httptest.Server
	client *http.Client
	mu     sync.Mutex
	now    time.Time
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	b := &bench{t: t, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	cfg := testConfig(t.TempDir())
	cfg.Now = b.clock
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if b.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = b.server
	if cfg.Profile == Strict { // every answer keeps to the published text, whatever a test looks at
		handler = held(t, b.server, &answered{seen: map[string]bool{}})
	}
	b.http = httptest.NewServer(handler)
	tr := &http.Transport{DisableCompression: true}
	b.client = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		b.http.Close()
		if err := b.server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bench) token(mailbox string) string {
	return mesh.NewToken(mailbox, uuid.NewString(), "0", b.clock(), "password", "TestKey").Header()
}

// reply is an answer read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends one request to /messageexchange/{mailbox}{path}, version 2 unless the headers say otherwise. Headers are
// "Name: value"; an empty value takes the header away.
func (b *bench) call(method, mailbox, path, body string, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, b.http.URL+"/messageexchange/"+mailbox+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.mesh.v2+json")
	req.Header.Set("Authorization", b.token(strings.ToUpper(mailbox)))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if value = strings.TrimSpace(value); value == "" {
			req.Header.Del(name)
		} else {
			req.Header.Set(name, value)
		}
	}
	return b.do(req)
}

func (b *bench) do(req *http.Request) reply {
	b.t.Helper()
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(raw)}
}

// send posts a message from la to trust and returns its id.
func (b *bench) send(body string, headers ...string) string {
	b.t.Helper()
	r := b.call("POST", la, "/outbox", body, append([]string{"Mex-To: " + trust, "Mex-WorkflowID: " + flow}, headers...)...)
	if r.status != http.StatusAccepted {
		b.t.Fatalf("send: %d %s", r.status, r.body)
	}
	return b.object(r)["message_id"].(string)
}

func (b *bench) object(r reply) map[string]any {
	b.t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		b.t.Fatalf("%d %q: %v", r.status, r.body, err)
	}
	return out
}

// wantFault checks an error answer in the shape of version 2.
func (b *bench) wantFault(name string, r reply, status int, event, code, text string) {
	b.t.Helper()
	var body struct {
		InternalID string `json:"internal_id"`
		Detail     []struct{ Event, Code, Msg string }
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil || len(body.Detail) != 1 {
		b.t.Errorf("%s: %d %s", name, r.status, r.body)
		return
	}
	got := fmt.Sprint(r.status, body.Detail[0])
	if want := fmt.Sprint(status, struct{ Event, Code, Msg string }{event, code, text}); got != want {
		b.t.Errorf("%s: %s, want %s", name, got, want)
	}
	if body.InternalID == "" || r.header.Get("Content-Type") != "application/vnd.mesh.v2+json" {
		b.t.Errorf("%s: internal id %q, type %s", name, body.InternalID, r.header.Get("Content-Type"))
	}
}

func (b *bench) wantStatus(name string, r reply, status int) {
	b.t.Helper()
	if r.status != status {
		b.t.Errorf("%s: %d %s, want %d", name, r.status, r.body, status)
	}
}

func repeat(s string, n int) string { return string(bytes.Repeat([]byte(s), n)) }

func (b *bench) decode(r reply, into any) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil || r.status != http.StatusOK {
		b.t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
}
