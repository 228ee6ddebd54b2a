package mesh_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/mesh"
)

func quick(c *mesh.Config) { c.Settle = 5 * time.Millisecond }

func letter(body []byte) mesh.Outgoing {
	return mesh.Outgoing{To: trust, WorkflowID: flow, LocalID: "batch-7", Body: bytes.NewReader(body)}
}

// before loses the request: the server never sees it, and the client cannot know.
func before(match func(*http.Request) bool, answer func(http.ResponseWriter)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if match(r) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(w)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestSendOnceSettlesALostReply(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 250)
	for name, fault := range map[string]func(http.Handler) http.Handler{
		"stored, reply cut":        afterwards(once(path("POST", "/outbox")), cut),
		"stored, 502":              afterwards(once(path("POST", "/outbox")), status(502)),
		"never arrived, cut":       before(once(path("POST", "/outbox")), cut),
		"never arrived, 504":       before(once(path("POST", "/outbox")), status(504)),
		"last chunk, reply cut":    afterwards(once(path("POST", "/3")), cut),
		"last chunk never arrived": before(once(path("POST", "/3")), status(500)),
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			c := w.client(la, quick, chunks(1000))
			w.fault(fault)
			id, err := c.SendOnce(t.Context(), letter(body))
			if err != nil {
				t.Fatal(err)
			}
			inbox := w.server.Inbox(trust)
			if len(inbox) != 1 || inbox[0].ID != id {
				t.Fatalf("%d messages in the inbox, want the one", len(inbox))
			}
			if _, got := w.get(w.client(trust), id); !bytes.Equal(got, body) {
				t.Error("another body came back")
			}
		})
	}
}

func TestSendOnceGivesUpWhereItCannotKnow(t *testing.T) {
	w := start(t)
	c := w.client(la, quick)
	w.send(c, []byte("x"), func(m *mesh.Outgoing) { m.LocalID = "batch-7" })
	w.fault(afterwards(once(path("POST", "/outbox")), cut))
	_, err := c.SendOnce(t.Context(), letter([]byte("y"))) // now two have this local id
	if !errors.Is(err, mesh.ErrOutcomeUnknown) || !errors.Is(err, mesh.ErrNotUnique) {
		t.Errorf("error %v, want outcome unknown for not unique", err)
	}
	w.fault(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
	})
	if _, err = c.SendOnce(t.Context(), letter([]byte("z"))); !errors.Is(err, mesh.ErrOutcomeUnknown) {
		t.Errorf("error %v, want outcome unknown", err)
	}
	for name, m := range map[string]mesh.Outgoing{
		"no local id": {To: trust, WorkflowID: flow, Body: strings.NewReader("x")},
		"read once":   {To: trust, WorkflowID: flow, LocalID: "a", Size: 1, Body: io.MultiReader(strings.NewReader("x"))},
	} {
		if _, err := c.SendOnce(t.Context(), m); !errors.Is(err, mesh.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A refusal is final and is not looked up.
func TestSendOnceTakesARefusalForWhatItIs(t *testing.T) {
	w := start(t)
	m := letter([]byte("x"))
	m.To = "NOBODY"
	_, err := w.client(la, quick).SendOnce(t.Context(), m)
	wantKind(t, err, mesh.ErrRejected, 417)
}

// A message that failed on the server after its reply was lost is a refusal.
func TestSendOnceFindsAFailedMessage(t *testing.T) {
	w := start(t)
	w.fault(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				cut(w)
			}
			_, _ = w.Write([]byte(`{"messageId":"M","dtsId":"M","fileSize":0,"status":"Error","statusCode":"12","statusEvent":"SEND","statusDescription":"Unregistered to address"}`))
		})
	})
	_, err := w.client(la, quick).SendOnce(t.Context(), letter([]byte("x")))
	e, ok := errors.AsType[*mesh.Error](err)
	if !ok || e.Kind != mesh.ErrRejected || e.Code != "12" || e.MessageID != "M" {
		t.Errorf("error %v", err)
	}
}

func TestSettleTellsOursFromAnEarlierOne(t *testing.T) {
	w := start(t)
	c := w.client(la, quick)
	id := w.send(c, []byte("x"), func(m *mesh.Outgoing) { m.LocalID = "daily" })
	if got, err := c.Settle(t.Context(), "daily", time.Now().Add(-time.Second)); err != nil || got.MessageID != id {
		t.Errorf("ours: %+v, %v", got, err)
	}
	if _, err := c.Settle(t.Context(), "daily", time.Now().Add(10*time.Minute)); !errors.Is(err, mesh.ErrNotFound) {
		t.Errorf("an earlier one: %v", err)
	}
}

// Any chunked sends of several clients at once, with any of their requests or replies lost, end in each message delivered
// exactly once and whole.
func TestLostRepliesNeverDoubleNorLose(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := start(t)
		seed := rapid.Uint64().Draw(rt, "seed")
		rate := rapid.Float64Range(0, 0.4).Draw(rt, "rate")
		clients := rapid.IntRange(1, 8).Draw(rt, "clients")
		var mu sync.Mutex
		dice := rand.New(rand.NewPCG(seed, 1))
		w.fault(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				p := dice.Float64()
				mu.Unlock()
				switch {
				case r.Method != http.MethodPost || p >= rate:
					next.ServeHTTP(rw, r)
				case p < rate/2:
					_, _ = io.Copy(io.Discard, r.Body)
					cut(rw)
				default:
					next.ServeHTTP(httptest.NewRecorder(), r)
					cut(rw)
				}
			})
		})
		var failed atomic.Int32
		var wg sync.WaitGroup
		want := make([][]byte, clients)
		ids := make([]string, clients)
		for i := range clients {
			want[i] = bytes.Repeat([]byte{byte('a' + i)}, 500*(i+1))
			wg.Go(func() {
				c := w.client(la, quick, chunks(700), func(c *mesh.Config) { c.Attempts = 40 })
				m := letter(want[i])
				m.LocalID = "batch-" + string(rune('a'+i))
				var err error
				if ids[i], err = c.SendOnce(t.Context(), m); err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		w.fault(nil)
		if failed.Load() != 0 {
			rt.Fatalf("%d sends failed", failed.Load())
		}
		if n := len(w.server.Inbox(trust)); n != clients {
			rt.Fatalf("%d messages arrived, want %d", n, clients)
		}
		receiver := w.client(trust)
		for i, id := range ids {
			if _, got := w.get(receiver, id); !bytes.Equal(got, want[i]) {
				rt.Fatal("another body came back")
			}
		}
	})
}
