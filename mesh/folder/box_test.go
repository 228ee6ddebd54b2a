package folder

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"signalbox/mesh"
)

func (y *yard) box() *Box {
	y.t.Helper()
	b, err := NewBox(y.config(), la)
	y.must(err)
	return b
}

func ids(t *testing.T, b *Box, o mesh.ListOptions) []string {
	t.Helper()
	var out []string
	for id, err := range b.List(t.Context(), o) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	return out
}

// An application's box and a bridge on the same folders: a letter goes out and one comes in, each exactly once.
func TestBoxAndBridgeTogether(t *testing.T) {
	y := newYard(t)
	app, bridge := y.box(), y.bridge()
	y.must(app.Handshake(t.Context()))
	m := mesh.Outgoing{To: trust, WorkflowID: flow, LocalID: "effect-1", Subject: "reply", FileName: "ignored", Compress: true, Body: strings.NewReader("letter")}
	receipt, err := app.Send(t.Context(), m)
	if err != nil || receipt != "effect-1" {
		t.Fatalf("%q, %v", receipt, err)
	}
	if tr, err := app.TrackByLocalID(t.Context(), "effect-1"); err != nil || tr.Status != mesh.Uploading || tr.MessageID != receipt {
		t.Errorf("in OUT: %+v, %v", tr, err)
	}
	if again, err := app.Send(t.Context(), m); err != nil || again != receipt {
		t.Errorf("handed over again: %q, %v", again, err)
	}
	_, _, err = bridge.SendReady(t.Context())
	y.must(err)
	if got := y.arrived(trust); len(got) != 1 || string(got[0]) != "letter" {
		t.Errorf("%d letters arrived", len(got))
	}
	if tr, err := app.TrackByLocalID(t.Context(), "effect-1"); err != nil || tr.Status != mesh.Accepted || !tr.StatusSuccess {
		t.Errorf("in SENT: %+v, %v", tr, err)
	}
	id := y.send([]byte("file"), func(m *mesh.Outgoing) { m.LocalID = "theirs" })
	y.must(bridge.Receive(t.Context(), id))
	if got := ids(t, app, mesh.ListOptions{}); !slices.Equal(got, []string{id}) {
		t.Fatalf("IN lists %v", got)
	}
	in, err := app.Get(t.Context(), id)
	y.must(err)
	got, err := io.ReadAll(in)
	if string(got) != "file" || err != nil || in.Close() != nil || in.Header.From != trust || in.Header.WorkflowID != flow || in.Header.IsReport() {
		t.Errorf("%q, %v, %+v", got, err, in.Header)
	}
	for range 2 {
		y.must(app.Acknowledge(t.Context(), id))
	}
	if y.names(inName) != "" || y.names(workName, "taken") != "" {
		t.Errorf("left: IN %q, work %q", y.names(inName), y.names(workName, "taken"))
	}
}

func TestBoxTracksWhatFailed(t *testing.T) {
	y := newYard(t)
	app := y.box()
	_, err := app.Send(t.Context(), mesh.Outgoing{To: "NOBODY", WorkflowID: flow, LocalID: "a/b c", Body: strings.NewReader("x")})
	y.must(err)
	if strings.Contains(y.names(outName), " c") {
		t.Errorf("OUT %q", y.names(outName))
	}
	_, _, err = y.bridge().SendReady(t.Context())
	y.must(err)
	if tr, err := app.TrackByLocalID(t.Context(), "a/b c"); err != nil || tr.Status != mesh.Failed || tr.StatusCode != "12" || tr.StatusSuccess {
		t.Errorf("%+v, %v", tr, err)
	}
	if _, err := app.TrackByLocalID(t.Context(), "other"); !errors.Is(err, mesh.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// Killed at every step, Send leaves no pair or a whole one, and doing it again ends in exactly one; Acknowledge leaves the
// message whole or gone.
func TestBoxSurvivesBeingKilled(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 5000)
	letter := func() mesh.Outgoing {
		return mesh.Outgoing{To: trust, WorkflowID: flow, LocalID: "effect-1", Body: bytes.NewReader(body)}
	}
	for at := 0; ; at++ {
		y := newYard(t)
		app := y.box()
		step, hit := killAt(at)
		app.disk.step = step
		_, err := app.Send(t.Context(), letter())
		if !hit() {
			y.must(err)
			break
		}
		_, _, err = y.bridge().SendReady(t.Context()) // a pair that is seen is whole
		y.must(err)
		if _, err := y.box().TrackByLocalID(t.Context(), "effect-1"); errors.Is(err, mesh.ErrNotFound) {
			_, err = y.box().Send(t.Context(), letter())
			y.must(err)
			_, _, err = y.bridge().SendReady(t.Context())
			y.must(err)
		}
		if got := y.arrived(trust); len(got) != 1 || !bytes.Equal(got[0], body) {
			t.Errorf("step %d: %d letters arrived", at, len(got))
		}
	}
	for at := 0; ; at++ {
		y := newYard(t)
		id := y.send(body)
		y.must(y.bridge().Receive(t.Context(), id))
		app := y.box()
		step, hit := killAt(at)
		app.disk.step = step
		err := app.Acknowledge(t.Context(), id)
		if !hit() {
			y.must(err)
			return
		}
		fresh := y.box()
		for _, id := range ids(t, fresh, mesh.ListOptions{}) {
			in, err := fresh.Get(t.Context(), id)
			y.must(err)
			if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, body) || in.Close() != nil {
				t.Errorf("step %d: the message is not whole: %v", at, err)
			}
			y.must(fresh.Acknowledge(t.Context(), id))
		}
		ids(t, fresh, mesh.ListOptions{})
		if y.names(inName) != "" || strings.Contains(y.names(workName, "taken"), "note") {
			t.Errorf("step %d: IN %q, work %q", at, y.names(inName), y.names(workName, "taken"))
		}
	}
}

func TestBoxReadsAReport(t *testing.T) {
	y := newYard(t)
	app := y.box()
	c := Control{Version: "1.0", MessageType: "Report", WorkflowID: flow, LocalID: "effect-1", DTSID: "M1", Status: &Status{Event: "SEND", Status: "ERROR", StatusCode: "14"}}
	y.must(os.WriteFile(y.at(inName, "R1.ctl"), c.Bytes(), 0o600))
	in, err := app.Get(t.Context(), "R1")
	y.must(err)
	if h := in.Header; !h.IsReport() || h.LinkedMessageID != "M1" || h.StatusCode != "14" || h.StatusSuccess || h.LocalID != "effect-1" {
		t.Errorf("%+v", h)
	}
	if n, err := io.Copy(io.Discard, in); n != 0 || err != nil || in.Close() != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	// When SENT has the message, the report is about the receipt that Send gave.
	sent := order()
	sent.LocalID, sent.DTSID = "effect-1", "M1"
	y.must(os.WriteFile(y.at(sentName, "effect-1.ctl"), sent.Bytes(), 0o600))
	again, err := app.Get(t.Context(), "R1")
	y.must(err)
	if again.Header.LinkedMessageID != "effect-1" {
		t.Errorf("linked to %s", again.Header.LinkedMessageID)
	}
	y.must(again.Close())
	y.must(app.Acknowledge(t.Context(), "R1"))
	if y.names(inName) != "" {
		t.Errorf("IN %q", y.names(inName))
	}
}

// Nothing leads out of the folders, and what is broken says so.
func TestBoxRefusals(t *testing.T) {
	y := newYard(t)
	app := y.box()
	for _, id := range []string{"", ".", "..", "../OUT/a", "a/b", ".hidden"} {
		if _, err := app.Get(t.Context(), id); !errors.Is(err, mesh.ErrInvalid) {
			t.Errorf("%q: %v", id, err)
		}
		if err := app.Acknowledge(t.Context(), id); !errors.Is(err, mesh.ErrInvalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := app.Get(t.Context(), "none"); !errors.Is(err, mesh.ErrNotFound) {
		t.Errorf("%v", err)
	}
	y.must(os.WriteFile(y.at(inName, "bad.ctl"), []byte("<"), 0o600))
	y.must(os.WriteFile(y.at(inName, "lone.ctl"), order().Bytes(), 0o600))
	for _, id := range []string{"bad", "lone"} {
		if _, err := app.Get(t.Context(), id); !errors.Is(err, mesh.ErrProtocol) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := app.Send(t.Context(), mesh.Outgoing{To: trust, WorkflowID: flow, Body: strings.NewReader("x")}); !errors.Is(err, mesh.ErrInvalid) {
		t.Errorf("no local id: %v", err)
	}
	if got := ids(t, app, mesh.ListOptions{WorkflowFilter: flow}); !slices.Equal(got, []string{"lone"}) {
		t.Errorf("filtered: %v", got)
	}
	for _, err := range app.List(t.Context(), mesh.ListOptions{WorkflowFilter: "A*"}) {
		if !errors.Is(err, mesh.ErrInvalid) {
			t.Errorf("filter: %v", err)
		}
	}
	y.must(os.RemoveAll(y.at(inName)))
	if err := app.Handshake(t.Context()); !errors.Is(err, mesh.ErrTransport) {
		t.Errorf("%v", err)
	}
}
