// Package pds asks the Personal Demographics Service FHIR API who has an NHS number.
//
// It is a client of `GET /Patient/{nhs-number}` and of the search for a single match, with application-restricted access by signed JWT. It knows
// nothing of flags: it returns what PDS holds, or an *Error whose Kind says what became of the question. What it builds on is published in
// NHSDigital/personal-demographics-service-api (specification/components/paths/patient-get.yaml and patient-search.yaml, 2025) and in NHS
// England's guide "Application-restricted RESTful APIs - signed JWT authentication"; README.md says what is assumed besides.
//
// The published API puts the NHS number into the path of the request. No error, log line or text that this package makes holds it, nor a URL.
package pds

// Error codes of the API (OperationOutcome.issue.details.coding.code, table of responses in patient-get.yaml).
const (
	codeInvalidID   = "INVALID_RESOURCE_ID"
	codeNotFound    = "RESOURCE_NOT_FOUND"
	codeInvalidated = "INVALIDATED_RESOURCE"
	codeThrottled   = "TOO_MANY_REQUESTS"
	codeDenied      = "ACCESS_DENIED"
	codeTimeout     = "UNABLE_TO_CALL_SERVICE"
	codeTooMany     = "TOO_MANY_MATCHES" // with status 200 (patient-search.yaml)
)

// The system and the codes of meta.security that the API returns (specification/components/schemas/Meta.yaml).
const (
	Unrestricted   = "U"
	Restricted     = "R"        // a sensitive record: where the person is has been left out
	VeryRestricted = "V"        // likewise
	Redacted       = "REDACTED" // an invalidated record; said never to be returned
)

// VerifiedStatus is "Number present and verified" in UKCore-NHSNumberVerificationStatus.
const VerifiedStatus = "01"
