// Package meshserver is a MESH server that is true to the wire: several mailboxes, strict tokens, chunks, paging, tracking
// and the published error shapes, with every message durable on disk before it is answered for.
//
// In the strict profile it follows the NHS MESH API specification, and where that is silent the published mesh-sandbox. In
// the sandbox profile it does what that sandbox was observed to do. Differences is the table of what that changes. It is a
// twin for tests, demonstrations and suppliers, not the service.
package meshserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"signalbox/mesh"
	"signalbox/mesh/internal/spool"
)

// Server answers the MESH HTTP API. It is an http.Handler, safe for concurrent use, and starts no goroutine.
type Server struct {
	cfg       Config
	lax       [quirks]bool
	mailboxes map[string]Mailbox
	workflows map[string]rights
	patients  map[string]Patient // by NHS number
	ahead     atomic.Int64       // of the clock, the time of messages is, in nanoseconds
	routes    []route
	spool     *spool.Spool
	signer    *mesh.Signer
	tokens    *tokenSet
	ids       *idMaker
	faults    *injector
	zips      sync.Pool
	sweeping  sync.Mutex
}

// zipper is a gzip writer with a buffer to feed it from, which also takes a small body as a whole, and one for a small body in
// gzip.
type zipper struct {
	*gzip.Writer
	whole, stored []byte
}

// rights says who may send and receive a workflow.
type rights struct{ send, receive map[string]bool }

// New opens the directory and returns a server that goes on where the last one stopped.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, lax: laxness(cfg.Profile), mailboxes: map[string]Mailbox{}, workflows: map[string]rights{}, patients: map[string]Patient{},
		signer: mesh.NewSigner(cfg.SharedKey), ids: &idMaker{}, faults: newInjector(cfg.Faults, cfg.Seed),
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.zips.New = func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for unknown levels alone
		return &zipper{Writer: w, whole: make([]byte, wholeBody)}
	}
	for _, m := range cfg.Mailboxes {
		m.ID = strings.ToUpper(m.ID)
		s.mailboxes[m.ID] = m
	}
	for _, w := range cfg.Workflows {
		s.workflows[w.ID] = rights{send: upperSet(w.Senders), receive: upperSet(w.Receivers)}
	}
	for _, p := range cfg.Patients {
		s.patients[p.NHSNumber] = p
	}
	s.routes = routes(cfg.Admin || s.lax[laxAdmin])
	if err := s.putCanned(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens what is on disk.
func (s *Server) open() (err error) {
	o := spool.Options{Inline: max(s.cfg.InlineBodies, 0), WaitFor: inboxTime, KeepFor: keepTime, KeepAcknowledged: s.lax[laxAcknowledged]}
	o.Before = func() error { return s.tokens.flush() }
	if s.lax[laxExpiry] || s.cfg.Canned {
		o.WaitFor = 0
	}
	if s.cfg.Canned {
		o.KeepFor = 0
	}
	s.tokens = &tokenSet{} // of the time before: the directory is locked by the spool first
	if s.spool, err = spool.Open(s.cfg.Dir, o); err != nil {
		return fmt.Errorf("meshserver: open: %w", err)
	}
	tokens := filepath.Join(s.cfg.Dir, "tokens")
	if s.lax[laxReplay] {
		tokens = ""
	}
	if s.tokens, err = newTokenSet(tokens, s.cfg.Now().UTC()); err != nil {
		return errors.Join(err, s.spool.Close())
	}
	return nil
}

// Close lets go of the directory. Requests that come later, or are not finished, are answered 500.
func (s *Server) Close() error { return errors.Join(s.spool.Close(), s.tokens.close()) }

// now is the time of messages.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Add(time.Duration(s.ahead.Load())) }

// Advance lets time pass for messages, all at once: five days, say, so that what nobody took becomes undeliverable. Tokens are
// still held against the clock, for their senders' clocks have not moved. It lasts until the server is closed or everything is
// reset. A negative duration does nothing.
func (s *Server) Advance(d time.Duration) (now time.Time) {
	s.ahead.Add(int64(max(d, 0)))
	return s.now()
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r, version: 1}
	if r.TLS != nil && !s.lax[laxHSTS] {
		w.Header().Set("Strict-Transport-Security", "max-age=15552000")
	}
	segments, ok := splitPath(r.URL.EscapedPath())
	if !ok {
		x.detail(http.StatusNotFound, "Not Found")
		return
	}
	if f := s.faults.pick(r.Method, segments); f != nil {
		x.faulty(f, segments)
		return
	}
	x.serve(segments)
}

func (x *exchange) serve(segments []string) {
	x.maintain()
	if n := len(segments); n == 3 && segments[0] == "messageexchange" && segments[2] == "" {
		x.w.Header().Set("Location", strings.TrimSuffix(x.r.URL.EscapedPath(), "/"))
		x.w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	x.dispatch(segments)
}

// exchange is one request with what was found out about it so far.
type exchange struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	version  int    // of the API: 1, 2, or above
	doom     string // the code of an error that befalls the message of this request after its acceptance
	unrouted bool   // the recipient is a patient's practice that was not found
	mailbox  Mailbox
	params   []string // of the path, after the mailbox
}

func (x *exchange) lax(q quirk) bool { return x.s.lax[q] }

func (x *exchange) log(op string, err error, internal string) {
	x.s.cfg.Log.LogAttrs(x.r.Context(), slog.LevelError, "mesh server failed",
		slog.String("op", op), slog.String("internal_id", internal), slog.Any("error", err))
}

func upperSet(ids []string) map[string]bool {
	set := map[string]bool{}
	for _, id := range ids {
		set[strings.ToUpper(id)] = true
	}
	return set
}
