package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/fhir/api/identity"
	"signalbox/internal/teeth"
)

// headerUnscheduled says whether an access is unscheduled; absent means that it is (CP-IS FHIR R4 API guides, Headers).
const headerUnscheduled = "IsUnscheduledAccessEvent"

// access makes the access that a query records. Who asked is what the token or the certificate says. The reply is set when the request is
// refused instead. A further page is part of the access of the first.
func (s *Server) access(r *http.Request, q question) (engine.Access, *reply) {
	caller := exchangeOf(r).caller
	out := engine.Access{Subject: engine.Subject{NHSNumber: q.number}, By: caller.Actor(), Setting: caller.Client.Setting}
	if q.from != nil {
		out.ID, out.At, out.Scheduled = q.from.Access, q.from.At, q.from.Scheduled
	} else {
		scheduled, ok := scheduled(r)
		if !ok {
			refused := refusal(http.StatusBadRequest, "invalid", codePrecondition, "Missing or invalid head parameter",
				headerUnscheduled+" is true or false")
			return engine.Access{}, &refused
		}
		out.At, out.Scheduled = s.now(), scheduled
		out.ID = s.accessID(r, caller, q.number, scheduled, out.At)
	}
	if !caller.MayQuery(out.Scheduled) {
		refused := deniedLook(out.Scheduled)
		return engine.Access{}, &refused
	}
	return out, nil
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

// accessID names an access. Calls with one TraceID (or X-Request-ID) that is a UUID are one look at one child by one person, so that asking
// for CareTeam and AuditEvent counts once, and so does a repeat. Who looked, whether it was scheduled and the day are part of the name: a
// client that sends one TraceID for ever must not have another person's, its later, or its unscheduled, accesses swallowed. Without such an
// id every call counts.
func (s *Server) accessID(r *http.Request, c *identity.Caller, number engine.NHSNumber, scheduled bool, now time.Time) string {
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
	parts := []string{"access", c.Client.Name, strings.ToLower(trace), number.Reveal(), kind, now.UTC().Format(time.DateOnly)}
	if p := c.Person; p != nil {
		parts = append(parts, p.UserID, p.RoleProfile, p.RoleCode, c.Organisation.ODSCode)
	}
	return nameUUID(parts...)
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
