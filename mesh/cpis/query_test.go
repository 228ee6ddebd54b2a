package cpis

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func exampleQuery() AccessQuery {
	q := notification().Accesses[0].Queries[0]
	q.ID, q.LocalID, q.AssigningAuthority = "3C4C0AEF-3537-44C4-A8B5-F0C313603458", "", ""
	return q
}

func byDevice() AccessQuery {
	q := notification().Accesses[0].Queries[1]
	q.LocalID, q.AssigningAuthority = "", ""
	return q
}

func exampleAnswer() QueryResponse {
	u := exampleUpload()
	r := QueryResponse{ID: "7D616840-AE1A-41DB-973A-B18E1E0994D0", At: testTime, History: []AccessQuery{exampleQuery(), byDevice()}}
	for _, record := range u.Records {
		record.Plan.Delete = ""
		r.Records = append(r.Records, AnswerRecord{Authority: testshire, Plan: record.Plan, Subject: record.Subject})
	}
	return r
}

func TestQueryGolden(t *testing.T) {
	const name = "query_QUPC_MT000006GB01"
	require.Equal(t, golden(t, name), exampleOf(t, func(b *bytes.Buffer) error { return EncodeQuery(b, exampleQuery()) }))
	q, err := DecodeQuery(example(t, name), Limits{})
	require.NoError(t, err)
	require.Equal(t, &Query{ID: "3C4C0AEF-3537-44C4-A8B5-F0C313603458", At: "20261001042233+0100", NHSNumber: "9990000018", By: AccessSummary{
		ID: "3C4C0AEF-3537-44C4-A8B5-F0C313603458", At: "20261001042233+0100", Organisation: "RXX99", OrganisationName: "TEST EMERGENCY DEPARTMENT",
		RoleCode: "R0260", RoleName: "General Medical Practitioner", Person: "Dr Eve Clinician"}}, q)
	q, err = DecodeQuery(encoded(t, func(b *bytes.Buffer) error { return EncodeQuery(b, byDevice()) }), Limits{})
	require.NoError(t, err)
	require.Equal(t, "999000000001 RXX98 Finn Tester", q.By.Device+" "+q.By.Organisation+" "+q.By.Person)
}

// queryMutants are changes of the example with the rule that each breaks and where.
var queryMutants = []struct{ name, old, new, rule, path string }{
	{"other root", "CP-ISQueryStub", "CP-ISQuery", RuleRoot, "CP-ISQueryStub"},
	{"other namespace", `xmlns="urn:hl7-org:v3"`, `xmlns="urn:x"`, RuleRoot, "CP-ISQueryStub"},
	{"lower case id", "3C4C0AEF", "3c4c0aef", RuleValue, "CP-ISQueryStub/cP-ISNHSQuery/id/@root"},
	{"no id", `<id root="3C4C0AEF-3537-44C4-A8B5-F0C313603458"/>`, "", RuleMissing, "CP-ISQueryStub/cP-ISNHSQuery/id"},
	{"no number", ` extension="9990000018"`, "", RuleAttributeMissing, "CP-ISQueryStub/cP-ISNHSQuery/queryByParameter/person.NHSnumber/value/@extension"},
	{"empty number", `"9990000018"`, `""`, RuleValue, "CP-ISQueryStub/cP-ISNHSQuery/queryByParameter/person.NHSnumber/value/@extension"},
	{"number with a root", `<value extension`, `<value root="2.16.840.1.113883.2.1.4.1" extension`, RuleAttribute, "CP-ISQueryStub/cP-ISNHSQuery/queryByParameter/person.NHSnumber/value/@root"},
	{"two numbers", `<value extension="9990000018"/>`, `<value extension="9990000018"/><value extension="9990000026"/>`, RuleTooMany, "CP-ISQueryStub/cP-ISNHSQuery/queryByParameter/person.NHSnumber/value[2]"},
	{"no time", `<effectiveTime value="20261001042233+0100"/>`, "", RuleMissing, "CP-ISQueryStub/cP-ISNHSQuery/effectiveTime"},
	{"bad time", "20261001042233+0100", "yesterday", RuleValue, "CP-ISQueryStub/cP-ISNHSQuery/effectiveTime/@value"},
	{"no role name", ` displayName="General Medical Practitioner"`, "", RuleAttributeMissing, "CP-ISQueryStub/cP-ISNHSQuery/author/COCT_TP145102GB01.AssignedAuthor/code/@displayName"},
	{"access event type", "</cP-ISNHSQuery>", `<accessEventType value="false"/></cP-ISNHSQuery>`, RuleElement, "CP-ISQueryStub/cP-ISNHSQuery/*"},
	{"wrong organisation root", "4.19.1", "4.19.9", RuleValue, "CP-ISQueryStub/cP-ISNHSQuery/author/COCT_TP145102GB01.AssignedAuthor/representedOrganization/id/@root"},
	{"text", "<author>", "x<author>", RuleText, "CP-ISQueryStub/cP-ISNHSQuery"},
	{"wrong order", `<author>`, `<queryByParameter/><author>`, RuleMissing, "CP-ISQueryStub/cP-ISNHSQuery/queryByParameter[1]/person.NHSnumber"},
}

func TestQueriesThatAreRefused(t *testing.T) {
	sent := golden(t, "query_QUPC_MT000006GB01")
	for _, m := range queryMutants {
		t.Run(m.name, func(t *testing.T) {
			require.Contains(t, sent, m.old)
			_, err := DecodeQuery([]byte(strings.ReplaceAll(sent, m.old, m.new)), Limits{})
			var faults QueryFaults
			require.True(t, errors.As(err, &faults), "%v", err)
			require.Equal(t, m.rule+" "+m.path, faults[0].Rule+" "+faults[0].Path, "%v", err)
			require.NotContains(t, err.Error(), "999000")
		})
	}
	for name, tc := range map[string]struct{ body, rule string }{
		"doctype":  {strings.Replace(sent, "<CP-ISQueryStub", "<!DOCTYPE x><CP-ISQueryStub", 1), RuleDoctype},
		"cut off":  {sent[:len(sent)-30], RuleWellFormed},
		"trailing": {sent + "<x/>", RuleWellFormed},
		"content":  {strings.Replace(sent, "COCT_TP145102GB01#", "COCT_TP145104GB01#", 1), RuleContentID},
		"too deep": {strings.Repeat("<a>", 50), RuleRoot},
	} {
		_, err := DecodeQuery([]byte(tc.body), Limits{})
		var faults QueryFaults
		require.True(t, errors.As(err, &faults), name)
		require.Equal(t, tc.rule, faults[0].Rule, name)
	}
	_, err := DecodeQuery([]byte(sent), Limits{MaxBytes: 10})
	require.ErrorContains(t, err, RuleLimitSize)
	_, err = DecodeQuery([]byte(strings.ReplaceAll(strings.ReplaceAll(sent, ` codeSystem=`, ` system=`), "9990000018", "")), Limits{})
	require.ErrorContains(t, err, "more)")
}

// The published schema must agree with the reader about every mutant, and take what the writers write.
func TestQueryAgreesWithTheSchema(t *testing.T) {
	sent := golden(t, "query_QUPC_MT000006GB01")
	files, refused := map[string][]byte{"query": []byte(sent)}, map[string]bool{}
	for _, m := range queryMutants {
		if m.rule != RuleRoot {
			name := strings.ReplaceAll(m.name, " ", "-")
			files[name], refused[name] = []byte(strings.ReplaceAll(sent, m.old, m.new)), true
		}
	}
	files["by-device"] = encoded(t, func(b *bytes.Buffer) error { return EncodeQuery(b, byDevice()) })
	files["response"] = encoded(t, func(b *bytes.Buffer) error { return EncodeQueryResponse(b, exampleAnswer()) })
	bare := exampleAnswer()
	bare.History, bare.Records = nil, bare.Records[:1]
	bare.Records[0].Authority.Telecoms = nil
	files["response-bare"] = encoded(t, func(b *bytes.Buffer) error { return EncodeQueryResponse(b, bare) })
	for name, taken := range validate(t, files) {
		require.Equal(t, !refused[name], taken, name)
	}
}

func TestQueryResponseRoundTrip(t *testing.T) {
	want := exampleAnswer()
	got, err := DecodeQueryResponse(encoded(t, func(b *bytes.Buffer) error { return EncodeQueryResponse(b, want) }))
	require.NoError(t, err)
	require.Equal(t, want.ID, got.ID)
	require.Equal(t, [2]int{2, 4}, [2]int{got.TotalAccesses, got.TotalRecord})
	for i := range want.Records {
		want.Records[i].Authority.Root = OIDOrganisation
	}
	require.Equal(t, want.Records, got.Records)
	require.Equal(t, "9990000018 RXX98", got.History[1].NHSNumber+" "+got.History[1].Organisation)

	for name, spoil := range map[string]func(*QueryResponse){
		"no record": func(r *QueryResponse) { r.Records = nil }, "no time": func(r *QueryResponse) { r.At = time.Time{} },
		"bad id": func(r *QueryResponse) { r.ID = "x" }, "bad plan": func(r *QueryResponse) { r.Records[0].Plan.Kind = "X" },
		"unborn without end": func(r *QueryResponse) { r.Records[2].Plan.End = "" },
		"history by nobody":  func(r *QueryResponse) { r.History[0].By = Author{} },
	} {
		r := exampleAnswer()
		spoil(&r)
		require.Error(t, EncodeQueryResponse(new(bytes.Buffer), r), name)
	}
	_, err = DecodeQueryResponse([]byte("<x/>"))
	require.Error(t, err)
}

func FuzzQuery(f *testing.F) {
	f.Add([]byte(queryOf(f, exampleQuery())))
	f.Add([]byte(queryOf(f, byDevice())))
	f.Add([]byte(`<CP-ISQueryStub xmlns="urn:hl7-org:v3"><cP-ISNHSQuery/></CP-ISQueryStub>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := DecodeQuery(body, Limits{MaxBytes: 1 << 16})
		if err == nil {
			require.True(t, isUUID(q.ID) && isTime(q.At) && q.NHSNumber != "")
			return
		}
		var faults QueryFaults
		require.True(t, errors.As(err, &faults) && len(faults) > 0)
		for _, fault := range faults {
			require.NotEmpty(t, fault.Rule)
			require.NotEmpty(t, fault.Text)
		}
	})
}

func queryOf(f *testing.F, q AccessQuery) string {
	var b bytes.Buffer
	require.NoError(f, EncodeQuery(&b, q))
	return b.String()
}
