package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"signalbox/conformance/harness"
	"signalbox/fhir/pds/twin"
)

// shown writes what a command prints with every time and id replaced, and without the blanks that only align columns.
func shown(t *testing.T, args ...string) string {
	t.Helper()
	_, out := atDeskOf(t, args...)
	for _, r := range [][2]string{{`\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`, "TIME"}, {`\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b`, "ID"}, {` {2,}`, " | "}, {`(?m) \|? ?$`, ""}} {
		out = regexp.MustCompile(r[0]).ReplaceAllString(out, r[1])
	}
	return out
}

const head = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n"

// What an operator reads at the desk about one authority: a child absent from a full refresh, one without a name, one whose number was replaced, an
// access that is told.
func TestWhatTheOperatorReads(t *testing.T) {
	w := harness.New(t, harness.Northshire())
	w.Config.Routes[0].FullRefresh = true
	w.Config.PDS.Mode, w.Config.PDS.PerSecond = "twin", 1000
	w.Config.PDS.Patients = []twin.Patient{
		{NHSNumber: "9990000018", Given: "Ada", Family: "Testone", BirthDate: "2015-03-12"}, {NHSNumber: "9990000034", Given: "Ben", Family: "Testone", BirthDate: "2016-03-12"},
		{NHSNumber: "9990000042", SupersededBy: "9990000026"}, {NHSNumber: "9990000026", Given: "Cy", Family: "Testone", BirthDate: "2017-03-12"},
	}
	w.Start(t)
	ada, ben := "9990000018,Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,A. Worker\r\n", "9990000034,Ben,Testone,12/03/2016,L,04/01/2026,,,NS-2,L,A. Worker\r\n"
	box := w.Client(t, "TESTLA02")
	w.Send(t, box, "1", []byte(head+ada+ben))
	w.Receive(t, box, 1)
	w.Send(t, box, "2", []byte(head+ben+",Nemo,Testone,12/03/2015,L,04/01/2026,,,,L,A. Worker\r\n9990000042,Cy,Testone,12/03/2017,L,04/01/2026,,,NS-4,L,A. Worker\r\n"))
	w.Receive(t, box, 1)
	if status, _ := w.Ask(t, http.DefaultClient, http.MethodGet, "/PatientFlag?patient=9990000018", harness.Token, nil, nil); status != http.StatusOK {
		t.Fatalf("the query is answered with %d", status)
	}
	w.Receive(t, box, 1) // the notification: MESH is asked a quarter of an hour later whether it was collected
	w.Settle(t)
	w.Config.PDS.TwinPatients = w.Dir // the desk asks nobody, and a file of the configuration cannot hold patients
	file := w.File(t, "desk")
	for command, want := range map[string]string{
		"tasks ls": `ID | KIND | LA | OPENED | CLOSED | MESSAGE | RECORD
1 | superseded | 998 | TIME | - | ID | 3
`,
		"notifications ls": `ID | LA | PLANNED | ACCESSES | STATE | FIRST SENT | COLLECTED | ROUND | REASON
signalbox-notification-ID | 998 | TIME | 1 | waiting | TIME | - | 1
`,
		"protected --la 998": `MESSAGE | RECORD | SINCE | WHY | REASON | WHAT TO DO
ID | 2 | TIME | rejected | mandatory: column nhs_no, line 3:1: subject.nhsNumber: the value is missing or empty | mend the record as the reason says and send it again, then tell the operator of the engine: it cannot be seen which child it is, so a person has to take this line off
ID | 3 | TIME | suspended | pds-superseded: subject.nhsNumber, line 4:1: the NHS number was replaced by another: confirm the child's number with PDS, and upload under that | confirm the child's NHS number with PDS and send the child under that; the operator of the engine then closes the task
`,
		"silence": `KIND | SENDER | STATE | LAST HEARD | SILENT SINCE | DUE BY | WHY
`,
	} {
		if got := shown(t, append(strings.Fields(command), "--config", file)...); got != want {
			t.Errorf("signalbox %s\ngot:\n%s\nwant:\n%s", command, got, want)
		}
	}
	_, absent, _ := command(t, "absent", "--la", "998", "--config", file) // it names children by the authority's own ids
	if got := regexp.MustCompile(`TIME|\d{4}\S+Z|[0-9a-f]{16}`).ReplaceAllString(absent, "X"); !strings.Contains(got, "of X: 1 flags were not in it\nNS-1  looked-after  event X") {
		t.Errorf("signalbox absent\n%s", absent)
	}
	silent := shown(t, "silence", "--all", "--config", file)
	for _, want := range []string{"file | 998 | learning | TIME | - | TIME | heard twice in 1 day: too little to know when it comes", "mailbox | 998 | learning | - | - | - | collected 0 times", "poll | SIGNALBOX1 | heard | TIME", "asking | both |"} {
		if !strings.Contains(silent, want) {
			t.Errorf("signalbox silence --all does not print %q:\n%s", want, silent)
		}
	}
	expect(t, exitDifferent, []string{"file", "silent", "nothing since"}, "silence", "--config", file, "--at", "2030-01-02T09:00:00Z")
	expect(t, exitDifferent, []string{"THE BANK HOLIDAYS OF 2030 ARE NOT KNOWN"}, "silence", "--config", file, "--at", "2030-01-02T09:00:00Z")
	expect(t, exitFailed, []string{"--at is not a time"}, "silence", "--config", file, "--at", "today")
	answer(t, file)
}

// answer takes the nameless record off the list, once.
func answer(t *testing.T, file string) {
	t.Helper()
	_, list := atDeskOf(t, "protected", "--la", "998", "--config", file)
	message := regexp.MustCompile(`(?m)^([0-9a-f]{16})  2 `).FindStringSubmatch(list)
	if message == nil {
		t.Fatalf("the list names no message:\n%s", list)
	}
	args := []string{"protected", "answer", "--la", "998", "--config", file, "--message", message[1], "--note", "sent again, says the authority", "--record"}
	expect(t, exitFailed, []string{"no record without a name"}, append(args, "3")...)
	expect(t, exitOK, []string{"answered for: 1"}, append(args, "2")...)
	expect(t, exitFailed, []string{"no record without a name"}, append(args, "2")...)
	expect(t, exitDifferent, []string{"suspended"}, "protected", "--la", "998", "--config", file)
	if _, list := atDeskOf(t, "protected", "--la", "998", "--config", file); strings.Contains(list, "mandatory") {
		t.Errorf("the record is still there:\n%s", list)
	}
	expect(t, exitFailed, []string{"8 characters"}, "protected", "answer", "--la", "998", "--message", "x", "--record", "1", "--note", "x", "--config", file)
}
