package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/engine/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record is a store that does as the test says.
type record struct {
	mu     sync.Mutex
	stats  func(context.Context) (store.Stats, error)
	pulse  func(context.Context) error
	reads  int
	pulses int
}

func (r *record) Stats(ctx context.Context) (store.Stats, error) {
	r.mu.Lock()
	r.reads++
	r.mu.Unlock()
	return r.stats(ctx)
}

func (r *record) Pulse(ctx context.Context) error {
	r.mu.Lock()
	r.pulses++
	r.mu.Unlock()
	return r.pulse(ctx)
}

func (r *record) counts() (reads, pulses int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads, r.pulses
}

// transport carries nothing.
type transport struct {
	mu       sync.Mutex
	err      error
	backlogs map[string][]stream.Backlog
}

func (*transport) Publish(string, ...*message.Message) error     { return nil }
func (*transport) Close() error                                  { return nil }
func (*transport) Subscriber(string) (message.Subscriber, error) { return nil, stream.ErrClosed }
func (tr *transport) Ready(context.Context) error                { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.err }
func (tr *transport) Backlogs(_ context.Context, topic string) ([]stream.Backlog, error) {
	return tr.backlogs[topic], nil
}

// bench is an observer over a record and a transport that do as they are told.
type bench struct {
	*Observer
	record    *record
	transport *transport
	log       *strings.Builder
}

func newBench(t testing.TB, change func(*Config)) *bench {
	t.Helper()
	cfg := Default()
	cfg.Mailboxes, cfg.Poll, cfg.Version = []string{"SIGNALBOX1"}, time.Minute, "test"
	if change != nil {
		change(&cfg)
	}
	b := &bench{log: &strings.Builder{}, transport: &transport{}, record: &record{
		stats: func(context.Context) (store.Stats, error) { return store.Stats{}, nil },
		pulse: func(context.Context) error { return nil },
	}}
	var err error
	b.Observer, err = New(cfg, time.Now, slog.New(slog.NewTextHandler(b.log, nil)))
	must(t, err)
	b.Bind(b.record, b.transport)
	return b
}

func (b *bench) get(t testing.TB, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// failing asks a health page and names the checks that fail.
func (b *bench) failing(t testing.TB, path string) (int, string) {
	t.Helper()
	status, body := b.get(t, path)
	var r struct{ Checks []check }
	must(t, json.Unmarshal([]byte(body), &r))
	var names []string
	for _, c := range r.Checks {
		if !c.OK {
			names = append(names, c.Name)
			if c.Detail == "" {
				t.Errorf("%s fails without saying why", c.Name)
			}
		}
	}
	return status, strings.Join(names, ", ")
}

func (b *bench) wants(t testing.TB, path string, status int, failing string) {
	t.Helper()
	if code, names := b.failing(t, path); code != status || names != failing {
		t.Errorf("%s: %d with %q failing, want %d with %q", path, code, names, status, failing)
	}
}

func TestLiveNamesTheWorkerThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.wants(t, "/livez", 200, "")
		b.Beat("courier", time.Minute)
		b.Beat("relay flag", 5*time.Minute)
		time.Sleep(time.Minute)
		b.wants(t, "/livez", 200, "")
		time.Sleep(time.Second)
		b.wants(t, "/livez", 503, "worker courier")
		if _, body := b.get(t, "/livez"); !strings.Contains(body, "has made no progress for 1m1s") {
			t.Errorf("the report does not say for how long: %s", body)
		}
		b.Beat("courier", time.Minute)
		b.wants(t, "/livez", 200, "")
		time.Sleep(time.Hour)
		b.wants(t, "/livez", 503, "worker courier, worker relay flag")
		b.Rest("courier")
		b.Rest("relay flag")
		b.wants(t, "/livez", 200, "")
		must(t, b.Close(t.Context()))
	})
}

func TestReadyNeedsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.wants(t, "/readyz", 503, "engine, listener, mailbox SIGNALBOX1")
		b.Listening(true)
		b.Started()
		b.wants(t, "/readyz", 503, "mailbox SIGNALBOX1")
		b.Listed("SIGNALBOX1", 0, nil)
		b.wants(t, "/readyz", 503, "mailbox SIGNALBOX1") // not validated
		b.Elsewhere("SIGNALBOX1")
		b.wants(t, "/readyz", 200, "") // another process polls it, so this one can answer trusts
		time.Sleep(time.Minute + time.Second)
		b.wants(t, "/readyz", 503, "mailbox SIGNALBOX1") // and has not been heard of since
		b.Listed("SIGNALBOX1", 0, nil)
		b.Validated("SIGNALBOX1")
		b.wants(t, "/readyz", 200, "")
		b.Validated("STRANGER1")
		time.Sleep(3 * time.Minute)
		b.wants(t, "/readyz", 200, "")
		time.Sleep(time.Second)
		b.wants(t, "/readyz", 503, "mailbox SIGNALBOX1") // not listed for too long
		b.Listed("SIGNALBOX1", 0, errors.New("away"))
		b.wants(t, "/readyz", 503, "mailbox SIGNALBOX1")
		b.Listed("SIGNALBOX1", 3, nil)
		b.wants(t, "/readyz", 200, "")
		b.transport.err = errors.New("password secret-word refused")
		b.wants(t, "/readyz", 503, "stream")
		if _, body := b.get(t, "/readyz"); strings.Contains(body, "secret-word") {
			t.Error("the report repeats what a library said")
		}
		b.transport.err = nil
		b.Draining()
		b.wants(t, "/readyz", 503, "engine")
		must(t, b.Close(t.Context()))
	})
}

func TestTheRecordIsReallyWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Mailboxes = nil })
		b.Listening(true)
		b.Started()
		for range 50 {
			b.wants(t, "/readyz", 200, "")
		}
		if _, n := b.record.counts(); n != 1 {
			t.Errorf("%d probes in one moment cost %d commits", 50, n)
		}
		time.Sleep(pulseFor)
		b.record.pulse = func(context.Context) error { return errors.New("disk full") }
		b.wants(t, "/readyz", 503, "store")
		b.record.pulse = func(context.Context) error { return nil }
		b.wants(t, "/readyz", 200, "") // a failure is not kept
		if n := strings.Count(b.log.String(), "check fails"); n != 1 {
			t.Errorf("a failure is logged %d times", n)
		}
		must(t, b.Close(t.Context()))
	})
}

func TestADiskThatHangsHoldsOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Mailboxes = nil })
		b.Listening(true)
		b.Started()
		hang := make(chan struct{})
		b.record.pulse = func(context.Context) error { <-hang; return nil }
		for range 5 {
			b.wants(t, "/readyz", 503, "store")
		}
		if _, n := b.record.counts(); n != 1 {
			t.Errorf("%d writes hang, want 1", n)
		}
		close(hang)
		synctest.Wait()
		b.wants(t, "/readyz", 200, "")
		must(t, b.Close(t.Context()))
	})
}

func TestOldestUnacknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		oldest := func(want float64, waiting int) {
			t.Helper()
			text := fmt.Sprintf(`# HELP signalbox_mesh_oldest_unacknowledged_seconds For how long the oldest message has been seen in our mailbox without being acknowledged, since this process started; 0: none.
# TYPE signalbox_mesh_oldest_unacknowledged_seconds gauge
signalbox_mesh_oldest_unacknowledged_seconds{mailbox="SIGNALBOX1"} %v
# HELP signalbox_mesh_unacknowledged_messages Messages listed in our mailbox and not acknowledged.
# TYPE signalbox_mesh_unacknowledged_messages gauge
signalbox_mesh_unacknowledged_messages{mailbox="SIGNALBOX1"} %d
`, want, waiting)
			must(t, testutil.GatherAndCompare(b.Registry(), strings.NewReader(text), "signalbox_mesh_oldest_unacknowledged_seconds",
				"signalbox_mesh_unacknowledged_messages"))
		}
		const box = "SIGNALBOX1"
		oldest(0, 0)
		b.Seen(box, "A")
		time.Sleep(time.Minute)
		oldest(60, 1)
		b.Seen(box, "B")
		b.Acknowledged(box, "B")
		b.Listed(box, 1, nil) // A could not be collected
		b.Seen(box, "A")
		b.Seen(box, "C")
		time.Sleep(time.Minute)
		oldest(120, 2)
		b.Listed(box, 2, errors.New("the second page did not come"))
		oldest(120, 2) // a list that broke off takes nothing away
		b.Seen(box, "C")
		b.Listed(box, 1, nil)
		oldest(60, 1) // A is gone from the mailbox
		b.Seen(box, "C")
		b.Acknowledged(box, "C")
		b.Listed(box, 0, nil)
		oldest(0, 0)
		for i := range maxSeen + 100 {
			b.Seen(box, fmt.Sprint(i))
		}
		oldest(0, maxSeen)
		must(t, b.Close(t.Context()))
	})
}

func TestFiguresAreReadSeldomAndNeverStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		now := time.Now()
		b.record.stats = func(context.Context) (store.Stats, error) {
			return store.Stats{
				Topics: map[engine.Kind]store.TopicStats{engine.KindFlag: {Waiting: 7, Streamed: 2, Quarantined: 1,
					OldestWaiting: now.Add(-time.Minute), OldestStreamed: now.Add(time.Minute)}},
				Effects:            map[store.EffectKind]store.EffectStats{store.Notification: {Planned: 3, Attempted: 1, Failed: 2, OldestOpen: now.Add(-time.Hour)}},
				OldestNotice:       map[string]time.Time{"999": now.Add(-10 * time.Minute)},
				QuarantineMessages: 4,
			}, nil
		}
		b.transport.backlogs = map[string][]stream.Backlog{"signalbox.flag": {{Group: "signalbox", Waiting: -1, Pending: 5}, {Group: "other", Waiting: 9}}}
		for range 20 {
			_, page := b.get(t, "/metrics")
			for _, want := range []string{
				`signalbox_events_open{state="waiting",topic="signalbox.flag"} 7`, `signalbox_events_open{state="streamed",topic="signalbox.flag"} 2`,
				`signalbox_quarantine_events{topic="signalbox.flag"} 1`, `signalbox_quarantine_messages 4`,
				`signalbox_events_oldest_unpublished_seconds{topic="signalbox.flag"} 60`, `signalbox_events_oldest_streamed_seconds{topic="signalbox.flag"} 0`,
				`signalbox_effects_open{kind="notification",state="failed"} 2`, `signalbox_effects_oldest_open_seconds{kind="notification"} 3600`,
				`signalbox_notices_oldest_open_seconds{la="999"} 600`,
				`signalbox_stream_entries{group="signalbox",state="pending",topic="signalbox.flag"} 5`,
				`signalbox_stream_entries{group="other",state="waiting",topic="signalbox.flag"} 9`,
				`signalbox_reading_up{source="record"} 1`, `signalbox_reading_up{source="stream"} 1`,
			} {
				if !strings.Contains(page, want+"\n") {
					t.Fatalf("the page lacks %s", want)
				}
			}
			if strings.Contains(page, `group="signalbox",state="waiting"`) {
				t.Fatal("a figure that Redis does not know is shown")
			}
		}
		if n, _ := b.record.counts(); n != 1 {
			t.Errorf("20 scrapes read the record %d times", n)
		}
		time.Sleep(5 * time.Second)
		b.record.stats = func(ctx context.Context) (store.Stats, error) { <-ctx.Done(); return store.Stats{}, ctx.Err() }
		_, page := b.get(t, "/metrics") // comes back, because the reading has a limit
		if !strings.Contains(page, `signalbox_reading_up{source="record"} 0`) || strings.Contains(page, "signalbox_events_open{") || strings.Contains(page, "signalbox_quarantine_messages ") {
			t.Error("a record that cannot be read must be told, and its old figures must go")
		}
		if !strings.Contains(page, "signalbox_build_info{") {
			t.Error("the other metrics are missing")
		}
		must(t, b.Close(t.Context()))
	})
}

func TestRequestsAreCounted(t *testing.T) {
	b := newBench(t, nil)
	face := b.Requests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = w.Write([]byte("x"))
	}), func(*http.Request) string { return "/CareTeam" })
	for _, method := range []string{http.MethodGet, http.MethodGet, http.MethodPost} {
		w := httptest.NewRecorder()
		face.ServeHTTP(w, httptest.NewRequest(method, "/FHIR/R4/CareTeam?patient:identifier=9990000018", nil))
		must(t, http.NewResponseController(w).Flush())
	}
	_, page := b.get(t, "/metrics")
	for _, want := range []string{`signalbox_fhir_requests_total{route="/CareTeam",status="200"} 2`, `signalbox_fhir_requests_total{route="/CareTeam",status="418"} 1`,
		`signalbox_fhir_request_duration_seconds_count{route="/CareTeam"} 3`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "999000") {
		t.Error("the page holds a number from a query")
	}
	must(t, b.Close(t.Context()))
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		ok     bool
	}{
		"default":            {func(*Config) {}, true},
		"endpoint":           {func(c *Config) { c.Traces.Endpoint = "http://collector:4318" }, true},
		"endpoint with path": {func(c *Config) { c.Traces.Endpoint = "https://collector/otlp/v1/traces" }, true},
		"poll":               {func(c *Config) { c.Poll = 0 }, false},
		"within":             {func(c *Config) { c.Within = 0 }, false},
		"sample above one":   {func(c *Config) { c.Traces.Sample = 1.1 }, false},
		"sample below zero":  {func(c *Config) { c.Traces.Sample = -0.1 }, false},
		"no URL":             {func(c *Config) { c.Traces.Endpoint = "collector:4318" }, false},
		"credentials":        {func(c *Config) { c.Traces.Endpoint = "http://user:secret-word@collector" }, false},
	} {
		cfg := Default()
		c.change(&cfg)
		err := cfg.Validate()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: the error repeats a secret", name)
		}
	}
}
