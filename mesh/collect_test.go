package mesh_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"signalbox/mesh"
)

// Nothing is acknowledged before the caller has said that it is durable, nor when the payload was not read to its end.
func TestCollectAcknowledgesLast(t *testing.T) {
	w := start(t)
	receiver := w.client(trust)
	id := w.send(w.client(la), []byte("payload"))
	full := errors.New("disk full")
	for name, store := range map[string]func(context.Context, *mesh.Incoming) error{
		"store fails": func(_ context.Context, in *mesh.Incoming) error { _, _ = io.ReadAll(in); return full },
		"half read":   func(_ context.Context, in *mesh.Incoming) error { _, err := in.Read(make([]byte, 3)); return err },
	} {
		if err := receiver.Collect(store)(t.Context(), id); err == nil {
			t.Errorf("%s: no error", name)
		}
		if len(w.server.Inbox(trust)) != 1 {
			t.Fatalf("%s: acknowledged", name)
		}
	}
	chunked := w.send(w.client(la, chunks(5)), []byte("payload"))
	w.counting("GET", 2) // the connection ends where the second chunk is asked for: its error has io.EOF as its cause
	careless := func(_ context.Context, in *mesh.Incoming) error { _, _ = io.ReadAll(in); return nil }
	if err := w.client(trust, short).Collect(careless)(t.Context(), chunked); err == nil || len(w.server.Inbox(trust)) != 2 {
		t.Errorf("a message that broke off is acknowledged: %v", err)
	}
	w.fault(nil)
	w.ack(receiver, chunked)
	p := mesh.DefaultPoller()
	p.Box = receiver
	p.Take = receiver.Collect(func(_ context.Context, in *mesh.Incoming) error {
		got, err := io.ReadAll(in)
		if string(got) != "payload" {
			t.Errorf("payload %q", got)
		}
		if len(w.server.Inbox(trust)) != 1 {
			t.Error("acknowledged before it was stored")
		}
		return err
	})
	if n, err := p.Round(t.Context()); n != 1 || err != nil {
		t.Errorf("%d taken, %v", n, err)
	}
	if len(w.server.Inbox(trust)) != 0 {
		t.Error("not acknowledged")
	}
}
