package mesh_test

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"testing"

	"signalbox/mesh"
)

// Several senders and several pollers of one mailbox at once: each message is taken exactly once when only one poller
// may claim it, none is lost, and each has its own body.
func TestManySendersAndPollers(t *testing.T) {
	w := start(t)
	const senders, each, pollers = 4, 20, 3
	want := sync.Map{} // id -> body
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			c := w.client(la, chunks(3000))
			for i := range each {
				body := bytes.Repeat(fmt.Appendf(nil, "%d.%d ", s, i), 1+i*100)
				id, err := c.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Compress: i%2 == 0, Body: bytes.NewReader(body)})
				if err != nil {
					t.Errorf("send: %v", err)
					return
				}
				want.Store(id, body)
			}
		})
	}
	sending.Wait()

	var claimed sync.Map
	var polling sync.WaitGroup
	for range pollers {
		polling.Go(func() {
			c := w.client(trust)
			for id, err := range c.List(t.Context(), mesh.ListOptions{MaxResults: 10}) {
				if err != nil {
					t.Errorf("list: %v", err)
					return
				}
				if _, taken := claimed.LoadOrStore(id, true); taken {
					continue
				}
				if err := take(t, c, id, &want); err != nil {
					t.Errorf("take: %v", err)
				}
			}
		})
	}
	polling.Wait()
	left := 0
	want.Range(func(any, any) bool { left++; return true })
	if waiting := len(w.server.Inbox(trust)); left != 0 || waiting != 0 {
		t.Errorf("%d bodies were not seen, %d messages wait", left, waiting)
	}
}

func take(t *testing.T, c *mesh.Client, id string, want *sync.Map) error {
	in, err := c.Get(t.Context(), id)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(in)
	_ = in.Close()
	if err != nil {
		return err
	}
	if body, ok := want.LoadAndDelete(id); !ok || !bytes.Equal(got, body.([]byte)) {
		return fmt.Errorf("another body, or a message twice")
	}
	return c.Acknowledge(t.Context(), id)
}

// A message acknowledged in the middle of a download: what is left of the chunk that was begun still comes, a further chunk
// is gone, and nothing short looks whole.
func TestAcknowledgedWhileDownloading(t *testing.T) {
	w := start(t)
	receiver := w.client(trust)
	body := bytes.Repeat([]byte("0123456789abcdef"), 4000)
	one := w.send(w.client(la), body)
	two := w.send(w.client(la, chunks(40_000)), body)
	for id, whole := range map[string]bool{one: true, two: false} {
		in, err := receiver.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 100)
		if _, err := io.ReadFull(in, first); err != nil {
			t.Fatal(err)
		}
		w.ack(receiver, id)
		rest, err := io.ReadAll(in)
		_ = in.Close()
		if whole && (err != nil || !bytes.Equal(append(first, rest...), body)) {
			t.Errorf("one chunk: %d bytes, %v", len(rest), err)
		}
		if !whole {
			wantKind(t, err, mesh.ErrGone, 410)
		}
	}
}

// A client may read after the end and close twice.
func TestReadingAfterTheEnd(t *testing.T) {
	w := start(t)
	receiver := w.client(trust)
	id := w.send(w.client(la), []byte("x"))
	in, err := receiver.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := in.Read(nil); n != 0 || err != nil {
		t.Errorf("empty read: %d, %v", n, err)
	}
	if _, err := io.ReadAll(in); err != nil {
		t.Fatal(err)
	}
	if n, err := in.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	_, _ = in.Close(), in.Close()
	if in, err = receiver.Get(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	if _, err := in.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after close: %v", err)
	}
}
