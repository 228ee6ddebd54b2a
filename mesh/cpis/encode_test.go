package cpis

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// golden reduces an example to what an encoder would write: no comment, no
// final line end.
func golden(t *testing.T, name string) string {
	body := string(example(t, name))
	from, to := strings.Index(body, "<!--"), strings.Index(body, "-->\n")
	return body[:from] + body[to+len("-->\n"):]
}

func exampleOf(t *testing.T, write func(*bytes.Buffer) error) string {
	return strings.TrimSuffix(string(encoded(t, write)), "\n")
}

func exampleUpload() Upload {
	la := "999:TESTSHIRE COUNTY COUNCIL"
	return Upload{
		CreationTime: time.Date(2026, 10, 1, 2, 0, 0, 0, testTime.Location()), FileID: "1042", Organisation: testshire,
		Records: []UploadRecord{
			{Plan{"CPP", "202609010000", "", ""}, Subject{false, "9990000018", "LA-1001", la, "20150312", "Ada", "Testone"}},
			{Plan{"LAC", "202605100000", "202609300000", ""}, Subject{false, "9990000026", "LA-1002", la, "20101120", "Ben", "Testtwo"}},
			{Plan{"UCP", "202608150000", "202612240000", ""}, Subject{true, "9990000034", "LA-1003", la, "19990102", "Cara", "Testthree"}},
			{Plan{"CPP", "202604010000", "", "202609290000"}, Subject{false, "9990000042", "LA-1004", la, "20180704", "Dev", "Testfour"}},
		},
	}
}

func TestEncodeUploadGolden(t *testing.T) {
	got := exampleOf(t, func(b *bytes.Buffer) error { return EncodeUpload(b, exampleUpload()) })
	require.Equal(t, golden(t, "upload_REPC_MT000002GB01"), got)
}

func exampleResponse(t *testing.T, bySource bool) Response {
	r := Response{CreationTime: testTime, FileID: "1042", Quantity: 4, FileCode: FilePartial, Organisation: testshire}
	source := decode(t, uploadExample(t), Limits{})
	for i, u := range exampleUpload().Records {
		rr := ResponseRecord{Valid: i < 3, Plan: &u.Plan, Subject: &u.Subject}
		if bySource {
			rr = ResponseRecord{Valid: i < 3, Source: source.records[i]}
		}
		if i == 3 {
			rr.Codes = []RecordCode{RecordNotVerified}
		}
		r.Records = append(r.Records, rr)
	}
	return r
}

func TestEncodeResponseGolden(t *testing.T) {
	for _, bySource := range []bool{true, false} {
		r := exampleResponse(t, bySource)
		got := exampleOf(t, func(b *bytes.Buffer) error { return EncodeResponse(b, r) })
		require.Equal(t, golden(t, "response_REPC_MT000003GB01"), got)
	}
}

func TestEncodeNotificationGolden(t *testing.T) {
	n := notification()
	n.Accesses = n.Accesses[:1]
	n.Accesses[0].Queries = n.Accesses[0].Queries[:1]
	n.At = time.Date(2026, 10, 1, 6, 0, 0, 0, testTime.Location())
	got := exampleOf(t, func(b *bytes.Buffer) error { return EncodeNotification(b, n) })
	require.Equal(t, golden(t, "access_notification_REPC_MT000004GB01"), got)

	n.Accesses, n.ID = nil, "7D616840-AE1A-41DB-973A-B18E1E0994CE"
	got = exampleOf(t, func(b *bytes.Buffer) error { return EncodeNotification(b, n) })
	require.Equal(t, golden(t, "access_notification_empty_REPC_MT000004GB01"), got)
}

func TestEncodeInactiveGolden(t *testing.T) {
	n := inactive()
	n.Patients = n.Patients[1:2]
	n.At = time.Date(2026, 10, 1, 6, 0, 0, 0, testTime.Location())
	got := exampleOf(t, func(b *bytes.Buffer) error { return EncodeInactive(b, n) })
	require.Equal(t, golden(t, "inactive_nhs_number_REPC_MT000005GB01"), got)
}

// What the schema refuses can not be echoed, but must still be accounted for.
func TestResponseToBrokenRecords(t *testing.T) {
	body := edit(t, uploadExample(t), "202609010000", "20260901") // record 1: schema
	body = edit(t, body, "202609300000", "202602310000")          // record 2: calendar
	got := decode(t, body, Limits{})
	r := answer(got)
	out := encoded(t, func(b *bytes.Buffer) error { return EncodeResponse(b, r) })
	require.Equal(t, out, encoded(t, func(b *bytes.Buffer) error { return EncodeResponse(b, r) }), "same input, same bytes")
	sum, err := DecodeResponse(out)
	require.NoError(t, err)
	require.Equal(t, 2, sum.Failed)
	require.Equal(t, 2, sum.Successful)
	require.Equal(t, 1, sum.InvalidEchoed)
	require.Len(t, sum.Valid, 2)
	require.Len(t, sum.Records, 2)
	require.Equal(t, "/File/record[1]", sum.Records[0].Location)
	require.Equal(t, "/FileResponse/message[1]/cP-ISLAAcknowledgementResponse/pertinentInformation1/invalidCP-ISRecord", sum.Records[1].Location)
	for i, rec := range sum.Records {
		require.Equal(t, RecordUnsuccessful, rec.Code)
		require.Equal(t, "Unsucessful Record Upload", rec.Display)
		require.Equal(t, got.records[i].Faults[0].Text, rec.Reason)
	}
}

func TestDecodeResponseExample(t *testing.T) {
	sum, err := DecodeResponse(example(t, "response_REPC_MT000003GB01"))
	require.NoError(t, err)
	require.Equal(t, []FileCode{FilePartial}, sum.Codes)
	require.Equal(t, []int{4, 1, 3, 1}, []int{sum.Quantity, sum.Failed, sum.Successful, sum.InvalidEchoed})
	require.Equal(t, "1042", sum.FileID)
	require.Equal(t, "999", sum.ODSCode)
	require.Equal(t, RecordNotVerified, sum.Records[0].Code)
	require.Equal(t, "9990000034", sum.Valid[2].NHSNumber)
	require.True(t, sum.Valid[2].Unborn)
}

func TestDecodeNotification(t *testing.T) {
	sum, err := DecodeNotification(encoded(t, func(b *bytes.Buffer) error { return EncodeNotification(b, notification()) }))
	require.NoError(t, err)
	require.Equal(t, 2, sum.Total)
	require.Equal(t, "TESTSHIRE COUNTY COUNCIL", sum.OrgName)
	require.Equal(t, AccessSummary{
		ID: "3C4C0AEF-3537-44C4-A8B5-F0C313603458", At: "20261001042233+0100", NHSNumber: "9990000018", LocalID: "LA-1001",
		Organisation: "RXX99", OrganisationName: "TEST EMERGENCY DEPARTMENT", RoleCode: "R0260", RoleName: "General Medical Practitioner",
		Person: "Dr Eve Clinician", FileID: "1042",
	}, sum.Accesses[0])
	require.Equal(t, "999000000001", sum.Accesses[1].Device)
	require.Equal(t, "Finn Tester", sum.Accesses[1].Person)
	require.Equal(t, "1043", sum.Accesses[2].FileID)

	empty, err := DecodeNotification(example(t, "access_notification_empty_REPC_MT000004GB01"))
	require.NoError(t, err)
	require.Zero(t, empty.Total)
	require.Empty(t, empty.Accesses)
}

func TestDecodeInactive(t *testing.T) {
	sum, err := DecodeInactive(encoded(t, func(b *bytes.Buffer) error { return EncodeInactive(b, inactive()) }))
	require.NoError(t, err)
	require.Equal(t, inactive().Patients, sum.Patients)
}

func TestSummariesRefuse(t *testing.T) {
	body := string(example(t, "response_REPC_MT000003GB01"))
	for name, bad := range map[string]string{
		"other message": uploadExample(t),
		"doctype":       edit(t, body, "<FileResponse ", "<!DOCTYPE a><FileResponse "),
		"truncated":     body[:len(body)-4],
		"no counts":     edit(t, body, `<failedReturnedCP-ISRecords><value value="1"/></failedReturnedCP-ISRecords>`, ""),
		"no file code":  edit(t, body, `<acknowledgementFileDetail><code code="CPF03" displayName="Partial File Upload"/></acknowledgementFileDetail>`, ""),
	} {
		_, err := DecodeResponse([]byte(bad))
		require.Error(t, err, name)
		require.True(t, strings.HasPrefix(asFault(t, err).Path, "FileResponse"), name)
	}
	_, err := DecodeNotification([]byte(body))
	require.Error(t, err)
	_, err = DecodeInactive([]byte(body))
	require.Error(t, err)
}

// An encoder must refuse rather than write what the schema refuses, and its
// error must not tell the value.
func TestEncodersRefuse(t *testing.T) {
	upload := func(change func(*Upload)) func(io.Writer) error {
		return func(w io.Writer) error { u := sample(3); change(&u); return EncodeUpload(w, u) }
	}
	response := func(change func(*Response)) func(io.Writer) error {
		return func(w io.Writer) error { r := exampleResponse(t, false); change(&r); return EncodeResponse(w, r) }
	}
	notify := func(change func(*Notification)) func(io.Writer) error {
		return func(w io.Writer) error { n := notification(); change(&n); return EncodeNotification(w, n) }
	}
	cases := map[string]func(io.Writer) error{
		"no records":         upload(func(u *Upload) { u.Records = nil }),
		"no file id":         upload(func(u *Upload) { u.FileID = "" }),
		"no time":            upload(func(u *Upload) { u.CreationTime = time.Time{} }),
		"organisation root":  upload(func(u *Upload) { u.Organisation.Root = "1.2" }),
		"no ODS code":        upload(func(u *Upload) { u.Organisation.ODSCode = "" }),
		"telephone letters":  upload(func(u *Upload) { u.Organisation.Telecoms[0].Value = "SECRET" }),
		"telephone use":      upload(func(u *Upload) { u.Organisation.Telecoms[0].Use = "SECRET" }),
		"three telephones":   upload(func(u *Upload) { u.Organisation.Telecoms = make([]Telecom, 3) }),
		"plan kind":          upload(func(u *Upload) { u.Records[0].Plan.Kind = "SECRET" }),
		"plan date":          upload(func(u *Upload) { u.Records[0].Plan.Start = "SECRET" }),
		"unborn without end": upload(func(u *Upload) { u.Records[2].Plan.End = "" }),
		"no NHS number":      upload(func(u *Upload) { u.Records[0].Subject.NHSNumber = "" }),
		"birth time":         upload(func(u *Upload) { u.Records[0].Subject.BirthTime = "SECRET" }),
		"control character":  upload(func(u *Upload) { u.Records[0].Subject.Given = "SECRET\x02" }),
		"bad UTF-8":          upload(func(u *Upload) { u.Records[0].Subject.Family = "SECRET\xff" }),
		"no character":       upload(func(u *Upload) { u.Records[0].Subject.LocalID = "SECRET\uFFFE" }),
		"file code":          response(func(r *Response) { r.FileCode = "SECRET" }),
		"record code":        response(func(r *Response) { r.Records[3].Codes = []RecordCode{"SECRET"} }),
		"valid of nothing":   response(func(r *Response) { r.Records[0] = ResponseRecord{Valid: true} }),
		"notification id":    notify(func(n *Notification) { n.ID = "SECRET" }),
		"query id":           notify(func(n *Notification) { n.Accesses[0].Queries[0].ID = "SECRET" }),
		"no queries":         notify(func(n *Notification) { n.Accesses[0].Queries = nil }),
		"no author":          notify(func(n *Notification) { n.Accesses[0].Queries[0].By = Author{} }),
		"device id":          notify(func(n *Notification) { n.Accesses[0].Queries[1].By.Device.ASID = "SECRET" }),
		"role code":          notify(func(n *Notification) { n.Accesses[0].Queries[0].By.Person.RoleCode = "SECRET X" }),
		"name use":           notify(func(n *Notification) { n.Accesses[0].Queries[0].By.Person.Name.Use = "SECRET" }),
		"no upload file":     notify(func(n *Notification) { n.Accesses[0].FileID = "" }),
		"no patients":        func(w io.Writer) error { n := inactive(); n.Patients = nil; return EncodeInactive(w, n) },
		"replacement": func(w io.Writer) error {
			n := inactive()
			n.Patients[2].Replacements[1] = ""
			return EncodeInactive(w, n)
		},
		"writer": func(io.Writer) error {
			r, w := io.Pipe()
			_ = r.Close()
			return EncodeUpload(w, sample(1))
		},
	}
	for name, write := range cases {
		t.Run(name, func(t *testing.T) {
			err := write(io.Discard)
			require.Error(t, err)
			require.True(t, strings.HasPrefix(err.Error(), "cpis: encode "), err.Error())
			require.NotContains(t, err.Error(), "SECRET")
		})
	}
}

func TestCodesHaveTheirWords(t *testing.T) {
	require.Equal(t, "PDS Error - PDS Unavailable", FilePDSDown.Display())
	require.Equal(t, "Unsucessful Record Upload", RecordUnsuccessful.Display())
	require.Empty(t, FileCode("CPF07").Display())
	require.Empty(t, RecordCode("CPR08").Display())
}
