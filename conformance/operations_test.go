package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"signalbox/conformance/harness"
	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/engine/store"
	"signalbox/engine/stream/redistest"
)

// scrape reads /metrics as Prometheus does.
func scrape(t testing.TB, base string) map[string]*dto.MetricFamily {
	t.Helper()
	status, body := look(t, base+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics answers %d", status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	harness.Must(t, err)
	return families
}

func look(t testing.TB, url string) (int, []byte) {
	t.Helper()
	res, err := httpClient(t).Get(url)
	harness.Must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	harness.Must(t, err)
	return res.StatusCode, body
}

// value adds up the samples of a metric whose labels hold all of the given pairs; a histogram counts its observations.
func value(families map[string]*dto.MetricFamily, name string, pairs ...string) float64 {
	var sum float64
	for _, m := range families[name].GetMetric() {
		if !holds(m, pairs) {
			continue
		}
		switch {
		case m.Counter != nil:
			sum += m.Counter.GetValue()
		case m.Gauge != nil:
			sum += m.Gauge.GetValue()
		case m.Histogram != nil:
			sum += float64(m.Histogram.GetSampleCount())
		}
	}
	return sum
}

func holds(m *dto.Metric, pairs []string) bool {
	for i := 0; i < len(pairs); i += 2 {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == pairs[i] && l.GetValue() == pairs[i+1] }) {
			return false
		}
	}
	return true
}

// report is the body of /livez and /readyz.
type report struct {
	OK     bool
	Checks []struct {
		Name, Detail string
		OK           bool
	}
}

func health(t testing.TB, url string) (int, report) {
	t.Helper()
	status, body := look(t, url)
	var r report
	harness.Must(t, json.Unmarshal(body, &r))
	return status, r
}

// failing names the checks that do not pass.
func (r report) failing() []string {
	var out []string
	for _, c := range r.Checks {
		if !c.OK {
			out = append(out, c.Name)
		}
	}
	return out
}

// await polls until ok says so; what is named in the failure.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited two minutes for this, in vain: %s", what)
		}
	}
}

func TestTheMetricsTellTheStory(t *testing.T) {
	w := harness.New(t, harness.Testshire(), harness.Northshire())
	w.Start(t)
	test, north := w.Client(t, "TESTLA01"), w.Client(t, "TESTLA02")
	w.Send(t, test, "1042", upload(t, "1042", child(ada, "LA-1", openPlan()), child("9990000019", "LA-2", openPlan())))
	w.Send(t, north, "77", extract(ada+",Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,A. Worker",
		ben+",Ada,Testone,12/03/2015,Q,04/01/2026,,,NS-3,L,W"))
	w.Send(t, w.Client(t, "STRANGER"), "x", []byte("who am I"))
	w.Receive(t, test, 1)
	w.Receive(t, north, 1)
	if status, _ := careTeams(t, w, ada, nil); status != http.StatusOK {
		t.Fatalf("the query was answered with %d", status)
	}
	w.Receive(t, test, 1)
	w.Receive(t, north, 1)
	if status, _ := sendAttendance(t, w, ada, uuid.NewString(), "wrong"); status != http.StatusUnauthorized {
		t.Errorf("a message with a wrong token is answered with %d", status)
	}
	await(t, "the stranger's file in quarantine", func() bool {
		return value(scrape(t, w.State.Operations), "signalbox_messages_unrouted_total") == 1
	})
	w.Settle(t)
	// The gauges that are read from the record are kept for a few seconds.
	await(t, "gauges of a record at rest", func() bool {
		m := scrape(t, w.State.Operations)
		return value(m, "signalbox_quarantine_messages") == 1 && value(m, "signalbox_events_open") == 0 && value(m, "signalbox_effects_open") == 0
	})
	m := scrape(t, w.State.Operations)
	for _, c := range []struct {
		name  string
		pairs string
		want  float64
	}{
		{"signalbox_messages_received_total", "way=mesh mailbox=SIGNALBOX1", 3},
		{"signalbox_messages_received_total", "way=query", 1},
		{"signalbox_records_total", "supplier=testshire-cpisxml outcome=accepted", 1},
		{"signalbox_records_total", "supplier=testshire-cpisxml outcome=rejected", 1},
		{"signalbox_records_total", "supplier=northshire-csv outcome=accepted", 1},
		{"signalbox_records_total", "supplier=northshire-csv outcome=parked", 1},
		{"signalbox_events_handled_total", "topic=signalbox.flag verdict=ack", 2},
		{"signalbox_events_handled_total", "topic=signalbox.access verdict=ack", 1},
		{"signalbox_effects_total", "kind=acknowledgement la=999 outcome=sent", 1},
		{"signalbox_effects_total", "kind=acknowledgement la=998 outcome=sent", 1},
		{"signalbox_effects_total", "kind=notification outcome=sent", 2},
		{"signalbox_notification_delay_seconds", "", 2},
		{"signalbox_fhir_requests_total", "route=/CareTeam status=200", 1},
		{"signalbox_fhir_requests_total", "route=/$process-message status=401", 1},
		{"signalbox_fhir_request_duration_seconds", "route=/CareTeam", 1},
		{"signalbox_step_duration_seconds", "step=collect", 3},
		{"signalbox_step_duration_seconds", "step=apply", 2},
		{"signalbox_mesh_unacknowledged_messages", "mailbox=SIGNALBOX1", 0},
		{"signalbox_reading_up", "source=record", 1},
		{"signalbox_build_info", "version=test", 1},
	} {
		pairs := strings.FieldsFunc(c.pairs, func(r rune) bool { return r == ' ' || r == '=' })
		if got := value(m, c.name, pairs...); got != c.want {
			t.Errorf("%s{%s} is %v, want %v", c.name, c.pairs, got, c.want)
		}
	}
	for _, name := range []string{"signalbox_store_commit_duration_seconds", "signalbox_store_commit_changes", "signalbox_mesh_listings_total",
		"signalbox_mesh_last_listing_timestamp_seconds", "go_goroutines", "process_start_time_seconds"} {
		if value(m, name) == 0 {
			t.Errorf("%s is 0 or missing", name)
		}
	}
	nothingPersonal(t, w, m)
	for name, described := range registered(t) {
		if f, scraped := m[name]; scraped && described.kind != "" && described.kind != strings.ToLower(f.GetType().String()) {
			t.Errorf("%s is a %s, the guide says %s", name, f.GetType(), described.kind)
		}
	}
}

// nothingPersonal looks for the test's persons and for ids of messages and events in everything that the operators' address tells.
func nothingPersonal(t testing.TB, w *harness.World, m map[string]*dto.MetricFamily) {
	t.Helper()
	_, metrics := look(t, w.State.Operations+"/metrics")
	_, ready := look(t, w.State.Operations+"/readyz")
	_, live := look(t, w.State.Operations+"/livez")
	for _, datum := range []string{ada, ben, "Testone", "LA-1", "NS-1", "2015", harness.Token, "harness-password", "harness-shared-key"} {
		if strings.Contains(string(metrics)+string(ready)+string(live), datum) {
			t.Errorf("the operators' address tells the datum %q", datum)
		}
	}
	for name, f := range m {
		for _, s := range f.GetMetric() {
			for _, l := range s.GetLabel() {
				if len(l.GetValue()) >= 32 && strings.Trim(l.GetValue(), "0123456789abcdefABCDEF-") == "" {
					t.Errorf("%s{%s} looks like an id: labels must be few", name, l.GetName())
				}
			}
		}
		if n := len(f.GetMetric()); n > 64 {
			t.Errorf("%s has %d series after a handful of messages", name, n)
		}
	}
}

func TestReadyTellsTheTruth(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Config.Mesh.Poll = app.Duration(20 * time.Millisecond)
	w.Start(t)
	base := w.State.Operations
	await(t, "ready, once the mailbox was validated and listed", func() bool {
		status, r := health(t, base+"/readyz")
		return status == http.StatusOK && r.OK
	})
	status, r := health(t, base+"/livez")
	if status != http.StatusOK || len(r.Checks) != 10 {
		t.Errorf("/livez: %d, %+v: want 10 workers, alive", status, r)
	}
	for _, path := range []string{"/", "/debug/pprof/", "/metrics/x"} {
		if status, _ := look(t, base+path); status != http.StatusNotFound {
			t.Errorf("%s is answered with %d", path, status)
		}
	}
}

// A drain that takes its time, because the record is slow: the operators' address answers all the while.
func TestADrainingEngineIsNotReady(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	await(t, "ready", func() bool { status, _ := health(t, w.State.Operations+"/readyz"); return status == http.StatusOK })
	held, release := make(chan struct{}), make(chan struct{})
	err := make(chan error, 1)
	go func() {
		err <- w.State.Store.Write(context.Background(), func(*store.Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	stopped := make(chan struct{})
	go func() { defer close(stopped); w.Stop(t) }()
	await(t, "not ready, because it drains and because its record cannot be written", func() bool {
		status, r := health(t, w.State.Operations+"/readyz")
		return status == http.StatusServiceUnavailable && slices.Contains(r.failing(), "engine") && slices.Contains(r.failing(), "store")
	})
	close(release)
	harness.Must(t, <-err)
	<-stopped
}

func TestAnEngineWithoutItsRedisIsNotReady(t *testing.T) {
	redis := redistest.Start(t)
	w := harness.New(t, harness.Testshire())
	w.Config.Stream.URLs, w.Config.Stream.Consumer = []string{redis.URL()}, "one"
	w.Start(t)
	await(t, "ready", func() bool { status, _ := health(t, w.State.Operations+"/readyz"); return status == http.StatusOK })
	if m := scrape(t, w.State.Operations); value(m, "signalbox_reading_up", "source", "stream") != 1 {
		t.Error("the stream's figures are not read")
	}
	redis.Kill()
	await(t, "not ready, because of the stream alone", func() bool {
		status, r := health(t, w.State.Operations+"/readyz")
		return status == http.StatusServiceUnavailable && fmt.Sprint(r.failing()) == "[stream]"
	})
	if status, _ := health(t, w.State.Operations+"/livez"); status != http.StatusOK {
		t.Error("a missing Redis is no reason to restart the engine")
	}
	redis.Restart()
	await(t, "ready again", func() bool { status, _ := health(t, w.State.Operations+"/readyz"); return status == http.StatusOK })
}

func TestOneTraceAMessage(t *testing.T) {
	for name, carry := range map[string]func(*testing.T, *app.Config){
		"in process": func(*testing.T, *app.Config) {},
		"Redis": func(t *testing.T, c *app.Config) {
			c.Stream.URLs, c.Stream.Consumer = []string{redistest.Start(t).URL()}, "one"
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := harness.New(t, harness.Testshire())
			spans := tracetest.NewInMemoryExporter()
			keep := &kept{InMemoryExporter: spans}
			w.Spans = keep
			carry(t, &w.Config)
			w.Start(t)
			box := w.Client(t, "TESTLA01")
			w.Send(t, box, "1042", upload(t, "1042", child(ada, "LA-1", openPlan()), child(ben, "LA-2", openPlan())))
			w.Receive(t, box, 1)
			if status, _ := sendAttendance(t, w, ada, uuid.NewString(), harness.Token); status != http.StatusOK {
				t.Fatalf("the message was answered with %d", status)
			}
			w.Receive(t, box, 1)
			w.Settle(t)
			w.Stop(t) // sends the last spans
			traces := byTrace(keep.all())
			file := one(t, traces, "collect")
			if got := file.steps(); got != "apply apply collect reply send translate" {
				t.Errorf("the trace of the file has the steps %q", got)
			}
			message := one(t, traces, "receive")
			if got := message.steps(); got != "receive reply send tell translate" {
				t.Errorf("the trace of the FHIR message, from intake to notification, has the steps %q", got)
			}
			for _, tr := range []trace{file, message} {
				tr.hangsTogether(t)
			}
			for _, s := range keep.all() {
				for _, a := range s.Attributes {
					text := a.Value.String()
					if strings.Contains(text, ada) || strings.Contains(text, ben) || strings.Contains(text, "LA-") {
						t.Errorf("the span %s tells a datum in %s", s.Name, a.Key)
					}
				}
			}
		})
	}
}

// kept keeps the spans beyond the exporter's end, which forgets them.
type kept struct {
	*tracetest.InMemoryExporter
	last tracetest.SpanStubs
}

// Shutdown keeps what was exported.
func (k *kept) Shutdown(ctx context.Context) error {
	k.last = k.GetSpans()
	return k.InMemoryExporter.Shutdown(ctx)
}

func (k *kept) all() tracetest.SpanStubs { return k.last }

type trace []tracetest.SpanStub

func byTrace(spans tracetest.SpanStubs) map[string]trace {
	out := map[string]trace{}
	for _, s := range spans {
		id := s.SpanContext.TraceID().String()
		out[id] = append(out[id], s)
	}
	return out
}

// one finds the one trace that begins with the step.
func one(t testing.TB, traces map[string]trace, first string) trace {
	t.Helper()
	var found []trace
	for _, tr := range traces {
		if slices.ContainsFunc(tr, func(s tracetest.SpanStub) bool { return s.Name == first }) {
			found = append(found, tr)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d traces begin with %s, want 1", len(found), first)
	}
	return found[0]
}

func (tr trace) steps() string {
	var names []string
	for _, s := range tr {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// hangsTogether checks that one span is the root, that all others are below it, and that the trace bears the message's id.
func (tr trace) hangsTogether(t testing.TB) {
	t.Helper()
	var root *tracetest.SpanStub
	for i, s := range tr {
		if !s.Parent.IsValid() {
			if root != nil {
				t.Errorf("%s and %s are both roots", root.Name, s.Name)
			}
			root = &tr[i]
		}
	}
	if root == nil {
		t.Fatal("the trace has no root")
	}
	for _, s := range tr {
		if s.Parent.IsValid() && s.Parent.SpanID() != root.SpanContext.SpanID() {
			t.Errorf("%s hangs in the air", s.Name)
		}
		if s.EndTime.Before(s.StartTime) || s.StartTime.Before(root.StartTime) {
			t.Errorf("%s is out of its time", s.Name)
		}
		for _, a := range s.Attributes {
			if a.Key == "signalbox.message" && engine.MessageID(a.Value.AsString()) != engine.MessageID(s.SpanContext.TraceID().String()) {
				t.Errorf("%s bears the id %s in the trace %s", s.Name, a.Value.AsString(), s.SpanContext.TraceID())
			}
		}
	}
}
