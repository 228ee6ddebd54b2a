package observe

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/pipeline"
	"signalbox/engine/store"
)

// spans keeps what was exported beyond Shutdown, which makes the in-memory exporter forget.
type spans struct {
	mu  sync.Mutex
	all tracetest.SpanStubs
}

func (s *spans) ExportSpans(_ context.Context, batch []sdktrace.ReadOnlySpan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, tracetest.SpanStubsFromReadOnlySpans(batch)...)
	return nil
}

func (*spans) Shutdown(context.Context) error { return nil }

func message1(n int) engine.MessageID {
	return engine.NewMessageID("mesh/SIGNALBOX1/TESTLA01", fmt.Sprint(n))
}

func TestEveryProcessDerivesTheSameTrace(t *testing.T) {
	id := message1(1)
	first, second := &spans{}, &spans{}
	for i, out := range []*spans{first, second} {
		b := newBench(t, func(c *Config) { c.Traces.Exporter = out })
		step := pipeline.Step{Name: "collect", Message: id, First: true, Mailbox: "SIGNALBOX1"}
		if i == 1 {
			step = pipeline.Step{Name: "apply", Message: id, Record: 3}
		}
		_, end := b.Step(t.Context(), step)
		end(nil)
		must(t, b.Close(t.Context()))
	}
	root, child := first.all[0], second.all[0]
	if root.Parent.IsValid() || root.SpanContext.TraceID().String() != string(id) {
		t.Errorf("the root is %v below %v, want the trace %s", root.SpanContext.TraceID(), root.Parent, id)
	}
	if child.Parent.SpanID() != root.SpanContext.SpanID() || child.SpanContext.TraceID() != root.SpanContext.TraceID() {
		t.Error("another process does not find the root")
	}
	if child.SpanContext.SpanID() == root.SpanContext.SpanID() {
		t.Error("a child bears its root's name")
	}
}

func TestSpanContext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := engine.NewMessageID(rapid.String().Draw(t, "source"), rapid.String().Draw(t, "upstream"))
		a, ok := SpanContext(id)
		b, _ := SpanContext(id)
		if !ok || !a.Equal(b) || !a.IsRemote() || a.TraceID().String() != string(id) {
			t.Fatalf("%s: %v", id, a)
		}
	})
	for _, bad := range []engine.MessageID{"", "x", "9990000018", engine.MessageID(strings.Repeat("g", 32)), engine.MessageID(strings.Repeat("0", 32)),
		engine.MessageID(strings.Repeat("a", 34))} {
		if _, ok := SpanContext(bad); ok {
			t.Errorf("%q names a trace", bad)
		}
	}
}

func TestATraceIsBounded(t *testing.T) {
	out := &spans{}
	b := newBench(t, func(c *Config) { c.Traces.Exporter = out })
	for i := range 5000 {
		_, end := b.Step(t.Context(), pipeline.Step{Name: "apply", Message: message1(1), Record: i + 1})
		end(nil)
	}
	var causes []store.Cause
	for i := range 100 {
		causes = append(causes, store.Cause{Message: message1(i), Access: time.Now()}, store.Cause{Message: message1(i), Access: time.Now()})
	}
	b.Sent(store.Effect{Kind: store.Notification, Authority: "999"}, time.Now(), causes)
	must(t, b.Close(t.Context()))
	count := map[string]int{}
	linked := 0
	for _, s := range out.all {
		count[s.Name]++
		linked += len(s.Links)
	}
	if count["apply"] != maxRecords || count["send"] != maxCauses || linked != maxCauses-1 {
		t.Errorf("%v, %d links", count, linked)
	}
	_, page := b.get(t, "/metrics")
	if !strings.Contains(page, `signalbox_step_duration_seconds_count{step="apply"} 5000`) || !strings.Contains(page, "signalbox_notification_delay_seconds_count 200") {
		t.Error("the metrics must count what the trace leaves out")
	}
}

func TestSamplingIsTheSameEverywhere(t *testing.T) {
	sampled := func(share float64) map[string]bool {
		out := &spans{}
		b := newBench(t, func(c *Config) { c.Traces.Exporter, c.Traces.Sample = out, share })
		for i := range 400 {
			_, end := b.Step(t.Context(), pipeline.Step{Name: "collect", Message: message1(i), First: true})
			_, inner := b.Step(t.Context(), pipeline.Step{Name: "translate", Message: message1(i)})
			inner(nil)
			end(nil)
		}
		must(t, b.Close(t.Context()))
		traces := map[string]int{}
		for _, s := range out.all {
			traces[s.SpanContext.TraceID().String()]++
		}
		whole := map[string]bool{}
		for id, n := range traces {
			if n != 2 {
				t.Errorf("share %v: a trace has %d of its 2 spans", share, n)
			}
			whole[id] = true
		}
		return whole
	}
	if n := len(sampled(0)); n != 0 {
		t.Errorf("share 0: %d traces", n)
	}
	if n := len(sampled(1)); n != 400 {
		t.Errorf("share 1: %d traces", n)
	}
	a, b := sampled(0.25), sampled(0.25)
	if len(a) < 40 || len(a) > 180 || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("share 0.25: %d and %d traces, or not the same ones", len(a), len(b))
	}
}

func TestAnErrorsTextStaysOut(t *testing.T) {
	out := &spans{}
	b := newBench(t, func(c *Config) { c.Traces.Exporter = out })
	_, end := b.Step(t.Context(), pipeline.Step{Name: "translate", Message: message1(1)})
	end(&engine.Error{Op: "x", Kind: engine.Unavailable, Text: "about 9990000018"})
	must(t, b.Close(t.Context()))
	text := fmt.Sprintf("%+v", out.all[0])
	if strings.Contains(text, "9990000018") || !strings.Contains(text, "unavailable") {
		t.Errorf("the span says %s", text)
	}
}

// receiver is an OTLP collector.
type receiver struct {
	mu    sync.Mutex
	spans []*otlp.Span
	fail  bool
	paths []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paths = append(r.paths, req.URL.Path)
	if r.fail {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			http.Error(w, "gzip", http.StatusBadRequest)
			return
		}
	}
	raw, err := io.ReadAll(body)
	var in collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &in)
	}
	if err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return
	}
	for _, rs := range in.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			r.spans = append(r.spans, ss.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func TestSpansReachACollectorOverHTTP(t *testing.T) {
	r := &receiver{}
	server := httptest.NewServer(r)
	defer server.Close()
	b := newBench(t, func(c *Config) { c.Traces.Endpoint = server.URL })
	_, end := b.Step(t.Context(), pipeline.Step{Name: "collect", Message: message1(1), First: true})
	end(nil)
	must(t, b.Close(t.Context()))
	if len(r.spans) != 1 || r.spans[0].GetName() != "collect" || fmt.Sprintf("%x", r.spans[0].GetTraceId()) != string(message1(1)) || r.paths[0] != "/v1/traces" {
		t.Errorf("the collector received %v at %v", r.spans, r.paths)
	}
}

func TestACollectorThatFailsIsToldOnce(t *testing.T) {
	r := &receiver{fail: true}
	server := httptest.NewServer(r)
	defer server.Close()
	b := newBench(t, func(c *Config) { c.Traces.Endpoint = server.URL })
	for range 3 {
		_, end := b.Step(t.Context(), pipeline.Step{Name: "collect", Message: message1(1), First: true})
		end(nil)
		must(t, b.traces.provider.ForceFlush(t.Context()))
	}
	must(t, b.Close(t.Context()))
	_, page := b.get(t, "/metrics")
	if !strings.Contains(page, "signalbox_trace_export_failures_total 3") {
		t.Error("the failures are not counted")
	}
	if n := strings.Count(b.log.String(), "spans not taken"); n != 1 {
		t.Errorf("the log is told %d times within a minute", n)
	}
}

func TestWithoutTracesNothingIsMade(t *testing.T) {
	b := newBench(t, nil)
	ctx, end := b.Step(t.Context(), pipeline.Step{Name: "collect", Message: message1(1), First: true})
	if ctx != t.Context() {
		t.Error("the context is another")
	}
	end(errors.New("x"))
	b.Sent(store.Effect{Kind: store.Acknowledgement, Authority: "999"}, time.Now(), []store.Cause{{Message: message1(1)}})
	must(t, b.Close(t.Context()))
}
