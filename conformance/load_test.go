package conformance_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
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

// BenchmarkLoad measures the whole register from mailbox to acknowledgement on the embedded default: MESH download, intake, translation,
// events, apply, and 153 acknowledgements in the authorities' mailboxes. The engine is the built binary; the MESH server beside it shares the
// machine.
func BenchmarkLoad(b *testing.B) {
	figure := benchLoad(b, 1, func(*harness.World) {})
	b.ReportMetric(figure.rate/bareRate(b, figure.record), "x_ref:bare-insert-loop")
}

// BenchmarkLoadPostgreSQL is the same on a PostgreSQL on this machine that does not wait for the disk, with so many engine processes. Without
// Redis one of them carries the events and the others wait to take over.
func BenchmarkLoadPostgreSQL(b *testing.B) {
	benchProcesses(b, func(w *harness.World) { onPostgres(b, w) })
}

// BenchmarkLoadPostgreSQLRedis carries the events over Redis Streams, so that the processes share them.
func BenchmarkLoadPostgreSQLRedis(b *testing.B) {
	benchProcesses(b, func(w *harness.World) {
		onPostgres(b, w)
		w.Config.Stream.URLs = []string{redistest.Start(b).URL()}
	})
}

func benchProcesses(b *testing.B, change func(*harness.World)) {
	var one float64
	for _, n := range []int{1, 2, 4} {
		b.Run(fmt.Sprint("processes=", n), func(b *testing.B) {
			figure := benchLoad(b, n, change)
			if n == 1 {
				one = figure.rate
				b.ReportMetric(one/bareRate(b, figure.record), "x_ref:bare-insert-loop")
			} else if one > 0 {
				b.ReportMetric(figure.rate/one, "x_ref:one-process")
			}
		})
	}
}

func onPostgres(b *testing.B, w *harness.World) {
	pg := server.Get(b)
	w.Config.Store = app.Store{URL: pg.Database(b), Lease: w.Config.Store.Lease, Password: app.Held(pg.Password())}
}

// loaded is what a load came to, and where its record is.
type loaded struct {
	rate   float64 // records a second
	record app.Store
}

func benchLoad(b *testing.B, processes int, change func(*harness.World)) loaded {
	start, stop := starter(b)
	var out loaded
	for b.Loop() {
		b.StopTimer()
		w, files := loadWorld(b, loadFiles, loadRecords)
		change(w)
		sendLoad(b, w, files)
		b.StartTimer()
		began := time.Now()
		var engines []*harness.Process
		for n := range processes {
			engines = append(engines, start(w, fmt.Sprint("load-", n)))
		}
		awaitLoad(b, w)
		took := time.Since(began)
		b.StopTimer()
		var peak int64
		var cpu time.Duration
		for _, e := range engines {
			u := e.Usage(b)
			peak, cpu = max(peak, u.Peak), cpu+u.CPU
			stop(e)
		}
		out = loaded{loadRecords / took.Seconds(), w.Config.Store}
		b.ReportMetric(out.rate, "records/s")
		b.ReportMetric(float64(cpu.Microseconds())/loadRecords, "cpu-us/record")
		b.ReportMetric(float64(peak)/1e6, "peak-MB")
		b.StartTimer()
	}
	return out
}

// starter returns what starts and ends an engine: the binary, or for 'make profile' a process that keeps a profile of itself.
func starter(b *testing.B) (start func(w *harness.World, name string) *harness.Process, stop func(*harness.Process)) {
	if harness.Profiles() {
		return func(w *harness.World, name string) *harness.Process { return w.StartProcess(b, name) }, (*harness.Process).Stop
	}
	binary := harness.Binary(b)
	return func(w *harness.World, name string) *harness.Process { return w.StartBinary(b, binary, name) }, (*harness.Process).Kill
}

func sendLoad(t testing.TB, w *harness.World, files [][]byte) {
	t.Helper()
	for i, f := range files {
		w.Send(t, w.Client(t, w.Config.Routes[i].Sender), fmt.Sprint(i), f)
	}
}

// awaitLoad waits until every authority has its acknowledgement.
func awaitLoad(t testing.TB, w *harness.World) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		answered := 0
		for _, r := range w.Config.Routes {
			answered += len(w.Mesh.Inbox(r.Sender))
		}
		if answered == len(w.Config.Routes) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d files are acknowledged", answered, len(w.Config.Routes))
		}
	}
}

// loadWorld makes authorities that send CP-IS XML and one that sends CSV, each with its share of the records. The children come in no order
// of their numbers, as in life.
func loadWorld(t testing.TB, senders, records int) (*harness.World, [][]byte) {
	t.Helper()
	var las []harness.LA
	for i := range senders - 1 {
		las = append(las, harness.LA{Mailbox: fmt.Sprintf("LOADLA%03d", i), Supplier: "testshire-cpisxml", ODSCode: fmt.Sprintf("L%03d", i),
			Name: fmt.Sprintf("AUTHORITY %d", i), Dialect: "cpis-xml"})
	}
	las = append(las, harness.Northshire())
	numbers := harness.Numbers(records)
	rand.New(rand.NewPCG(1, 2)).Shuffle(records, func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	var files [][]byte
	for i, la := range las {
		first, last := records*i/senders, records*(i+1)/senders
		if la.Dialect == "csv" {
			files = append(files, csvFile(numbers[first:last]))
		} else {
			files = append(files, xmlFile(t, la, numbers[first:last]))
		}
	}
	return harness.New(t, las...), files
}

func xmlFile(b testing.TB, la harness.LA, numbers []string) []byte {
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
