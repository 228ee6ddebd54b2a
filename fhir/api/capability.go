package api

import (
	"encoding/json"
	"time"

	"signalbox/fhir"
)

type object = map[string]any

// capability is the CapabilityStatement: what is implemented, and no more.
func (s *Server) capability(now time.Time) []byte {
	search := func(kind, text string, params ...object) object {
		return object{"type": kind, "documentation": text, "interaction": []object{{"code": "search-type"}}, "searchParam": params}
	}
	param := func(name, kind, text string) object { return object{"name": name, "type": kind, "documentation": text} }
	identifier := param("patient", "reference", "with the modifier :identifier, as "+fhir.SystemNHSNumber+"|number; one patient a request")
	audit := search("AuditEvent", "up to 25 unscheduled accesses, newest first", identifier)
	audit["searchInclude"] = []string{includeAssigned}
	statement := object{
		"resourceType": "CapabilityStatement", "status": "active", "date": now.UTC().Format(time.RFC3339), "kind": "instance",
		"fhirVersion": "4.0.1", "format": []string{fhir.MediaType},
		"software": object{"name": "Signalbox"},
		"implementation": optionalURL(object{
			"description": "Child protection flags for trusts. Searching records an access; it is unscheduled unless the header " +
				headerUnscheduled + " is false.",
		}, s.cfg.PublicURL),
		"rest": []object{{
			"mode":     "server",
			"security": object{"description": "a bearer token for each trust"},
			"resource": []object{
				search("CareTeam", "one for each plan of each local authority", identifier),
				audit,
				search("Flag", "at PatientFlag, not at Flag: with CarePlan and CareTeam", param("patient", "reference", "the NHS number; one patient a request"),
					param("code", "token", fhir.CodeCPIS+" alone")),
			},
			"operation": []object{{"name": "process-message", "definition": "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"}},
		}},
	}
	raw, err := json.Marshal(statement)
	if err != nil { // strings cannot fail to encode
		return fhir.Outcome()
	}
	return raw
}

func optionalURL(o object, url string) object {
	if url != "" {
		o["url"] = url
	}
	return o
}
