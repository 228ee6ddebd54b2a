package fhir

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhatWeEmitKeepsToTheProfiles holds the builders' Flag, CarePlan and CareTeam, and the Bundle of them, against England's profiles.
func TestWhatWeEmitKeepsToTheProfiles(t *testing.T) {
	const id, nhs = "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01", "9990000018"
	authority := Authority{ODSCode: "TSTLA1", Name: "Northshire Council", OfficeHours: "01632960001", EmergencyDuty: "01632960002"}
	team := CareTeamOfAuthority(id, authority)
	plan := CarePlan("0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b02", nhs, Plan{Code: "342191000000101", Start: "2026-01-12"}, team, "Northshire Council")
	flag := Flag("0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b03", nhs, "2026-01-12", []Resource{plan})
	bundle, faults := Examine(Searchset([]Entry{{Resource: flag}, {Resource: plan, Included: true}, {Resource: team, Included: true}}), Limits{}, nil)
	require.Empty(t, faults)
	for _, profile := range []string{"England-Flag-PatientFlag", "England-CarePlan-Flag", "England-CareTeam-Flag"} {
		assert.Empty(t, Validate(bundle, BuiltinProfiles().Find(england+profile)), profile)
	}
	asXML, err := AppendXML(nil, bundle)
	require.NoError(t, err)
	again, faults := ExamineXML(asXML, Limits{}, nil)
	require.Empty(t, faults)
	assert.Equal(t, len(AppendJSON(nil, bundle)), len(AppendJSON(nil, again)), "nothing is lost in XML")
}

var emit = flag.String("emit", "", "folder into which TestEmit writes what we answer with, for other validators")

// TestEmit writes one of each resource that we answer with, for `make fhir-peers`; without a folder it only checks them.
func TestEmit(t *testing.T) {
	const id, nhs = "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01", "9990000018"
	authority := Authority{ODSCode: "TSTLA1", Name: "Northshire Council", OfficeHours: "01632960001", EmergencyDuty: "01632960002"}
	plan := Plan{Code: "342191000000101", Display: "Subject to child protection plan", Start: "2026-01-12"}
	look := Look{Recorded: "2026-03-14T22:41:00Z", Organisation: "Testshire", OrganisationID: "TST01", Person: "Dr Casey Invented", RoleCode: "R0260", RoleName: "General Medical Practitioner"}
	team, role := CareTeamOfAuthority(id, authority), PractitionerRole(id, look)
	for name, raw := range map[string][]byte{
		"CareTeam-authority": team.JSON, "CareTeam-plan": CareTeamOfPlan(id, nhs, authority, plan).JSON, "CarePlan": CarePlan(id, nhs, plan, team, authority.Name).JSON,
		"Flag": Flag(id, nhs, plan.Start, []Resource{team}).JSON, "PractitionerRole": role.JSON, "AuditEvent": AuditEvent(id, nhs, "https://signalbox.testshire.example", look, role).JSON,
		"Bundle-searchset": Searchset([]Entry{{Resource: team}}), "Bundle-empty": Searchset(nil),
		"OperationOutcome": Outcome(Issue{Severity: SeverityError, Type: "invalid", Code: "INVALID_SEARCH_DATA", Display: "Invalid NHS number"}), "OperationOutcome-ok": Outcome(),
	} {
		_, faults := Examine(raw, Limits{}, nil)
		assert.Empty(t, faults, name)
		if *emit != "" {
			require.NoError(t, os.WriteFile(filepath.Join(*emit, name+".json"), raw, 0o600))
		}
	}
}

// TestWhatTheProfilesCannotHave shows what an authority without telephones, or a plan without dates, comes to: the profile asks for both.
func TestWhatTheProfilesCannotHave(t *testing.T) {
	const id = "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01"
	team := CareTeamOfAuthority(id, Authority{Name: "Northshire Council"})
	for profile, resource := range map[string]Resource{
		"England-CareTeam-Flag": team, "England-CarePlan-Flag": CarePlan(id, "9990000018", Plan{Code: "342191000000101"}, team, ""),
	} {
		doc, faults := Examine(resource.JSON, Limits{}, nil)
		require.Empty(t, faults)
		assert.Len(t, Validate(doc, BuiltinProfiles().Find(england+profile)), 1, profile)
	}
}
