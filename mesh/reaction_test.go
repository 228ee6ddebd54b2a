package mesh_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"signalbox/mesh"
)

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// What a plugin of the NHS sandbox does after an event, a handler around the server does: here the trust answers each message that
// was accepted for it.
func TestHandlerAroundTheServerReacts(t *testing.T) {
	w := start(t)
	answerer := w.client(trust)
	var once sync.Once
	w.fault(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			seen := &statusWriter{ResponseWriter: rw}
			next.ServeHTTP(seen, r)
			if seen.status == http.StatusAccepted && strings.HasPrefix(r.URL.Path, "/messageexchange/"+la+"/outbox") {
				once.Do(func() {
					if _, err := answerer.Send(context.WithoutCancel(r.Context()), mesh.Outgoing{To: la, WorkflowID: flow, Body: strings.NewReader("answer")}); err != nil {
						t.Error(err)
					}
				})
			}
		})
	})
	sender := w.client(la)
	w.send(sender, []byte("question"))
	ids := w.list(sender, mesh.ListOptions{})
	if len(ids) != 1 {
		t.Fatalf("%d answers", len(ids))
	}
	if _, body := w.get(sender, ids[0]); string(body) != "answer" {
		t.Errorf("answer %q", body)
	}
}
