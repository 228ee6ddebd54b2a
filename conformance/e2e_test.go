package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/mesh"
	"signalbox/mesh/cpis"
	"signalbox/mesh/meshserver"
)

const (
	ada = "9990000018"
	ben = "9990000026"
)

func TestTheSixSteps(t *testing.T) {
	w := harness.New(t, harness.Testshire(), harness.Northshire())
	w.Start(t)
	test, north := w.Client(t, "TESTLA01"), w.Client(t, "TESTLA02")

	// 1-3: both authorities flag the child, each in its own dialect, and hear that it stands.
	w.Send(t, test, "1042", upload(t, "1042", child(ada, "LA-1", openPlan())))
	w.Send(t, north, "77", extract(ada+",Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,A. Worker"))
	ack := response(t, w.Receive(t, test, 1)[0])
	if ack.Codes[0] != cpis.FileAccepted || ack.FileID != "1042" || ack.Quantity != 1 || ack.Successful != 1 || ack.Failed != 0 {
		t.Errorf("acknowledgement: %+v", ack)
	}
	rows := csvRows(t, w.Receive(t, north, 1)[0].Body)
	if len(rows) != 1 || rows[0][1] != "accepted" {
		t.Errorf("acknowledgement: %v", rows)
	}

	// 4: the trust sees both.
	status, names := careTeams(t, w, ada, nil)
	if status != http.StatusOK || fmt.Sprint(names) != "[NORTHSHIRE COUNTY COUNCIL TESTSHIRE COUNTY COUNCIL]" {
		t.Errorf("the trust sees %v", names)
	}

	// 5: both are told of the one access.
	for _, box := range []*mesh.Client{test, north} {
		l := w.Receive(t, box, 1)[0]
		n := notification(t, l)
		if n.Total != 1 || len(n.Accesses) != 1 || n.Accesses[0].NHSNumber != ada || n.Accesses[0].Organisation != "RXX99" {
			t.Errorf("%s is told: %+v", box.MailboxID(), n)
		}
		if l.Header.WorkflowID != "TEST_CPIS_ACCESS" || strings.Contains(l.Header.LocalID+l.Header.FileName+l.Header.Subject, ada) {
			t.Errorf("header: %+v", l.Header)
		}
	}

	// 6: a message about the same child from another road has the same effect.
	status, body := sendAttendance(t, w, ada, uuid.NewString(), harness.Token)
	if status != http.StatusOK {
		t.Fatalf("message: %d %s", status, body)
	}
	for _, box := range []*mesh.Client{test, north} {
		n := notification(t, w.Receive(t, box, 1)[0])
		if len(n.Accesses) != 1 || n.Accesses[0].Organisation != "TST01" || n.Accesses[0].Person == "" {
			t.Errorf("%s is told: %+v", box.MailboxID(), n)
		}
	}
	w.Settle(t)
	noPersonalData(t, w)
}

// What was durable goes on after a restart, and nothing is done twice.
func TestRestartLosesNothing(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	const files = 12
	for i := range files {
		w.Send(t, box, fmt.Sprint(i), upload(t, fmt.Sprint(i+1), child(harness.Number(i), fmt.Sprint("LA-", i), openPlan())))
		if i%3 == 2 {
			w.Stop(t)
			w.Start(t)
		}
	}
	seen := map[string]int{}
	for _, l := range w.Receive(t, box, files) {
		seen[response(t, l).FileID]++
	}
	w.Settle(t)
	if len(seen) != files || len(w.Mesh.Inbox("TESTLA01")) != 0 {
		t.Errorf("%d files acknowledged, %d messages left over: %v", len(seen), len(w.Mesh.Inbox("TESTLA01")), seen)
	}
	for i := range files {
		if _, names := careTeams(t, w, harness.Number(i), nil); len(names) != 1 {
			t.Errorf("the child of file %d is not flagged", i+1)
		}
	}
	backlog, err := w.State.Store.Backlog(context.Background())
	harness.Must(t, err)
	if backlog.Quarantined != 0 {
		t.Errorf("%d events in quarantine", backlog.Quarantined)
	}
}

// A report about an undelivered message has no body; it is taken, noted and acknowledged.
func TestReportIsTaken(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan())))
	ack := w.Receive(t, box, 1)[0]
	reportUndelivered(t, w, ack.Header.MessageID)
	for !strings.Contains(w.Log.String(), `"ours":true`) {
		time.Sleep(10 * time.Millisecond)
	}
	counts, err := w.State.Store.EffectCounts(context.Background())
	harness.Must(t, err)
	if counts["failed"] != 1 {
		t.Errorf("effects: %v", counts)
	}
}

func reportUndelivered(t testing.TB, w *harness.World, messageID string) {
	t.Helper()
	_, err := w.Mesh.PutReport(meshserver.Report{
		To: harness.Mailbox, Code: "14", Event: "SEND", Description: "Message not collected by recipient after 5 days", LinkedMessageID: messageID,
		WorkflowID: "TEST_CPIS_ACK",
	})
	harness.Must(t, err)
}
