package api

import (
	"net/http"
	"net/url"
	"strconv"

	"signalbox/engine/register"
	"signalbox/fhir"
)

// ask records the access and returns the answer.
func (s *Server) ask(r *http.Request, q question, want register.Question) (register.Answer, *reply) {
	a, refused := s.access(r, q)
	if refused != nil {
		return register.Answer{}, refused
	}
	answer, err := s.desk.Ask(r.Context(), a, want)
	if err != nil {
		out := s.fromDesk(err)
		return register.Answer{}, &out
	}
	return answer, nil
}

// careTeams answers a search for CareTeam: one CareTeam for each plan of each local authority.
func (s *Server) careTeams(r *http.Request, _ *Client) reply {
	q, refused := s.question(r)
	if refused != nil {
		return *refused
	}
	answer, refused := s.ask(r, q, register.WhichFlags)
	if refused != nil {
		return *refused
	}
	return s.page(r, q, answer, careTeamBundle(answer))
}

// auditEvents answers a search for AuditEvent: the history of unscheduled accesses.
func (s *Server) auditEvents(r *http.Request, _ *Client) reply {
	q, refused := s.question(r, paramInclude)
	if refused != nil {
		return *refused
	}
	answer, refused := s.ask(r, q, register.WhoLooked)
	if refused != nil {
		return *refused
	}
	return s.page(r, q, answer, auditBundle(answer, s.cfg.PublicURL, q.include))
}

// patientFlags answers a search at PatientFlag in the shape of the Patient Flags API.
func (s *Server) patientFlags(r *http.Request, _ *Client) reply {
	q, refused := s.question(r, paramCode)
	if refused != nil {
		return *refused
	}
	answer, refused := s.ask(r, q, register.WhichFlags)
	if refused != nil {
		return *refused
	}
	return s.page(r, q, answer, flagBundle(answer))
}

// page answers with that part of a searchset which was asked for. A link to another page carries the place in it sealed, and the tag of the
// whole: when the answer has changed meanwhile, going on would show one plan twice or none at all, so that the client has to search again.
func (s *Server) page(r *http.Request, q question, answer register.Answer, all searchset) reply {
	tag := s.pages.Tag(all.bytes()...)
	offset := 0
	if q.from != nil {
		if offset = q.from.Offset; q.from.Tag != tag {
			return pageGone("the answer has changed since its first page: search again")
		}
	}
	if q.total {
		return s.tagged(r, ok(all.bundle(0, 0, nil, q.ignored)), s.pages.Tag([]byte(tag), []byte("count"), []byte(exchangeOf(r).format.MediaType())))
	}
	var links []link
	add := func(relation string, to int) error {
		a := answer.Access
		token, err := s.pages.Seal(place{
			Number: a.Subject.NHSNumber.Reveal(), Access: a.ID, At: a.At, Scheduled: a.Scheduled, Include: q.include, Count: q.count, Offset: to, Tag: tag,
		}, callerKey(exchangeOf(r)), searchRoute(exchangeOf(r)))
		links = append(links, link{relation, s.cfg.PublicURL + searchRoute(exchangeOf(r)) + "?" + paramPage + "=" + url.QueryEscape(token)})
		return err
	}
	var err error
	if offset+q.count < all.total() {
		err = add("next", offset+q.count)
	}
	if err == nil && offset > 0 {
		err = add("previous", max(0, offset-q.count))
	}
	if err != nil {
		return internal()
	}
	out := ok(all.bundle(offset, q.count, links, q.ignored))
	return s.tagged(r, out, s.pages.Tag([]byte(tag), []byte(strconv.Itoa(offset)), []byte(strconv.Itoa(q.count)), []byte(strconv.Itoa(q.ignored)),
		[]byte(exchangeOf(r).format.MediaType())))
}

// leftOut is the warning that parameters were not understood.
func leftOut(n int) fhir.Issue {
	return fhir.Issue{Severity: fhir.SeverityWarning, Type: "not-supported", Code: codeUnsupportedVal, Display: "Unsupported value",
		Diagnostics: strconv.Itoa(n) + " of the search parameters are not supported here and were left out, as handling=lenient asks"}
}
