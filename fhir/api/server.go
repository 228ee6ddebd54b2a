package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"signalbox/fhir"
)

// Server answers trusts. It is an http.Handler, safe for concurrent use, and starts no goroutine. Timeouts belong to the http.Server around it.
type Server struct {
	cfg    Config
	desk   Desk
	now    func() time.Time
	newID  func() string
	log    *slog.Logger
	routes map[string]route
	about  []byte // the CapabilityStatement
}

// route is one path below the base with its one method.
type route struct {
	pattern string
	method  string
	open    bool // needs no token
	plain   bool // is no FHIR: it knows its own media types, and refusals are words alone
	right   func(*Client) bool
	serve   func(*http.Request, *Client) reply
}

// New returns a Server. newID makes a fresh UUID for each call.
func New(cfg Config, desk Desk, now func() time.Time, newID func() string, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if desk == nil || now == nil || newID == nil || log == nil {
		return nil, errors.New("fhir api: new: desk, now, newID and log are all needed")
	}
	s := &Server{cfg: cfg, desk: desk, now: now, newID: newID, log: log}
	query := func(c *Client) bool { return c.CanQuery }
	send := func(c *Client) bool { return c.CanSend }
	s.routes = map[string]route{}
	for _, r := range []route{
		{pattern: "/metadata", method: http.MethodGet, open: true, serve: func(*http.Request, *Client) reply { return ok(s.about) }},
		{pattern: "/CareTeam", method: http.MethodGet, right: query, serve: s.careTeams},
		{pattern: "/AuditEvent", method: http.MethodGet, right: query, serve: s.auditEvents},
		{pattern: "/PatientFlag", method: http.MethodGet, right: query, serve: s.patientFlags},
		{pattern: "/$process-message", method: http.MethodPost, right: send, serve: s.processMessage},
		{pattern: statusPath, method: http.MethodGet, right: send, serve: s.messageStatus},
		{pattern: "", method: http.MethodPost, right: send, serve: s.transaction},
		{pattern: "/", method: http.MethodPost, right: send, serve: s.transaction},
	} {
		s.routes[cfg.BasePath+r.pattern] = r
	}
	if cfg.Subscriptions != nil {
		s.routes[cfg.BasePath+subscriptionPath] = route{pattern: subscriptionPath, method: http.MethodPost, right: receives, serve: s.subscribe}
	}
	if cfg.HL7V3 != "" {
		s.routes[cfg.HL7V3] = route{pattern: "hl7v3", method: http.MethodPost, plain: true, right: query, serve: s.hl7v3}
	}
	s.about = s.capability(now())
	return s, nil
}

// unknownRoute stands for every path that leads nowhere.
const unknownRoute = "unknown"

// Route names the route that a request takes, one of few, for logs and counts.
func (s *Server) Route(r *http.Request) string {
	if route, known := s.find(r); known {
		return route.pattern
	}
	return unknownRoute
}

// find returns the route of a request.
func (s *Server) find(r *http.Request) (route, bool) {
	if route, known := s.routes[r.URL.Path]; known {
		return route, true
	}
	return s.subscriptionRoute(r)
}

// ServeHTTP answers one request. What it logs is method, route, status, duration and the client's name: never a path that it does not
// know, never a query.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.now()
	route, known := s.find(r)
	entry := &exchange{route: s.Route(r)}
	answer := s.answer(r, route, known, entry)
	if route.plain {
		answer = inWords(answer)
	}
	s.write(w, r, answer)
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "fhir request",
		slog.String("method", method(r.Method)), slog.String("route", entry.route), slog.Int("status", answer.status),
		slog.Duration("duration", s.now().Sub(start)), slog.String("client", entry.client))
}

// exchange is what the access log learns of a request.
type exchange struct {
	route, client string
}

// method keeps invented methods out of the log.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// answer makes the reply; a panic becomes a 500.
func (s *Server) answer(r *http.Request, route route, known bool, entry *exchange) (out reply) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		s.log.LogAttrs(r.Context(), slog.LevelError, "fhir panic", slog.String("route", entry.route),
			slog.String("type", fmt.Sprintf("%T", v)), slog.Any("stack", stack()))
		out = internal()
	}()
	return s.admit(r, route, known, entry)
}

// stack names the functions that were running. The panic's own value may hold data, so only its type is logged.
func stack() []string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	var out []string
	for {
		f, more := frames.Next()
		out = append(out, f.Function+":"+strconv.Itoa(f.Line))
		if !more {
			return out
		}
	}
}

// admit lets a request through to its route: token first, then path, method, rights and media type.
func (s *Server) admit(r *http.Request, route route, known bool, entry *exchange) reply {
	var client *Client
	if !route.open {
		if client = s.authenticate(r); client == nil {
			return notAuthenticated()
		}
		entry.client = client.Name
	}
	switch {
	case !known:
		return s.unknown(r)
	case r.Method != route.method:
		return refusal(http.StatusMethodNotAllowed, "not-supported", codeUnsupported, "Unsupported service",
			"this path takes "+route.method).with("Allow", route.method)
	case route.right != nil && !route.right(client):
		return denied()
	case !route.plain && !acceptable(r):
		return refusal(http.StatusNotAcceptable, "not-supported", codeUnsupported, "Unsupported service", "answers are "+fhir.MediaType)
	}
	return route.serve(r, client)
}

// unknown answers a path that leads nowhere, with a word on those that one might expect.
func (s *Server) unknown(r *http.Request) reply {
	if rest, found := strings.CutSuffix(r.URL.Path, "/_search"); found {
		if _, ok := s.routes[rest]; ok {
			return refusal(http.StatusMethodNotAllowed, "not-supported", codeUnsupported, "Unsupported service",
				"searching by POST is not offered: use GET").with("Allow", "")
		}
	}
	return refusal(http.StatusNotFound, "not-found", codeNotFound, "Resource not found", "there is nothing at this path")
}

func (s *Server) authenticate(r *http.Request) *Client {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return nil
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil
	}
	return s.cfg.find(strings.TrimSpace(token))
}

// acceptable reports whether the client takes FHIR JSON, by its Accept header.
func acceptable(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return true
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "*/*", "application/*", fhir.MediaType, "application/json":
			if !strings.Contains(strings.ReplaceAll(params, " ", ""), "q=0.0") && strings.ReplaceAll(params, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}

// mirrored lists the headers that come back with the answer.
func mirrored() []string { return []string{"TraceID", "X-Request-ID", "X-Correlation-ID"} }

func (s *Server) write(w http.ResponseWriter, r *http.Request, a reply) {
	h := w.Header()
	h.Set("Content-Type", fhir.MediaType+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	for _, name := range mirrored() {
		if v := r.Header.Get(name); plain(v) {
			h.Set(name, v)
		}
	}
	for name, v := range a.headers {
		if v != "" {
			h.Set(name, v)
		}
	}
	w.WriteHeader(a.status)
	if _, err := w.Write(a.body); err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "fhir answer not taken: the connection is gone")
	}
}

// plain reports whether a header may be mirrored: short, and visible ASCII.
func plain(v string) bool {
	if v == "" || len(v) > 128 {
		return false
	}
	return !strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c > '~' })
}
