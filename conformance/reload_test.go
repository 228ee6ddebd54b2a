package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
)

// A supplier's folder is changed while the engine runs: what does not lint and what fails its tests is refused and told, and the old mapping goes on; what is
// good is in use from the next file on, without a restart. Codes that no table knows are counted by table, and no code is in a metric.
func TestReloadOfASuppliersFolder(t *testing.T) {
	la := harness.Northshire()
	w := harness.New(t, la)
	w.Config.Suppliers = filepath.Join(w.Dir, "suppliers")
	folder := filepath.Join(w.Config.Suppliers, "northshire-csv")
	harness.Must(t, os.CopyFS(folder, os.DirFS("../mappings/suppliers/northshire-csv")))
	w.Config.Listen.Operations = "127.0.0.1:0"
	w.Start(t)
	box := w.Client(t, la.Mailbox)
	ops := w.State.Operations

	const header = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\n"
	outcomes := func() [2]float64 {
		m := scrape(t, ops)
		return [2]float64{value(m, "signalbox_records_total", "outcome", "accepted"), value(m, "signalbox_records_total", "outcome", "parked")}
	}
	send := func(name string, row string) {
		w.Send(t, box, name, []byte(header+row))
		w.Receive(t, box, 1)
	}
	until := func(what, metric string, want float64, pairs ...string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); value(scrape(t, ops), metric, append([]string{"supplier", "northshire-csv"}, pairs...)...) != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s has not become %v\n%s", what, metric, want, w.Log.String())
			}
		}
	}
	ready := func() string {
		status, body := look(t, ops+"/readyz")
		if status != 200 {
			t.Errorf("a refused folder makes the engine unready: %d\n%s", status, body)
		}
		return string(body)
	}
	edit := func(file, old, replacement string) {
		path := filepath.Join(folder, file)
		raw, err := os.ReadFile(path)
		harness.Must(t, err, os.WriteFile(path, []byte(strings.Replace(string(raw), old, replacement, 1)), 0o600))
	}

	send("one", "9990000018,Ada,Testone,12/03/2015,NEWCODE,01/09/2026,,,N-1,L,\n")
	if got := outcomes(); got != [2]float64{0, 1} {
		t.Fatalf("a code that nobody knows: %v accepted and parked", got)
	}
	until("an unknown code", "signalbox_unmapped_codes_total", 1, "table", "plan-type")
	if _, body := look(t, ops+"/metrics"); strings.Contains(string(body), "NEWCODE") {
		t.Error("a code is in a metric")
	}

	edit("mapping.yaml", "from: start_dt", "from: strat_dt")
	until("a folder that does not lint", "signalbox_mapping_refused", 1)
	if !strings.Contains(ready(), "northshire-csv") || !strings.Contains(w.Log.String(), "strat_dt") {
		t.Errorf("nobody is told of the refused folder: %s\n%s", ready(), w.Log.String())
	}
	send("two", "9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1,L,\n")
	if got := outcomes(); got != [2]float64{1, 1} {
		t.Errorf("the old mapping does not go on: %v", got)
	}

	edit("mapping.yaml", "from: strat_dt", "from: start_dt")
	until("the folder as it was", "signalbox_mapping_refused", 0)
	edit("tables/plan-type.csv", "P,child-protection", "P,looked-after")
	until("a folder whose tests fail", "signalbox_mapping_refused", 1)
	if value(scrape(t, ops), "signalbox_mapping_reloads_total", "result", "loaded") != 0 {
		t.Error("a folder whose tests fail was loaded")
	}

	edit("tables/plan-type.csv", "P,looked-after", "NEWCODE,looked-after,\nP,child-protection")
	until("a good folder", "signalbox_mapping_reloads_total", 1, "result", "loaded")
	until("a good folder", "signalbox_mapping_refused", 0)
	if strings.Contains(ready(), "refused") {
		t.Errorf("a good folder is told as refused: %s", ready())
	}
	send("three", "9990000026,Ben,Testtwo,12/03/2015,NEWCODE,01/09/2026,,,N-2,L,\n")
	if got := outcomes(); got != [2]float64{2, 1} {
		t.Errorf("the new table is not in use: %v", got)
	}
}
