package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
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
	rest := object{"mode": "server", "security": object{
		"description": "a bearer token that names the person who asks (JSON Web Token, RS512 or ES256), or a client certificate. Right " +
			"B0107 to look in unscheduled care, B0170 in scheduled care",
	}}
	resources := map[string]object{}
	var others []string
	for _, r := range s.mounted() {
		switch says := r.says; {
		case says.resource != "":
			describe(resources, says)
		case says.operation != "":
			grow(rest, "operation", object{"name": says.operation, "definition": says.definition})
		case says.text != "":
			others = append(others, says.text)
		}
		if r.says.resource == "" {
			for _, code := range r.says.interactions {
				grow(rest, "interaction", object{"code": code})
			}
		}
	}
	rest["documentation"] = strings.Join(others, ". ")
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		grow(rest, "resource", resources[name])
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

// describe adds what a route says of a resource to what others have said of it.
func describe(resources map[string]object, says statement) {
	out := resources[says.resource]
	if out == nil {
		out = object{"type": says.resource}
		resources[says.resource] = out
	}
	for _, code := range says.interactions {
		grow(out, "interaction", object{"code": code})
	}
	for _, p := range says.params {
		grow(out, "searchParam", object{"name": p.name, "type": p.kind, "documentation": p.text})
	}
	if says.operation != "" {
		grow(out, "operation", object{"name": says.operation, "definition": says.definition})
	}
	if says.text != "" {
		out["documentation"] = says.text
	}
	if says.profile != "" {
		out["supportedProfile"] = []string{says.profile}
	}
	if says.includes != nil {
		out["searchInclude"] = says.includes
	}
}

// grow adds an item to a list, once: two routes may say the same, as a search by GET and by POST does.
func grow(o object, name string, item object) {
	list, _ := o[name].([]object)
	if !slices.ContainsFunc(list, func(other object) bool { return reflect.DeepEqual(other, item) }) {
		o[name] = append(list, item)
	}
}

func optionalURL(o object, url string) object {
	if url != "" {
		o["url"] = url
	}
	return o
}
