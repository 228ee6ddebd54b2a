package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/engine/stream/redistest"
	"signalbox/mesh/cpis"
)

// The national register of today: 131,000 records in 153 files (facts: cpis 6, a sum of published counts).
const (
	loadFiles   = 153
	loadRecords = 131_000
)

// BenchmarkLoad measures the whole register from mailbox to register on the embedded default: MESH download, intake, translation, events,
// apply, acknowledgements planned. Peak memory is that of the process, which holds the MESH server and the authorities too.
func BenchmarkLoad(b *testing.B) { benchLoad(b, func(*harness.World) {}) }

// BenchmarkLoadPostgreSQL is the same on a PostgreSQL on this machine that does not wait for the disk, in one engine process.
func BenchmarkLoadPostgreSQL(b *testing.B) { benchLoad(b, func(w *harness.World) { onPostgres(b, w) }) }

// BenchmarkLoadPostgreSQLRedis carries the events over Redis Streams as well.
func BenchmarkLoadPostgreSQLRedis(b *testing.B) {
	benchLoad(b, func(w *harness.World) {
		onPostgres(b, w)
		w.Config.Stream.URLs, w.Config.Stream.Consumer = []string{redistest.Start(b).URL()}, "load"
	})
}

func onPostgres(b *testing.B, w *harness.World) {
	pg := server.Get(b)
	w.Config.Store = app.Store{URL: pg.Database(b), Password: app.Held(pg.Password())}
}

func benchLoad(b *testing.B, change func(*harness.World)) {
	for b.Loop() {
		b.StopTimer()
		w, files := loadWorld(b)
		change(w)
		for i, f := range files {
			w.Send(b, w.Client(b, w.Config.Routes[i].Sender), fmt.Sprint(i), f)
		}
		b.StartTimer()
		start := time.Now()
		w.Start(b)
		awaitFiles(b, w)
		took := time.Since(start)
		b.StopTimer()
		w.Stop(b)
		b.ReportMetric(loadRecords/took.Seconds(), "records/s")
		b.ReportMetric(float64(peakMemory(b))/1e6, "peak-MB")
		b.StartTimer()
	}
}

func awaitFiles(b *testing.B, w *harness.World) {
	b.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for {
		counts, err := w.State.Store.EffectCounts(context.Background())
		harness.Must(b, err)
		total := 0
		for _, n := range counts {
			total += n
		}
		if total == loadFiles {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d files are done", total, loadFiles)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// loadWorld makes 152 authorities that send CP-IS XML and one that sends CSV, each with its share of the register.
func loadWorld(b *testing.B) (*harness.World, [][]byte) {
	b.Helper()
	var las []harness.LA
	for i := range loadFiles - 1 {
		las = append(las, harness.LA{Mailbox: fmt.Sprintf("LOADLA%03d", i), Supplier: "testshire-cpisxml", ODSCode: fmt.Sprintf("L%03d", i),
			Name: fmt.Sprintf("AUTHORITY %d", i), Dialect: "cpis-xml"})
	}
	las = append(las, harness.Northshire())
	numbers := harness.Numbers(loadRecords)
	var files [][]byte
	for i, la := range las {
		first, last := loadRecords*i/loadFiles, loadRecords*(i+1)/loadFiles
		if la.Dialect == "csv" {
			files = append(files, csvFile(numbers[first:last]))
		} else {
			files = append(files, xmlFile(b, la, numbers[first:last]))
		}
	}
	return harness.New(b, las...), files
}

func xmlFile(b *testing.B, la harness.LA, numbers []string) []byte {
	b.Helper()
	u := cpis.Upload{CreationTime: time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC), FileID: "1042", Organisation: cpis.Organisation{
		ODSCode: la.ODSCode, Name: la.Name, Telecoms: []cpis.Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}}}
	for i, n := range numbers {
		kind := cpis.PlanChildProtection
		if i%2 == 1 {
			kind = cpis.PlanLookedAfter
		}
		u.Records = append(u.Records, cpis.UploadRecord{
			Plan: cpis.Plan{Kind: kind, Start: "202609010000"},
			Subject: cpis.Subject{NHSNumber: n, LocalID: fmt.Sprintf("LA-%d", i), AssigningAuthority: la.ODSCode + ":" + la.Name,
				BirthTime: "20150312", Given: "Ada", Family: "Testone"},
		})
	}
	var buf bytes.Buffer
	harness.Must(b, cpis.EncodeUpload(&buf, u))
	return buf.Bytes()
}

func csvFile(numbers []string) []byte {
	var buf bytes.Buffer
	buf.WriteString("nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n")
	for i, n := range numbers {
		fmt.Fprintf(&buf, "%s,Ada,Testone,12/03/2015,L,04/01/2026,,,NS-%d,L,A. Worker\r\n", n, i)
	}
	return buf.Bytes()
}

// peakMemory is the process's high-water mark of resident memory in bytes (Linux, /proc/self/status).
func peakMemory(b *testing.B) int64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	harness.Must(b, err)
	for line := range strings.Lines(string(raw)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	b.Fatal("no VmHWM in /proc/self/status")
	return 0
}
