package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/mesh"
	"signalbox/mesh/meshserver"
)

func TestHandshake(t *testing.T) {
	w := start(t)
	if err := w.client(la).Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	bad := w.client(la, func(c *mesh.Config) { c.Password = "wrong" })
	err := bad.Handshake(t.Context())
	wantKind(t, err, mesh.ErrAuth, 403)
	if got, want := err.Error(), "mesh: handshake: not authorised: HTTP 403 Invalid Authentication Token"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestSendAndReceive(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la), w.client(trust)
	body := []byte("<synthetic/>")
	id := w.send(sender, body, func(m *mesh.Outgoing) {
		m.FileName, m.LocalID, m.Subject, m.ContentType, m.Checksum, m.Encrypted = "upload.xml", "batch-1", "Upload", "application/xml", "md5:0a1b", true
	})
	if ids := w.list(receiver, mesh.ListOptions{}); !slices.Equal(ids, []string{id}) {
		t.Fatalf("inbox %v, want %s", ids, id)
	}
	if ids := w.list(sender, mesh.ListOptions{}); len(ids) != 0 {
		t.Fatalf("the sender's own inbox has %v", ids)
	}
	h, got := w.get(receiver, id)
	if !bytes.Equal(got, body) {
		t.Errorf("body %q, want %q", got, body)
	}
	if h.StatusTime.IsZero() {
		t.Error("no status time")
	}
	h.StatusTime = time.Time{}
	want := mesh.Header{
		MessageID: id, From: la, To: trust, WorkflowID: flow, MessageType: mesh.Data, FileName: "upload.xml", LocalID: "batch-1",
		Subject: "Upload", Checksum: "md5:0a1b", ContentType: "application/xml", Encrypted: true, Compressed: true, TotalChunks: 1,
		StatusCode: "00", StatusEvent: "TRANSFER", StatusDescription: "Transferred to recipient mailbox", StatusSuccess: true,
	}
	if h != want {
		t.Errorf("header\n %+v, want\n %+v", h, want)
	}
	head, err := receiver.Head(t.Context(), id)
	if err != nil || head.FileName != "upload.xml" || head.Compressed {
		t.Errorf("head %+v, %v", head, err)
	}
	w.ack(receiver, id)
	w.ack(receiver, id) // a second time is no error
	_, err = receiver.Get(t.Context(), id)
	wantKind(t, err, mesh.ErrGone, 410)
	if n, err := receiver.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	tr, err := sender.Track(t.Context(), id)
	if err != nil || tr.Status != mesh.Acknowledged || !tr.StatusSuccess || tr.RecipientName != "Testshire Hospitals" || tr.Uploaded.IsZero() || tr.LocalID != "batch-1" {
		t.Errorf("tracking %+v, %v", tr, err)
	}
}

// Every size around the chunk boundary, with and without gzip, comes back byte for byte.
func TestChunkedAndGzippedBothWays(t *testing.T) {
	w := start(t)
	receiver := w.client(trust)
	sender := w.client(la, chunks(1000))
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{1, 999, 1000, 1001, 1999, 2000, 2001, 70_000} {
		for _, compress := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/%v", size, compress), func(t *testing.T) {
				body := make([]byte, size)
				if size%2 == 0 {
					_, _ = random.Read(body)
				}
				id := w.send(sender, body, func(m *mesh.Outgoing) { m.Compress = compress; m.ContentType = "text/csv" })
				h, got := w.get(receiver, id)
				if !bytes.Equal(got, body) {
					t.Errorf("%d bytes came back, or others", len(got))
				}
				if want := (size + 999) / 1000; h.TotalChunks != want || h.ContentType != "text/csv" {
					t.Errorf("chunks %d, want %d; type %s", h.TotalChunks, want, h.ContentType)
				}
				stored, ok := w.server.Message(id)
				if !ok || (stored.Encoding == "gzip") != compress {
					t.Errorf("stored as %q", stored.Encoding)
				}
				if !compress && stored.Size != int64(size) {
					t.Errorf("%d bytes stored of %d", stored.Size, size)
				}
			})
		}
	}
}

// Whatever is sent in whatever pieces comes back the same.
func TestSendAndReceiveProperty(t *testing.T) {
	w := start(t)
	receiver := w.client(trust)
	rapid.Check(t, func(rt *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 1, 5000).Draw(rt, "body")
		sender := w.client(la, chunks(rapid.Int64Range(300, 6000).Draw(rt, "chunk")))
		id := w.send(sender, body, func(m *mesh.Outgoing) { m.Compress = rapid.Bool().Draw(rt, "gzip") })
		if _, got := w.get(receiver, id); !bytes.Equal(got, body) {
			rt.Fatal("another body came back")
		}
		w.ack(receiver, id)
	})
}

func TestPagingWhileAcknowledging(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la), w.client(trust)
	var want []string
	for range 35 {
		want = append(want, w.send(sender, []byte("x")))
	}
	var got []string
	for id, err := range receiver.List(t.Context(), mesh.ListOptions{MaxResults: 10}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
		w.ack(receiver, id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d ids, want each of %d once, in order", len(got), len(want))
	}
	if ids := w.list(receiver, mesh.ListOptions{}); len(ids) != 0 {
		t.Errorf("%d are left", len(ids))
	}
}

// Under a filter the service sends pages that are empty and have a next one.
func TestFilterGoesOnAfterEmptyPages(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la), w.client(trust)
	for range 25 {
		w.send(sender, []byte("x"))
	}
	want := w.send(sender, []byte("x"), func(m *mesh.Outgoing) { m.WorkflowID = "TEST_OTHER" })
	for _, filter := range []string{"TEST_OTHER", "TEST_O*", "*OTHER*", "!TEST_CPIS_UPLOAD", "!TEST_CPIS*", "!*UPLOAD*"} {
		if got := w.list(receiver, mesh.ListOptions{MaxResults: 10, WorkflowFilter: filter}); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %v, want %s", filter, got, want)
		}
	}
	_, err := collect(receiver.List(t.Context(), mesh.ListOptions{MaxResults: 9}))
	wantKind(t, err, mesh.ErrRejected, 400)
}

func collect(seq func(func(string, error) bool)) (ids []string, err error) {
	for id, e := range seq {
		if e != nil {
			return ids, e
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func TestListStopsWhenTheCallerDoes(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la), w.client(trust)
	for range 12 {
		w.send(sender, []byte("x"))
	}
	n := 0
	for range receiver.List(t.Context(), mesh.ListOptions{MaxResults: 10}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d ids after break", n)
	}
}

// report puts a report about a message into the inbox of its sender.
func (w *world) report(failed string) string {
	w.t.Helper()
	id, err := w.server.PutReport(meshserver.Report{
		To: la, Code: "14", Event: "SEND", Description: "Message not collected by recipient after 5 days",
		LinkedMessageID: failed, WorkflowID: flow, LocalID: "batch-9", Subject: "NDR",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func TestReports(t *testing.T) {
	w := start(t)
	sender := w.client(la)
	failed := w.send(sender, []byte("x"), func(m *mesh.Outgoing) { m.LocalID = "batch-9" })
	id := w.report(failed)
	if ids := w.list(sender, mesh.ListOptions{}); !slices.Equal(ids, []string{id}) {
		t.Fatalf("inbox %v", ids)
	}
	h, body := w.get(sender, id)
	if !h.IsReport() || len(body) != 0 || h.LinkedMessageID != failed || h.StatusCode != "14" || h.StatusSuccess || h.LocalID != "batch-9" || h.From != "" {
		t.Errorf("report %+v with %d bytes", h, len(body))
	}
	w.ack(sender, id)
	if ids := w.list(sender, mesh.ListOptions{}); len(ids) != 0 {
		t.Errorf("inbox %v after acknowledgement", ids)
	}
}

func TestSizeLimitCountsDecompressedBytes(t *testing.T) {
	w := start(t)
	sender, receiver := w.client(la, chunks(10_000)), w.client(trust)
	id := w.send(sender, make([]byte, 100_000), func(m *mesh.Outgoing) { m.Compress = true })
	for limit, fits := range map[int64]bool{99_999: false, 100_000: true, 10_000: false, 0: false} {
		in, err := receiver.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		in.SetLimit(limit)
		n, err := io.Copy(io.Discard, in)
		if fits && (err != nil || n != 100_000) || !fits && !errors.Is(err, mesh.ErrTooLarge) || n > limit {
			t.Errorf("limit %d: %d bytes, error %v", limit, n, err)
		}
		_ = in.Close()
	}
}

func TestSendRefusesWhatCannotBeAccepted(t *testing.T) {
	w := start(t)
	c := w.client(la, chunks(1000))
	good := func() mesh.Outgoing { return mesh.Outgoing{To: trust, WorkflowID: flow, Body: strings.NewReader("x")} }
	for name, change := range map[string]func(*mesh.Outgoing){
		"no recipient":     func(m *mesh.Outgoing) { m.To = " " },
		"no workflow":      func(m *mesh.Outgoing) { m.WorkflowID = "" },
		"no body":          func(m *mesh.Outgoing) { m.Body = nil },
		"empty body":       func(m *mesh.Outgoing) { m.Body = strings.NewReader("") },
		"empty stream":     func(m *mesh.Outgoing) { m.Body = io.MultiReader() },
		"long recipient":   func(m *mesh.Outgoing) { m.To = strings.Repeat("A", 101) },
		"long subject":     func(m *mesh.Outgoing) { m.Subject = strings.Repeat("A", 501) },
		"line end":         func(m *mesh.Outgoing) { m.Subject = "a\r\nMex-To: B" },
		"not ASCII":        func(m *mesh.Outgoing) { m.FileName = "caf\u00e9" },
		"address":          func(m *mesh.Outgoing) { m.To = "https://example.test" },
		"checksum":         func(m *mesh.Outgoing) { m.Checksum = "a=b" },
		"size too large":   func(m *mesh.Outgoing) { m.Size = 2 },
		"size too small":   func(m *mesh.Outgoing) { m.Body, m.Size = strings.NewReader("xyz"), 2 },
		"unknown size":     func(m *mesh.Outgoing) { m.Body = io.MultiReader(strings.NewReader(strings.Repeat("x", 1001))) },
		"negative size":    func(m *mesh.Outgoing) { m.Size = -1 },
		"unreadable body":  func(m *mesh.Outgoing) { m.Body, m.Size = failing{}, 10 },
		"unreadable body2": func(m *mesh.Outgoing) { m.Body = failing{} },
	} {
		m := good()
		change(&m)
		_, err := c.Send(t.Context(), m)
		if e, ok := errors.AsType[*mesh.Error](err); !ok || e.Kind != mesh.ErrInvalid || e.Status != 0 {
			t.Errorf("%s: error %v, want invalid", name, err)
		}
	}
	if n := len(w.server.Inbox(trust)); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	m := good()
	m.Body = io.MultiReader(strings.NewReader(strings.Repeat("x", 1000))) // unknown size that fits one chunk
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	m.To = "NOBODY"
	m.Body = strings.NewReader("x")
	_, err := c.Send(t.Context(), m)
	wantKind(t, err, mesh.ErrRejected, 417)
	if e, _ := errors.AsType[*mesh.Error](err); e.Code != "12" || e.Event != "SEND" {
		t.Errorf("code %s event %s", e.Code, e.Event)
	}
}

// A body that turns out longer than it said must never become a whole message.
func TestWrongSizeLeavesNothingVisible(t *testing.T) {
	w := start(t)
	c := w.client(la, chunks(1000))
	id, err := c.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Size: 2500, Body: io.MultiReader(strings.NewReader(strings.Repeat("x", 2600)))})
	if !errors.Is(err, mesh.ErrInvalid) || id == "" {
		t.Fatalf("id %q, error %v", id, err)
	}
	if n := len(w.server.Inbox(trust)); n != 0 {
		t.Errorf("%d messages are visible", n)
	}
	if tr, err := c.Track(t.Context(), id); err != nil || tr.Status != mesh.Uploading {
		t.Errorf("tracking %+v, %v", tr, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk gone") }

func TestTracking(t *testing.T) {
	w := start(t)
	c := w.client(la)
	id := w.send(c, []byte("x"), func(m *mesh.Outgoing) { m.LocalID = "a/b c?" })
	tr, err := c.TrackByLocalID(t.Context(), "a/b c?")
	if err != nil || tr.MessageID != id || tr.Status != mesh.Accepted || tr.Sender != la || tr.FileSize != 1 || tr.ChunkCount != 1 || tr.Expires.IsZero() {
		t.Errorf("tracking %+v, %v", tr, err)
	}
	_, err = c.TrackByLocalID(t.Context(), "other")
	wantKind(t, err, mesh.ErrNotFound, 404)
	_, err = w.client(trust).Track(t.Context(), id)
	wantKind(t, err, mesh.ErrNotFound, 404)
	w.send(c, []byte("y"), func(m *mesh.Outgoing) { m.LocalID = "a/b c?" })
	_, err = c.TrackByLocalID(t.Context(), "a/b c?")
	wantKind(t, err, mesh.ErrNotUnique, 300)
}

func TestEmptyIDsAreRefusedHere(t *testing.T) {
	w := start(t)
	c := w.client(la)
	ctx := context.Background()
	_, err1 := c.Get(ctx, "")
	_, err2 := c.Head(ctx, "")
	_, err3 := c.Track(ctx, "")
	_, err4 := c.TrackByLocalID(ctx, "")
	for i, err := range []error{err1, err2, err3, err4, c.Acknowledge(ctx, "")} {
		if !errors.Is(err, mesh.ErrInvalid) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
