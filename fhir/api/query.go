package api

import (
	"net/http"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/fhir"
)

// Search parameters.
const (
	paramIdentifier = "patient:identifier"
	paramInclude    = "_include"
	paramPatient    = "patient"
	paramCode       = "code"

	includeAssigned = "AuditEvent:entity-type=" + fhir.SystemRoleClass + "|" + fhir.CodeAssigned
)

// ask records the access and returns the answer.
func (s *Server) ask(r *http.Request, c *Client, n engine.NHSNumber, q register.Question) (register.Answer, *reply) {
	a, refused := s.access(r, c, n)
	if refused != nil {
		return register.Answer{}, refused
	}
	answer, err := s.desk.Ask(r.Context(), a, q)
	if err != nil {
		out := s.fromDesk(err)
		return register.Answer{}, &out
	}
	return answer, nil
}

// careTeams answers GET CareTeam: one CareTeam for each plan of each local authority.
func (s *Server) careTeams(r *http.Request, c *Client) reply {
	values, refused := search(r, paramIdentifier)
	if refused != nil {
		return *refused
	}
	n, refused := nhsNumber(values.Get(paramIdentifier), true)
	if refused != nil {
		return *refused
	}
	answer, refused := s.ask(r, c, n, register.WhichFlags)
	if refused != nil {
		return *refused
	}
	return ok(careTeamBundle(answer))
}

// auditEvents answers GET AuditEvent: the history of unscheduled accesses.
func (s *Server) auditEvents(r *http.Request, c *Client) reply {
	values, refused := search(r, paramIdentifier, paramInclude)
	if refused != nil {
		return *refused
	}
	include := values.Get(paramInclude)
	if values.Has(paramInclude) && include != includeAssigned {
		return invalidSearch("the one _include that is known is " + includeAssigned)
	}
	n, refused := nhsNumber(values.Get(paramIdentifier), true)
	if refused != nil {
		return *refused
	}
	answer, refused := s.ask(r, c, n, register.WhoLooked)
	if refused != nil {
		return *refused
	}
	return ok(auditBundle(answer, s.cfg.PublicURL, include != ""))
}

// patientFlags answers GET PatientFlag in the shape of the Patient Flags API.
func (s *Server) patientFlags(r *http.Request, c *Client) reply {
	values, refused := search(r, paramPatient, paramCode)
	if refused != nil {
		return *refused
	}
	if values.Has(paramCode) {
		if code := values.Get(paramCode); code != fhir.CodeCPIS && code != fhir.SystemFlagCategory+"|"+fhir.CodeCPIS {
			return refusal(http.StatusBadRequest, "not-supported", codeUnsupportedVal, "Unsupported value",
				"this server knows of no other flag than "+fhir.CodeCPIS+": it cannot say that there is none")
		}
	}
	n, refused := nhsNumber(values.Get(paramPatient), false)
	if refused != nil {
		return *refused
	}
	answer, refused := s.ask(r, c, n, register.WhichFlags)
	if refused != nil {
		return *refused
	}
	return ok(flagBundle(answer))
}
