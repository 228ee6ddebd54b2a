// Package meshserver is a MESH server that is true to the wire: several mailboxes, strict tokens, chunks, paging, tracking
// and the published error shapes, with every message durable on disk before it is answered for.
//
// It follows the NHS MESH API specification; where that is silent it follows the published mesh-sandbox, and where the
// sandbox is known to be laxer than the service (tokens used twice, holes in chunked messages, downloads after the
// acknowledgement) it follows the service. It is a twin for tests, demonstrations and suppliers, not the service.
package meshserver

import (
	"compress/gzip"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"signalbox/mesh/internal/spool"
)

// Server answers the MESH HTTP API. It is an http.Handler, safe for concurrent use, and starts no goroutine.
type Server struct {
	cfg       Config
	mailboxes map[string]Mailbox
	workflows map[string]rights
	routes    []route
	spool     *spool.Spool
	tokens    *tokenSet
	ids       *idMaker
	zips      sync.Pool
}

// zipper is a gzip writer with the buffer to feed it from.
type zipper struct {
	*gzip.Writer
	buf []byte
}

// rights says who may send and receive a workflow.
type rights struct{ send, receive map[string]bool }

// New opens the directory and returns a server that goes on where the last one stopped.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	store, err := spool.Open(cfg.Dir, max(cfg.InlineBodies, 0))
	if err != nil {
		return nil, fmt.Errorf("meshserver: open: %w", err)
	}
	s := &Server{
		cfg:       cfg,
		mailboxes: map[string]Mailbox{},
		workflows: map[string]rights{},
		spool:     store,
		tokens:    newTokenSet(),
		ids:       &idMaker{},
	}
	s.zips.New = func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for unknown levels alone
		return &zipper{Writer: w, buf: make([]byte, 32<<10)}
	}
	for _, m := range cfg.Mailboxes {
		m.ID = strings.ToUpper(m.ID)
		s.mailboxes[m.ID] = m
	}
	for _, w := range cfg.Workflows {
		s.workflows[w.ID] = rights{send: upperSet(w.Senders), receive: upperSet(w.Receivers)}
	}
	s.routes = routes()
	return s, nil
}

// Close lets go of the directory. Requests that come later, or are not finished, are answered 500.
func (s *Server) Close() error { return s.spool.Close() }

func (s *Server) now() time.Time { return s.cfg.Now().UTC() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r, version: 1}
	segments, ok := splitPath(r.URL.EscapedPath())
	if !ok {
		x.detail(http.StatusNotFound, "Not Found")
		return
	}
	if n := len(segments); n == 3 && segments[0] == "messageexchange" && segments[2] == "" {
		w.Header().Set("Location", strings.TrimSuffix(r.URL.EscapedPath(), "/"))
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	x.dispatch(segments)
}

// exchange is one request with what was found out about it so far.
type exchange struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	version int // of the API: 1 or 2
	mailbox Mailbox
	params  []string // of the path, after the mailbox
}

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
