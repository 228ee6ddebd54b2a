package conformance_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/pipeline"
	"signalbox/mesh/cpis"
)

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
