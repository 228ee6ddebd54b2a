package oracle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

// TestBuildersMakeSoundResources holds what leaves against both readers, with everything set and with as little as can be.
func TestBuildersMakeSoundResources(t *testing.T) {
	const id, nhs = "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01", "9990000018"
	full := fhir.Authority{ODSCode: "TSTLA1", Name: "Northshire Council", OfficeHours: "01632960001", EmergencyDuty: "01632960002"}
	bare := fhir.Authority{Name: "Northshire Council"}
	open := fhir.Plan{Code: "342191000000101", Display: "Subject to child protection plan", Start: "2026-01-12"}
	ended := fhir.Plan{Code: "764841000000100", Start: "2024-01-12", End: "2025-01-12", Ended: true}
	team := fhir.CareTeamOfAuthority(id, full)
	look := fhir.Look{Recorded: "2026-03-14T22:41:00Z", Organisation: "Testshire", OrganisationID: "TST01", Person: "Dr Casey Invented", RoleCode: "R0260", RoleName: "General Medical Practitioner"}
	device := fhir.Look{Recorded: "2026-03-14T22:41:00Z", Organisation: "Testshire", Device: "999999990001", RoleName: "unknown to SDS"}
	v := newValidator(t)
	tests := []struct {
		name     string
		resource fhir.Resource
		status   string
	}{
		{"CareTeam of an open plan", fhir.CareTeamOfPlan(id, nhs, full, open), "active"},
		{"CareTeam of an ended plan", fhir.CareTeamOfPlan(id, nhs, bare, ended), "inactive"},
		{"CareTeam of an authority", team, "active"},
		{"CarePlan", fhir.CarePlan(id, nhs, open, team, "Northshire Council"), "active"},
		{"ended CarePlan", fhir.CarePlan(id, nhs, ended, team, ""), "completed"},
		{"Flag", fhir.Flag(id, nhs, "2026-01-12", []fhir.Resource{team}), "active"},
		{"Flag without a date", fhir.Flag(id, nhs, "", nil), "active"},
		{"PractitionerRole", fhir.PractitionerRole(id, look), ""},
		{"PractitionerRole of a device", fhir.PractitionerRole(id, device), ""},
		{"AuditEvent", fhir.AuditEvent(id, nhs, "https://signalbox.testshire.example", look, team), ""},
		{"AuditEvent of a device", fhir.AuditEvent(id, nhs, "", device, team), ""},
	}
	var entries []fhir.Entry
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, faults := fhir.Examine(tt.resource.JSON, fhir.Limits{}, v)
			require.Empty(t, faults, "%s", tt.resource.JSON)
			assert.True(t, strings.HasPrefix(string(tt.resource.JSON), `{"resourceType":"`))
			assert.Equal(t, id, doc.Root().Child("id").Text())
			assert.Equal(t, "urn:uuid:"+id, tt.resource.URL())
			if tt.status != "" {
				assert.Equal(t, tt.status, doc.Root().Child("status").Text())
			}
		})
		entry := tt.resource
		entry.ID = fmt.Sprintf("0b2a3f52-9c6e-4f0e-8a57-%012d", i) // two entries may not have one fullUrl
		entries = append(entries, fhir.Entry{Resource: entry, Included: i%2 == 1})
	}
	doc, faults := fhir.Examine(fhir.Searchset(entries), fhir.Limits{}, v)
	require.Empty(t, faults)
	assert.Equal(t, "6", doc.Root().Child("total").Text(), "matches only")
	_, faults = fhir.Examine(fhir.Searchset(nil), fhir.Limits{}, v)
	assert.Empty(t, faults)
}

func TestOutcomeIsSound(t *testing.T) {
	v := newValidator(t)
	for _, issues := range [][]fhir.Issue{
		nil,
		{{Severity: fhir.SeverityError, Type: "invalid", Code: "INVALID_SEARCH_DATA", Display: "Invalid NHS number"}},
		{{Severity: fhir.SeverityWarning, Type: "value", Display: "words alone", Expression: "Patient.name", Diagnostics: "more \"words\" <&>"}},
		fhir.Faults{{Path: "Patient.name", Rule: fhir.RuleElement, Text: "x", Line: 1, Column: 2}, {Rule: fhir.RuleSize, Text: "y"}, {Rule: fhir.RuleRequired},
			{Rule: fhir.RuleCode}, {Rule: fhir.RuleValue}, {Rule: fhir.RuleSyntax}}.Issues(),
	} {
		doc, faults := fhir.Examine(fhir.Outcome(issues...), fhir.Limits{}, v)
		require.Empty(t, faults)
		assert.Equal(t, "OperationOutcome", doc.Type())
	}
}
