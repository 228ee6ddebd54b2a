package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/conformance/harness"
)

// A child's number was replaced: the operator sees the task and closes it, the next file is taken; and a replay takes nothing that PDS refused.
func TestATaskIsSeenAndClosed(t *testing.T) {
	w := harness.New(t, harness.Northshire())
	patients := filepath.Join(w.Dir, "patients.json")
	harness.Must(t, os.WriteFile(patients, []byte(`[{"nhsNumber":"9990000018","supersededBy":"9990000026"},
		{"nhsNumber":"9990000026","given":"Ada","family":"Testone","birthDate":"2015-03-12"}]`), 0o600))
	w.Config.PDS.Mode, w.Config.PDS.TwinPatients = "twin", patients
	w.Start(t)
	file := w.File(t, "desk")
	box := w.Client(t, "TESTLA02")
	w.Send(t, box, "1", []byte(rows))
	if ack := string(w.Receive(t, box, 1)[0].Body); !strings.Contains(ack, "pds-superseded") {
		t.Fatalf("the acknowledgement says %q", ack)
	}
	w.Settle(t)
	expect(t, exitOK, []string{"superseded", "998", "-"}, "tasks", "ls", "--config", file)
	expect(t, exitOK, []string{"upload under that"}, "tasks", "show", "1", "--config", file)
	expect(t, exitOK, []string{"1 unchanged", "0 added"}, "replay", "--config", file, "--since", "2026-01-01")
	expect(t, exitFailed, []string{"note"}, "tasks", "done", "1", "--config", file)
	expect(t, exitFailed, []string{"no such task"}, "tasks", "done", "7", "--note", "x", "--config", file)
	expect(t, exitOK, []string{"closed 1"}, "tasks", "done", "1", "--note", "confirmed by telephone", "--config", file)
	expect(t, exitFailed, []string{"no such task"}, "tasks", "done", "1", "--note", "x", "--config", file)
	expect(t, exitOK, []string{"confirmed by telephone"}, "tasks", "show", "1", "--config", file)
	if _, out := atDeskOf(t, "tasks", "ls", "--config", file); strings.Contains(out, "superseded") {
		t.Errorf("a closed task is listed as open: %s", out)
	}
}
