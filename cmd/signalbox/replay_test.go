package main

import (
	"context"
	"strings"
	"testing"

	"signalbox/conformance/harness"
	"signalbox/engine"
	"signalbox/engine/app"
)

const rows = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n" +
	"9990000018,Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,A. Worker\r\n"

// atDeskOf runs a command line and returns its exit code and all that it printed.
func atDeskOf(t *testing.T, args ...string) (int, string) {
	t.Helper()
	code, out, errOut := command(t, args...)
	if out += errOut; strings.Contains(out, "99900000") || strings.Contains(out, "Testone") || strings.Contains(out, "NS-1") {
		t.Errorf("%v prints personal data: %s", args, out)
	}
	return code, out
}

func expect(t *testing.T, code int, wants []string, args ...string) {
	t.Helper()
	got, out := atDeskOf(t, args...)
	if got != code {
		t.Errorf("%v exits with %d, want %d: %s", args, got, code, out)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("%v does not print %q: %s", args, want, out)
		}
	}
}

// A file comes for which there is no route; the route is added, and a replay beside the running engine does the rest, once.
func TestReplayAfterARouteWasAdded(t *testing.T) {
	w := harness.New(t, harness.Testshire(), harness.Northshire())
	both := w.Config.Routes
	w.Config.Routes = both[:1]
	w.Start(t)
	box := w.Client(t, "TESTLA02")
	w.Send(t, box, "1", []byte(rows))
	for !strings.Contains(w.Log.String(), "message has no route") {
		w.Settle(t)
	}
	w.Stop(t)
	w.Config.Routes = both
	file := w.File(t, "desk")
	expect(t, exitOK, []string{"message (replay)", "add one to the configuration and replay"}, "quarantine", "ls", "--config", file)
	w.Start(t)
	expect(t, exitOK, []string{"translated", "record 1  flag  added", "1 translated for the first time", "1 added"},
		"replay", "--config", file, "--since", "2026-01-01", "--mailbox", "TESTLA02", "--dry-run")
	expect(t, exitOK, []string{"0 translated for the first time"}, "replay", "--config", file, "--since", "2026-01-01", "--mailbox", "TESTLA01")
	if n := len(w.Mesh.Inbox("TESTLA02")); n != 0 {
		t.Errorf("the dry run sent %d messages", n)
	}
	expect(t, exitOK, []string{"1 translated for the first time"}, "replay", "--config", file, "--since", "2026-01-01", "--mapping", "current")
	if letters := w.Receive(t, box, 1); letters[0].Header.WorkflowID != "TEST_CPIS_ACK" {
		t.Errorf("the authority received %+v", letters[0].Header)
	}
	for _, which := range []string{"current", "pinned"} {
		expect(t, exitOK, []string{"1 unchanged", "0 added, 0 changed", "0 rows changed"}, "replay", "--config", file, "--since", "2026-01-01", "--mapping", which)
	}
	w.Settle(t)
	if n := len(w.Mesh.Inbox("TESTLA02")); n != 0 {
		t.Errorf("the authority was told again: %d messages", n)
	}
	expect(t, exitFailed, nil, "replay", "--config", file, "--mapping", "newest", "--since", "2026-01-01")
	expect(t, exitFailed, nil, "replay", "--config", file)
	expect(t, exitFailed, nil, "replay", "--config", file, "--since", "yesterday")
	expect(t, exitFailed, []string{"no such message"}, "replay", "--config", file, "--message", "none")
}

func TestQuarantineCommands(t *testing.T) {
	w := harness.New(t, harness.Northshire())
	file := w.File(t, "desk")
	ctx := context.Background()
	cfg, err := app.ReadConfig(file)
	harness.Must(t, err)
	desk, err := app.OpenDesk(ctx, cfg)
	harness.Must(t, err)
	defer func() { harness.Must(t, desk.Close()) }()
	var ids []string
	for _, name := range []string{"one", "two"} {
		const source = "mesh/SIGNALBOX1/TESTLA02"
		m := engine.Message{ID: engine.NewMessageID(source, name), Source: source, Upstream: name, WorkflowID: harness.Workflow, Received: desk.Store.Now(), Body: []byte(rows)}
		_, err := desk.Store.Intake(ctx, m)
		wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: source, Message: m.ID})
		harness.Must(t, err, desk.Store.Postpone(ctx, wait, desk.Store.Now(), "the first reason"), desk.Store.SetAside(ctx, wait, "the last reason"))
		ids = append(ids, string(wait.ID))
	}
	expect(t, exitOK, []string{ids[0][:16], ids[1][:16], "the last reason", "mesh/SIGNALBOX1/TESTLA02"}, "quarantine", "ls", "--config", file)
	expect(t, exitOK, []string{ids[0], "the first reason", "the last reason", "retry", "quarantine"}, "quarantine", "show", ids[0][:8], "--config", file)
	expect(t, exitFailed, []string{"nothing in quarantine"}, "quarantine", "release", ids[0][:16], "0000000000000000", "--config", file)
	expect(t, exitOK, []string{"released"}, "quarantine", "release", ids[0][:16], "--config", file)
	expect(t, exitFailed, []string{"--reason is missing"}, "quarantine", "drop", ids[1], "--config", file)
	if code, _ := atDeskOf(t, "quarantine", "drop", ids[1], "--config", file, "--reason", "it is about 123 456 7890"); code != exitFailed {
		t.Error("a reason with a number like an NHS number is taken")
	}
	expect(t, exitOK, []string{"dropped"}, "quarantine", "drop", ids[1], "--config", file, "--reason", "a damaged file, sent again")
	expect(t, exitFailed, []string{"signalbox replay"}, "quarantine", "release", string(engine.NewMessageID("mesh/SIGNALBOX1/TESTLA02", "two")), "--config", file)
	backlog, err := desk.Store.Backlog(ctx)
	if harness.Must(t, err); backlog.Quarantined != 0 || backlog.Open[engine.KindMessage] != 1 {
		t.Errorf("backlog: %+v", backlog)
	}
}
