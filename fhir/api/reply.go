package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"signalbox/engine"
	"signalbox/fhir"
	"signalbox/fhir/api/identity"
	"signalbox/fhir/api/negotiate"
)

// reply is one answer, whole before its first byte is sent.
type reply struct {
	status  int
	body    []byte
	headers map[string]string
}

func ok(body []byte) reply { return reply{status: http.StatusOK, body: body} }

// Spine's error codes that this server uses (CP-IS FHIR R4 API guides; retired Reasonable Adjustment Flag API for the rest).
const (
	codeInvalidSearch  = "INVALID_SEARCH_DATA"
	codePrecondition   = "PRECONDITION_FAILED"
	codeAccessDenied   = "ACCESS_DENIED"
	codeNotFound       = "RESOURCE_NOT_FOUND"
	codeUnsupported    = "UNSUPPORTED_SERVICE"
	codeUnsupportedVal = "UNSUPPORTED_VALUE"
	codeValidation     = "VALIDATION_ERROR"
	codeAdditional     = "ADDITIONAL_PROPERTIES"
	codeUnable         = "UNABLE_TO_CALL_SERVICE"
)

// refusal is an answer of one error.
func refusal(status int, issueType, code, display, diagnostics string) reply {
	return reply{status: status, body: fhir.Outcome(fhir.Issue{
		Severity: fhir.SeverityError, Type: issueType, Code: code, Display: display, Diagnostics: diagnostics,
	})}
}

func (r reply) with(header, value string) reply {
	headers := map[string]string{header: value}
	for k, v := range r.headers {
		headers[k] = v
	}
	r.headers = headers
	return r
}

func invalidSearch(diagnostics string) reply {
	return refusal(http.StatusBadRequest, "invalid", codeInvalidSearch, "Invalid search data", diagnostics)
}

// invalidNHSNumber has the words of the CP-IS FHIR R4 API Consumer guide.
func invalidNHSNumber() reply {
	return refusal(http.StatusBadRequest, "invalid", codeInvalidSearch, "Invalid NHS number", "")
}

// notLetIn answers a caller that is not known, or is known and has no right. The diagnostics are those of the retired Reasonable Adjustment
// Flag API; which check failed stands in WWW-Authenticate, where RFC 6750 has a place for it.
func (s *Server) notLetIn(refused *identity.Refusal) reply {
	switch {
	case refused.Away():
		return s.away("try again later")
	case refused.Forbidden():
		return refusal(http.StatusForbidden, "forbidden", codeAccessDenied, "Access denied", "this client or organisation has no right to this call")
	case refused.Reason == identity.NoCredentials:
		return refusal(http.StatusUnauthorized, "login", codeAccessDenied, "Access denied", "Access token is invalid or expired").
			with("WWW-Authenticate", "Bearer")
	}
	return refusal(http.StatusUnauthorized, "login", codeAccessDenied, "Access denied", "Access token is invalid or expired").
		with("WWW-Authenticate", `Bearer error="invalid_token", error_description="`+string(refused.Reason)+`"`)
}

func denied() reply {
	return refusal(http.StatusForbidden, "forbidden", codeAccessDenied, "Access denied", "this client has no right to this call")
}

// deniedLook answers a person who has no right to look in this kind of care, and says what would be asked with the right that there may be.
func deniedLook(scheduled bool) reply {
	text := "looking in unscheduled care needs B0107; care is unscheduled unless " + headerUnscheduled + " is false"
	if scheduled {
		text = "looking in scheduled care needs B0170"
	}
	return refusal(http.StatusForbidden, "forbidden", codeAccessDenied, "Access denied", text)
}

// unsound shows a sender everything that is wrong with a resource, each thing with Spine's code for it.
func unsound(status int, faults fhir.Faults) reply {
	issues := faults.Issues()
	for i := range issues {
		issues[i].Code, issues[i].Display = codeValidation, "Validation error"
		if faults[i].Rule == fhir.RuleElement {
			issues[i].Code, issues[i].Display = codeAdditional, "Additional properties"
		}
	}
	return reply{status: status, body: fhir.Outcome(issues...)}
}

func notAcceptable() reply {
	return refusal(http.StatusNotAcceptable, "not-supported", codeUnsupported, "Unsupported service",
		"answers are "+negotiate.JSON.MediaType()+" or "+negotiate.XML.MediaType())
}

func unsupportedMedia(diagnostics string) reply {
	return refusal(http.StatusUnsupportedMediaType, "not-supported", codeUnsupported, "Unsupported service", diagnostics)
}

// throttled says after how long there will be room; whole seconds, rounded up.
func throttled(wait time.Duration) reply {
	return refusal(http.StatusTooManyRequests, "throttled", "", "Too many requests", repeatLater).
		with("Retry-After", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
}

func (s *Server) away(diagnostics string) reply {
	return refusal(http.StatusServiceUnavailable, "transient", codeUnable, "Unable to call service", diagnostics).
		with("Retry-After", strconv.Itoa(int(s.cfg.RetryAfter.Seconds())))
}

const repeatLater = "try again later, with the same TraceID or X-Request-ID"

// fromDesk turns an error of the Desk into an answer by its kind. The error's text stays inside.
func (s *Server) fromDesk(err error) reply {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return refusal(http.StatusGatewayTimeout, "timeout", codeUnable, "Unable to call service", repeatLater).
			with("Retry-After", strconv.Itoa(int(s.cfg.RetryAfter.Seconds())))
	case errors.Is(err, context.Canceled):
		return s.away(repeatLater)
	}
	switch engine.KindOf(err) {
	case engine.Unavailable:
		return s.away(repeatLater)
	case engine.Denied:
		return denied()
	case engine.Invalid, engine.Unmapped:
		return refusal(http.StatusBadRequest, "invalid", codeValidation, "Validation error", "")
	case engine.TooLarge:
		return refusal(http.StatusRequestEntityTooLarge, "too-long", codeValidation, "Validation error", "the request is over a limit")
	}
	return internal()
}

func internal() reply {
	return refusal(http.StatusInternalServerError, "exception", "", "Internal error", "the fault is ours and has been recorded")
}

// faultIssue shows a sender one fault of translation.
func faultIssue(e *engine.Error) fhir.Issue {
	text := e.Rule
	if e.Text != "" {
		text += ": " + e.Text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Place.Line > 0 {
		text += " (line " + strconv.Itoa(e.Place.Line) + ":" + strconv.Itoa(e.Place.Column) + ")"
	}
	return fhir.Issue{Severity: fhir.SeverityError, Type: faultType(e), Code: codeValidation, Display: "Validation error",
		Diagnostics: text, Expression: e.Place.Path}
}

func faultType(e *engine.Error) string {
	switch {
	case e.Rule == engine.RuleMandatory:
		return "required"
	case e.Kind == engine.Unmapped, e.Rule == engine.RuleEnum:
		return "code-invalid"
	case e.Kind == engine.TooLarge:
		return "too-long"
	case e.Rule == engine.RuleNHSNumber, e.Rule == engine.RuleDate, e.Rule == engine.RuleType:
		return "value"
	}
	return "invalid"
}
