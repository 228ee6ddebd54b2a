package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"signalbox/engine"
	"signalbox/fhir"
)

// processMessage takes a message Bundle. It is read by both readers before it is kept; once kept it is never refused, only reported on.
func (s *Server) processMessage(r *http.Request, c *Client) reply {
	if r.URL.RawQuery != "" {
		return invalidSearch("$process-message takes no parameters: the answer comes at once")
	}
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != fhir.MediaType ||
		params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return refusal(http.StatusUnsupportedMediaType, "not-supported", codeUnsupported, "Unsupported service",
			"content-type must be set to "+fhir.MediaType)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return refusal(http.StatusUnsupportedMediaType, "not-supported", codeUnsupported, "Unsupported service", "the body is sent uncompressed")
	}
	body, refused := s.body(r)
	if refused != nil {
		return *refused
	}
	if refused := s.unreadable(body); refused != nil {
		return *refused
	}
	receipt, err := s.desk.Receive(r.Context(), s.message(r, c, body))
	if err != nil {
		return s.fromDesk(err)
	}
	return receiptReply(receipt)
}

// body reads no more than the bound.
func (s *Server) body(r *http.Request) ([]byte, *reply) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, int64(s.cfg.MaxBody)))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		refused := refusal(http.StatusRequestEntityTooLarge, "too-long", codeValidation, "Validation error", "the message is over the limit of size")
		return nil, &refused
	}
	if err != nil {
		refused := refusal(http.StatusBadRequest, "incomplete", codeValidation, "Validation error", "the message did not arrive whole")
		return nil, &refused
	}
	if len(body) == 0 {
		refused := refusal(http.StatusBadRequest, "required", codeValidation, "Validation error", "requires payload")
		return nil, &refused
	}
	return body, nil
}

// unreadable refuses what is not sound FHIR R4, or not a Bundle. Nothing of it is kept.
func (s *Server) unreadable(body []byte) *reply {
	limits := fhir.DefaultLimits()
	limits.MaxBytes = s.cfg.MaxBody
	doc, faults := fhir.Examine(body, limits, s.cfg.Opinion)
	var issues []fhir.Issue
	switch {
	case len(faults) > 0:
		issues = faults.Issues()
	case doc.Type() != "Bundle":
		issues = []fhir.Issue{{Severity: fhir.SeverityError, Type: "structure", Diagnostics: "$process-message takes a Bundle"}}
	default:
		return nil
	}
	return &reply{status: http.StatusBadRequest, body: fhir.Outcome(issues...)}
}

// message wraps the body. A request id that comes again with another body is another message: a sender mends a refused message under the
// same id, and the mended one must not be taken for a repeat.
func (s *Server) message(r *http.Request, c *Client, body []byte) engine.Message {
	upstream := engine.Digest(body)
	if id := r.Header.Get("X-Request-ID"); isUUID(id) {
		upstream = strings.ToLower(id) + ":" + upstream[:16]
	}
	source := "fhir/" + c.Name
	return engine.Message{
		ID: engine.NewMessageID(source, upstream), Source: source, Upstream: upstream, From: c.ODSCode, Received: s.now(), Body: body,
	}
}

func receiptReply(receipt Receipt) reply {
	id := "message " + string(receipt.ID)
	if len(receipt.Faults) > 0 {
		issues := make([]fhir.Issue, 0, len(receipt.Faults)+1)
		for _, f := range receipt.Faults {
			issues = append(issues, faultIssue(f))
		}
		issues = append(issues, fhir.Issue{Severity: fhir.SeverityInformation, Type: "informational",
			Diagnostics: id + " is kept all the same: nothing is lost, and it is looked at again when the mapping changes"})
		return reply{status: http.StatusUnprocessableEntity, body: fhir.Outcome(issues...)}
	}
	issue := fhir.Issue{Severity: fhir.SeverityInformation, Type: "informational", Diagnostics: id + " is received and durable"}
	status := http.StatusAccepted
	if receipt.Duplicate {
		issue.Type, issue.Diagnostics, status = "duplicate", id+" had been received before; nothing was done again", http.StatusOK
	}
	return reply{status: status, body: fhir.Outcome(issue)}
}
