package folder

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// A payload in chunks whose line breaks in the third is gone on with there by another bridge, and nobody sees it before it is whole.
func TestLargePayloadGoesOnWhereItBroke(t *testing.T) {
	y := newYard(t)
	body := bytes.Repeat([]byte("x"), 3500)
	id := y.send(body)
	var mu sync.Mutex // a request whose line broke may still be with the server when the next begins
	asked := map[string]int{}
	broken := true
	y.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, chunk, _ := strings.Cut(r.URL.Path, "/inbox/"+id)
		mu.Lock()
		asked[chunk]++
		breaks := broken && chunk == "/3"
		mu.Unlock()
		if breaks {
			panic(http.ErrAbortHandler)
		}
		y.server.ServeHTTP(w, r)
	})
	if err := y.bridge().Receive(t.Context(), id); err == nil || y.names(inName) != "" {
		t.Fatalf("%v, IN has %q", err, y.names(inName))
	}
	mu.Lock()
	broken = false
	mu.Unlock()
	y.must(y.bridge().Receive(t.Context(), id))
	if got, err := os.ReadFile(y.at(inName, id+".dat")); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked["/2"] != 1 || asked["/4"] != 1 {
		t.Errorf("asked for %v", asked)
	}
	if y.names(inName) != id+".ctl "+id+".dat" || y.names(workName, "receiving") != "" {
		t.Errorf("IN %q, work %q", y.names(inName), y.names(workName, "receiving"))
	}
}
