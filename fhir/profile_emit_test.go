package fhir

import (
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
