package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/fhir"
	"signalbox/fhir/api/negotiate"
)

// Search parameters.
const (
	paramIdentifier = "patient:identifier"
	paramPatient    = "patient"
	paramInclude    = "_include"
	paramCode       = "code"
	paramCount      = "_count"
	paramSummary    = "_summary"
	paramFormat     = "_format"
	paramPage       = "_page" // our own: a sealed place in an answer, made by us for a link

	includeAssigned = "AuditEvent:entity-type=" + fhir.SystemRoleClass + "|" + fhir.CodeAssigned
)

// maxForm bounds the form of a search by POST.
const maxForm = 16 << 10

// question is a search that is understood.
type question struct {
	number  engine.NHSNumber
	include bool // the role of each access is wanted too
	count   int  // matches on a page
	total   bool // only how many there are
	ignored int  // parameters that were left out because the client wants that
	from    *place
}

// place is where a page begins, and the access that it is part of. It is only ever seen sealed.
type place struct {
	Number    string    `json:"n"`
	Access    string    `json:"a"`
	At        time.Time `json:"t"`
	Scheduled bool      `json:"s"`
	Include   bool      `json:"i"`
	Count     int       `json:"c"`
	Offset    int       `json:"o"`
	Tag       string    `json:"e"` // of the whole answer: its pages belong together or not at all
}

// question reads a search. What is not known is refused, because to leave it out would answer another question than was asked; a client
// that says handling=lenient has it left out, and is told so in the answer.
func (s *Server) question(r *http.Request, known ...string) (question, *reply) {
	values, refused := params(r)
	if refused != nil {
		return question{}, refused
	}
	if refused := form(r, values); refused != nil {
		return question{}, refused
	}
	if values.Has(paramPage) {
		return s.resume(r, values)
	}
	entry, q := exchangeOf(r), question{count: s.cfg.PageSize}
	known = append(known, paramPatient, paramIdentifier, paramCount, paramSummary)
	for name, v := range values {
		var refused *reply
		switch {
		case !slices.Contains(known, name):
			refused = pointer(invalidSearch("a search parameter is not supported here: this search takes " + strings.Join(known, ", ")))
		case len(v) > 1:
			return question{}, pointer(invalidSearch("one value for each search parameter: ask for one patient at a time"))
		case name != paramPatient && name != paramIdentifier:
			refused = q.set(name, v[0], s.cfg.PageSize)
		}
		if refused != nil && (!entry.prefer.Lenient || strings.HasPrefix(name, paramPatient)) {
			return question{}, refused
		}
		if refused != nil {
			q.ignored++
		}
	}
	entry.applyHandling()
	q.number, refused = patientOf(values)
	return q, refused
}

func pointer(r reply) *reply { return &r }

// applyHandling notes that the client's wish for strict or lenient handling was followed.
func (e *exchange) applyHandling() {
	switch {
	case e.prefer.Lenient:
		e.apply("handling=lenient")
	case e.prefer.Strict:
		e.apply("handling=strict")
	}
}

// params reads the parameters of the address and, for a search by POST, of the form.
func params(r *http.Request) (url.Values, *reply) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, pointer(invalidSearch("the query cannot be read"))
	}
	if r.Method != http.MethodPost {
		return values, nil
	}
	kind, extra, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || extra["charset"] != "" && !strings.EqualFold(extra["charset"], "utf-8") {
		return nil, pointer(unsupportedMedia("content-type must be set to application/x-www-form-urlencoded"))
	}
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxForm))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, pointer(refusal(http.StatusRequestEntityTooLarge, "too-long", codeValidation, "Validation error", "the form is over the limit of size"))
	}
	if err != nil {
		return nil, pointer(refusal(http.StatusBadRequest, "incomplete", codeValidation, "Validation error", "the form did not arrive whole"))
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, pointer(invalidSearch("the form cannot be read"))
	}
	for name, v := range form {
		values[name] = append(values[name], v...)
	}
	return values, nil
}

// form takes _format out of the parameters. That of the address has been followed already; one in a form is followed here.
func form(r *http.Request, values url.Values) *reply {
	v, given := values[paramFormat]
	if !given {
		return nil
	}
	delete(values, paramFormat)
	format, ok := negotiate.Param(v[0])
	if !ok || len(v) > 1 {
		return pointer(notAcceptable())
	}
	exchangeOf(r).format = format
	return nil
}

// set takes one parameter that is not the patient.
func (q *question) set(name, value string, most int) *reply {
	switch name {
	case paramInclude:
		if value != includeAssigned {
			return pointer(invalidSearch("the one _include that is known is " + includeAssigned))
		}
		q.include = true
	case paramCode:
		if value != fhir.CodeCPIS && value != fhir.SystemFlagCategory+"|"+fhir.CodeCPIS {
			return pointer(refusal(http.StatusBadRequest, "not-supported", codeUnsupportedVal, "Unsupported value",
				"this server knows of no other flag than "+fhir.CodeCPIS+": it cannot say that there is none"))
		}
	case paramCount:
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return pointer(invalidSearch("_count is a whole number"))
		}
		q.count, q.total = min(n, most), q.total || n == 0 // FHIR R4, Search: a count of 0 is _summary=count
	case paramSummary:
		switch value {
		case "count":
			q.total = true
		case "false":
		default:
			return pointer(invalidSearch("_summary is count or false"))
		}
	}
	return nil
}

// patientOf reads the patient in either of its forms.
func patientOf(values url.Values) (engine.NHSNumber, *reply) {
	if values.Has(paramPatient) && values.Has(paramIdentifier) {
		return engine.NHSNumber{}, pointer(invalidSearch("name the patient once: by " + paramPatient + " or by " + paramIdentifier))
	}
	if values.Has(paramIdentifier) {
		return nhsNumber(values.Get(paramIdentifier), true)
	}
	return nhsNumber(values.Get(paramPatient), false)
}

// resume reads a link that we made. Nothing else can stand beside it.
func (s *Server) resume(r *http.Request, values url.Values) (question, *reply) {
	if len(values) > 1 || len(values[paramPage]) > 1 {
		return question{}, pointer(invalidSearch("a link to a page is followed as it is, without other parameters"))
	}
	entry := exchangeOf(r)
	var p place
	err := s.pages.Open(values.Get(paramPage), callerKey(entry), searchRoute(entry), &p)
	n, bad := engine.ParseNHSNumber(p.Number)
	if err != nil || bad != nil {
		return question{}, pointer(pageGone("the link has run out, or is not yours: search again"))
	}
	return question{number: n, include: p.Include, count: p.Count, from: &p}, nil
}

func pageGone(text string) reply {
	return refusal(http.StatusGone, "expired", codeInvalidSearch, "Invalid search data", text)
}

// callerKey names who may follow a link: the client, and the person where there is one.
func callerKey(e *exchange) string {
	key := e.client
	if e.caller != nil && e.caller.Person != nil {
		key += "\x00" + e.caller.Person.UserID
	}
	return key
}

// searchRoute is the path of the search, whether it was asked by GET or by POST.
func searchRoute(e *exchange) string { return strings.TrimSuffix(e.route, "/_search") }

// nhsNumber reads a token of the form [system|]value. With needSystem the system must be there.
func nhsNumber(token string, needSystem bool) (engine.NHSNumber, *reply) {
	fail := func(r reply) (engine.NHSNumber, *reply) { return engine.NHSNumber{}, &r }
	if token == "" {
		return fail(invalidSearch("the patient is missing"))
	}
	if strings.Contains(token, ",") {
		return fail(invalidSearch("ask for one patient at a time"))
	}
	value := token
	if system, rest, found := strings.Cut(token, "|"); found {
		if system != fhir.SystemNHSNumber {
			return fail(invalidSearch("the identifier's system is " + fhir.SystemNHSNumber))
		}
		value = rest
	} else if needSystem {
		return fail(invalidSearch("the patient is given as " + fhir.SystemNHSNumber + "|number"))
	}
	n, err := engine.ParseNHSNumber(value)
	if err != nil {
		return fail(invalidNHSNumber())
	}
	return n, nil
}
