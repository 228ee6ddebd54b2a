package conformance_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/notify"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/store"
	"signalbox/fhir/pds/twin"
	"signalbox/mesh/cpis"
)

// Each answer of PDS reaches the authority as its code, end to end: file in, real client, twin, acknowledgement out.
func TestWhatPDSSaysReachesTheAcknowledgement(t *testing.T) {
	const nobody, restricted, replaced, gone, other = "9990000050", "9990000034", "9990000026", "9990000042", "9990000069"
	w := harness.New(t, harness.Testshire())
	const given, family, born = "Ada", "Testone", "2015-03-12" // of every child of upload
	w.Config.PDS.Mode, w.Config.PDS.PerSecond = "twin", 1000
	w.Config.PDS.Patients = []twin.Patient{
		{NHSNumber: ada, Given: given, Family: family, BirthDate: born},
		{NHSNumber: restricted, Given: given, Family: family, BirthDate: born, Security: "R"},
		{NHSNumber: replaced, SupersededBy: ada}, {NHSNumber: gone, Invalidated: true},
		{NHSNumber: other, Given: given, Family: "Testother", BirthDate: born},
	}
	w.Config.Routes[0].Workflows.Inactive = "TEST_CPIS_INACTIVE"
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "1042", upload(t, "1042", child(ada, "LA-1", openPlan()), child(nobody, "LA-2", openPlan()), child(restricted, "LA-3", openPlan()),
		child(replaced, "LA-4", openPlan()), child(gone, "LA-5", openPlan()), child(other, "LA-6", openPlan())))
	var ack *cpis.ResponseSummary
	inactive := 0
	for _, l := range w.Receive(t, box, 3) {
		if strings.Contains(l.Header.LocalID+l.Header.FileName, "999000") {
			t.Errorf("a number is in a header: %+v", l.Header)
		}
		if l.Header.WorkflowID == "TEST_CPIS_INACTIVE" {
			inactive++
			continue
		}
		ack = response(t, l)
	}
	if inactive != 2 || ack == nil {
		t.Fatalf("%d notices of inactive numbers, want 2", inactive)
	}
	if ack.Codes[0] != cpis.FilePartial || ack.Successful != 1 || ack.Failed != 5 {
		t.Errorf("acknowledgement: %+v", ack)
	}
	var codes []string
	for _, r := range ack.Records {
		codes = append(codes, string(r.Code))
	}
	if got := strings.Join(codes, " "); got != "CPR01 CPR02 CPR05 CPR03 CPR03" {
		t.Errorf("codes: %s", got)
	}
	// Whom PDS refuses is protected by nobody, and the authority's list says so: a suspended number by its own reason.
	w.Settle(t)
	unprotected(t, w, "999", "mesh/SIGNALBOX1/TESTLA01", map[string]string{"LA-2": "rejected", "LA-3": "rejected", "LA-4": "suspended", "LA-5": "suspended", "LA-6": "rejected"})
	for _, number := range []string{ada, nobody, restricted, replaced, gone, other} {
		if strings.Contains(w.Log.String(), number) {
			t.Error("a number is in the log")
		}
	}
}

// desk is a PDS that can be away, and that says of one number that it is none.
type desk struct {
	http.Handler
	away atomic.Bool
	bad  string
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case d.away.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case strings.HasSuffix(r.URL.Path, d.bad):
		w.Header().Set("Content-Type", "application/fhir+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value","details":{"coding":[{"code":"INVALID_RESOURCE_ID"}]}}]}`)
	default:
		d.Handler.ServeHTTP(w, r)
	}
}

// PDS is away: the authority is told CPF05 and nothing is lost. When it is back the file goes on by itself, and each child has its outcome: one
// matches (CPR06, by the file's CPF03), one number is refused by PDS as none and one by its check digit (CPR04).
func TestPDSAwayAndBadNumbers(t *testing.T) {
	const none = "9990000050"
	pds := &desk{bad: none, Handler: twin.New(twin.Config{Patients: []twin.Patient{{NHSNumber: ada, Given: "Ada", Family: "Testone", BirthDate: "2015-03-12"}}})}
	pds.away.Store(true)
	server := httptest.NewServer(pds)
	t.Cleanup(server.Close)
	w := harness.New(t, harness.Testshire())
	w.Config.PDS.Mode, w.Config.PDS.URL, w.Config.PDS.PerSecond, w.Config.PDS.TellAfter = "live", server.URL+twin.BasePath, 1000, 0
	w.Rhythm = func(c *pipeline.Config) { c.Trace.Again = 200 * time.Millisecond }
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "1", upload(t, "1", child(ada, "LA-1", openPlan()), child(none, "LA-2", openPlan()), child("9990000019", "LA-3", openPlan())))
	if ack := response(t, w.Receive(t, box, 1)[0]); ack.Codes[0] != cpis.FilePDSDown || ack.Successful+ack.Failed != 0 {
		t.Fatalf("while PDS is away: %+v", ack)
	}
	pds.away.Store(false)
	ack := response(t, w.Receive(t, box, 1)[0])
	if ack.Codes[0] != cpis.FilePartial || ack.Successful != 1 || len(ack.Records) != 2 || ack.Records[0].Code != cpis.RecordBadFormat || ack.Records[1].Code != cpis.RecordBadFormat {
		t.Errorf("after PDS came back: %+v", ack)
	}
	w.Settle(t)
	if _, names := careTeams(t, w, ada, nil); len(names) != 1 {
		t.Errorf("%d authorities flag the child", len(names))
	}
	unprotected(t, w, "999", "mesh/SIGNALBOX1/TESTLA01", map[string]string{"LA-2": notify.WhyRejected, "LA-3": notify.WhyRejected})
}

// unprotected holds an authority's list against what is wanted, by its own ids.
func unprotected(t *testing.T, w *harness.World, la, source string, want map[string]string) {
	t.Helper()
	reg, err := register.New(register.Default())
	harness.Must(t, err)
	all, err := notify.NotProtected(t.Context(), w.State.Store, reg, la, source, time.Time{})
	harness.Must(t, err)
	got := map[string]string{}
	for _, u := range all {
		got[u.Child.LocalID.Reveal()] = u.Why
	}
	if !maps.Equal(got, want) {
		t.Errorf("the list of %s is %v, want %v", la, got, want)
	}
}

// A child without an NHS number is looked for where that is configured: what is found opens one task, however often the record comes, and is taken
// over by nobody. Whom PDS does not know, knows twice, or restricts, is not found.
func TestAMissingNumberIsSearchedForAndConfirmedByAPerson(t *testing.T) {
	const found, restricted = "9990000026", "9990000034"
	for _, search := range []bool{true, false} {
		w := harness.New(t, harness.Northshire())
		w.Config.PDS.Mode, w.Config.PDS.PerSecond, w.Config.PDS.Search = "twin", 1000, search
		w.Config.PDS.Patients = []twin.Patient{
			{NHSNumber: found, Given: "Ben", Family: "Testtwo", BirthDate: "2016-04-13"}, {NHSNumber: restricted, Given: "Cy", Family: "Testthree", BirthDate: "2017-05-14", Security: "R"},
			{NHSNumber: "9990000042", Given: "Di", Family: "Testfour", BirthDate: "2018-06-15"}, {NHSNumber: "9990000050", Given: "Di", Family: "Testfour", BirthDate: "2018-06-15"},
		}
		w.Start(t)
		box := w.Client(t, "TESTLA02")
		row := func(number, given, family, born, id string) string {
			return strings.Join([]string{number, given, family, born, "L", "04/01/2026", "", "", id, "L", "A. Worker"}, ",") + "\r\n"
		}
		file := "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n" +
			row("", "Ben", "Testtwo", "13/04/2016", "NS-1") + row("", "Cy", "Testthree", "14/05/2017", "NS-2") + row("", "Di", "Testfour", "15/06/2018", "NS-3") +
			row("", "Nemo", "Testnobody", "15/06/2018", "NS-4") + row("9990000019", "Ben", "Testtwo", "13/04/2016", "NS-5")
		for _, id := range []string{"1", "2"} {
			w.Send(t, box, id, []byte(file))
			w.Receive(t, box, 1)
		}
		w.Settle(t)
		tasks, err := w.State.Store.Tasks(t.Context(), true)
		harness.Must(t, err)
		if want := map[bool]int{true: 1}[search]; len(tasks) != want {
			t.Fatalf("search %v: %d tasks, want %d", search, len(tasks), want)
		}
		if search && (tasks[0].Kind != store.TaskFound || tasks[0].NHSNumber.Reveal() != found || tasks[0].Position != 1 || tasks[0].Authority != "998") {
			t.Errorf("the task is %s of record %d", tasks[0].Kind, tasks[0].Position)
		}
		if _, names := careTeams(t, w, found, nil); len(names) != 0 {
			t.Error("the number that was found was taken over")
		}
		unprotected(t, w, "998", "mesh/SIGNALBOX1/TESTLA02", map[string]string{"NS-1": "rejected", "NS-2": "rejected", "NS-3": "rejected", "NS-4": "rejected", "NS-5": "rejected"})
		if strings.Contains(w.Log.String(), found) {
			t.Error("a number is in the log")
		}
	}
}
