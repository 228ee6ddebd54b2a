package conformance_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/fhir/pds/twin"
	"signalbox/mesh"
	"signalbox/mesh/folder"
)

// The same job with .dat/.ctl folders in the place of MESH over HTTP: an authority sends over MESH, another MESH client serves the
// folders of our mailbox, and the engine sees files only. The acknowledgement goes back the same way.
func TestFoldersInThePlaceOfMESH(t *testing.T) {
	la := harness.Testshire()
	w := harness.New(t, la)
	root := inFolders(t, w)
	w.Config.Routes[0].Compress = true
	w.Start(t)

	box := w.Client(t, la.Mailbox)
	w.Send(t, box, "batch-1", upload(t, "000000001", child(ada, "L1", openPlan())))
	letters := w.Receive(t, box, 1)
	if r := response(t, letters[0]); r == nil {
		t.Error("no acknowledgement")
	}
	if status, names := careTeams(t, w, ada, map[string]string{"IsUnscheduledAccessEvent": "false"}); status != 200 || len(names) != 1 {
		t.Errorf("status %d, %d authorities", status, len(names))
	}
	w.Settle(t) // the authority may have it before the bridge has told the folder
	sent, err := filepath.Glob(filepath.Join(root, "SENT", "*.ctl"))
	if err != nil || len(sent) != 1 {
		t.Fatalf("SENT has %d control files, %v", len(sent), err)
	}
	f, err := os.Open(sent[0])
	harness.Must(t, err)
	defer f.Close()
	if c, err := folder.Parse(f); err != nil || c.Compress != "Y" || c.DTSID == "" || c.ToDTS != la.Mailbox {
		t.Errorf("control file in SENT: compress %q, %v", c.Compress, err)
	}
	for _, dir := range []string{"IN", "OUT"} {
		if left, err := os.ReadDir(filepath.Join(root, dir)); err != nil || len(left) != 0 {
			t.Errorf("%s: %d files are left, %v", dir, len(left), err)
		}
	}
}

// inFolders gives the world's mailbox folders in the place of MESH over HTTP, and returns their root.
func inFolders(t *testing.T, w *harness.World) string {
	t.Helper()
	root := filepath.Join(w.Dir, "folders")
	w.Config.Mailboxes = []app.Mailbox{{ID: harness.Mailbox, Folder: root}}
	w.Config.Mesh.URL, w.Config.Mesh.SharedKey = "", app.Secret{}
	serveFolders(t, root, w.Client(t, harness.Mailbox))
	return root
}

// serveFolders runs a bridge until the test ends.
func serveFolders(t *testing.T, root string, client *mesh.Client) {
	t.Helper()
	cfg := folder.Default()
	cfg.Root, cfg.Scan = root, 50*time.Millisecond
	bridge, err := folder.NewBridge(cfg, client)
	harness.Must(t, err)
	poller := mesh.DefaultPoller()
	poller.Every, poller.Spread = 50*time.Millisecond, 0
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- bridge.Run(ctx, poller) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What else goes to an authority goes through the folders too: the notice of an inactive number, the list of children who are not protected as CSV,
// a notification; and of what nobody can be asked about, no alarm is made up.
func TestEveryEffectGoesThroughFolders(t *testing.T) {
	const replaced = "9990000026"
	la := harness.Testshire()
	w := harness.New(t, la)
	inFolders(t, w)
	w.Config.PDS.Mode, w.Config.PDS.PerSecond = "twin", 1000
	w.Config.PDS.Patients = []twin.Patient{{NHSNumber: ada, Given: "Ada", Family: "Testone", BirthDate: "2015-03-12"}, {NHSNumber: replaced, SupersededBy: ada}}
	r := &w.Config.Routes[0]
	r.Workflows.Inactive, r.Workflows.NotProtected, r.NotProtected = "TEST_CPIS_INACTIVE", "TEST_CPIS_LIST", app.Duration(24*time.Hour)
	w.Start(t)
	box := w.Client(t, la.Mailbox)
	letters := w.Receive(t, box, 1) // the list of the day, before the first file
	w.Send(t, box, "batch-1", upload(t, "000000001", child(ada, "L1", openPlan()), child(replaced, "L2", openPlan())))
	letters = append(letters, w.Receive(t, box, 2)...) // an acknowledgement, and the notice of the inactive number
	w.Settle(t)
	if status, _ := careTeams(t, w, ada, nil); status != 200 {
		t.Fatalf("the query is answered with %d", status)
	}
	letters = append(letters, w.Receive(t, box, 1)...)
	byWorkflow := map[string]string{}
	for _, l := range letters {
		byWorkflow[l.Header.WorkflowID] = string(l.Body)
		if strings.Contains(l.Header.FileName+l.Header.LocalID+l.Header.Subject, "99900000") {
			t.Errorf("a number is in a header: %+v", l.Header)
		}
	}
	for workflow, want := range map[string]string{
		"TEST_CPIS_ACK": "FileResponse", "TEST_CPIS_ACCESS": "AccessToServiceNotification", "TEST_CPIS_INACTIVE": "InactiveNHSNumberNotification",
		"TEST_CPIS_LIST": "nhs_number,local_id,plan_type,since,why,reason,what_to_do,message,record",
	} {
		if !strings.Contains(byWorkflow[workflow], want) {
			t.Errorf("%s holds no %s: %.200s", workflow, want, byWorkflow[workflow])
		}
	}
	waiting, err := w.State.Store.Uncollected(t.Context())
	harness.Must(t, err)
	stays, err := w.State.Store.Stays(t.Context(), "999", time.Time{})
	if harness.Must(t, err); len(waiting)+len(stays) != 0 {
		t.Errorf("it is held to be known what became of messages: %+v, %+v", waiting, stays)
	}
	polled, err := w.State.Store.Polled(t.Context())
	if harness.Must(t, err); polled[harness.Mailbox].IsZero() {
		t.Error("that the folder is listed is not noted")
	}
}
