package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkCareTeam is GET CareTeam with three plans and a desk that costs nothing, without a network.
func BenchmarkCareTeam(b *testing.B) {
	s := newBench(b)
	s.desk.flags = flags(b)
	s.Server.log = slog.New(slog.DiscardHandler)
	r := httptest.NewRequest(http.MethodGet, "/FHIR/R4"+strings.TrimPrefix(careTeam, "GET "), nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("TraceID", traceID)
	b.ReportAllocs()
	for b.Loop() {
		s.desk.accesses = s.desk.accesses[:0]
		s.ServeHTTP(discard{http.Header{}}, r)
	}
}

// BenchmarkCareTeamOverHTTP is the same through a real server on loopback. The reference is a handler there that writes the same bytes and
// does nothing else: x_ref near 1 means that HTTP itself is the cost.
func BenchmarkCareTeamOverHTTP(b *testing.B) {
	s := newBench(b)
	s.desk.flags = flags(b)
	s.Server.log = slog.New(slog.DiscardHandler)
	body := s.call(careTeam, "").Body.Bytes()
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/fhir+json")
		_, _ = w.Write(body)
	}))
	defer empty.Close()
	full := httptest.NewServer(s)
	defer full.Close()
	get := func(server *httptest.Server) {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/FHIR/R4"+strings.TrimPrefix(careTeam, "GET "), nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := server.Client().Do(r)
		if err != nil {
			b.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK {
			b.Fatal(answer.Status)
		}
		_ = answer.Body.Close()
	}
	n, start := 0, time.Now()
	for time.Since(start) < 300*time.Millisecond {
		get(empty)
		n++
	}
	reference := float64(time.Since(start).Nanoseconds()) / float64(n)
	for b.Loop() {
		s.desk.accesses = s.desk.accesses[:0]
		get(full)
	}
	b.ReportMetric(reference/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "x_ref:empty-handler")
}
