//go:build unix

package faults

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"signalbox/engine/stream/redistest"
	"signalbox/mesh"
)

// One in a hundred is poison, at each layer: a bad record in a file, junk on the stream, junk in the mailbox, junk over HTTP. The others
// must not feel it.
func TestPoison(t *testing.T) {
	events := figure{10_000, 1_000_000}.size(t)
	w := newWorld(t, setup{redis: redistest.Durable()})
	stranger, la := w.client(t, "STRANGER"), w.las[0].box
	f := w.traffic(t)
	f.spoiled = 100
	undecodable := 0
	for n := range events / 100 {
		f.feed(t, 100)
		key := streams()[n%len(streams())]
		junk := []string{"junk", "1"}
		if n%2 == 0 { // a whole entry whose payload is nobody's event
			junk = []string{"id", "x", "payload", "y"}
		} else {
			undecodable++
		}
		if _, err := w.redis.Do(append([]string{"XADD", key, "*"}, junk...)...); err != nil {
			t.Error(err)
		}
		from, what := stranger, workflow
		if n%2 == 0 { // known to us, and of a workflow that is not
			from, what = la, "TEST_NO_SUCH_WORKFLOW"
		}
		_, err := from.Send(context.Background(), mesh.Outgoing{To: ourMailbox, WorkflowID: what, Body: strings.NewReader("minutes of a meeting")})
		must(t, err)
		if status, _, err := w.trust.call(http.MethodPost, "/$process-message", map[string]string{"Content-Type": "application/fhir+json"}, []byte("{")); err != nil || status != http.StatusBadRequest {
			t.Errorf("junk over HTTP is answered with %d, %v", status, err)
		}
		f.keepUp(t, 40)
	}
	f.finish(t)
	dead := 0
	for _, key := range streams() {
		text, err := w.redis.Do("XLEN", key+".dead")
		must(t, err)
		n, err := strconv.Atoi(text)
		must(t, err)
		dead += n
	}
	if dead != undecodable {
		t.Errorf("%d entries were put aside, want %d", dead, undecodable)
	}
}
