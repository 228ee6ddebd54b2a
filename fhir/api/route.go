package api

import (
	"net/http"

	"signalbox/fhir"
)

// route is one path below the base with its one method.
type route struct {
	pattern string
	method  string
	open    bool // needs no token
	plain   bool // is no FHIR: it knows its own media types, and refusals are words alone
	waits   bool // may keep its caller waiting for Config.Wait
	right   func(*Client) bool
	serve   func(*http.Request, *Client) reply
	says    statement
}

// statement is what the CapabilityStatement says of a route. A test holds them together.
type statement struct {
	resource   string // type of resource that is searched for; empty for an operation or an interaction of the whole system
	text       string
	params     []parameter
	includes   []string
	operation  string   // name of the operation; empty for none
	definition string   // its canonical URL
	system     []string // interactions of the whole system: transaction, batch
}

// parameter is one search parameter.
type parameter struct{ name, kind, text string }

// table is everything that this server answers.
func (s *Server) table() []route {
	query := func(c *Client) bool { return c.CanQuery }
	send := func(c *Client) bool { return c.CanSend }
	out := []route{
		{pattern: "/metadata", method: http.MethodGet, open: true, serve: s.metadata},
		{pattern: "/$process-message", method: http.MethodPost, right: send, waits: true, serve: s.processMessage, says: statement{
			operation: "process-message", definition: "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
		}},
		{pattern: statusPath, method: http.MethodGet, right: send, serve: s.messageStatus},
		{pattern: "", method: http.MethodPost, right: send, waits: true, serve: s.transaction, says: statement{system: []string{"transaction", "batch"}}},
		{pattern: "/", method: http.MethodPost, right: send, waits: true, serve: s.transaction},
	}
	for path, search := range s.searches() {
		r := route{pattern: path, method: http.MethodGet, right: query, serve: search.serve, says: search.says}
		out = append(out, r)
		r.pattern, r.method = path+"/_search", http.MethodPost
		out = append(out, r)
	}
	return out
}

// search is one kind of search: what it takes, and what answers it.
type search struct {
	serve func(*http.Request, *Client) reply
	says  statement
}

func (s *Server) searches() map[string]search {
	patient := parameter{"patient", "reference", "the NHS number; or, with the modifier :identifier, " + fhir.SystemNHSNumber +
		"|number. One patient a request"}
	return map[string]search{
		"/CareTeam": {s.careTeams, statement{resource: "CareTeam", text: "one for each plan of each local authority", params: []parameter{patient}}},
		"/AuditEvent": {s.auditEvents, statement{resource: "AuditEvent", text: "up to 25 unscheduled accesses, newest first",
			params: []parameter{patient}, includes: []string{includeAssigned}}},
		"/PatientFlag": {s.patientFlags, statement{resource: "Flag", text: "at PatientFlag, not at Flag: with CarePlan and CareTeam",
			params: []parameter{patient, {paramCode, "token", fhir.CodeCPIS + " alone"}}}},
	}
}
