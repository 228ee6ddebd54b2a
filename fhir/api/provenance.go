package api

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"signalbox/engine/register"
	"signalbox/fhir"
)

// What the published example of a CP-IS Flag says in its contained Provenance (Patient Flag Implementation Guide, Beta).
const (
	systemDataOperation = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
	codeCreate          = "CREATE"
)

// withProvenance puts the one contained Provenance into a Flag (England-Flag-PatientFlag allows one): who recorded it, each local authority,
// and when. The time is that at which the engine received the file on which the flag stands, the earliest of several, because an authority's
// files do not say when it recorded a plan. There is no practitioner: the files name none.
func withProvenance(flag fhir.Resource, a register.Answer) fhir.Resource {
	recorded := earliestOf(a.Recorded)
	front := `{"resourceType":"Flag",`
	rest, ok := strings.CutPrefix(string(flag.JSON), front)
	if recorded.IsZero() || !ok {
		return flag
	}
	raw, err := json.Marshal(provenance(nameUUID(a.Access.ID, "Provenance"), recorded, a))
	if err != nil { // strings cannot fail to encode
		return flag
	}
	flag.JSON = json.RawMessage(front + `"contained":[` + string(raw) + `],` + rest)
	return flag
}

func provenance(id string, recorded time.Time, a register.Answer) models.Provenance {
	text := func(s string) *string { return &s }
	out := models.Provenance{
		Id: &id, Target: []models.Reference{{Reference: text("#")}}, Recorded: recorded.UTC().Format(time.RFC3339),
		Activity: &models.CodeableConcept{Coding: []models.Coding{{System: text(systemDataOperation), Code: text(codeCreate), Display: text("create")}}},
	}
	var seen []string
	for _, f := range a.Flags {
		if slices.Contains(seen, f.Authority.ODSCode) {
			continue
		}
		seen = append(seen, f.Authority.ODSCode)
		who := models.Reference{Type: text("Organization"), Display: text(f.Authority.Name),
			Identifier: &models.Identifier{System: text(fhir.SystemODS), Value: text(f.Authority.ODSCode)}}
		out.Agent = append(out.Agent, models.ProvenanceAgent{Who: who})
	}
	return out
}

func earliestOf(times []time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
