package folder

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	la    = "TESTLA01"
	trust = "TESTTR01"
	flow  = "TEST_CPIS_UPLOAD"
)

// yard is a MESH server with a client of each mailbox, and folders for the first.
type yard struct {
	t       *testing.T
	server  *meshserver.Server
	clients map[string]*mesh.Client
	root    string
	clock   time.Duration // that our clock is ahead
	handler http.Handler
}

func newYard(t *testing.T) *yard {
	y := &yard{t: t, root: t.TempDir(), clients: map[string]*mesh.Client{}, clock: time.Hour}
	cfg := meshserver.Default()
	cfg.Dir, cfg.SharedKey = t.TempDir(), "TestKey"
	cfg.Mailboxes = []meshserver.Mailbox{{ID: la, Password: "p", Active: true}, {ID: trust, Password: "p", Active: true}}
	var err error
	y.server, err = meshserver.New(cfg)
	y.must(err)
	y.handler = y.server
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { y.handler.ServeHTTP(w, r) }))
	for _, id := range []string{la, trust} {
		c := mesh.Default()
		c.BaseURL, c.MailboxID, c.Password, c.SharedKey, c.ChunkSize = s.URL, id, "p", "TestKey", 1000
		c.Backoff, c.MaxBackoff, c.Settle = time.Millisecond, 2*time.Millisecond, 3*time.Millisecond
		client, err := mesh.New(c)
		y.must(err)
		y.clients[id] = client
		t.Cleanup(client.Close)
	}
	t.Cleanup(func() { s.Close(); y.must(y.server.Close()) })
	return y
}

func (y *yard) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// config has a clock an hour ahead, so that every file is old enough.
func (y *yard) config() Config {
	cfg := Default()
	cfg.Root = y.root
	cfg.Now = func() time.Time { return time.Now().Add(y.clock) }
	return cfg
}

func (y *yard) bridge(change ...func(*Config)) *Bridge {
	y.t.Helper()
	cfg := y.config()
	for _, f := range change {
		f(&cfg)
	}
	b, err := NewBridge(cfg, y.clients[la])
	y.must(err)
	return b
}

func (y *yard) at(parts ...string) string {
	return filepath.Join(append([]string{y.root}, parts...)...)
}

// put drops a pair into OUT as a careful application does: the control file is whole when it appears. With a clock that is ahead no
// file is young, so a bridge that looks meanwhile would take half of one, and call it malformed.
func (y *yard) put(name string, c Control, body []byte) {
	y.t.Helper()
	y.must(os.MkdirAll(y.at(outName), 0o700))
	y.must(os.WriteFile(y.at(outName, name+".dat"), body, 0o600))
	y.must(os.WriteFile(y.at(outName, name+".part"), c.Bytes(), 0o600))
	y.must(os.Rename(y.at(outName, name+".part"), y.at(outName, name+".ctl")))
}

func order() Control {
	return Control{Version: "1.0", AddressType: "DTS", MessageType: "Data", WorkflowID: flow, FromDTS: la, ToDTS: trust}
}

// names lists a folder.
func (y *yard) names(dir ...string) string {
	list, err := os.ReadDir(y.at(dir...))
	y.must(err)
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func (y *yard) control(parts ...string) Control {
	y.t.Helper()
	c, _, err := readControl(y.at(parts...))
	y.must(err)
	return c
}

// arrived returns the bodies in a mailbox.
func (y *yard) arrived(mailbox string) [][]byte {
	y.t.Helper()
	var out [][]byte
	for _, m := range y.server.Inbox(mailbox) {
		in, err := y.clients[mailbox].Get(y.t.Context(), m.ID)
		y.must(err)
		body, err := io.ReadAll(in)
		y.must(errors.Join(err, in.Close()))
		out = append(out, body)
	}
	return out
}

func (y *yard) send(body []byte, change ...func(*mesh.Outgoing)) string {
	y.t.Helper()
	m := mesh.Outgoing{To: la, WorkflowID: flow, Body: bytes.NewReader(body)}
	for _, f := range change {
		f(&m)
	}
	id, err := y.clients[trust].Send(y.t.Context(), m)
	y.must(err)
	return id
}

var errKilled = errors.New("killed")

// killAt makes every step from the nth on fail, as if the process had ended there. hit reports whether it came so far.
func killAt(n int) (step func(string) error, hit func() bool) {
	count := 0
	return func(string) error {
		if count++; count > n {
			return errKilled
		}
		return nil
	}, func() bool { return count > n }
}
