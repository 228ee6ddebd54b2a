package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"signalbox/engine"
	"signalbox/fhir"
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

func notAuthenticated() reply {
	return refusal(http.StatusUnauthorized, "login", codeAccessDenied, "Access token is missing, invalid or expired", "").
		with("WWW-Authenticate", "Bearer")
}

func denied() reply {
	return refusal(http.StatusForbidden, "forbidden", codeAccessDenied, "Access denied", "this client has no right to this call")
}

// fromDesk turns an error of the Desk into an answer by its kind. The error's text stays inside.
func (s *Server) fromDesk(err error) reply {
	kind := engine.KindOf(err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		kind = engine.Unavailable
	}
	switch kind {
	case engine.Unavailable:
		return refusal(http.StatusServiceUnavailable, "transient", codeUnable, "Unable to call service", "try again later, with the same TraceID or X-Request-ID").
			with("Retry-After", strconv.Itoa(int(s.cfg.RetryAfter.Seconds())))
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
