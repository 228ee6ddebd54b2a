package api

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRefusals(t *testing.T) {
	sample, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	big := strings.Repeat(" ", 1<<20+1)
	const post, fhirJSON, formed = "POST /$process-message", "Content-Type: application/fhir+json", "Content-Type: application/x-www-form-urlencoded"
	tests := []struct {
		name    string
		line    string
		body    string
		headers []string
		status  int
		issue   string
		code    string
		words   string
	}{
		{"no token", careTeam, "", []string{"Authorization: "}, 401, "login", codeAccessDenied, ""},
		{"wrong token", careTeam, "", []string{"Authorization: Bearer nobody"}, 401, "login", codeAccessDenied, ""},
		{"another scheme", careTeam, "", []string{"Authorization: Basic " + token}, 401, "login", codeAccessDenied, ""},
		{"an empty token", careTeam, "", []string{"Authorization: Bearer  "}, 401, "login", codeAccessDenied, ""},
		{"an unknown path without a token", "GET /Nothing", "", []string{"Authorization: "}, 401, "login", codeAccessDenied, ""},
		{"no right to ask", careTeam, "", []string{"Authorization: Bearer send"}, 403, "forbidden", codeAccessDenied, ""},
		{"no right to send", post, string(sample), []string{"Authorization: Bearer query", fhirJSON}, 403, "forbidden", codeAccessDenied, ""},
		{"an unknown path", "GET /Patient/" + child, "", nil, 404, "not-found", codeNotFound, ""},
		{"a resource by id", "GET /CareTeam/1", "", nil, 404, "not-found", codeNotFound, ""},
		{"search by POST without a form", "POST /CareTeam/_search", "patient=" + child, nil, 415, "not-supported", codeUnsupported, "x-www-form-urlencoded"},
		{"search by POST in JSON", "POST /CareTeam/_search", `{"patient":"` + child + `"}`, []string{fhirJSON}, 415, "not-supported", codeUnsupported, "x-www-form-urlencoded"},
		{"search by POST with too long a form", "POST /CareTeam/_search", "patient=" + strings.Repeat("9", 17<<10), []string{formed}, 413, "too-long", codeValidation, ""},
		{"search by POST with a broken form", "POST /CareTeam/_search", "patient=%zz", []string{formed}, 400, "invalid", codeInvalidSearch, "cannot be read"},
		{"search by POST with the patient twice", "POST /CareTeam/_search?patient=" + child, "patient=9990000026", []string{formed}, 400, "invalid", codeInvalidSearch, "one patient"},
		{"GET of _search", "GET /CareTeam/_search?patient=" + child, "", nil, 405, "not-supported", codeUnsupported, "takes POST"},
		{"a wrong method", "POST /CareTeam", "", nil, 405, "not-supported", codeUnsupported, "takes GET"},
		{"HEAD", "HEAD /CareTeam", "", nil, 405, "not-supported", codeUnsupported, ""},
		{"DELETE", "DELETE /PatientFlag?patient=" + child, "", nil, 405, "not-supported", codeUnsupported, ""},
		{"GET of the operation", "GET /$process-message", "", nil, 405, "not-supported", codeUnsupported, "takes POST"},
		{"HTML wanted", careTeam, "", []string{"Accept: text/html"}, 406, "not-supported", codeUnsupported, ""},
		{"FHIR STU3 wanted", careTeam, "", []string{"Accept: application/fhir+json; fhirVersion=3.0"}, 406, "not-supported", codeUnsupported, ""},
		{"JSON not wanted", careTeam, "", []string{"Accept: application/fhir+json;q=0"}, 406, "not-supported", codeUnsupported, ""},
		{"_format Turtle", careTeam + "&_format=ttl", "", nil, 406, "not-supported", codeUnsupported, ""},
		{"_format twice", careTeam + "&_format=json&_format=xml", "", nil, 406, "not-supported", codeUnsupported, ""},
		{"_format Turtle in a form", "POST /CareTeam/_search", "patient=" + child + "&_format=ttl", []string{formed}, 406, "not-supported", codeUnsupported, ""},
		{"no patient", "GET /CareTeam", "", nil, 400, "invalid", codeInvalidSearch, "patient is missing"},
		{"an NHS number that fails its check digit", "GET /CareTeam?patient:identifier=https://fhir.nhs.uk/Id/nhs-number|9990000019", "", nil, 400, "invalid", codeInvalidSearch, "Invalid NHS number"},
		{"letters", "GET /PatientFlag?patient=999000001A", "", nil, 400, "invalid", codeInvalidSearch, "Invalid NHS number"},
		{"another system", "GET /CareTeam?patient:identifier=https://fhir.nhs.uk/Id/x|" + child, "", nil, 400, "invalid", codeInvalidSearch, "system"},
		{"no system", "GET /CareTeam?patient:identifier=" + child, "", nil, 400, "invalid", codeInvalidSearch, "given as"},
		{"two patients", careTeam + "&patient:identifier=https://fhir.nhs.uk/Id/nhs-number|9990000026", "", nil, 400, "invalid", codeInvalidSearch, "one patient"},
		{"two patients in one", patientFlag + ",9990000026", "", nil, 400, "invalid", codeInvalidSearch, "one patient"},
		{"an unknown parameter", careTeam + "&_sort=date", "", nil, 400, "invalid", codeInvalidSearch, "not supported"},
		{"an unknown parameter, strictly", careTeam + "&_sort=date", "", []string{"Prefer: handling=strict"}, 400, "invalid", codeInvalidSearch, "not supported"},
		{"the patient twice", careTeam + "&patient=" + child, "", nil, 400, "invalid", codeInvalidSearch, "once"},
		{"the patient of nobody, leniently", "GET /CareTeam?patient:missing=true", "", []string{"Prefer: handling=lenient"}, 400, "invalid", codeInvalidSearch, "not supported"},
		{"the patient twice, leniently", careTeam + "&patient:identifier=https://fhir.nhs.uk/Id/nhs-number|9990000026", "", []string{"Prefer: handling=lenient"}, 400, "invalid", codeInvalidSearch, "one patient"},
		{"no number of matches", careTeam + "&_count=ten", "", nil, 400, "invalid", codeInvalidSearch, "_count"},
		{"less than none", careTeam + "&_count=-1", "", nil, 400, "invalid", codeInvalidSearch, "_count"},
		{"another summary", careTeam + "&_summary=text", "", nil, 400, "invalid", codeInvalidSearch, "_summary"},
		{"a page that we did not make", "GET /CareTeam?_page=abc", "", nil, 410, "expired", codeInvalidSearch, "search again"},
		{"a page with more", "GET /CareTeam?_page=abc&_count=2", "", nil, 400, "invalid", codeInvalidSearch, "followed as it is"},
		{"a misspelt parameter", "GET /CareTeam?patient.identifier=https://fhir.nhs.uk/Id/nhs-number|" + child, "", nil, 400, "invalid", codeInvalidSearch, "not supported"},
		{"a broken query", careTeam + "&a=%zz", "", nil, 400, "invalid", codeInvalidSearch, "cannot be read"},
		{"another _include", auditEvent + "x", "", nil, 400, "invalid", codeInvalidSearch, "_include"},
		{"another flag", patientFlag + "&code=female-genital-mutilation-flag", "", nil, 400, "not-supported", codeUnsupportedVal, "cannot say that there is none"},
		{"neither true nor false", careTeam, "", []string{"IsUnscheduledAccessEvent: yes"}, 400, "invalid", codePrecondition, "Missing or invalid head parameter"},
		{"in capitals", patientFlag, "", []string{"IsUnscheduledAccessEvent: False"}, 400, "invalid", codePrecondition, ""},
		{"said twice", auditEvent, "", []string{"IsUnscheduledAccessEvent: true", "IsUnscheduledAccessEvent: false"}, 400, "invalid", codePrecondition, ""},
		{"no content type", post, string(sample), nil, 415, "not-supported", codeUnsupported, "content-type must be set"},
		{"another content type", post, string(sample), []string{"Content-Type: application/json"}, 415, "not-supported", codeUnsupported, ""},
		{"another charset", post, string(sample), []string{"Content-Type: application/fhir+json; charset=utf-16"}, 415, "not-supported", codeUnsupported, ""},
		{"a body that is not compressed as it says", post, string(sample), []string{fhirJSON, "Content-Encoding: gzip"}, 400, "incomplete", codeValidation, ""},
		{"a body compressed otherwise", post, string(sample), []string{fhirJSON, "Content-Encoding: br"}, 415, "not-supported", codeUnsupported, "gzip"},
		{"no body", post, "", []string{fhirJSON}, 400, "required", codeValidation, "requires payload"},
		{"too big a body", post, big, []string{fhirJSON}, 413, "too-long", codeValidation, ""},
		{"parameters", post + "?wait=true", string(sample), []string{fhirJSON}, 400, "invalid", codeUnsupportedVal, "parameter"},
		{"not JSON", post, "<Bundle/>", []string{fhirJSON}, 400, "invalid", codeValidation, "json-syntax"},
		{"not FHIR", post, `{"resourceType":"Bundle","type":"message","entri":[{"fullUrl":"x"}]}`, []string{fhirJSON}, 400, "structure", codeAdditional, `did you mean "entry"`},
		{"not a date", post, strings.Replace(string(sample), "2019-06-03", "03/06/2019", 1), []string{fhirJSON}, 400, "value", codeValidation, "line 143"},
		{"not a Bundle", post, `{"resourceType":"Patient","id":"a"}`, []string{fhirJSON}, 400, "structure", codeValidation, "a Bundle is taken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			w := b.call(tt.line, tt.body, tt.headers...)
			require.Equal(t, tt.status, w.Code, "%s", w.Body)
			doc := sound(t, w)
			assert.Equal(t, "OperationOutcome", doc.Type())
			assert.Equal(t, "error", values(t, doc, "OperationOutcome.issue[0].severity"))
			assert.Equal(t, tt.issue, values(t, doc, "OperationOutcome.issue[0].code"))
			assert.Equal(t, tt.code, values(t, doc, "OperationOutcome.issue[0].details.coding.code"))
			assert.Contains(t, w.Body.String(), strings.ReplaceAll(tt.words, `"`, `\"`))
			assert.Empty(t, b.desk.accesses, "nothing is recorded")
			assert.Empty(t, b.desk.messages, "nothing is kept")
			assert.NotContains(t, w.Body.String()+fmt.Sprint(w.Header()), child)
			assert.NotContains(t, b.log.String(), child)
			assert.NotContains(t, b.log.String(), "99900000")
			if tt.status == 401 {
				assert.Regexp(t, `^Bearer error="invalid_token", error_description="(malformed|unknown-token)"$`, w.Header().Get("WWW-Authenticate"))
				assert.Equal(t, "Access token is invalid or expired", values(t, doc, "OperationOutcome.issue[0].diagnostics"))
			}
			if tt.status == 405 {
				assert.NotEmpty(t, w.Header().Get("Allow"))
			}
		})
	}
}
