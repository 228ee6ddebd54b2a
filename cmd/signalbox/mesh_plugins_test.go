package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/mesh"
)

// What plugins of the NHS sandbox are used for is reached by faults: the README's lines, one for each trigger, do what it says.
func TestFaultsInPlaceOfPlugins(t *testing.T) {
	readme, err := os.ReadFile("../../mesh/README.md")
	if err != nil {
		t.Fatal(err)
	}
	// serve starts a server with one of the README's lines.
	serve := func(fault string) (sender, receiver *mesh.Client) {
		t.Helper()
		if !strings.Contains(string(readme), "`"+fault+"`") {
			t.Errorf("the README does not have %s", fault)
		}
		file := filepath.Join(t.TempDir(), "faults.jsonl")
		if err := os.WriteFile(file, []byte(fault+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		base, _ := serving(t, "--faults", file)
		return dial(t, base, "X26ABC1", nil), dial(t, base, "X26ABC2", nil)
	}
	send := func(c *mesh.Client) (string, error) {
		return c.Send(t.Context(), mesh.Outgoing{To: "X26ABC2", WorkflowID: "TEST_WORKFLOW", Body: strings.NewReader("payload")})
	}

	sender, _ := serve(`{"method": "POST", "path": "outbox", "times": 1, "status": 417}`)
	if _, err := send(sender); !errors.Is(err, mesh.ErrRejected) {
		t.Errorf("before_send_message: %v", err)
	}
	if _, err := send(sender); err != nil {
		t.Errorf("before_send_message: the fault is for one call: %v", err)
	}

	sender, _ = serve(`{"method": "POST", "path": "outbox", "error": "15"}`)
	id, err := send(sender)
	if err != nil {
		t.Fatal(err)
	}
	reports := []string{}
	for id, err := range sender.List(t.Context(), mesh.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, id)
	}
	if len(reports) != 1 {
		t.Fatalf("after_accept_message: %d reports", len(reports))
	}
	if h, err := sender.Head(t.Context(), reports[0]); err != nil || !h.IsReport() || h.StatusCode != "15" || h.LinkedMessageID != id {
		t.Errorf("after_accept_message: %+v, %v", h, err)
	}

	sender, receiver := serve(`{"method": "PUT", "path": "inbox/*/status/acknowledged", "times": 1, "status": 503, "after": true}`)
	if id, err = send(sender); err != nil {
		t.Fatal(err)
	}
	if err := receiver.Acknowledge(t.Context(), id); err != nil { // the client tries again
		t.Errorf("after_acknowledge_message: %v", err)
	}

	sender, _ = serve(`{"method": "POST", "path": "outbox/*/*", "times": 1, "status": 502}`)
	chunked := mesh.Outgoing{To: "X26ABC2", WorkflowID: "TEST_WORKFLOW", Body: strings.NewReader("payload"), ChunkSize: 3}
	if _, err := sender.Send(t.Context(), chunked); err != nil {
		t.Errorf("before_save_chunk: %v", err)
	}
}
