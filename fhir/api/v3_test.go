package api

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/mesh/cpis"
)

func v3Query(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("../../mesh/cpis/testdata/query_QUPC_MT000006GB01.xml")
	require.NoError(t, err)
	return string(raw)
}

func v3Bench(t testing.TB) *bench {
	t.Helper()
	b := newBench(t)
	b.cfg.SystemID = "999000000001"
	b.routes["/FHIR/R4/v3"] = route{pattern: "hl7v3", method: "POST", plain: true, right: func(c *Client) bool { return c.CanQuery }, serve: b.hl7v3}
	return b
}

const xmlType = "Content-Type: text/xml; charset=UTF-8"

func TestHL7V3IsTheSameAccessAsFHIR(t *testing.T) {
	b := v3Bench(t)
	n, err := engine.ParseNHSNumber(child)
	require.NoError(t, err)
	day, err := engine.MustLayout(engine.LayoutHL7TS).Parse("20260901")
	require.NoError(t, err)
	b.desk.flags = []engine.Flag{{Subject: engine.Subject{NHSNumber: n, BirthDate: day}, Plan: engine.Plan{Type: engine.LookedAfter, Start: day},
		Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL", EmergencyDuty: "01632960002"}}}
	w := b.call("POST /v3", v3Query(t), xmlType, "Accept: text/xml")
	require.Equal(t, 200, w.Code, "%s", w.Body)
	assert.Equal(t, "text/xml; charset=utf-8", w.Header().Get("Content-Type"))
	got, err := cpis.DecodeQueryResponse(w.Body.Bytes())
	require.NoError(t, err)
	assert.Equal(t, child, got.Records[0].Subject.NHSNumber)

	b.call(careTeam, "", "TraceID: 3C4C0AEF-3537-44C4-A8B5-F0C313603458")
	b.call("POST /v3", v3Query(t), xmlType)
	b.call("POST /v3", v3Query(t), xmlType, "IsUnscheduledAccessEvent: false")
	b.now = b.now.Add(24 * time.Hour)
	b.call("POST /v3", v3Query(t), xmlType)
	a := b.desk.accesses
	assert.Equal(t, a[0], a[1], "the query's id is what a TraceID is in FHIR")
	assert.Equal(t, a[0], a[2])
	assert.NotEqual(t, a[0].ID, a[3].ID, "a scheduled access is another one")
	assert.True(t, a[3].Scheduled)
	assert.NotEqual(t, a[0].ID, a[4].ID, "a client that sends one id for ever is recorded every day")
	assert.Equal(t, "TST01", a[0].By.Organisation.ODSCode, "who asks is what the token says, not what the message says")

	b.desk.flags = nil
	w = b.call("POST /v3", v3Query(t), xmlType)
	assert.Equal(t, 204, w.Code)
	assert.Empty(t, w.Body.String())
	assert.Len(t, b.desk.accesses, 6)
}

func TestHL7V3Refusals(t *testing.T) {
	q := v3Query(t)
	for name, tc := range map[string]struct {
		line, body string
		headers    []string
		err        error
		want       int
		says       string
	}{
		"no token":       {"POST /v3", q, []string{xmlType, "Authorization: "}, nil, 401, "token"},
		"not his right":  {"POST /v3", q, []string{xmlType, "Authorization: Bearer send"}, nil, 403, "Access denied"},
		"GET":            {"GET /v3", "", []string{xmlType}, nil, 405, "POST"},
		"JSON":           {"POST /v3", q, []string{"Content-Type: application/json"}, nil, 415, "text/xml"},
		"latin":          {"POST /v3", q, []string{"Content-Type: text/xml; charset=iso-8859-1"}, nil, 415, "UTF-8"},
		"empty":          {"POST /v3", "", []string{xmlType}, nil, 400, "payload"},
		"no XML":         {"POST /v3", "x", []string{xmlType}, nil, 400, "xml-well-formed"},
		"check digit":    {"POST /v3", strings.Replace(q, child, "9990000019", 1), []string{xmlType}, nil, 400, "check digit"},
		"odd header":     {"POST /v3", q, []string{xmlType, "IsUnscheduledAccessEvent: maybe"}, nil, 400, "true or false"},
		"record is away": {"POST /v3", q, []string{xmlType}, &engine.Error{Kind: engine.Unavailable}, 503, "again later"},
		"too large":      {"POST /v3", q + strings.Repeat(" ", 70<<10), []string{xmlType}, nil, 400, "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			b := v3Bench(t)
			b.desk.err = tc.err
			w := b.call(tc.line, tc.body, tc.headers...)
			assert.Equal(t, tc.want, w.Code, "%s", w.Body)
			assert.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
			assert.Contains(t, w.Body.String(), tc.says)
			assert.NotContains(t, w.Body.String(), "{")
			assert.NotContains(t, w.Body.String()+b.log.String(), "999000")
		})
	}
}

func TestHL7V3NeedsASystemID(t *testing.T) {
	cfg := Default()
	cfg.HL7V3 = "/v3"
	assert.ErrorContains(t, cfg.Validate(), "SystemID")
	cfg.SystemID = "999000000001"
	assert.NoError(t, cfg.Validate())
	cfg.HL7V3 = cfg.BasePath + "/v3"
	assert.ErrorContains(t, cfg.Validate(), "BasePath")
}
