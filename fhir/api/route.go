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
	one     serveOne // instead of serve, for a route under the id of a subscription
	says    statement
}

// statement is what the CapabilityStatement says of a route. A test holds them together.
type statement struct {
	resource     string   // type of the resource that it is about; empty for what is about the whole system
	interactions []string // with that resource: search-type, create, ...; or with the whole system: transaction, batch
	text         string   // of the resource; or, for a route that FHIR has no name for, what it is
	profile      string   // that the resource keeps to
	params       []parameter
	includes     []string
	operation    string // name of the operation; empty for none
	definition   string // its canonical URL
}

// parameter is one search parameter.
type parameter struct{ name, kind, text string }

// mounted is everything that this server answers in FHIR. The CapabilityStatement says all of it and no more.
func (s *Server) mounted() []route {
	out := s.table()
	if s.cfg.Subscriptions != nil {
		out = append(out, s.subscriptionRoutes()...)
	}
	return out
}

// table is everything that is always mounted.
func (s *Server) table() []route {
	query := func(c *Client) bool { return c.CanQuery }
	send := func(c *Client) bool { return c.CanSend }
	out := []route{
		{pattern: "/metadata", method: http.MethodGet, open: true, serve: s.metadata, says: statement{text: "GET metadata is this statement"}},
		{pattern: "/$process-message", method: http.MethodPost, right: send, waits: true, serve: s.processMessage, says: statement{
			operation: "process-message", definition: "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
		}},
		{pattern: statusPath, method: http.MethodGet, right: send, serve: s.messageStatus, says: statement{
			text: "GET $message-status?message={id} says what became of a message, to its sender: Content-Location of a 202 leads there",
		}},
		{pattern: "", method: http.MethodPost, right: send, waits: true, serve: s.transaction, says: statement{interactions: []string{"transaction", "batch"}}},
		{pattern: "/", method: http.MethodPost, right: send, waits: true, serve: s.transaction, says: statement{interactions: []string{"transaction", "batch"}}},
	}
	for path, search := range s.searches() {
		r := route{pattern: path, method: http.MethodGet, right: query, serve: search.serve, says: search.says}
		out = append(out, r)
		r.pattern, r.method = path+"/_search", http.MethodPost
		out = append(out, r)
	}
	return out
}

func searchType() []string { return []string{"search-type"} }

// search is one kind of search: what it takes, and what answers it.
type search struct {
	serve func(*http.Request, *Client) reply
	says  statement
}

func (s *Server) searches() map[string]search {
	patient := parameter{"patient", "reference", "the NHS number; or, with the modifier :identifier, " + fhir.SystemNHSNumber +
		"|number. One patient a request"}
	return map[string]search{
		"/CareTeam": {s.careTeams, statement{resource: "CareTeam", interactions: searchType(), text: "one for each plan of each local authority", params: []parameter{patient}}},
		"/AuditEvent": {s.auditEvents, statement{resource: "AuditEvent", interactions: searchType(), text: "up to 25 unscheduled accesses, newest first",
			params: []parameter{patient}, includes: []string{includeAssigned}}},
		"/PatientFlag": {s.patientFlags, statement{resource: "Flag", interactions: searchType(), text: "at PatientFlag, not at Flag: with CarePlan and CareTeam",
			params: []parameter{patient, {paramCode, "token", fhir.CodeCPIS + " alone"}}}},
	}
}
