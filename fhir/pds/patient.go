package pds

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"signalbox/fhir"
)

// Patient is what PDS holds of a person, as far as a comparison needs it. It prints as redacted.
type Patient struct {
	NHSNumber    string // of the record: not the one that was asked for, where that is superseded
	Security     string // Unrestricted, Restricted, VeryRestricted or Redacted; empty: not said
	Verification string // NHS number verification status; empty: not said
	Names        []Name
	BirthDate    string // yyyy-mm-dd, or less of it
	Version      string // meta.versionId
}

// Name is one name of a person.
type Name struct {
	Use    string // usual, nickname, temp, old, maiden
	Given  []string
	Family string
	Ended  bool // its period has an end
}

const redacted = "[redacted]"

// Format prints as redacted whatever the verb.
func (Patient) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue keeps a person out of structured logs.
func (Patient) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format prints as redacted whatever the verb.
func (Name) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// answer reads a body strictly. One that cannot be read says nothing of the patient, least of all that there is none.
func (c *Client) answer(q question, body []byte) (Patient, error) {
	doc, err := fhir.Read(body, c.cfg.Limits)
	if err != nil {
		return Patient{}, &Error{Op: q.op, Kind: Unavailable, Status: http.StatusOK, RequestID: q.requestID, Err: fmt.Errorf("the answer is no FHIR R4: %w", err)}
	}
	p, err := q.read(doc)
	if failure, ok := errors.AsType[*Error](err); ok {
		failure.Op, failure.RequestID = q.op, q.requestID
	} else if err != nil {
		err = &Error{Op: q.op, Kind: Unavailable, Status: http.StatusOK, RequestID: q.requestID, Err: err}
	}
	return p, err
}

func readPatient(doc *fhir.Document) (Patient, error) {
	if doc.Type() != "Patient" {
		return Patient{}, errors.New("the answer is no Patient")
	}
	return patientOf(doc.Root())
}

func patientOf(n *fhir.Node) (Patient, error) {
	p := Patient{NHSNumber: text(n, "id"), BirthDate: text(n, "birthDate"), Version: text(n.Child("meta"), "versionId")}
	if !tenDigits(p.NHSNumber) {
		return Patient{}, errors.New("the id of the Patient is no NHS number")
	}
	for s := range each(n.Child("meta"), "security") {
		if code := text(s, "code"); p.Security == "" || code != Unrestricted { // the strictest label counts
			p.Security = code
		}
	}
	for id := range each(n, "identifier") {
		if text(id, "system") == fhir.SystemNHSNumber && text(id, "value") == p.NHSNumber {
			p.Verification = verification(id)
		}
	}
	for name := range each(n, "name") {
		one := Name{Use: text(name, "use"), Family: text(name, "family"), Ended: text(name.Child("period"), "end") != ""}
		for given := range each(name, "given") {
			one.Given = append(one.Given, given.Text())
		}
		p.Names = append(p.Names, one)
	}
	return p, nil
}

// verification finds UKCore-NHSNumberVerificationStatus in an identifier.
func verification(id *fhir.Node) string {
	for e := range each(id, "extension") {
		if strings.HasSuffix(text(e, "url"), "NHSNumberVerificationStatus") {
			for coding := range each(e.Child("valueCodeableConcept"), "coding") {
				return text(coding, "code")
			}
		}
	}
	return ""
}

// refusal reads an OperationOutcome for its published code. Without one the status decides, and a 404 or 400 that PDS itself did not explain is
// no word about the patient.
func (c *Client) refusal(q question, status int, body []byte) error {
	e := &Error{Op: q.op, Status: status, RequestID: q.requestID, Kind: statusKind(status), Code: c.outcomeCode(body)}
	switch {
	case status == http.StatusNotFound && e.Code == codeInvalidated:
		e.Kind = Invalidated
	case status == http.StatusNotFound && e.Code == codeNotFound:
		e.Kind = NotFound
	case status == http.StatusBadRequest && e.Code == codeInvalidID:
		e.Kind = BadNumber
	case status == http.StatusBadRequest:
		e.Kind = Refused
	}
	return e
}

// outcomeCode returns the first published code of an OperationOutcome, and nothing of its text.
func (c *Client) outcomeCode(body []byte) string {
	doc, err := fhir.Read(body, c.cfg.Limits)
	if err != nil {
		return ""
	}
	if all := codes(doc); len(all) > 0 {
		return all[0]
	}
	return ""
}

// codes returns the published codes of an OperationOutcome; none of another document.
func codes(doc *fhir.Document) []string {
	if doc.Type() != "OperationOutcome" {
		return nil
	}
	var out []string
	for issue := range each(doc.Root(), "issue") {
		for coding := range each(issue.Child("details"), "coding") {
			switch code := text(coding, "code"); code {
			case codeInvalidID, codeNotFound, codeInvalidated, codeThrottled, codeDenied, codeTimeout, codeTooMany:
				out = append(out, code)
			}
		}
	}
	return out
}
