package observe

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler serves /metrics, /livez and /readyz. It needs no token: nothing that it shows is secret or personal, but it belongs on an address
// that operators reach and others do not.
func (o *Observer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { report(w, o.health.live()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { report(w, o.health.ready(r.Context())) })
	return mux
}

// report answers 200 when every check passes and 503 when one does not, with all of them.
func report(w http.ResponseWriter, checks []check) {
	body := struct {
		OK     bool    `json:"ok"`
		Checks []check `json:"checks"`
	}{OK: true, Checks: checks}
	for _, c := range checks {
		body.OK = body.OK && c.OK
	}
	raw, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		http.Error(w, "the report cannot be written", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if !body.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(raw, '\n')) // a prober that has gone needs no answer
}

// Requests counts and times what next answers. route names a request's route, one of few.
func (o *Observer) Requests(next http.Handler, route func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, began := route(r), o.now()
		answer := &answered{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			o.metrics.fhirRequests.WithLabelValues(name, strconv.Itoa(answer.status)).Inc()
			o.metrics.fhirDuration.WithLabelValues(name).Observe(o.now().Sub(began).Seconds())
		}()
		next.ServeHTTP(answer, r)
	})
}

// answered remembers the status.
type answered struct {
	http.ResponseWriter
	status int
}

// WriteHeader passes the status on.
func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
