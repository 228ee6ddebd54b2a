package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"signalbox/engine/register"
	"signalbox/fhir/api/hl7v3"
)

// hl7v3 answers a query in HL7 V3. It is the same access, by the same rules, as a FHIR search whose TraceID is the query's id: a client that
// asks both ways under one id is recorded once.
func (s *Server) hl7v3(r *http.Request, _ *Client) reply {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != hl7v3.MediaType && kind != "application/xml" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return refusal(http.StatusUnsupportedMediaType, "not-supported", codeUnsupported, "Unsupported service",
			"a QUPC_MT000006GB01 comes as text/xml or application/xml, in UTF-8")
	}
	body, refused := s.body(r)
	if refused != nil {
		return *refused
	}
	q, err := hl7v3.Read(body)
	if err != nil {
		return refusal(http.StatusBadRequest, "invalid", codeValidation, "Validation error", err.Error())
	}
	r = r.Clone(r.Context())
	r.Header.Set("TraceID", q.ID)
	answer, refused := s.ask(r, question{number: q.NHSNumber}, register.Everything)
	if refused != nil {
		return *refused
	}
	raw, err := hl7v3.Write(answer, s.cfg.SystemID)
	switch {
	case err != nil:
		s.log.Error("hl7v3 answer not written", "access", answer.Access.ID, "error", err)
		return internal()
	case raw == nil: // no record: the message that would say so, QUQI_IN010000UK14, is part of a transport that this is not
		return reply{status: http.StatusNoContent}
	}
	return ok(raw).with("Content-Type", hl7v3.MediaType+"; charset=utf-8")
}

// inWords turns an OperationOutcome into lines of text, for a caller who does not read FHIR.
func inWords(a reply) reply {
	var o struct {
		ResourceType string
		Issue        []struct {
			Diagnostics string
			Details     struct {
				Text   string
				Coding []struct{ Display string }
			}
		}
	}
	if json.Unmarshal(a.body, &o) != nil || o.ResourceType != "OperationOutcome" {
		return a
	}
	var lines []string
	for _, i := range o.Issue {
		words := []string{i.Details.Text}
		for _, c := range i.Details.Coding {
			words = append(words, c.Display)
		}
		words = append(words, i.Diagnostics)
		lines = append(lines, strings.TrimPrefix(strings.Join(strings.FieldsFunc(strings.Join(words, "\x00"), func(r rune) bool { return r == 0 }), ": "), ": "))
	}
	a.body = []byte(strings.Join(lines, "\n") + "\n")
	return a.with("Content-Type", "text/plain; charset=utf-8")
}
