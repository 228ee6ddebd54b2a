package conformance_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
	"signalbox/engine/pipeline"
	"signalbox/mappings"
	"signalbox/mesh"
	"signalbox/mesh/cpis"
	"signalbox/mesh/meshserver"
)

const (
	ada = "9990000018"
	ben = "9990000026"
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

func TestTheSixSteps(t *testing.T) {
	w := harness.New(t, harness.Testshire(), harness.Northshire())
	w.Start(t)
	test, north := w.Client(t, "TESTLA01"), w.Client(t, "TESTLA02")

	// 1-3: both authorities flag the child, each in its own dialect, and hear that it stands.
	w.Send(t, test, "1042", upload(t, "1042", child(ada, "LA-1", openPlan())))
	w.Send(t, north, "77", extract(ada+",Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,A. Worker"))
	ack := response(t, w.Receive(t, test, 1)[0])
	if ack.Codes[0] != cpis.FileAccepted || ack.FileID != "1042" || ack.Quantity != 1 || ack.Successful != 1 || ack.Failed != 0 {
		t.Errorf("acknowledgement: %+v", ack)
	}
	rows := csvRows(t, w.Receive(t, north, 1)[0].Body)
	if len(rows) != 1 || rows[0][1] != "accepted" {
		t.Errorf("acknowledgement: %v", rows)
	}

	// 4: the trust sees both.
	status, names := careTeams(t, w, ada, nil)
	if status != http.StatusOK || fmt.Sprint(names) != "[NORTHSHIRE COUNTY COUNCIL TESTSHIRE COUNTY COUNCIL]" {
		t.Errorf("the trust sees %v", names)
	}

	// 5: both are told of the one access.
	for _, box := range []*mesh.Client{test, north} {
		l := w.Receive(t, box, 1)[0]
		n := notification(t, l)
		if n.Total != 1 || len(n.Accesses) != 1 || n.Accesses[0].NHSNumber != ada || n.Accesses[0].Organisation != "RXX99" {
			t.Errorf("%s is told: %+v", box.MailboxID(), n)
		}
		if l.Header.WorkflowID != "TEST_CPIS_ACCESS" || strings.Contains(l.Header.LocalID+l.Header.FileName+l.Header.Subject, ada) {
			t.Errorf("header: %+v", l.Header)
		}
	}

	// 6: a message about the same child from another road has the same effect.
	status, body := sendAttendance(t, w, ada, uuid.NewString(), harness.Token)
	if status != http.StatusOK {
		t.Fatalf("message: %d %s", status, body)
	}
	for _, box := range []*mesh.Client{test, north} {
		n := notification(t, w.Receive(t, box, 1)[0])
		if len(n.Accesses) != 1 || n.Accesses[0].Organisation != "TST01" || n.Accesses[0].Person == "" {
			t.Errorf("%s is told: %+v", box.MailboxID(), n)
		}
	}
	w.Settle(t)
	noPersonalData(t, w)
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

func TestBadXMLRecordsHarmNothingBesideThem(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	bad := upload(t, "7",
		child(ada, "LA-1", openPlan()),
		child("9990000019", "LA-2", openPlan()),
		child("9990000034", "LA-3", cpis.Plan{Kind: cpis.PlanChildProtection, Start: "202602310000"}),
		child(ben, "LA-4", openPlan()))
	bad = bytes.Replace(bad, []byte(`<transmissionQuantity value="4"/>`), []byte(`<transmissionQuantity value="9"/>`), 1)
	w.Send(t, box, "7", bad)
	r := response(t, w.Receive(t, box, 1)[0])
	if r.Codes[0] != cpis.FilePartial || r.Successful != 2 || r.Failed != 2 || r.Quantity != 9 {
		t.Errorf("acknowledgement: %+v", r)
	}
	var said []string
	for _, rec := range r.Records {
		said = append(said, string(rec.Code)+" "+rec.Reason)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"record-count", "CPR04 nhs-number", "calendar"} {
		if !strings.Contains(all, want) {
			t.Errorf("the acknowledgement does not say %q:\n%s", want, all)
		}
	}
	for _, n := range []string{ada, ben} {
		if _, names := careTeams(t, w, n, nil); len(names) != 1 {
			t.Error("a good record beside bad ones does not stand")
		}
	}
}

func TestFilesThatAreNoUploads(t *testing.T) {
	w := harness.New(t, harness.Testshire(), harness.Northshire())
	w.Start(t)
	good := upload(t, "8", child(ada, "LA-1", openPlan()))
	for name, body := range map[string][]byte{
		"not XML":    []byte("minutes of a meeting"),
		"DOCTYPE":    bytes.Replace(good, []byte("<File"), []byte("<!DOCTYPE File [<!ENTITY x \"y\">]><File"), 1),
		"other root": []byte(`<Fill xmlns="urn:hl7-org:v3"/>`),
		"cut short":  good[:len(good)/3],
	} {
		box := w.Client(t, "TESTLA01")
		w.Send(t, box, name, body)
		r := response(t, w.Receive(t, box, 1)[0])
		if r.Codes[0] != cpis.FileError || len(r.Records) == 0 || r.Records[0].Location != "/File" || r.Records[0].Reason == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	box := w.Client(t, "TESTLA02")
	w.Send(t, box, "9", []byte("nhs_no;forename\r\n1;2\r\n"))
	rows := csvRows(t, w.Receive(t, box, 1)[0].Body)
	if len(rows) == 0 || rows[0][0] != "0" || rows[0][1] != "rejected" || rows[0][4] == "" {
		t.Errorf("CSV with the wrong header: %v", rows)
	}
	noPersonalData(t, w)
}

func TestBadCSVRows(t *testing.T) {
	w := harness.New(t, harness.Northshire())
	w.Start(t)
	box := w.Client(t, "TESTLA02")
	w.Send(t, box, "1", extract(
		ada+",Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,W",
		"9990000019,Ada,Testone,12/03/2015,L,04/01/2026,,,NS-2,L,W",
		ben+",Ada,Testone,12/03/2015,Q,04/01/2026,,,NS-3,L,W",
		ben+",Ada,Testone,12/03/2015,L,31/02/2026,,,NS-4,L,W",
		ben+",Ada",
		ben+",Ad\x81a,Testone,12/03/2015,L,04/01/2026,,,NS-6,L,W",
		ben+",Zo\xeb,Testone,12/03/2015,L,04/01/2026,,,NS-7,L,W",
	))
	rows := csvRows(t, w.Receive(t, box, 1)[0].Body)
	want := [][2]string{{"accepted", ""}, {"rejected", "nhs-number"}, {"parked", "code-unmapped"}, {"rejected", "date"},
		{"rejected", "column-count"}, {"rejected", "encoding"}, {"accepted", ""}}
	if len(rows) != len(want) {
		t.Fatalf("%d lines for %d rows", len(rows), len(want))
	}
	for i, row := range rows {
		if row[0] != fmt.Sprint(i+1) || row[1] != want[i][0] || row[2] != want[i][1] || (row[1] != "accepted") != (row[4] != "") {
			t.Errorf("row %d: %v, want %v", i+1, row, want[i])
		}
	}
	noPersonalData(t, w)
}

func TestFileSentTwiceChangesNothing(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	body := upload(t, "5", child(ada, "LA-1", openPlan()))
	for range 2 {
		w.Send(t, box, "5", body)
		if r := response(t, w.Receive(t, box, 1)[0]); r.Codes[0] != cpis.FileAccepted {
			t.Errorf("acknowledgement: %v", r.Codes)
		}
	}
	if _, names := careTeams(t, w, ada, nil); len(names) != 1 {
		t.Errorf("%d flags after the same file twice", len(names))
	}
}

// A mailbox speaks for its own authority only, and a stranger's file is kept, not read.
func TestNobodyFlagsInAnothersName(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Config.Routes[0].Authority.ODSCode = "997"
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan())))
	r := response(t, w.Receive(t, box, 1)[0])
	if r.Codes[0] != cpis.FileUnsuccessful || !strings.Contains(r.Records[0].Reason, pipeline.RuleAuthority) {
		t.Errorf("acknowledgement: %+v", r)
	}
	w.Send(t, w.Client(t, "STRANGER"), "6", upload(t, "6", child(ben, "LA-1", openPlan())))
	for !strings.Contains(w.Log.String(), "message has no route") {
		time.Sleep(10 * time.Millisecond)
	}
	w.Settle(t)
	for _, n := range []string{ada, ben} {
		if _, names := careTeams(t, w, n, nil); len(names) != 0 {
			t.Error("a flag in another's name stands")
		}
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	patient := "patient:identifier=" + url.QueryEscape("https://fhir.nhs.uk/Id/nhs-number|")
	for name, tc := range map[string]struct {
		method, path, token string
		headers             map[string]string
		want                int
	}{
		"no token":              {"GET", "/CareTeam?" + patient + ada, "", nil, 401},
		"wrong token":           {"GET", "/CareTeam?" + patient + ada, "guess", nil, 401},
		"a token for sending":   {"GET", "/CareTeam?" + patient + ada, harness.SendToken, nil, 403},
		"a token for asking":    {"POST", "/$process-message", harness.QueryToken, map[string]string{"Content-Type": "application/fhir+json"}, 403},
		"bad NHS number":        {"GET", "/CareTeam?" + patient + "9990000019", harness.Token, nil, 400},
		"no NHS number":         {"GET", "/PatientFlag", harness.Token, nil, 400},
		"odd header":            {"GET", "/CareTeam?" + patient + ada, harness.Token, map[string]string{"IsUnscheduledAccessEvent": "maybe"}, 400},
		"no such resource":      {"GET", "/Observation", harness.Token, nil, 404},
		"unknown child is fine": {"GET", "/CareTeam?" + patient + ada, harness.Token, nil, 200},
		"the statement is open": {"GET", "/metadata", "", nil, 200},
		"message that is junk":  {"POST", "/$process-message", harness.Token, map[string]string{"Content-Type": "application/fhir+json"}, 400},
	} {
		status, body := w.Ask(t, httpClient(t), tc.method, tc.path, tc.token, tc.headers, []byte("{"))
		if status != tc.want {
			t.Errorf("%s: %d, want %d: %s", name, status, tc.want, body)
		}
		if status >= 400 && !strings.Contains(string(body), `"OperationOutcome"`) {
			t.Errorf("%s: the refusal is no OperationOutcome: %s", name, body)
		}
		if status >= 400 && strings.Contains(string(body), "999000") {
			t.Errorf("%s: the refusal repeats the number", name)
		}
	}
	w.Settle(t)
	if strings.Contains(w.Log.String(), "999000001") {
		t.Error("the log holds an NHS number")
	}
}

// A scheduled access leaves no history and tells nobody; absent means unscheduled; a repeat of one query counts once.
func TestScheduledUnscheduledAndRepeatedQueries(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan())))
	w.Receive(t, box, 1)
	history := func() int {
		q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + ada}}
		_, body := w.Ask(t, httpClient(t), http.MethodGet, "/AuditEvent?"+q.Encode(), harness.Token,
			map[string]string{"IsUnscheduledAccessEvent": "false"}, nil)
		var b struct{ Total int }
		harness.Must(t, json.Unmarshal(body, &b))
		return b.Total
	}
	careTeams(t, w, ada, map[string]string{"IsUnscheduledAccessEvent": "false"})
	if n := history(); n != 0 {
		t.Errorf("a scheduled access left %d history rows", n)
	}
	trace := map[string]string{"TraceID": uuid.NewString(), "IsUnscheduledAccessEvent": "true"}
	careTeams(t, w, ada, trace)
	careTeams(t, w, ada, trace)
	careTeams(t, w, ada, nil)
	if n := history(); n != 2 {
		t.Errorf("%d history rows after two unscheduled accesses, one of them asked twice", n)
	}
	total := toldOf(t, w, box, 2)
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); total != 2 || len(left) != 0 {
		t.Errorf("told of %d accesses, %d messages more", total, len(left))
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

// Two trusts may number their encounters alike; a repeat of one message counts once.
func TestMessagesOfTwoTrustsWithOneEncounterNumber(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan())))
	w.Receive(t, box, 1)
	encounter := uuid.NewString()
	for _, token := range []string{harness.Token, harness.SendToken, harness.Token} {
		if status, body := sendAttendance(t, w, ada, encounter, token); status/100 != 2 {
			t.Fatalf("%d %s", status, body)
		}
	}
	total := toldOf(t, w, box, 2)
	w.Settle(t)
	if left := w.Mesh.Inbox("TESTLA01"); total != 2 || len(left) != 0 {
		t.Errorf("told of %d accesses, %d messages more", total, len(left))
	}
}

// A notification gathers what its window brings.
func TestNotificationsAreBatchedInTheirWindow(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Config.Routes[0].Window = app.Duration(1500 * time.Millisecond)
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan()), child(ben, "LA-2", openPlan())))
	w.Receive(t, box, 1)
	for range 3 {
		careTeams(t, w, ada, nil)
	}
	careTeams(t, w, ben, nil)
	n := notification(t, w.Receive(t, box, 1)[0])
	if n.Total != 2 || len(n.Accesses) != 4 {
		t.Errorf("one notification tells of %d children and %d accesses, want 2 and 4", n.Total, len(n.Accesses))
	}
}

// What was durable goes on after a restart, and nothing is done twice.
func TestRestartLosesNothing(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	const files = 12
	for i := range files {
		w.Send(t, box, fmt.Sprint(i), upload(t, fmt.Sprint(i+1), child(harness.Number(i), fmt.Sprint("LA-", i), openPlan())))
		if i%3 == 2 {
			w.Stop(t)
			w.Start(t)
		}
	}
	seen := map[string]int{}
	for _, l := range w.Receive(t, box, files) {
		seen[response(t, l).FileID]++
	}
	w.Settle(t)
	if len(seen) != files || len(w.Mesh.Inbox("TESTLA01")) != 0 {
		t.Errorf("%d files acknowledged, %d messages left over: %v", len(seen), len(w.Mesh.Inbox("TESTLA01")), seen)
	}
	for i := range files {
		if _, names := careTeams(t, w, harness.Number(i), nil); len(names) != 1 {
			t.Errorf("the child of file %d is not flagged", i+1)
		}
	}
	backlog, err := w.State.Store.Backlog(context.Background())
	harness.Must(t, err)
	if backlog.Quarantined != 0 {
		t.Errorf("%d events in quarantine", backlog.Quarantined)
	}
}

// A report about an undelivered message has no body; it is taken, noted and acknowledged.
func TestReportIsTaken(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "5", upload(t, "5", child(ada, "LA-1", openPlan())))
	ack := w.Receive(t, box, 1)[0]
	reportUndelivered(t, w, ack.Header.MessageID)
	for !strings.Contains(w.Log.String(), `"ours":true`) {
		time.Sleep(10 * time.Millisecond)
	}
	counts, err := w.State.Store.EffectCounts(context.Background())
	harness.Must(t, err)
	if counts["failed"] != 1 {
		t.Errorf("effects: %v", counts)
	}
}

func reportUndelivered(t testing.TB, w *harness.World, messageID string) {
	t.Helper()
	_, err := w.Mesh.PutReport(meshserver.Report{
		To: harness.Mailbox, Code: "14", Event: "SEND", Description: "Message not collected by recipient after 5 days", LinkedMessageID: messageID,
		WorkflowID: "TEST_CPIS_ACK",
	})
	harness.Must(t, err)
}
