package conformance_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/mappings"
	"signalbox/mesh"
	"signalbox/mesh/cpis"
)

// upload is a CP-IS XML file of Testshire with the given records.
func upload(t testing.TB, fileID string, records ...cpis.UploadRecord) []byte {
	t.Helper()
	la := harness.Testshire()
	var buf bytes.Buffer
	harness.Must(t, cpis.EncodeUpload(&buf, cpis.Upload{
		CreationTime: time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC), FileID: fileID, Records: records,
		Organisation: cpis.Organisation{ODSCode: la.ODSCode, Name: la.Name,
			Telecoms: []cpis.Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}},
	}))
	return buf.Bytes()
}

func child(number, local string, plan cpis.Plan) cpis.UploadRecord {
	return cpis.UploadRecord{Plan: plan, Subject: cpis.Subject{NHSNumber: number, LocalID: local,
		AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL", BirthTime: "20150312", Given: "Ada", Family: "Testone"}}
}

func openPlan() cpis.Plan { return cpis.Plan{Kind: cpis.PlanChildProtection, Start: "202609010000"} }

// extract is a CSV file of Northshire with the given rows.
func extract(rows ...string) []byte {
	const header = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n"
	return []byte(header + strings.Join(rows, "\r\n") + "\r\n")
}

func response(t testing.TB, l harness.Letter) *cpis.ResponseSummary {
	t.Helper()
	r, err := cpis.DecodeResponse(l.Body)
	harness.Must(t, err)
	return r
}

func notification(t testing.TB, l harness.Letter) *cpis.NotificationSummary {
	t.Helper()
	n, err := cpis.DecodeNotification(l.Body)
	harness.Must(t, err)
	return n
}

// careTeams asks about a child and returns status and the names of the authorities in the answer.
func careTeams(t testing.TB, w *harness.World, number string, headers map[string]string) (int, []string) {
	t.Helper()
	q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + number}}
	status, body := w.Ask(t, httpClient(t), http.MethodGet, "/CareTeam?"+q.Encode(), harness.Token, headers, nil)
	var b struct {
		Total int
		Entry []struct{ Resource struct{ Name string } }
	}
	harness.Must(t, json.Unmarshal(body, &b))
	var names []string
	for _, e := range b.Entry {
		names = append(names, e.Resource.Name)
	}
	if status == http.StatusOK && b.Total != len(names) {
		t.Errorf("total %d, %d entries", b.Total, len(names))
	}
	return status, names
}

func httpClient(t testing.TB) *http.Client {
	c := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func csvRows(t testing.TB, body []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	harness.Must(t, err)
	return rows[1:]
}

func sendAttendance(t testing.TB, w *harness.World, number, encounter, token string) (int, []byte) {
	t.Helper()
	raw, err := fs.ReadFile(mappings.Embedded(), "testshire-trust-fhir/sample/attendance.json")
	harness.Must(t, err)
	body := strings.NewReplacer(ada, number, "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", encounter).Replace(string(raw))
	return w.Ask(t, httpClient(t), http.MethodPost, "/$process-message", token, map[string]string{"Content-Type": "application/fhir+json"}, []byte(body))
}

// noPersonalData looks for every datum of the test's persons in everything that the engine logged.
func noPersonalData(t testing.TB, w *harness.World) {
	t.Helper()
	log := w.Log.String()
	if !strings.Contains(log, "file collected") {
		t.Error("the engine logged nothing of its work")
	}
	for _, datum := range []string{ada, ben, "999000", "Testone", "Zoë", "2015-03-12", "20150312", "12/03/2015", "LA-1", "NS-1", "Robin", "Casey"} {
		if i := strings.Index(log, datum); i >= 0 {
			t.Errorf("the log holds the datum %q: …%s…", datum, log[max(0, i-80):min(len(log), i+40)])
		}
	}
}

// toldOf receives notifications until they tell of at least n accesses, and returns of how many.
func toldOf(t testing.TB, w *harness.World, box *mesh.Client, n int) int {
	t.Helper()
	total := 0
	for total < n {
		for _, l := range w.Receive(t, box, 1) {
			total += len(notification(t, l).Accesses)
		}
	}
	return total
}
