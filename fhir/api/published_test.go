package api

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestErrorsAsPublished holds errors word by word: those of the CP-IS FHIR R4 API guides (2023) on each of the searches, and those of the retired
// Reasonable Adjustment Flag API where the guides say nothing. What the README lists as differing is not here. A display that is empty was not
// found in print.
func TestErrorsAsPublished(t *testing.T) {
	sample, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	type row struct {
		name, line, body                  string
		headers                           []string
		status                            int
		issue, code, display, diagnostics string
	}
	var rows []row
	for _, line := range []string{careTeam, auditEvent, patientFlag} {
		wrong := strings.Replace(line, child, "9990000019", 1)
		rows = append(rows,
			row{"CP-IS: a bad NHS number", wrong, "", nil, 400, "invalid", "INVALID_SEARCH_DATA", "Invalid NHS number", ""},
			row{"CP-IS: a bad header", line, "", []string{"IsUnscheduledAccessEvent: perhaps"}, 400, "invalid", "PRECONDITION_FAILED", "Missing or invalid head parameter", ""},
			row{"CP-IS: no right", line, "", []string{"Authorization: Bearer send"}, 403, "forbidden", "ACCESS_DENIED", "", ""},
			row{"retired API: no token", line, "", []string{"Authorization: "}, 401, "", "ACCESS_DENIED", "", "Access token is invalid or expired"},
			row{"retired API: a bad token", line, "", []string{"Authorization: Bearer x"}, 401, "", "ACCESS_DENIED", "", "Access token is invalid or expired"},
		)
	}
	const post, formed = "POST /$process-message", jsonType
	rows = append(rows,
		row{"retired API: no such resource", "GET /Flag/1", "", nil, 404, "", "RESOURCE_NOT_FOUND", "", ""},
		row{"retired API: no payload", post, "", []string{formed}, 400, "", "VALIDATION_ERROR", "", "requires payload"},
		row{"retired API: a bad value", post, strings.Replace(string(sample), "2019-06-03", "03/06/2019", 1), []string{formed}, 400, "", "VALIDATION_ERROR", "", ""},
		row{"retired API: an unknown element", post, strings.Replace(string(sample), `"birthDate"`, `"birthdate"`, 1), []string{formed}, 400, "", "ADDITIONAL_PROPERTIES", "", ""},
	)
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.desk.outcomes.out = accepted(1)
			w := b.call(tt.line, tt.body, tt.headers...)
			require.Equal(t, tt.status, w.Code, "%s", w.Body)
			doc := sound(t, w)
			is := func(want, path string) {
				t.Helper()
				if want != "" {
					assert.Equal(t, want, values(t, doc, "OperationOutcome.issue[0]."+path), path)
				}
			}
			assert.Equal(t, "OperationOutcome", doc.Type())
			is("error", "severity")
			is(tt.issue, "code")
			is("https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1", "details.coding.system")
			is(tt.code, "details.coding.code")
			is(tt.display, "details.coding.display")
			is(tt.diagnostics, "diagnostics")
			assert.Empty(t, b.desk.accesses)
			assert.Empty(t, b.desk.messages)
		})
	}
}
