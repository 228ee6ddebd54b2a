package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Exporter takes finished spans.
type Exporter = sdktrace.SpanExporter

// Traces says where spans go. Without an endpoint and an exporter there are none.
type Traces struct {
	Endpoint string   // OTLP over HTTP, such as http://collector:4318; /v1/traces is added where the path is empty
	Sample   float64  // share of the messages that are traced, 0 to 1
	Exporter Exporter // instead of the endpoint, for tests
}

// DefaultTraces traces every message once an endpoint is named.
func DefaultTraces() Traces { return Traces{Sample: 1} }

// Validate reports every setting that cannot work. The endpoint is not repeated: it may hold a token.
func (t Traces) Validate() error {
	var errs []error
	if t.Sample < 0 || t.Sample > 1 {
		errs = append(errs, errors.New("traces.sample: is not between 0 and 1"))
	}
	if t.Endpoint != "" {
		u, err := url.Parse(t.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			errs = append(errs, errors.New("traces.endpoint: is not an http or https URL without credentials"))
		}
	}
	return errors.Join(errs...)
}

// exporter returns where spans go, or nil.
func (t Traces) exporter() (Exporter, error) {
	if t.Exporter != nil || t.Endpoint == "" {
		return t.Exporter, nil
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil {
		return nil, errors.New("traces.endpoint: is not a URL")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	out, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("traces.endpoint: %w", err)
	}
	return out, nil
}

// complainEvery is how long the log is spared after it was told that spans are not taken.
const complainEvery = time.Minute

// patient passes spans on and swallows the failure: traces help, they are not worth a line of the library's own log each time.
type patient struct {
	next     Exporter
	log      *slog.Logger
	failures prometheus.Counter
	now      func() time.Time

	mu   sync.Mutex
	told time.Time
}

// ExportSpans passes a batch on.
func (p *patient) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := p.next.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	p.failures.Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.told) >= complainEvery {
		p.told = now
		p.log.Warn("spans not taken by the collector", "spans", len(spans), "error", err)
	}
	return nil
}

// Shutdown ends the exporter.
func (p *patient) Shutdown(ctx context.Context) error { return p.next.Shutdown(ctx) }
