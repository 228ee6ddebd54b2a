package twin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"signalbox/fhir"
)

// object is a JSON object.
type object = map[string]any

// resource writes the record in the form of the published examples, as far as a client of ours reads it.
func (p Patient) resource() []byte {
	raw, _ := json.Marshal(p.object()) // of strings alone: it cannot fail
	return raw
}

func (p Patient) object() object {
	security, status := p.Security, p.Verification
	if security == "" {
		security = "U"
	}
	if status == "" {
		status = "01"
	}
	names := []object{{"id": "1", "use": "usual", "family": p.Family, "given": strings.Fields(p.Given)}}
	if p.Former != "" {
		names = append(names, object{"id": "2", "use": "old", "family": p.Former, "given": strings.Fields(p.Given), "period": object{"start": "2001-01-01", "end": "2010-01-01"}})
	}
	out := object{
		"resourceType": "Patient", "id": p.NHSNumber,
		"meta": object{"versionId": strconv.Itoa(p.Version), "security": []object{{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": security}}},
		"identifier": []object{{"system": fhir.SystemNHSNumber, "value": p.NHSNumber, "extension": []object{{
			"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
			"valueCodeableConcept": object{"coding": []object{{
				"system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus", "version": "1.0.0", "code": status}}},
		}}}},
	}
	if p.Family != "" && p.Given != "" {
		out["name"] = names
	}
	if p.BirthDate != "" {
		out["birthDate"] = p.BirthDate
	}
	return out
}

// search answers with the one patient that has the family name, the birth date and every given name, or with none.
func (s *Server) search(r *http.Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	family, born := q.Get("family"), strings.TrimPrefix(q.Get("birthdate"), "eq")
	if family == "" || born == "" {
		return refuse(http.StatusBadRequest, "INVALID_SEARCH_DATA")
	}
	if most := q.Get("_max-results"); most != "" && most != "1" {
		return refuse(http.StatusForbidden, "INVALID_VALUE")
	}
	var found []object
	for _, p := range s.patients {
		named := strings.EqualFold(p.Family, family) || q.Get("_history") == "true" && strings.EqualFold(p.Former, family)
		for _, given := range q["given"] {
			named = named && strings.Contains(" "+strings.ToLower(p.Given)+" ", " "+strings.ToLower(given)+" ")
		}
		if named && p.BirthDate == born && !p.Invalidated && p.SupersededBy == "" {
			found = append(found, object{"fullUrl": "https://api.service.nhs.uk/personal-demographics/FHIR/R4/Patient/" + p.NHSNumber,
				"search": object{"score": 1}, "resource": p.object()})
		}
	}
	if len(found) > 1 {
		a := refuse(http.StatusOK, "TOO_MANY_MATCHES")
		return a
	}
	bundle := object{"resourceType": "Bundle", "type": "searchset", "total": len(found)}
	if len(found) == 1 {
		bundle["entry"] = found
	}
	raw, _ := json.Marshal(bundle) // of strings and numbers alone: it cannot fail
	return answer{status: http.StatusOK, header: http.Header{"Content-Type": {fhir.MediaType}}, body: raw}
}
