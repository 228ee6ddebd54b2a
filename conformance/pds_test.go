package conformance_test

import (
	"strings"
	"testing"

	"signalbox/conformance/harness"
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
	for _, number := range []string{ada, nobody, restricted, replaced, gone, other} {
		if strings.Contains(w.Log.String(), number) {
			t.Error("a number is in the log")
		}
	}
}
