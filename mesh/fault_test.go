package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/mesh"
)

// afterwards lets the server do its work and then replaces the answer.
func afterwards(match func(*http.Request) bool, answer func(http.ResponseWriter)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !match(r) {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			answer(w)
		})
	}
}

func cut(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

func once(match func(*http.Request) bool) func(*http.Request) bool {
	var done atomic.Bool
	return func(r *http.Request) bool { return match(r) && done.CompareAndSwap(false, true) }
}

func path(method, suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
}

// The reply to a send is lost after the message was stored. The client must not send again by itself; the caller finds
// the message by its local id.
func TestLostReplyToSend(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"connection cut": cut, "502": status(502), "504": status(504), "500": status(500), "503": status(503),
		"not JSON": func(w http.ResponseWriter) { w.WriteHeader(202); _, _ = w.Write([]byte("<html>")) },
		"no id":    func(w http.ResponseWriter) { w.WriteHeader(202); _, _ = w.Write([]byte("{}")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			c := w.client(la)
			w.fault(afterwards(path("POST", "/outbox"), answer))
			_, err := c.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, LocalID: "batch-7", Body: strings.NewReader("x")})
			if !errors.Is(err, mesh.ErrOutcomeUnknown) {
				t.Fatalf("error %v, want outcome unknown", err)
			}
			w.fault(nil)
			tr, err := c.TrackByLocalID(t.Context(), "batch-7")
			if err != nil || tr.Status != mesh.Accepted {
				t.Fatalf("tracking %+v, %v", tr, err)
			}
			if inbox := w.server.Inbox(trust); len(inbox) != 1 || inbox[0].ID != tr.MessageID {
				t.Errorf("%d messages in the inbox, want the one", len(inbox))
			}
		})
	}
}

// A refused send is not unknown, and 429 is answered before anything is stored: the caller may come back.
func TestRefusedSendIsNotUnknown(t *testing.T) {
	for code, kind := range map[int]mesh.Kind{400: mesh.ErrRejected, 403: mesh.ErrAuth, 417: mesh.ErrRejected, 429: mesh.ErrBusy, 425: mesh.ErrBusy, 413: mesh.ErrRejected} {
		w := start(t)
		var posts atomic.Int32
		w.fault(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { posts.Add(1); w.WriteHeader(code) })
		})
		_, err := w.client(la).Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: strings.NewReader("x")})
		wantKind(t, err, kind, code)
		if n := posts.Load(); n != 1 {
			t.Errorf("%d: sent %d times", code, n)
		}
	}
}

// Nobody listens: nothing was sent, so trying again is safe and the outcome is known.
func TestSendWithoutConnectionIsNotUnknown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	w := start(t)
	c := w.client(la, func(c *mesh.Config) { c.BaseURL = "http://" + address })
	_, err = c.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: strings.NewReader("x")})
	wantKind(t, err, mesh.ErrTransport, 0)
	if errors.Is(err, mesh.ErrOutcomeUnknown) {
		t.Error("outcome unknown, but nothing was sent")
	}
}

func TestCancelledSendIsUnknown(t *testing.T) {
	w := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.fault(afterwards(path("POST", "/outbox"), func(http.ResponseWriter) { cancel(); panic(http.ErrAbortHandler) }))
	_, err := w.client(la).Send(ctx, mesh.Outgoing{To: trust, WorkflowID: flow, Body: strings.NewReader("x")})
	if !errors.Is(err, mesh.ErrOutcomeUnknown) {
		t.Errorf("error %v, want outcome unknown", err)
	}
}

// Later chunks are repeated, and a last chunk that arrived although its answer was lost ends well.
func TestLostReplyToChunk(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 300)
	for _, suffix := range []string{"/2", "/3"} {
		for name, answer := range map[string]func(http.ResponseWriter){"cut": cut, "502": status(502)} {
			t.Run(suffix[1:]+" "+name, func(t *testing.T) {
				w := start(t)
				w.fault(afterwards(once(path("POST", suffix)), answer))
				id := w.send(w.client(la, chunks(1000)), body)
				if _, got := w.get(w.client(trust), id); !bytes.Equal(got, body) {
					t.Error("another body came back")
				}
			})
		}
	}
}

func TestChunkThatNeverArrives(t *testing.T) {
	for suffix, kind := range map[string]mesh.Kind{"/2": mesh.ErrServer, "/3": mesh.ErrOutcomeUnknown} {
		w := start(t)
		match := path("POST", suffix)
		w.fault(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if match(r) {
					w.WriteHeader(502)
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		id, err := w.client(la, chunks(1000)).Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: bytes.NewReader(make([]byte, 3000))})
		wantKind(t, err, kind, 502)
		if id == "" || len(w.server.Inbox(trust)) != 0 {
			t.Errorf("%s: id %q, %d messages visible", suffix, id, len(w.server.Inbox(trust)))
		}
	}
}

// Each attempt needs a token of its own: the server has used up the one of the attempt whose answer was lost.
func TestRepeatedCallsCarryFreshTokens(t *testing.T) {
	calls := map[string]struct {
		match func(*http.Request) bool
		call  func(context.Context, *mesh.Client, string) error
	}{
		"get": {path("GET", ""), func(ctx context.Context, c *mesh.Client, id string) error {
			in, err := c.Get(ctx, id)
			if err == nil {
				err = in.Close()
			}
			return err
		}},
		"list": {path("GET", "/inbox"), func(ctx context.Context, c *mesh.Client, _ string) error {
			_, err := collect(c.List(ctx, mesh.ListOptions{}))
			return err
		}},
		"acknowledge": {path("PUT", ""), func(ctx context.Context, c *mesh.Client, id string) error { return c.Acknowledge(ctx, id) }},
		"handshake":   {path("POST", trust), func(ctx context.Context, c *mesh.Client, _ string) error { return c.Handshake(ctx) }},
		"head": {path("HEAD", ""), func(ctx context.Context, c *mesh.Client, id string) error {
			_, err := c.Head(ctx, id)
			return err
		}},
	}
	for name, test := range calls {
		for fault, answer := range map[string]func(http.ResponseWriter){"cut": cut, "429": status(429), "425": status(425), "502": status(502), "503": status(503), "504": status(504)} {
			t.Run(name+" "+fault, func(t *testing.T) {
				w := start(t)
				receiver := w.client(trust)
				id := w.send(w.client(la), []byte("x"))
				if err := receiver.Handshake(t.Context()); err != nil { // so that a kept-alive connection is there to be cut
					t.Fatal(err)
				}
				w.fault(afterwards(once(test.match), answer))
				if err := test.call(t.Context(), receiver, id); err != nil {
					t.Errorf("after one fault: %v", err)
				}
			})
		}
	}
}

// net/http repeats a GET by itself when a kept-alive connection breaks. That repetition too must carry a fresh token.
func TestTransportsOwnRepetitionCarriesFreshToken(t *testing.T) {
	w := start(t)
	var mu sync.Mutex
	var tokens []string
	first := once(path("GET", "/count"))
	w.fault(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			mu.Lock()
			tokens = append(tokens, r.Header.Get("Authorization"))
			mu.Unlock()
			if first(r) {
				next.ServeHTTP(httptest.NewRecorder(), r)
				cut(rw)
			}
			next.ServeHTTP(rw, r)
		})
	})
	c := w.client(trust, func(c *mesh.Config) { c.Attempts = 1 }) // none of our own
	if err := c.Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Count(t.Context()); err != nil || n != 0 {
		t.Fatalf("count %d, %v", n, err)
	}
	if len(tokens) != 3 || tokens[1] == tokens[2] {
		t.Errorf("%d requests; the repeated token is the same: %v", len(tokens), tokens[len(tokens)-1] == tokens[len(tokens)-2])
	}
}

func TestBrokenDownloads(t *testing.T) {
	header := func(w http.ResponseWriter, kv ...string) {
		for i := 0; i < len(kv); i += 2 {
			w.Header().Set(kv[i], kv[i+1])
		}
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		kind   mesh.Kind
	}{
		"last by status, not by range": {func(w http.ResponseWriter, _ *http.Request) { header(w, "Mex-Chunk-Range", "1:2") }, mesh.ErrProtocol},
		"last by range, not by status": {func(w http.ResponseWriter, _ *http.Request) { header(w, "Mex-Chunk-Range", "2:2"); w.WriteHeader(206) }, mesh.ErrProtocol},
		"another message":              {func(w http.ResponseWriter, _ *http.Request) { header(w, "Mex-MessageID", "OTHER") }, mesh.ErrProtocol},
		"range not readable":           {func(w http.ResponseWriter, _ *http.Request) { header(w, "Mex-Chunk-Range", "one") }, mesh.ErrProtocol},
		"unknown encoding": {func(w http.ResponseWriter, _ *http.Request) {
			header(w, "Content-Encoding", "br")
			_, _ = w.Write([]byte("x"))
		}, mesh.ErrProtocol},
		"gzip that is not": {func(w http.ResponseWriter, _ *http.Request) {
			header(w, "Content-Encoding", "gzip")
			_, _ = w.Write([]byte("plain text, no gzip"))
		}, mesh.ErrProtocol},
		"gzip cut short": {func(w http.ResponseWriter, _ *http.Request) {
			header(w, "Content-Encoding", "gzip")
			_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, 2})
		}, mesh.ErrTransport},
		"body cut short": {func(w http.ResponseWriter, _ *http.Request) {
			header(w, "Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		}, mesh.ErrTransport},
		"next chunk missing": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/2") {
				w.WriteHeader(404)
				return
			}
			w.WriteHeader(206)
			_, _ = w.Write([]byte("x"))
		}, mesh.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.fault(func(http.Handler) http.Handler { return test.answer })
			in, err := w.client(trust, func(c *mesh.Config) { c.Attempts = 1 }).Get(t.Context(), "ID")
			if err == nil {
				_, err = io.ReadAll(in)
				_ = in.Close()
			}
			if !errors.Is(err, test.kind) {
				t.Errorf("error %v, want %v", err, test.kind)
			}
		})
	}
}

// Servers may leave out every header that is not needed to tell where the message ends.
func TestBareDownload(t *testing.T) {
	w := start(t)
	w.fault(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/2") {
				_, _ = w.Write([]byte("second"))
				return
			}
			w.Header().Set("Mex-Content-Compressed", "TRUE") // the sender's statement: nothing to undo
			w.WriteHeader(206)
			_, _ = w.Write([]byte("first "))
		})
	})
	h, body := w.get(w.client(trust), "ID")
	if string(body) != "first second" || h.MessageID != "ID" || h.MessageType != mesh.Data || !h.Compressed || h.TotalChunks != 1 {
		t.Errorf("%q with %+v", body, h)
	}
}

func TestListProtocolFaults(t *testing.T) {
	for name, body := range map[string]string{
		"not JSON":         `<html>`,
		"same page again":  `{"messages":["a"],"links":{"next":"/messageexchange/TESTTR01/inbox?continue_from=same"}}`,
		"another place":    `{"messages":["a"],"links":{"next":"https://elsewhere.test/take/my/token?continue_from=1"}}`,
		"unreadable query": `{"messages":[],"links":{"next":"/messageexchange/TESTTR01/inbox?continue_from=%zz"}}`,
	} {
		w := start(t)
		w.fault(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		})
		if _, err := collect(w.client(trust).List(t.Context(), mesh.ListOptions{})); !errors.Is(err, mesh.ErrProtocol) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A link to another host is followed on the configured host, where the token belongs.
func TestNextLinkKeepsToTheConfiguredHost(t *testing.T) {
	w := start(t)
	w.fault(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("continue_from") == "" {
				_, _ = io.WriteString(w, `{"messages":[],"links":{"next":"http://192.0.2.1/messageexchange/X/inbox?continue_from=t"}}`)
				return
			}
			_, _ = io.WriteString(w, `{"messages":["second"]}`)
		})
	})
	if ids := w.list(w.client(trust), mesh.ListOptions{}); !slices.Equal(ids, []string{"second"}) {
		t.Errorf("ids %v", ids)
	}
}

func TestTimeoutBoundsAnAttempt(t *testing.T) {
	w := start(t)
	release := make(chan struct{})
	w.fault(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
	})
	defer close(release)
	c := w.client(la, func(c *mesh.Config) { c.Timeout = 20 * time.Millisecond; c.Attempts = 2 })
	_, err := c.Count(t.Context())
	if !errors.Is(err, mesh.ErrTransport) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// A sender that may have lost its right to send is asked while the body is being written: what it stops is not taken, and the sender knows so.
func TestSendThatMayNotProceedIsNotTaken(t *testing.T) {
	lost := errors.New("another has taken over")
	for name, body := range map[string]int{"in memory": 100, "read where it lies": 3 << 20, "second chunk": 300 << 10} {
		for _, compress := range []bool{false, true} {
			w := start(t)
			pieces := 0
			from := map[string]int{"second chunk": 2 << 10}[name] // bytes of the first chunk are let through
			sent := int64(0)
			c := w.client(la)
			if name == "second chunk" {
				c = w.client(la, chunks(200<<10))
			}
			id, err := c.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, LocalID: "batch-7", Body: bytes.NewReader(bytes.Repeat([]byte("x"), body)), Compress: compress,
				Sent: func(n int64) { sent = n },
				Proceed: func() error {
					if pieces++; from > 0 && sent == 0 {
						return nil
					}
					return lost
				}})
			if !errors.Is(err, lost) || errors.Is(err, mesh.ErrOutcomeUnknown) || pieces == 0 || (id != "") != (from > 0) {
				t.Errorf("%s: message %q, error %v after %d pieces", name, id, err, pieces)
			}
			if inbox := w.server.Inbox(trust); len(inbox) != 0 {
				t.Errorf("%s: %d messages were delivered", name, len(inbox))
			}
		}
	}
}
