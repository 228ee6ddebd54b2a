package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/fhir"
	"signalbox/internal/teeth"
)

// headerUnscheduled says whether an access is unscheduled; absent means that it is (CP-IS FHIR R4 API guides, Headers).
const headerUnscheduled = "IsUnscheduledAccessEvent"

// access makes the access that a query records. The reply is set when the request is refused instead.
func (s *Server) access(r *http.Request, c *Client, number engine.NHSNumber) (engine.Access, *reply) {
	scheduled, ok := scheduled(r)
	if !ok {
		refused := refusal(http.StatusBadRequest, "invalid", codePrecondition, "Missing or invalid head parameter",
			headerUnscheduled+" is true or false")
		return engine.Access{}, &refused
	}
	now := s.now()
	return engine.Access{
		ID: s.accessID(r, c, number, scheduled, now), Subject: engine.Subject{NHSNumber: number}, At: now, Scheduled: scheduled,
		By: engine.Actor{
			DeviceID:     c.DeviceID,
			Organisation: engine.Organisation{ODSCode: c.ODSCode, Name: c.OrganisationName},
		},
		Setting: c.Setting,
	}, nil
}

// scheduled reads the header. Anything but one plain true or false is refused, not guessed.
func scheduled(r *http.Request) (scheduled, ok bool) {
	values := r.Header.Values(headerUnscheduled)
	switch {
	case len(values) == 0:
		return teeth.Bite("absent-means-scheduled"), true
	case len(values) > 1:
		return false, false
	case values[0] == "true":
		return false, true
	case values[0] == "false":
		return true, true
	}
	return false, false
}

// accessID names an access. Calls with one TraceID (or X-Request-ID) that is a UUID are one look at one child, so that asking for CareTeam
// and AuditEvent counts once, and so does a repeat. Whether it was scheduled and the day are part of the name: a client that sends one
// TraceID for ever must not have its later, or its unscheduled, accesses swallowed. Without such an id every call counts.
func (s *Server) accessID(r *http.Request, c *Client, number engine.NHSNumber, scheduled bool, now time.Time) string {
	trace := r.Header.Get("TraceID")
	if !isUUID(trace) {
		trace = r.Header.Get("X-Request-ID")
	}
	if !isUUID(trace) || teeth.Bite("repeat-counts-again") {
		return s.newID()
	}
	kind := "unscheduled"
	if scheduled {
		kind = "scheduled"
	}
	return nameUUID("access", c.Name, strings.ToLower(trace), number.Reveal(), kind, now.UTC().Format(time.DateOnly))
}

// nameUUID derives a UUID from its parts: SHA-256, marked as version 8 (RFC 9562), because version 5 means SHA-1.
func nameUUID(parts ...string) string {
	sum := sha256.Sum256([]byte("signalbox fhir\x00" + strings.Join(parts, "\x00")))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if s[i] != '-' {
				return false
			}
		case (s[i] < '0' || s[i] > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// search reads the query. Parameters that are not known are refused: to leave one out would answer another question than was asked.
func search(r *http.Request, known ...string) (url.Values, *reply) {
	fail := func(text string) (url.Values, *reply) {
		refused := invalidSearch(text)
		return nil, &refused
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fail("the query cannot be read")
	}
	for name, v := range values {
		if name == "_format" {
			if len(v) != 1 || v[0] != "json" && v[0] != fhir.MediaType && v[0] != "application/json" {
				refused := refusal(http.StatusNotAcceptable, "not-supported", codeUnsupported, "Unsupported service", "answers are "+fhir.MediaType)
				return nil, &refused
			}
			continue
		}
		if !contains(known, name) {
			return fail("a search parameter is not supported here: this search takes " + strings.Join(known, ", "))
		}
		if len(v) > 1 {
			return fail("one value for each search parameter: ask for one patient at a time")
		}
	}
	return values, nil
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

// nhsNumber reads a token of the form [system|]value. With needSystem the system must be there.
func nhsNumber(token string, needSystem bool) (engine.NHSNumber, *reply) {
	fail := func(r reply) (engine.NHSNumber, *reply) { return engine.NHSNumber{}, &r }
	if token == "" {
		return fail(invalidSearch("the patient is missing"))
	}
	if strings.Contains(token, ",") {
		return fail(invalidSearch("ask for one patient at a time"))
	}
	value := token
	if system, rest, found := strings.Cut(token, "|"); found {
		if system != fhir.SystemNHSNumber {
			return fail(invalidSearch("the identifier's system is " + fhir.SystemNHSNumber))
		}
		value = rest
	} else if needSystem {
		return fail(invalidSearch("the patient is given as " + fhir.SystemNHSNumber + "|number"))
	}
	n, err := engine.ParseNHSNumber(value)
	if err != nil {
		return fail(invalidNHSNumber())
	}
	return n, nil
}
