package meshserver

import (
	"net/http"
	"sort"
	"strings"

	"signalbox/mesh/internal/wire"
)

// endpointLookup answers who may receive a workflow at an organisation. It asks for no token.
func (x *exchange) endpointLookup() {
	found := x.s.receivers(x.params[1], func(m Mailbox) bool { return strings.ToUpper(m.ODSCode) == x.params[0] })
	if x.version < 2 {
		results := []map[string]string{}
		for _, m := range found {
			results = append(results, map[string]string{"address": m.ID, "description": m.Name, "endpoint_type": "MESH"})
		}
		x.json(http.StatusOK, wire.MediaJSON, map[string]any{"query_id": x.s.ids.internal(x.s.now()), "results": results})
		return
	}
	x.results(found)
}

// workflowSearch answers all receivers of a workflow, in the version 2 shape always.
func (x *exchange) workflowSearch() {
	x.results(x.s.receivers(x.params[0], func(Mailbox) bool { return true }))
}

func (x *exchange) results(found []Mailbox) {
	results := []map[string]string{}
	for _, m := range found {
		results = append(results, map[string]string{"mailbox_id": m.ID, "mailbox_name": m.Name})
	}
	x.json(http.StatusOK, x.media2(), map[string]any{"results": results})
}

// receivers returns the active receivers of a workflow that match, by id. Workflow ids are compared as they are written.
func (s *Server) receivers(workflow string, match func(Mailbox) bool) []Mailbox {
	var out []Mailbox
	for id := range s.workflows[workflow].receive {
		if m, known := s.mailboxes[id]; known && (m.Active || s.lax[laxInactive]) && match(m) {
			out = append(out, m)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}
