package conformance_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/mesh"
	"signalbox/mesh/folder"
)

// The same job with .dat/.ctl folders in the place of MESH over HTTP: an authority sends over MESH, another MESH client serves the
// folders of our mailbox, and the engine sees files only. The acknowledgement goes back the same way.
func TestFoldersInThePlaceOfMESH(t *testing.T) {
	la := harness.Testshire()
	w := harness.New(t, la)
	root := filepath.Join(w.Dir, "folders")
	ours := w.Client(t, harness.Mailbox)
	w.Config.Mailboxes = []app.Mailbox{{ID: harness.Mailbox, Folder: root}}
	w.Config.Mesh.URL, w.Config.Mesh.SharedKey = "", app.Secret{}
	w.Config.Routes[0].Compress = true
	serveFolders(t, root, ours)
	w.Start(t)

	box := w.Client(t, la.Mailbox)
	w.Send(t, box, "batch-1", upload(t, "000000001", child(ada, "L1", openPlan())))
	letters := w.Receive(t, box, 1)
	if r := response(t, letters[0]); r == nil {
		t.Error("no acknowledgement")
	}
	if status, names := careTeams(t, w, ada, nil); status != 200 || len(names) != 1 {
		t.Errorf("status %d, %d authorities", status, len(names))
	}
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
