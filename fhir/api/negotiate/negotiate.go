// Package negotiate reads what a client says of the form of a request and of its answer: Accept, _format, Prefer and encodings.
package negotiate

import (
	"strconv"
	"strings"
)

// Format is the form of an answer.
type Format int

// The forms of FHIR R4.
const (
	JSON Format = iota
	XML
)

// MediaType is what an answer of this form is called (FHIR R4, RESTful API, content types).
func (f Format) MediaType() string {
	if f == XML {
		return "application/fhir+xml"
	}
	return "application/fhir+json"
}

// named gives the form of a media type, of those that FHIR R4 lists for _format and Accept and those of STU3.
func named(mediaType string) (Format, bool) {
	switch mediaType {
	case "application/fhir+json", "application/json", "application/json+fhir", "text/json":
		return JSON, true
	case "application/fhir+xml", "application/xml", "application/xml+fhir", "text/xml":
		return XML, true
	}
	return JSON, false
}

// Param reads a value of _format: json, xml or a media type. A plus that became a space on the way is taken for one, as FHIR R4 asks.
func Param(value string) (Format, bool) {
	switch value {
	case "json":
		return JSON, true
	case "xml":
		return XML, true
	}
	kind, params, _ := strings.Cut(value, ";")
	format, ok := named(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(kind)), " ", "+"))
	return format, ok && version(params)
}

// Accept chooses the form that an Accept header likes best (RFC 9110 section 12.5.1): the most specific range speaks for a form, and JSON
// goes first among equals. Without a header it is JSON. It reports false when the client takes neither.
func Accept(header string) (Format, bool) {
	if strings.TrimSpace(header) == "" {
		return JSON, true
	}
	type voice struct{ rank, q int }
	best := [2]voice{}
	say := func(f Format, rank, q int) {
		if v := best[f]; rank > v.rank || rank == v.rank && q > v.q {
			best[f] = voice{rank, q}
		}
	}
	for part := range strings.SplitSeq(header, ",") {
		kind, params, _ := strings.Cut(part, ";")
		q, ok := quality(params)
		if !ok || !version(params) {
			continue
		}
		switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
		case "*/*":
			say(JSON, 1, q)
			say(XML, 1, q)
		case "application/*":
			say(JSON, 2, q)
			say(XML, 2, q)
		case "application/fhir+json", "application/fhir+xml":
			f, _ := named(kind)
			say(f, 4, q)
		default:
			if f, known := named(kind); known {
				say(f, 3, q)
			}
		}
	}
	switch {
	case best[JSON].q == 0 && best[XML].q == 0:
		return JSON, false
	case best[XML].q > best[JSON].q:
		return XML, true
	}
	return JSON, true
}

// version reports whether the parameters ask for no other FHIR than R4.
func version(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "fhirVersion") {
			value = strings.Trim(strings.TrimSpace(value), `"`)
			return value == "4.0" || strings.HasPrefix(value, "4.0.")
		}
	}
	return true
}

// quality returns q in thousandths; 1000 when it is not said. It reports false for one that is not 0 to 1 with three digits at most.
func quality(params string) (int, bool) {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		whole, part, dotted := strings.Cut(strings.TrimSpace(value), ".")
		if whole != "0" && whole != "1" || len(part) > 3 || !dotted && part != "" {
			return 0, false
		}
		n, err := strconv.Atoi(whole + (part + "000")[:3])
		return n, err == nil && n >= 0 && n <= 1000
	}
	return 1000, true
}

// TakesGzip reports whether an Accept-Encoding header takes gzip.
func TakesGzip(header string) bool {
	takes := false
	for part := range strings.SplitSeq(header, ",") {
		kind, params, _ := strings.Cut(part, ";")
		q, ok := quality(params)
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "gzip", "x-gzip":
			return ok && q > 0
		case "*":
			takes = ok && q > 0
		}
	}
	return takes
}

// Return is what a client wants back from a change (FHIR R4, RESTful API, Prefer).
type Return string

// What can be wanted.
const (
	Representation   Return = "representation"
	Minimal          Return = "minimal"
	OperationOutcome Return = "OperationOutcome"
)

// Preferences are what a Prefer header asks for (RFC 7240). What it asks for besides is left out, as the RFC says.
type Preferences struct {
	Return       Return // empty when it is not said
	Lenient      bool   // handling=lenient: what is not understood in a search is left out, and said so
	Strict       bool   // handling=strict
	RespondAsync bool
}

// Prefer reads the Prefer headers of a request. Of one preference that is said twice the first counts.
func Prefer(headers []string) Preferences {
	var p Preferences
	handled := false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		token, _, _ := strings.Cut(part, ";")
		name, value, _ := strings.Cut(token, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "return":
			switch r := Return(value); r {
			case Representation, Minimal, OperationOutcome:
				if p.Return == "" {
					p.Return = r
				}
			}
		case "handling":
			if !handled {
				p.Lenient, p.Strict = value == "lenient", value == "strict"
				handled = p.Lenient || p.Strict
			}
		case "respond-async":
			p.RespondAsync = true
		}
	}
	return p
}
