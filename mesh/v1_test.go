package mesh_test

import (
	"bytes"
	"slices"
	"testing"

	"signalbox/mesh"
)

// Everything works the same when version 1 is asked for.
func TestVersion1EndToEnd(t *testing.T) {
	w := start(t)
	v1 := func(c *mesh.Config) { c.APIVersion = 1 }
	sender, receiver := w.client(la, v1, chunks(1000)), w.client(trust, v1)
	if err := sender.Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := sender.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 23 {
		want = append(want, w.send(sender, bytes.Repeat([]byte("x"), 1+i*100), func(m *mesh.Outgoing) { m.Compress = i%2 == 0 }))
	}
	if got := w.list(receiver, mesh.ListOptions{MaxResults: 10}); !slices.Equal(got, want) {
		t.Errorf("listed %d of %d", len(got), len(want))
	}
	for i, id := range want {
		h, got := w.get(receiver, id)
		if len(got) != 1+i*100 || h.WorkflowID != flow {
			t.Errorf("%d bytes of %d", len(got), 1+i*100)
		}
		w.ack(receiver, id)
	}
	tr, err := sender.Track(t.Context(), want[0])
	if err != nil || tr.Status != mesh.Acknowledged || tr.WorkflowID != flow {
		t.Errorf("tracking %+v, %v", tr, err)
	}
	if n, err := receiver.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	_, err = receiver.Get(t.Context(), "UNKNOWN")
	wantKind(t, err, mesh.ErrNotFound, 404)
}

// A mailbox of another organisation is found by its ODS code and a workflow that it may receive.
func TestLookupEndToEnd(t *testing.T) {
	w := start(t)
	for _, version := range []int{1, 2} {
		c := w.client(la, func(c *mesh.Config) { c.APIVersion = version })
		if got, err := c.EndpointLookup(t.Context(), "ZZ02", "TEST_NOBODY"); err != nil || len(got) != 0 {
			t.Errorf("version %d: %v, %v", version, got, err)
		}
		if _, err := c.WorkflowSearch(t.Context(), "TEST_NOBODY"); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
	}
}
