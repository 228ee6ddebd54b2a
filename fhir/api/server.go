package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"signalbox/fhir/api/identity"
	"signalbox/fhir/api/limit"
	"signalbox/fhir/api/negotiate"
	"signalbox/fhir/api/page"
)

// Server answers trusts. It is an http.Handler, safe for concurrent use, and starts no goroutine. How long a request may take to arrive
// belongs to the http.Server around it.
type Server struct {
	cfg       Config
	desk      Desk
	now       func() time.Time
	newID     func() string
	log       *slog.Logger
	identity  *identity.Authenticator
	limits    *limit.Table // of clients, by name
	strangers *limit.Table // of whoever is refused, by address
	pages     *page.Sealer
	zip       zippers
	routes    map[string]route
	about     []byte // the CapabilityStatement
}

// New returns a Server. newID makes a fresh UUID for each call.
func New(cfg Config, desk Desk, now func() time.Time, newID func() string, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if desk == nil || now == nil || newID == nil || log == nil {
		return nil, errors.New("fhir api: new: desk, now, newID and log are all needed")
	}
	s := &Server{cfg: cfg, desk: desk, now: now, newID: newID, log: log, routes: map[string]route{}}
	var errs [4]error
	s.identity, errs[0] = identity.New(cfg.identity(), cfg.keys(), now, log)
	s.limits, errs[1] = limit.New(cfg.Limits, now)
	s.strangers, errs[2] = limit.New(cfg.Strangers, now)
	s.pages, errs[3] = page.New(cfg.PageKey, cfg.PageLife, now)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, r := range s.mounted() {
		if r.one == nil { // the others stand under the id of a resource
			s.routes[cfg.BasePath+r.pattern] = r
		}
	}
	if cfg.HL7V3 != "" {
		s.routes[cfg.HL7V3] = route{pattern: "hl7v3", method: http.MethodPost, plain: true, right: func(c *Client) bool { return c.CanQuery }, serve: s.hl7v3}
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

// exchange is what is known of a request and its answer besides what both say.
type exchange struct {
	route   string
	client  string           // for the access log; empty while nobody is known
	caller  *identity.Caller // nil on open routes
	prefer  negotiate.Preferences
	format  negotiate.Format
	plain   bool   // the answer is no FHIR
	taken   bool   // the client takes an answer of some form that we can give
	applied string // the preference that was followed
}

type exchangeKey struct{}

// exchangeOf returns the exchange of a request that this server serves.
func exchangeOf(r *http.Request) *exchange {
	if e, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		return e
	}
	return &exchange{}
}

// ServeHTTP answers one request. What it logs is method, route, status, duration and the client's name: never a path that it does not
// know, never a query.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.now()
	route, known := s.find(r)
	entry := &exchange{route: s.Route(r), prefer: negotiate.Prefer(r.Header.Values("Prefer"))}
	entry.format, entry.taken = wanted(r)
	if entry.plain = route.plain; entry.plain {
		entry.taken = true // it looks at media types itself
	}
	within := s.cfg.Timeout
	if route.waits {
		within += s.cfg.Wait
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), exchangeKey{}, entry), within)
	defer cancel()
	r = r.WithContext(ctx)
	answer := s.answer(r, route, known, entry)
	if route.plain {
		answer = inWords(answer)
	}
	status := s.write(w, r, entry, answer)
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "fhir request",
		slog.String("method", method(r.Method)), slog.String("route", entry.route), slog.Int("status", status),
		slog.Duration("duration", s.now().Sub(start)), slog.String("client", entry.client))
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

// admit lets a request through to its route: who asks first, then how much, then path, method, rights and form.
func (s *Server) admit(r *http.Request, route route, known bool, entry *exchange) reply {
	if !route.open {
		if refused := s.identify(r, entry); refused != nil {
			return *refused
		}
	}
	switch {
	case !known:
		return refusal(http.StatusNotFound, "not-found", codeNotFound, "Resource not found", "there is nothing at this path")
	case r.Method != route.method:
		return refusal(http.StatusMethodNotAllowed, "not-supported", codeUnsupported, "Unsupported service",
			"this path takes "+route.method).with("Allow", route.method)
	case route.right != nil && !route.right(entry.caller.Client):
		return denied()
	case !entry.taken:
		return notAcceptable()
	}
	if refused := s.decompress(r); refused != nil {
		return *refused
	}
	var client *Client
	if entry.caller != nil {
		client = entry.caller.Client
	}
	return route.serve(r, client)
}

// identify says who asks, and whether that client has calls left. An address whose callers are refused again and again is held off too.
func (s *Server) identify(r *http.Request, entry *exchange) *reply {
	caller, refused := s.identity.Authenticate(r)
	if refused != nil {
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "fhir caller refused", slog.String("route", entry.route), slog.String("reason", string(refused.Reason)))
		out := s.notLetIn(refused)
		if ok, wait := s.strangers.Allow(address(r)); !ok {
			out = throttled(wait)
		}
		return &out
	}
	entry.caller, entry.client = caller, caller.Client.Name
	if ok, wait := s.limits.Allow(caller.Client.Name); !ok {
		out := throttled(wait)
		return &out
	}
	return nil
}

// address is the other end's, without its port. Behind a proxy it is the proxy's.
func address(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
