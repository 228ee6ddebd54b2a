package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/adapters"
	"signalbox/conformance/harness"
	"signalbox/engine"
	"signalbox/engine/app"
	"signalbox/engine/store"
	"signalbox/mappings"
)

// workbenchRows are four records: two accepted, two that wait for the code Y.
const workbenchRows = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\n" +
	"9990000018,Ada,Testone,12/03/2015,P,04/01/2026,,,NS-1,L,A. Worker\n" +
	"9990000026,Ben,Testtwo,20/11/2010,L,21/05/2026,,,NS-2,L,\n" +
	"9990000034,Cara,Testthree,02/01/1999,Y,05/08/2026,,,NS-3,L,\n" +
	"9990000042,Dan,Testfour,02/01/2009,Y,05/08/2026,,,NS-4,L,\n"

// record is a record with one translated message of Northshire's, and the configuration that reads it.
type recordOf struct {
	config, folder string
	message        engine.MessageID
	event          engine.EventID // of the first record
}

func newRecord(t *testing.T) recordOf {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "northshire-csv")
	harness.Must(t, os.CopyFS(folder, os.DirFS("../../mappings/suppliers/northshire-csv")))
	with, err := mappings.Load(mappings.Embedded(), "northshire-csv", adapters.All())
	harness.Must(t, err)
	return recordWith(t, harness.New(t, harness.Northshire()), folder, with, []byte(workbenchRows))
}

// recordWith is a record that has taken in one message of TESTLA02's and translated it with a mapping.
func recordWith(t *testing.T, w *harness.World, folder string, with *mappings.Mapping, body []byte) recordOf {
	t.Helper()
	r := recordOf{config: w.File(t, "desk"), folder: folder}
	cfg, err := app.ReadConfig(r.config)
	harness.Must(t, err)
	ctx := context.Background()
	desk, err := app.OpenDesk(ctx, cfg)
	harness.Must(t, err)
	defer func() { harness.Must(t, desk.Close()) }()
	const source = "mesh/SIGNALBOX1/TESTLA02"
	m := engine.Message{ID: engine.NewMessageID(source, "1"), Source: source, Upstream: "1", LocalID: "7", WorkflowID: harness.Workflow,
		Received: desk.Store.Now(), Body: body}
	_, err = desk.Store.Intake(ctx, m)
	harness.Must(t, err)
	arrival, err := desk.Store.Arrival(ctx, m.ID) // as the engine reads it
	harness.Must(t, err)
	m = arrival.Message
	harness.Must(t, desk.Store.KeepMapping(ctx, with.Digest(), with.Supplier(), with.Archive()))
	wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: source, Message: m.ID, Received: m.Received})
	harness.Must(t, desk.Store.SaveTranslation(ctx, store.Translation{Wait: wait, Mapping: with.Digest(), Records: slices.Values(desk.Replay.Routes.Translate(m, with))}))
	r.message, r.event = m.ID, engine.NewEventID(engine.Origin{Source: source, Message: m.ID, Position: 1}, engine.KindFlag)
	return r
}

// edit replaces text in a file of the folder.
func (r recordOf) edit(t *testing.T, file, old, replacement string) {
	t.Helper()
	path := filepath.Join(r.folder, file)
	raw, err := os.ReadFile(path)
	harness.Must(t, err)
	if !bytes.Contains(raw, []byte(old)) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	harness.Must(t, os.WriteFile(path, bytes.ReplaceAll(raw, []byte(old), []byte(replacement)), 0o600))
}

func TestMappingExplain(t *testing.T) {
	r := newRecord(t)
	id := string(r.event)
	expect(t, exitOK, []string{id, "subject.nhsNumber", "column start_dt, line 2:37, bytes", "mapping.yaml:16", "source.yaml:13 start_dt", "tables/plan-type.csv:2", "identical"},
		"mapping", "explain", id, "--config", r.config)
	expect(t, exitOK, []string{"plan.type", "tables/plan-type.csv:2"}, "mapping", "explain", id[:8], "plan.type", "--config", r.config)
	expect(t, exitOK, []string{`"identical": true`, `"target": "plan.start"`}, "mapping", "explain", id, "plan.", "--json", "--config", r.config)
	expect(t, exitFailed, []string{"the event has no field plan.colour"}, "mapping", "explain", id, "plan.colour", "--config", r.config)
	expect(t, exitFailed, []string{"no event in the record"}, "mapping", "explain", "0000000000", "--config", r.config)
	if _, out, _ := command(t, "mapping", "explain", id[:8], "plan.type", "--config", r.config); strings.Contains(out, "start_dt") {
		t.Errorf("one field was asked for: %s", out)
	}
}

// A changed date format: exactly the events that it changes are told, with the line, twice the same to the byte, and the exit code stops a script.
func TestMappingBacktest(t *testing.T) {
	r := newRecord(t)
	expect(t, exitOK, []string{"1 messages, 4 records, 4 the same, different: nothing"}, "mapping", "backtest", r.folder, "--config", r.config)
	r.edit(t, "mapping.yaml", "from: start_dt, as: date(dd/MM/yyyy)", "from: start_dt, as: date(MM/dd/yyyy)")
	r.edit(t, "source.yaml", "start_dt, type: date, layout: dd/MM/yyyy", "start_dt, type: date, layout: MM/dd/yyyy")
	dir := t.TempDir()
	var first []string
	for range 2 {
		html, asJSON := filepath.Join(dir, "report.html"), filepath.Join(dir, "report.json")
		code, out := atDeskOf(t, "mapping", "backtest", r.folder, "--config", r.config, "--html", html, "--json", asJSON)
		page, err := os.ReadFile(html)
		harness.Must(t, err)
		report, err := os.ReadFile(asJSON)
		harness.Must(t, err)
		if code != exitDifferent || !strings.Contains(out, "different: 1 changed, 1 newly rejected") || !strings.Contains(out, "mapping.yaml:16") || !strings.Contains(out, "record 2, line 3  newly rejected  plan.start  (date)") {
			t.Fatalf("exit %d: %s", code, out)
		}
		got := []string{out, string(page), string(report)}
		for i := range first {
			if first[i] != got[i] {
				t.Errorf("form %d differs the second time", i)
			}
		}
		first = got
		for _, text := range got {
			if strings.Contains(text, "9990000018") || strings.Contains(text, "21/05") || strings.Contains(text, "Testone") {
				t.Errorf("a form holds a value: %s", text)
			}
		}
	}
	sample := filepath.Join(dir, "sample.csv")
	harness.Must(t, os.WriteFile(sample, []byte(workbenchRows), 0o600))
	expect(t, exitDifferent, []string{"1 changed, 1 newly rejected"}, "mapping", "backtest", r.folder, "--against", "../../mappings/suppliers/northshire-csv", "--file", sample)
	expect(t, exitFailed, []string{"--file needs --against"}, "mapping", "backtest", r.folder, "--file", sample)
	expect(t, exitFailed, []string{"time span such as 30d"}, "mapping", "backtest", r.folder, "--since", "lately", "--config", r.config)
}

// The whole loop: the codes that wait are listed, a person says what they mean, the table takes it, and exactly those records are released.
func TestUnmappedCodesFromListToRelease(t *testing.T) {
	r := newRecord(t)
	expect(t, exitOK, []string{"northshire-csv  table plan-type", "Y", "2 parked, 0 other", "column plan_cat, line 4:38"}, "mapping", "unmapped", "--config", r.config)
	code, out, _ := command(t, "mapping", "unmapped", "--csv", "--config", r.config)
	if code != exitOK || !strings.Contains(out, "northshire-csv,plan-type,Y,,,2,0,1,") {
		t.Fatalf("exit %d: %s", code, out)
	}
	file := filepath.Join(t.TempDir(), "codes.csv")
	fill := func(meaning string) {
		harness.Must(t, os.WriteFile(file, []byte(strings.Replace(out, ",Y,,,", ",Y,"+meaning+",asked the supplier,", 1)), 0o600))
	}
	fill("looked-aftr")
	expect(t, exitFailed, []string{`did you mean "looked-after"`}, "mapping", "unmapped", "--fill", file, r.folder)
	expect(t, exitOK, nil, "mapping", "lint", r.folder) // what does not lint is taken back
	fill("looked-after")
	expect(t, exitOK, []string{"1 rows added"}, "mapping", "unmapped", "--fill", file, r.folder)
	expect(t, exitOK, []string{"route", "TESTLA02", "table plan-type, code Y added: looked-after", "2 records wait for the code Y", "replay --parked-by table:plan-type"},
		"mapping", "plan", r.folder, "--config", r.config)
	cfg, err := os.ReadFile(r.config)
	harness.Must(t, err, os.WriteFile(r.config, append([]byte("suppliers: "+filepath.Dir(r.folder)+"\n"), cfg...), 0o600))
	expect(t, exitOK, []string{"no change: this version is the one that is configured"}, "mapping", "plan", r.folder, "--config", r.config)
	for _, dry := range []string{"--dry-run", "--dry-run=false"} {
		expect(t, exitOK, []string{"record 3  flag  added", "record 4  flag  added", "2 added, 0 changed, 0 withdrawn"}, "replay", "--parked-by", "table:plan-type", "--config", r.config, dry)
	}
	expect(t, exitOK, []string{"0 added, 0 changed"}, "replay", "--parked-by", "table:plan-type", "--config", r.config)
	expect(t, exitOK, []string{"Every code that was looked up is in its table"}, "mapping", "unmapped", "--config", r.config)
	expect(t, exitFailed, []string{"--parked-by is table:"}, "replay", "--parked-by", "plan-type", "--config", r.config)
}

func TestCoverageAndDriftOfTheRecord(t *testing.T) {
	r := newRecord(t)
	expect(t, exitFailed, []string{"1 messages, 4 records: 2 accepted, 0 rejected, 2 parked", "unmapped  plan-type Y", "seen 2 times", "ignored   column worker_name", "plan.type"},
		"mapping", "coverage", "--mapping", r.folder, "--config", r.config)
	dir := t.TempDir()
	var files []string
	for i, body := range []string{workbenchRows, workbenchRows, strings.ReplaceAll(strings.Replace(workbenchRows, "worker_name", "worker_name,gp", 1), ",L,\n", ",L,,1\n")} {
		files = append(files, filepath.Join(dir, string(rune('a'+i))+".csv"))
		harness.Must(t, os.WriteFile(files[i], []byte(body), 0o600))
	}
	expect(t, exitOK, []string{"2 messages, 0 of them"}, "mapping", "drift", files[0], files[1], "--mapping", r.folder)
	expect(t, exitDifferent, []string{"c.csv", "new column", "column gp"}, "mapping", "drift", files[0], files[1], files[2], "--mapping", r.folder)
	expect(t, exitOK, []string{"1 messages, 0 of them"}, "mapping", "drift", "--mapping", r.folder, "--config", r.config)
}

func TestATestIsMadeOfARealEvent(t *testing.T) {
	r := newRecord(t)
	expect(t, exitOK, []string{"event-" + string(r.event[:12]) + ".txtar"}, "mapping", "test", "--from-event", string(r.event), r.folder, "--config", r.config)
	raw, err := os.ReadFile(filepath.Join(r.folder, "tests", "event-"+string(r.event[:12])+".txtar"))
	harness.Must(t, err)
	text := string(raw)
	for _, datum := range []string{"9990000018", "Ada", "Testone", "12/03/2015", "NS-1", "Worker"} {
		if strings.Contains(text, datum) {
			t.Errorf("the test holds %q:\n%s", datum, text)
		}
	}
	if !strings.Contains(text, "record 1 accepted") || !strings.Contains(text, "plan.type = child-protection") || strings.Contains(text, "record 2") {
		t.Errorf("%s", text)
	}
	expect(t, exitOK, []string{"0 failed"}, "mapping", "test", r.folder)
	expect(t, exitFailed, []string{"is there already"}, "mapping", "test", "--from-event", string(r.event), r.folder, "--config", r.config)
}

func TestDraftTwinAndTry(t *testing.T) {
	dir := t.TempDir()
	sample := filepath.Join(dir, "sample.csv")
	harness.Must(t, os.WriteFile(sample, []byte(workbenchRows), 0o600))
	folder := filepath.Join(dir, "northgate")
	expect(t, exitOK, []string{"4 records of csv", "things to decide", "tables/plan-type.csv:2"}, "mapping", "draft", sample, "--out", folder)
	expect(t, exitFailed, []string{"is there already"}, "mapping", "draft", sample, "--out", folder)
	expect(t, exitFailed, []string{"--out is the folder"}, "mapping", "draft", sample)
	expect(t, exitFailed, []string{"no field plan.colour"}, "mapping", "draft", sample, "--out", filepath.Join(dir, "x"), "--set", "plan.colour=red")
	made := filepath.Join(dir, "twin.csv")
	expect(t, exitOK, nil, "mapping", "twin", sample, "--out", made, "--mapping", "../../mappings/suppliers/northshire-csv")
	raw, err := os.ReadFile(made)
	harness.Must(t, err)
	if strings.Contains(string(raw), "Testone") || strings.Contains(string(raw), "9990000018") || !strings.HasPrefix(string(raw), "nhs_no,") || strings.Count(string(raw), ",P,") != 1 {
		t.Errorf("the twin:\n%s", raw)
	}
	code, out, _ := command(t, "mapping", "try", sample, "--mapping", "../../mappings/suppliers/northshire-csv", "--row", "3")
	for _, want := range []string{"record 3", "parked", `"9990000034" at 4:1`, "code-unmapped: plan.type: table plan-type", "2026-08-05 (sent 05/08/2026)"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q is not shown:\n%s", code, want, out)
		}
	}
	expect(t, exitFailed, []string{"has 4 records, and no record 9"}, "mapping", "try", sample, "--mapping", "../../mappings/suppliers/northshire-csv", "--row", "9")
}

// Watching does the work at once, again after a save, and ends with its context.
func TestWatchingSeesASave(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mapping.yaml")
	harness.Must(t, os.WriteFile(file, []byte("a"), 0o600))
	ctx, stop := context.WithCancel(context.Background())
	var seen atomic.Int32
	drawn := make(chan int32, 16)
	ended := make(chan error, 1)
	go func() {
		ended <- watching(ctx, []string{dir}, time.Millisecond, func() error {
			drawn <- seen.Add(1)
			return nil
		})
	}()
	<-drawn
	harness.Must(t, os.WriteFile(file, []byte("ab"), 0o600))
	if n := <-drawn; n != 2 {
		t.Errorf("drawn %d times", n)
	}
	stop()
	harness.Must(t, <-ended)
}
