package subscription

import (
	"encoding/json"
	"strconv"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/fhir"
)

// Kind is the kind of a SubscriptionStatus (FHIR R5 value set subscription-notification-type).
type Kind string

// The kinds of status.
const (
	Handshake Kind = "handshake"
	Heartbeat Kind = "heartbeat"
	Event     Kind = "event-notification"
	Status    Kind = "query-status"
	Query     Kind = "query-event"
)

// Writer writes notifications as they are seen from outside.
type Writer struct {
	Base  string // base URL of the server, without a slash at its end
	Topic string
}

// Notification writes a Bundle for a subscriber: the status first, then for each access that is told its AuditEvent and the PractitionerRole of
// who looked, or only their names. The same accesses under the same numbers make the same bytes.
func (w Writer) Notification(kind Kind, s store.Subscription, told []store.Told, content string) []byte {
	at := s.Due // a handshake and a heartbeat are about no event: their time is when they were due
	last := s.Events
	if len(told) > 0 {
		at = told[len(told)-1].Access.Origin.Received
		last = told[len(told)-1].Number
	}
	if kind != Event {
		last = s.Events
	}
	statusID := engine.NewUUID("status", s.ID, string(kind), strconv.Itoa(last), at.UTC().Format(time.RFC3339Nano))
	entries := []object{{
		"fullUrl":  "urn:uuid:" + statusID,
		"resource": w.status(statusID, kind, s, told, last),
		"request":  object{"method": "GET", "url": w.Base + "/Subscription/" + s.ID + "/$status"},
		"response": object{"status": "200"},
	}}
	for _, t := range told {
		entries = append(entries, w.access(s, t, content)...)
	}
	return resource("Bundle", object{
		"id": engine.NewUUID("notification", statusID), "meta": object{"profile": []string{ProfileNotification}}, "type": "history",
		"timestamp": at.UTC().Format(time.RFC3339Nano), "entry": entries,
	})
}

// StatusSearchset answers $status.
func (w Writer) StatusSearchset(s store.Subscription) []byte {
	id := engine.NewUUID("status", s.ID)
	return resource("Bundle", object{"type": "searchset", "total": 1, "entry": []object{{
		"fullUrl": "urn:uuid:" + id, "resource": w.status(id, Status, s, nil, s.Events), "search": object{"mode": "match"},
	}}})
}

func (w Writer) status(id string, kind Kind, s store.Subscription, told []store.Told, last int) json.RawMessage {
	parameters := []object{
		{"name": "subscription", "valueReference": object{"reference": w.Base + "/Subscription/" + s.ID}},
		{"name": "topic", "valueCanonical": w.Topic},
		{"name": "status", "valueCode": string(s.State)},
		{"name": "type", "valueCode": string(kind)},
		{"name": "events-since-subscription-start", "valueString": strconv.Itoa(last)},
	}
	for _, t := range told {
		parameters = append(parameters, object{"name": "notification-event", "part": []object{
			{"name": "event-number", "valueString": strconv.Itoa(t.Number)},
			{"name": "timestamp", "valueInstant": t.Access.Access.At.UTC().Format(time.RFC3339)},
			{"name": "focus", "valueReference": object{"reference": "urn:uuid:" + eventID(s, t)}},
			{"name": "additional-context", "valueReference": object{"reference": "urn:uuid:" + roleID(s, t)}},
		}})
	}
	if s.Reason != "" && kind != Event { // what a repeat says is what the first attempt said
		parameters = append(parameters, object{"name": "error", "valueCodeableConcept": object{"text": s.Reason}})
	}
	return resource("Parameters", object{"id": id, "meta": object{"profile": []string{ProfileStatus}}, "parameter": parameters})
}

// The names of what an access is told as are made of the subscription and the access: the same for ever, and of nothing personal.
func eventID(s store.Subscription, t store.Told) string {
	return engine.NewUUID("told event", s.ID, t.Access.Access.ID)
}

func roleID(s store.Subscription, t store.Told) string {
	return engine.NewUUID("told role", s.ID, t.Access.Access.ID)
}

func (w Writer) access(s store.Subscription, t store.Told, content string) []object {
	a := t.Access.Access
	l := fhir.Look{Recorded: a.At.UTC().Format(time.RFC3339), Organisation: a.By.Organisation.Name, OrganisationID: a.By.Organisation.ODSCode, Device: a.By.DeviceID}
	if p := a.By.Person; p != nil {
		l.Person, l.RoleCode, l.RoleName = p.Name.Reveal(), p.RoleCode, p.RoleName
	}
	role := fhir.PractitionerRole(roleID(s, t), l)
	event := fhir.AuditEvent(eventID(s, t), a.Subject.NHSNumber.Reveal(), w.Base, l, role)
	entry := func(kind string, r fhir.Resource) object {
		o := object{"fullUrl": r.URL(), "request": object{"method": "POST", "url": kind}, "response": object{"status": "201"}}
		if content == FullResource {
			o["resource"] = r.JSON
		}
		return o
	}
	return []object{entry("AuditEvent", event), entry("PractitionerRole", role)}
}
