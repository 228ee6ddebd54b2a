package api

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"signalbox/fhir"
	"signalbox/fhir/api/negotiate"
)

type object = map[string]any

// metadata answers with the CapabilityStatement, to anybody.
func (s *Server) metadata(r *http.Request, _ *Client) reply {
	return s.tagged(r, ok(s.about), s.pages.Tag([]byte(exchangeOf(r).format.MediaType()), s.about))
}

// capability is the CapabilityStatement. It is made from the routes: what is mounted, and no more.
func (s *Server) capability(now time.Time) []byte {
	resources, order := map[string]object{}, []string{}
	rest := object{"mode": "server", "security": object{
		"description": "a bearer token that names the person who asks (JSON Web Token, RS512 or ES256), or a client certificate. Right " +
			"B0107 to look in unscheduled care, B0170 in scheduled care",
	}}
	var operations, interactions []object
	for _, path := range slices.Sorted(maps.Keys(s.routes)) {
		switch says := s.routes[path].says; {
		case says.resource != "" && resources[says.resource] == nil:
			resources[says.resource] = searched(says)
			order = append(order, says.resource)
		case says.operation != "":
			operations = append(operations, object{"name": says.operation, "definition": says.definition})
		}
		for _, code := range s.routes[path].says.system {
			interactions = append(interactions, object{"code": code})
		}
	}
	slices.SortFunc(order, cmp.Compare[string])
	list := make([]object, len(order))
	for i, name := range order {
		list[i] = resources[name]
	}
	rest["resource"] = list
	if operations != nil {
		rest["operation"] = operations
	}
	if interactions != nil {
		rest["interaction"] = interactions
	}
	raw, err := json.Marshal(object{
		"resourceType": "CapabilityStatement", "status": "active", "date": now.UTC().Format(time.RFC3339), "kind": "instance",
		"fhirVersion": "4.0.1", "format": []string{negotiate.JSON.MediaType(), negotiate.XML.MediaType()},
		"software": object{"name": "Signalbox"},
		"implementation": optionalURL(object{
			"description": "Child protection flags for trusts. Searching records an access; it is unscheduled unless the header " +
				headerUnscheduled + " is false.",
		}, s.cfg.PublicURL),
		"rest": []object{rest},
	})
	if err != nil { // strings cannot fail to encode
		return fhir.Outcome()
	}
	return raw
}

func searched(says statement) object {
	var params []object
	for _, p := range says.params {
		params = append(params, object{"name": p.name, "type": p.kind, "documentation": p.text})
	}
	out := object{"type": says.resource, "documentation": says.text, "interaction": []object{{"code": "search-type"}}, "searchParam": params}
	if says.includes != nil {
		out["searchInclude"] = says.includes
	}
	return out
}

func optionalURL(o object, url string) object {
	if url != "" {
		o["url"] = url
	}
	return o
}
