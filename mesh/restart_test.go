package mesh_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

func TestRestartLosesNothing(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la, chunks(50_000)), w.client(trust)
	small, large := []byte("small"), bytes.Repeat([]byte("large "), 30_000)
	ids := []string{w.send(sender, small), w.send(sender, large), w.send(sender, small)}
	for range 12 {
		ids = append(ids, w.send(sender, small))
	}
	w.ack(receiver, ids[0])

	next, stop := pull(receiver.List(t.Context(), mesh.ListOptions{MaxResults: 10}))
	defer stop()
	var paged []string
	for range 10 { // the whole first page
		paged = append(paged, next())
	}
	w.restart() // and the token of the second one still holds
	for range 4 {
		paged = append(paged, next())
	}
	if !slices.Equal(paged, ids[1:]) {
		t.Errorf("paged across a restart: %d ids of %d", len(paged), len(ids)-1)
	}
	if got := w.list(receiver, mesh.ListOptions{}); !slices.Equal(got, ids[1:]) {
		t.Errorf("after restart %v, want %v", got, ids[1:])
	}
	if _, got := w.get(receiver, ids[1]); !bytes.Equal(got, large) {
		t.Error("large body differs after restart")
	}
	if _, got := w.get(receiver, ids[2]); !bytes.Equal(got, small) {
		t.Error("small body differs after restart")
	}
	_, err := receiver.Get(t.Context(), ids[0])
	wantKind(t, err, mesh.ErrGone, 410)
	if tr, err := sender.Track(t.Context(), ids[0]); err != nil || tr.Status != mesh.Acknowledged {
		t.Errorf("tracking after restart %+v, %v", tr, err)
	}
}

func pull(seq func(func(string, error) bool)) (next func() string, stop func()) {
	ids := make(chan string)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(ids)
		for id, err := range seq {
			if err != nil {
				return
			}
			select {
			case ids <- id:
			case <-done:
				return
			}
		}
	}()
	return func() string { return <-ids }, func() { close(done); <-ended }
}

// What was answered 202 or 200 is on disk at that moment: a copy of the directory, taken as a crash would leave it, has it.
func TestNothingAnsweredForIsLostInACrash(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la, chunks(40_000)), w.client(trust)
	var ids []string
	for i := range 6 {
		ids = append(ids, w.send(sender, bytes.Repeat([]byte{byte(i)}, 1+i*20_000)))
		if i%3 == 2 {
			w.ack(receiver, ids[0])
			ids = ids[1:]
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil {
			t.Fatal(err)
		}
		after, err := meshserver.New(serverConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range after.Inbox(trust) {
			got = append(got, m.ID)
			want, err1 := w.server.Body(m.ID)
			body, err2 := after.Body(m.ID)
			if err1 != nil || err2 != nil || !bytes.Equal(body, want) {
				t.Errorf("body of message %d: %v %v", len(got), err1, err2)
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("after %d sends: %d messages, want %d", i+1, len(got), len(ids))
		}
		if err := after.Close(); err != nil {
			t.Error(err)
		}
	}
}
