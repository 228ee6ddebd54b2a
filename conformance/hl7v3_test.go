package conformance_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/mesh/cpis"
)

// ask3 asks in HL7 V3 and returns the status and, for 200, the answer.
func ask3(t testing.TB, w *harness.World, token, id, number string, headers map[string]string) (int, *cpis.QueryResponseSummary) {
	t.Helper()
	var body bytes.Buffer
	harness.Must(t, cpis.EncodeQuery(&body, cpis.AccessQuery{ID: id, At: time.Now(), NHSNumber: number, By: cpis.Author{Device: &cpis.Device{
		ASID: "999000000009", Organisation: cpis.Organisation{ODSCode: "RXX99", Name: "TEST EMERGENCY DEPARTMENT"}}}}))
	all := map[string]string{"Content-Type": "text/xml"}
	for k, v := range headers {
		all[k] = v
	}
	base, _, _ := strings.Cut(w.FHIR, "/FHIR")
	status, _, raw := call(t, w, http.MethodPost, base+harness.HL7V3, token, all, body.String())
	if status != http.StatusOK {
		return status, nil
	}
	answer, err := cpis.DecodeQueryResponse(raw)
	harness.Must(t, err)
	return status, answer
}

// A query in HL7 V3 sees what a FHIR search sees, is recorded by the same rules, and the authority is told of it.
func TestAQueryInHL7V3(t *testing.T) {
	w := harness.New(t, harness.Testshire(), harness.Northshire())
	w.Start(t)
	test, north := w.Client(t, "TESTLA01"), w.Client(t, "TESTLA02")
	w.Send(t, test, "1", upload(t, "1", child(ada, "LA-1", openPlan())))
	w.Send(t, north, "2", extract(ada+",Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,A. Worker"))
	w.Receive(t, test, 1)
	w.Receive(t, north, 1)

	first := uuid.NewString()
	status, got := ask3(t, w, harness.Token, first, ada, nil)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	scheduled := map[string]string{"IsUnscheduledAccessEvent": "false"}
	_, names := careTeams(t, w, ada, scheduled)
	var seen []string
	for _, r := range got.Records {
		seen = append(seen, r.Authority.Name)
		if r.Subject.NHSNumber != ada {
			t.Error("a record is about another child")
		}
	}
	if !slices.Equal(seen, names) || got.TotalRecord != 2 || got.TotalAccesses != 0 {
		t.Errorf("HL7 V3 sees %v and %d accesses, FHIR %v", seen, got.TotalAccesses, names)
	}
	ask3(t, w, harness.Token, first, ada, nil)
	if status, got = ask3(t, w, harness.Token, uuid.NewString(), ada, scheduled); status != http.StatusOK || got.TotalAccesses != 1 ||
		got.History[0].NHSNumber != ada || got.History[0].Organisation != "RXX99" || got.History[0].Device != "999000000002" {
		t.Errorf("history after one unscheduled query, asked twice: %+v", got)
	}
	for _, box := range []string{"TESTLA01", "TESTLA02"} {
		if n := toldOf(t, w, w.Client(t, box), 1); n != 1 {
			t.Errorf("%s is told of %d accesses", box, n)
		}
	}
	if status, _ = ask3(t, w, harness.Token, uuid.NewString(), ben, nil); status != http.StatusNoContent {
		t.Errorf("a child without a flag: %d", status)
	}
	if status, _ = ask3(t, w, harness.SendToken, uuid.NewString(), ada, nil); status != http.StatusForbidden {
		t.Errorf("who may not ask: %d", status)
	}
	if status, _ = ask3(t, w, harness.Token, uuid.NewString(), "9990000019", nil); status != http.StatusBadRequest {
		t.Errorf("a bad number: %d", status)
	}
	w.Settle(t)
	if left := len(w.Mesh.Inbox("TESTLA01")) + len(w.Mesh.Inbox("TESTLA02")); left != 0 {
		t.Errorf("%d notifications too many", left)
	}
	noPersonalData(t, w)
}
