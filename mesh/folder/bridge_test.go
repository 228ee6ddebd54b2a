package folder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

func TestPairIsSent(t *testing.T) {
	for _, keep := range []bool{true, false} {
		y := newYard(t)
		body := bytes.Repeat([]byte("payload "), 400) // several chunks
		c := order()
		c.Subject, c.LocalID = "Daily", "batch-7"
		y.put("upload", c, body)
		n, young, err := y.bridge(func(c *Config) { c.SaveSent = keep }).SendReady(t.Context())
		if n != 1 || young || err != nil {
			t.Fatalf("%d sent, %v", n, err)
		}
		if got := y.arrived(trust); len(got) != 1 || !bytes.Equal(got[0], body) {
			t.Errorf("%d messages arrived", len(got))
		}
		m := y.server.Inbox(trust)[0]
		if m.LocalID != "batch-7" || m.Subject != "Daily" || strings.Contains(m.FileName, "upload") {
			t.Errorf("header %+v", m)
		}
		if y.names(outName) != "" || y.names(workName, "sending") != "" {
			t.Errorf("left: OUT %q, work %q", y.names(outName), y.names(workName, "sending"))
		}
		if !keep {
			if y.names(sentName) != "" {
				t.Errorf("SENT %q", y.names(sentName))
			}
			continue
		}
		got := y.control(sentName, "upload.ctl")
		if got.DTSID != m.ID || got.Status == nil || got.Status.StatusCode != "00" || got.Status.Status != "SUCCESS" || got.ToDTS != trust || got.Subject != "Daily" {
			t.Errorf("SENT %+v, status %+v", got, got.Status)
		}
		if raw, err := os.ReadFile(y.at(sentName, "upload.dat")); err != nil || !bytes.Equal(raw, body) {
			t.Errorf("SENT payload: %v", err)
		}
	}
}

func TestWhatIsBadGoesToFailed(t *testing.T) {
	change := func(f func(*Control)) []byte { c := order(); f(&c); return c.Bytes() }
	for name, test := range map[string]struct {
		ctl  []byte
		dat  string
		code string
	}{
		"not XML":         {[]byte("Version=1.0"), "x", ""},
		"document type":   {[]byte("<!DOCTYPE a><DTSControl/>"), "x", ""},
		"version":         {change(func(c *Control) { c.Version = "2.0" }), "x", "09"},
		"address type":    {change(func(c *Control) { c.AddressType = "SMTP" }), "x", "10"},
		"report":          {change(func(c *Control) { c.MessageType = "Report" }), "x", "11"},
		"other sender":    {change(func(c *Control) { c.FromDTS = trust }), "x", "07"},
		"no recipient":    {change(func(c *Control) { c.ToDTS = "" }), "x", "08"},
		"no workflow":     {change(func(c *Control) { c.WorkflowID = "" }), "x", "06"},
		"empty payload":   {order().Bytes(), "", "02"},
		"no such mailbox": {change(func(c *Control) { c.ToDTS = "NOBODY" }), "x", "12"},
		"long subject":    {change(func(c *Control) { c.Subject = strings.Repeat("s", 600) }), "x", "06"},
	} {
		y := newYard(t)
		var log bytes.Buffer
		b := y.bridge(func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		y.must(os.WriteFile(y.at(outName, "ann-smith.ctl"), test.ctl, 0o600))
		y.must(os.WriteFile(y.at(outName, "ann-smith.dat"), []byte(test.dat), 0o600))
		y.put("good", order(), []byte("good"))
		if _, _, err := b.SendReady(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := y.names(failedName); got != "ann-smith.ctl ann-smith.dat" {
			t.Errorf("%s: FAILED has %q", name, got)
			continue
		}
		if test.code != "" {
			if s := y.control(failedName, "ann-smith.ctl").Status; s == nil || s.Status != "ERROR" || s.StatusCode != test.code || s.Description == "" {
				t.Errorf("%s: status %+v, want code %s", name, s, test.code)
			}
		} else if raw, _ := os.ReadFile(y.at(failedName, "ann-smith.ctl")); !bytes.Equal(raw, test.ctl) {
			t.Errorf("%s: the control file was changed", name)
		}
		if y.names(outName) != "" || len(y.arrived(trust)) != 1 {
			t.Errorf("%s: the good one beside it was not sent", name)
		}
		if strings.Contains(log.String(), "ann-smith") {
			t.Errorf("%s: the log has the file's name", name)
		}
	}
}

func TestYoungFilesAreLeftAlone(t *testing.T) {
	y := newYard(t)
	now := time.Now()
	b := y.bridge(func(c *Config) {
		c.Now = func() time.Time { return now }
		c.MinAge = time.Second
		c.Patience = time.Minute
	})
	y.put("a", order(), []byte("x"))
	stamp := func(file string, at time.Time) { y.must(os.Chtimes(y.at(outName, file), at, at)) }
	for _, step := range []struct {
		ctl, dat time.Duration // ages
		young    bool
	}{{0, 0, true}, {5 * time.Second, 0, true}, {0, 5 * time.Second, true}, {999 * time.Millisecond, 5 * time.Second, true}} {
		stamp("a.ctl", now.Add(-step.ctl))
		stamp("a.dat", now.Add(-step.dat))
		if n, young, err := b.SendReady(t.Context()); n != 0 || young != step.young || err != nil {
			t.Errorf("ages %v: %d sent, young %v, %v", step, n, young, err)
		}
	}
	stamp("a.ctl", now.Add(-time.Second))
	stamp("a.dat", now.Add(-time.Second))
	if n, _, err := b.SendReady(t.Context()); n != 1 || err != nil {
		t.Errorf("old enough: %d sent, %v", n, err)
	}
	// A control file without its payload is given time, and then has failed.
	y.must(os.WriteFile(y.at(outName, "b.ctl"), order().Bytes(), 0o600))
	y.must(os.WriteFile(y.at(outName, "c.dat"), []byte("no control file"), 0o600))
	stamp("b.ctl", now.Add(-59*time.Second))
	if n, _, err := b.SendReady(t.Context()); n != 0 || err != nil || y.names(failedName) != "" {
		t.Errorf("payload still to come: %d, %v", n, err)
	}
	stamp("b.ctl", now.Add(-time.Minute))
	_, _, err := b.SendReady(t.Context())
	if err != nil || y.names(failedName) != "b.ctl" || y.control(failedName, "b.ctl").Status.StatusCode != "02" || y.names(outName) != "c.dat" {
		t.Errorf("%v, FAILED %q, OUT %q", err, y.names(failedName), y.names(outName))
	}
}

// A name that is used again must not write over what was kept.
func TestNamesAreUsedAgain(t *testing.T) {
	y := newYard(t)
	b := y.bridge()
	for i := range 3 {
		y.put("daily", order(), fmt.Append(nil, "day ", i))
		if _, _, err := b.SendReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Fields(y.names(sentName)); len(got) != 6 || len(y.arrived(trust)) != 3 {
		t.Errorf("SENT %v", got)
	}
}

// The process is killed at every step in turn; the next one brings the pair to its end: sent exactly once, nothing half.
func TestSendingSurvivesBeingKilled(t *testing.T) {
	for _, kind := range []string{"own id", "shared id", "refused"} {
		t.Run(kind, func(t *testing.T) {
			for at := 0; ; at++ {
				y := newYard(t)
				body := bytes.Repeat([]byte{byte(at + 1)}, 2500)
				c := order()
				y.clock = 0 // a shared id is told apart by time, so the clock must be right
				if kind == "shared id" {
					c.LocalID = "daily"
				}
				if kind == "refused" {
					c.ToDTS = "NOBODY"
				}
				y.put("upload", c, body)
				atOnce := func(c *Config) { c.MinAge = 0 }
				b := y.bridge(atOnce)
				step, hit := killAt(at)
				b.disk.step = step
				_, _, err := b.SendReady(t.Context())
				if !hit() {
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("%d steps", at)
					return
				}
				for range 2 {
					if _, _, err := y.bridge(atOnce).SendReady(t.Context()); err != nil {
						t.Fatalf("step %d: %v", at, err)
					}
				}
				want, dir := [][]byte{body}, sentName
				if kind == "refused" {
					want, dir = nil, failedName
				}
				if got := y.arrived(trust); len(got) != len(want) || len(got) == 1 && !bytes.Equal(got[0], body) {
					t.Errorf("step %d: %d messages arrived, want %d", at, len(got), len(want))
				}
				if y.names(dir) != "upload.ctl upload.dat" || y.names(outName) != "" || strings.Contains(y.names(workName, "sending"), "json") {
					t.Errorf("step %d: %s has %q, OUT %q, work %q", at, dir, y.names(dir), y.names(outName), y.names(workName, "sending"))
				}
				if c := y.control(dir, "upload.ctl"); dir == sentName && c.DTSID == "" || c.Status == nil {
					t.Errorf("step %d: control file %+v", at, c)
				}
			}
		})
	}
}

// An outage leaves the pair where it is; when the reply of the send itself was lost the message is found, not sent again.
func TestOutageWhileSending(t *testing.T) {
	y := newYard(t)
	b := y.bridge()
	down := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	y.put("upload", order(), []byte("x"))
	y.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // takes it, and then is gone
		if r.Method == http.MethodPost {
			y.server.ServeHTTP(httptest.NewRecorder(), r)
		}
		down(w, r)
	})
	if _, _, err := b.SendReady(t.Context()); err == nil || y.names(outName) != "upload.ctl upload.dat" {
		t.Fatalf("%v, OUT %q", err, y.names(outName))
	}
	y.handler = down
	if _, _, err := b.SendReady(t.Context()); err == nil {
		t.Fatal("no error while the service is down")
	}
	y.handler = y.server
	if _, _, err := b.SendReady(t.Context()); err != nil || len(y.arrived(trust)) != 1 || y.names(sentName) != "upload.ctl upload.dat" {
		t.Errorf("%v, %d arrived, SENT %q", err, len(y.arrived(trust)), y.names(sentName))
	}
}

// A pair that is replaced by another of the same name while the first one's end is open is another message.
func TestReplacedPairIsAnotherMessage(t *testing.T) {
	y := newYard(t)
	y.put("upload", order(), []byte("first"))
	b := y.bridge()
	b.box = lostBox{y.clients[la]} // accepted, but we never hear
	if _, _, err := b.SendReady(t.Context()); err == nil {
		t.Fatal("no error")
	}
	y.put("upload", order(), []byte("second!"))
	if _, _, err := y.bridge().SendReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := y.arrived(trust); len(got) != 2 || string(got[1]) != "second!" {
		t.Errorf("%d messages arrived", len(got))
	}
}

type lostBox struct{ *mesh.Client }

func (l lostBox) SendOnce(ctx context.Context, m mesh.Outgoing) (string, error) {
	_, _ = l.Send(ctx, m)
	return "", &mesh.Error{Op: "send", Kind: mesh.ErrOutcomeUnknown}
}

func TestMessageIsReceived(t *testing.T) {
	y := newYard(t)
	b := y.bridge()
	body := bytes.Repeat([]byte("payload "), 400)
	plain := y.send(body, func(m *mesh.Outgoing) {
		m.FileName, m.LocalID, m.Subject, m.Compress = "ann-smith.xml", "L1", "S", true
	})
	packed := y.send([]byte("zip"), func(m *mesh.Outgoing) { m.Compressed = true })
	failed := y.send([]byte("x"), func(m *mesh.Outgoing) { m.To = trust })
	report, err := y.server.PutReport(meshserver.Report{To: la, Code: "14", Event: "SEND", Description: "Message not collected by recipient after 5 days",
		LinkedMessageID: failed, WorkflowID: flow, LocalID: "L2", Subject: "NDR"})
	y.must(err)
	p := mesh.DefaultPoller()
	p.Box, p.Take = y.clients[la], b.Receive
	if n, err := p.Round(t.Context()); n != 3 || err != nil {
		t.Fatalf("%d taken, %v", n, err)
	}
	for _, name := range []string{plain + ".ctl", plain + ".dat", packed + ".ctl", packed + ".dat", report + ".ctl"} {
		if !exists(y.at(inName, name)) {
			t.Errorf("IN lacks a file: %q", y.names(inName))
		}
	}
	if n := len(strings.Fields(y.names(inName))); n != 5 || y.names(workName, "receiving") != "" || len(y.server.Inbox(la)) != 0 {
		t.Errorf("%d files in IN, %q at work, %d in the inbox", n, y.names(workName, "receiving"), len(y.server.Inbox(la)))
	}
	c := y.control(inName, plain+".ctl")
	if c.DTSID != plain || c.FromDTS != trust || c.ToDTS != la || c.WorkflowID != flow || c.LocalID != "L1" || c.IsCompressed != "N" || c.MessageType != "Data" || c.Status.StatusCode != "00" {
		t.Errorf("control file %+v", c)
	}
	if raw, err := os.ReadFile(y.at(inName, plain+".dat")); err != nil || !bytes.Equal(raw, body) {
		t.Errorf("payload: %v", err)
	}
	if c := y.control(inName, packed+".ctl"); c.IsCompressed != "Y" {
		t.Errorf("the sender's own compression was lost: %+v", c)
	}
	c = y.control(inName, report+".ctl")
	if c.MessageType != "Report" || c.DTSID != failed || c.LocalID != "L2" || c.Status.Status != "ERROR" || c.Status.StatusCode != "14" {
		t.Errorf("report %+v, %+v", c, c.Status)
	}
}

// The process is killed at every step of receiving, and the application takes what it sees at once: it sees each message once,
// whole.
func TestReceivingSurvivesBeingKilled(t *testing.T) {
	for at := 0; ; at++ {
		y := newYard(t)
		body := bytes.Repeat([]byte{byte(at + 1)}, 2500)
		id := y.send(body)
		b := y.bridge()
		step, hit := killAt(at)
		b.disk.step = step
		err := b.Receive(t.Context(), id)
		seen := y.consume()
		if !hit() {
			if err != nil || len(seen) != 1 {
				t.Fatalf("%d seen, %v", len(seen), err)
			}
			t.Logf("%d steps", at)
			return
		}
		next := y.bridge()
		y.must(next.finishReceived(t.Context()))
		p := mesh.DefaultPoller()
		p.Box, p.Take = y.clients[la], next.Receive
		if _, err := p.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, y.consume()...)
		if len(seen) != 1 || !bytes.Equal(seen[0], body) || len(y.server.Inbox(la)) != 0 || y.names(workName, "receiving") != "" {
			t.Errorf("step %d: the application saw %d messages, %d are in the inbox, %q is left", at, len(seen), len(y.server.Inbox(la)), y.names(workName, "receiving"))
		}
	}
}

// consume is an application that takes every pair it sees and fails on one that is not whole.
func (y *yard) consume() (bodies [][]byte) {
	list, err := pairs(y.at(inName))
	y.must(err)
	for _, p := range list {
		body, err := os.ReadFile(p.dat)
		y.must(err)
		_, _, err = readControl(p.ctl)
		y.must(err)
		y.must(os.Remove(p.ctl))
		y.must(os.Remove(p.dat))
		bodies = append(bodies, body)
	}
	return bodies
}

// The bridge as a whole, with notices and without, in both directions.
func TestBridgeRuns(t *testing.T) {
	for _, silent := range []bool{false, true} {
		y := newYard(t)
		b := y.bridge(func(c *Config) { c.NoNotify = silent; c.Scan = 20 * time.Millisecond })
		p := mesh.DefaultPoller()
		p.Every, p.MaxEvery, p.Spread = 10*time.Millisecond, time.Second, 0
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx, p) }()
		y.put("upload", order(), []byte("out"))
		id := y.send([]byte("in"))
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if exists(y.at(sentName, "upload.ctl")) && exists(y.at(inName, id+".ctl")) && y.names(outName) == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("not done in 20 s: OUT %q, SENT %q, FAILED %q, IN %q", y.names(outName), y.names(sentName), y.names(failedName), y.names(inName))
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// A notice alone is enough: the folder is not looked at in between.
func TestNoticeWakes(t *testing.T) {
	y := newYard(t)
	b := y.bridge()
	w := watch(b.dir.out, b.cfg)
	defer w.close()
	if w.fs == nil {
		t.Skip("this file system gives no notice of changes: the test of notices DID NOT RUN")
	}
	y.put("upload", order(), []byte("x"))
	select {
	case <-w.wake:
	case <-time.After(20 * time.Second):
		t.Error("no notice in 20 s")
	}
}

func TestConfigValidate(t *testing.T) {
	if err := (Config{}).Validate(); err == nil {
		t.Error("an empty configuration was taken")
	}
	if _, err := NewBridge(Config{}, nil); err == nil {
		t.Error("a bridge was made of nothing")
	}
	if _, err := NewBox(Default(), ""); err == nil {
		t.Error("a box was made of nothing")
	}
}

var _ io.Reader = (*mesh.Incoming)(nil)
