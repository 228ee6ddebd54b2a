package api

import (
	"net/http"

	"signalbox/fhir"
	"signalbox/fhir/api/negotiate"
)

// Prefer: return is for changes (FHIR R4, RESTful API, "create/update/patch/transaction"). What it means for each is in the README; what went wrong
// is told in full whatever is preferred.

// wants says what a client wants back from a change, and notes that it gets that. Nothing is the server's own choice.
func wants(r *http.Request) negotiate.Return {
	e := exchangeOf(r)
	if e.prefer.Return != "" {
		e.apply("return=" + string(e.prefer.Return))
	}
	return e.prefer.Return
}

// apply notes that a preference is followed.
func (e *exchange) apply(preference string) {
	if e.applied != "" {
		e.applied += ", "
	}
	e.applied += preference
}

// preferred gives the answer to a change in the form that is wanted: the whole of it, nothing, or words.
func preferred(want negotiate.Return, whole reply, words string) reply {
	switch want {
	case negotiate.Minimal:
		whole.body = nil
	case negotiate.OperationOutcome:
		whole.body = fhir.Outcome(fhir.Issue{Severity: fhir.SeverityInformation, Type: "informational", Diagnostics: words})
	}
	return whole
}
