package day

import (
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/mappings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Variables of a run: the share of the full figures, 1 for all of England, and the seed of an earlier run.
const (
	shareVariable = "SIGNALBOX_DAY"
	seedVariable  = "SIGNALBOX_DAY_SEED"
	// A share that continuous integration can afford.
	smallShare = 0.02
)

// TestNationalDay is the day: files in the morning, changes and questions through it, kills in the middle, and at its end everything asked
// and compared.
func TestNationalDay(t *testing.T) {
	share, seed := smallShare, uint64(time.Now().UnixNano())
	for name, set := range map[string]func(string) (err error){
		shareVariable: func(s string) (err error) { share, err = strconv.ParseFloat(s, 64); return err },
		seedVariable:  func(s string) (err error) { seed, err = strconv.ParseUint(s, 10, 64); return err },
	} {
		if text := os.Getenv(name); text != "" {
			if err := set(text); err != nil || share <= 0 || share > 1 {
				t.Fatalf("%s: want a number; the share is above 0 and at most 1", name)
			}
		}
	}
	size := full(share)
	t.Logf("seed: %s=%d", seedVariable, seed)
	t.Logf("%d authorities, %d children, %d settings, %d questions, 3%% bad records, %d kills", size.las, size.children, size.settings, size.queries, size.kills)
	start := time.Now()
	d := newDay(t, england(seed, size, start), size, seed)
	d.start(t)
	d.morning(t)
	d.phase(t, "the morning's files are answered", start)
	d.through(t)
	d.phase(t, "the day's files and questions are answered", start)
	d.await(t)
	d.kill(t)
	d.start(t)
	d.evening(t)
	d.phase(t, "everybody has been asked about", start)
	d.await(t)
	d.close(t)
	d.protected(t)
	t.Logf("%s", d.m.report())
	t.Logf("the day took %s; the engine %s of processor time and %d MB of memory at most, over %d processes; the record %d MB",
		time.Since(start).Round(time.Second), d.cpu.Round(10*time.Millisecond), d.peak/1e6, d.processes, d.recordSize(t)/1e6)
	for _, f := range d.m.faults {
		t.Error(f)
	}
	d.complete(t)
}

// day is the running world of one national day.
type day struct {
	w      *harness.World
	m      *model
	x      *trust
	size   figures
	rng    *rand.Rand
	binary string

	engine    *harness.Process
	peak      int64
	cpu       time.Duration
	processes int
	killed    int
	logs      int // bytes read for personal data

	stop    chan struct{}
	workers sync.WaitGroup
	next    map[string]int // the next setting that looks at a person
}

// newDay builds the world around the engine: mailboxes, suppliers' folders, tokens.
func newDay(t *testing.T, m *model, size figures, seed uint64) *day {
	t.Helper()
	var las []harness.LA
	for _, la := range m.las {
		dialect := "cpis-xml"
		if la.csv {
			dialect = "csv"
		}
		las = append(las, harness.LA{Mailbox: la.mailbox, Supplier: la.supplier, ODSCode: la.ods, Name: la.name, Dialect: dialect})
	}
	d := &day{w: harness.New(t, las...), m: m, size: size, rng: rand.New(rand.NewPCG(seed, 11)), binary: harness.Binary(t), stop: make(chan struct{}),
		next: map[string]int{}}
	c := &d.w.Config
	c.Suppliers = suppliers(t, m.las)
	c.Store.Lease, c.Stream.Reconcile = app.Duration(time.Second), app.Duration(2*time.Second)
	for i, la := range m.las {
		r := &c.Routes[i]
		r.Authority.OfficeHours, r.Authority.EmergencyDuty = la.office, la.duty
		if la.toldInCSV {
			r.Notifications = "csv"
		}
		if r.Urgent = la.urgent; !la.urgent {
			r.Window = app.Duration(time.Second)
		}
	}
	c.Trusts = nil
	for _, s := range m.settings {
		rights := []string{"query", "send"}
		if s.sends {
			rights = rights[1:]
		}
		c.Trusts = append(c.Trusts, app.Trust{Name: s.name, ODSCode: s.ods, Display: "SETTING " + s.ods, DeviceID: "999000000002", Setting: "emergency",
			Token: app.Held(s.token), Rights: rights, Supplier: "testshire-trust-fhir"})
	}
	c.Listen.FHIR = harness.FreePort(t)
	base := "http://" + c.Listen.FHIR
	d.x = &trust{m: m, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}, base: base + "/FHIR/R4",
		hl7v3: base + harness.HL7V3, message: attendance(t)}
	t.Cleanup(d.x.client.CloseIdleConnections)
	d.collect(t)
	return d
}

// suppliers writes a supplier's folder for each authority that sends CSV: the sample's, under another authority's name.
func suppliers(t *testing.T, las []*authority) string {
	t.Helper()
	root := t.TempDir()
	for _, la := range las {
		if !la.csv {
			continue
		}
		other := strings.NewReplacer("supplier: northshire-csv", "supplier: "+la.supplier, `"998"`, `"`+la.ods+`"`, "NORTHSHIRE COUNTY COUNCIL", la.name,
			"01632 960101", la.office, "01632 960102", la.duty)
		for _, name := range []string{"mapping.yaml", "source.yaml", "tables/plan-type.csv"} {
			raw, err := fs.ReadFile(mappings.Embedded(), "northshire-csv/"+name)
			path := filepath.Join(root, la.supplier, name)
			harness.Must(t, err, os.MkdirAll(filepath.Dir(path), 0o700))
			harness.Must(t, os.WriteFile(path, []byte(other.Replace(string(raw))), 0o600))
		}
	}
	return root
}

// attendance is a supplier's sample message with its particulars left open.
func attendance(t *testing.T) string {
	t.Helper()
	raw, err := fs.ReadFile(mappings.Embedded(), "testshire-trust-fhir/sample/attendance.json")
	harness.Must(t, err)
	return strings.NewReplacer("9990000018", "NUMBER", "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", "ENCOUNTER", "2026-03-14T22:41:00+00:00", "STARTED",
		"TST01", "ORGANISATION").Replace(string(raw))
}

func (d *day) phase(t *testing.T, what string, start time.Time) {
	t.Helper()
	t.Logf("%6s: %s (%d kills so far)", time.Since(start).Round(time.Second), what, d.killed)
}

// start runs the engine, and kill ends it as kill -9 does.
func (d *day) start(t *testing.T) {
	t.Helper()
	d.processes++
	d.engine = d.w.StartBinary(t, d.binary, "day")
}

func (d *day) kill(t *testing.T) {
	t.Helper()
	u := d.engine.Usage(t)
	d.peak, d.cpu = max(d.peak, u.Peak), d.cpu+u.CPU
	d.engine.Kill()
	d.killed++
	d.noNumbers(t)
}

var tenDigits = regexp.MustCompile(`\b999\d{7}\b`)

// noNumbers looks for NHS numbers in what the engine logged.
func (d *day) noNumbers(t *testing.T) {
	t.Helper()
	log := d.engine.Log.String()
	d.logs += len(log)
	for _, n := range tenDigits.FindAllString(log, 3) {
		if len(d.m.rows[n]) > 0 {
			t.Error("the log holds an NHS number")
		}
	}
}

func (d *day) recordSize(t *testing.T) int64 {
	t.Helper()
	var all int64
	files, err := filepath.Glob(d.w.Config.Store.Path + "*")
	harness.Must(t, err)
	for _, f := range files {
		info, err := os.Stat(f)
		harness.Must(t, err)
		all += info.Size()
	}
	return all
}

// morning sends every authority's first file, and kills the engine while it works on them.
func (d *day) morning(t *testing.T) {
	kills := d.size.kills / 4
	every := len(d.m.las) / (kills + 1)
	for i, la := range d.m.las {
		d.send(t, la)
		if i%every == every-1 && d.killed < kills {
			d.kill(t)
			d.start(t)
		}
	}
	d.until(t, "acknowledgements of the morning", func() bool { acks, _ := d.m.waiting(); return acks == 0 })
}

// send sends an authority's next file.
func (d *day) send(t *testing.T, la *authority) {
	t.Helper()
	d.m.mu.Lock()
	f := la.files[la.sent]
	la.sent++
	d.m.mu.Unlock()
	local := f.id
	d.w.Send(t, d.w.Client(t, la.mailbox), local, f.body(time.Now()))
}

// until waits for what the engine owes, for as long as something comes.
func (d *day) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	news, before := time.Now(), d.m.tallied()
	for ; !done(); time.Sleep(200 * time.Millisecond) {
		if now := d.m.tallied(); now != before {
			news, before = time.Now(), now
		}
		if time.Since(news) > patience {
			acks, notices := d.m.waiting()
			t.Fatalf("nothing came for %s, and there is still to wait for %s: %d acknowledgements and %d notices are missing; %q; the end of the log: %s",
				patience, what, acks, notices, d.m.faults, tail(d.engine.Log.String()))
		}
	}
}

func tail(log string) string { return log[max(0, len(log)-3000):] }

// await waits for every acknowledgement and every notice.
func (d *day) await(t *testing.T) {
	d.m.phaseEnds()
	d.until(t, "the last notices", func() bool { acks, notices := d.m.waiting(); return acks+notices == 0 })
}

// close ends the engine and the authorities, and compares what is left.
func (d *day) close(t *testing.T) {
	t.Helper()
	quiet, before := time.Now(), d.m.tallied()
	for began := quiet; time.Since(quiet) < 3*time.Second; time.Sleep(100 * time.Millisecond) { // longer than any window: a second word would have come
		if now := d.m.tallied(); now != before {
			before, quiet = now, time.Now()
		}
		if time.Since(began) > patience {
			t.Error("everything has been told, and letters keep coming")
			break
		}
	}
	close(d.stop)
	d.workers.Wait()
	d.kill(t)
	d.m.close()
}

func (m *model) tallied() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.checked.letters + m.checked.files
}

// complete fails a day on which something was never tried: a check that compares nothing passes for ever.
func (d *day) complete(t *testing.T) {
	t.Helper()
	c := d.m.checked
	for what, n := range map[string]int{"files": c.files, "refused records": c.refused, "states": c.states - d.size.children/2, "answers": c.answers - d.size.queries/2,
		"histories": c.histories, "children in the lists": c.unprotected, "notices": c.notices, "refused questions": c.refusedQueries, "questions asked again": c.retried, "kills": d.killed - d.size.kills,
		"bytes of log": d.logs} {
		if n <= 0 {
			t.Errorf("too few %s were seen: %d", what, n)
		}
	}
	most := 0
	for _, by := range d.m.looks {
		most = max(most, len(by))
	}
	if most <= 25 {
		t.Errorf("no history grew over its 25: the longest has %d", most)
	}
	t.Logf("%d letters of acknowledgement and %d of notification; the longest history has %d accesses; no NHS number in %d MB of log", c.files, c.letters, most, d.logs/1e6)
}
