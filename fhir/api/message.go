package api

import (
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

// WorkflowTransaction marks a message that is a Bundle of type transaction or batch: another mapping reads it than a Bundle of type message.
const WorkflowTransaction = "fhir-transaction"

// processMessage takes a message Bundle. It is read by both readers before it is kept; once kept it is never refused, only reported on, in a
// message that answers it (FHIR R4, "Messaging using FHIR Resources").
func (s *Server) processMessage(r *http.Request, c *Client) reply {
	later, refused := s.later(r, true)
	if refused != nil {
		return *refused
	}
	endpoint, refused := responseURL(r, c)
	if refused != nil {
		return *refused
	}
	m, doc, refused := s.incoming(r, c)
	if refused != nil {
		return *refused
	}
	header, refused := messageHeader(doc)
	if refused != nil {
		return *refused
	}
	want := wants(r)
	answer := func(settled Outcome) reply { return messageReply(s.base(), m.ID, header, settled, want) }
	receipt, err := s.desk.Receive(r.Context(), m)
	if err != nil {
		return s.unavailable(err, m.ID, header)
	}
	if endpoint != "" {
		if err := s.desk.Respond(r.Context(), c.Name, receipt.ID, endpoint); err != nil {
			return s.unavailable(err, m.ID, header)
		}
	}
	return s.settle(r, m.Source, receipt.ID, later, answer)
}

// settle waits for what became of a message and answers with it, or with where to ask later.
func (s *Server) settle(r *http.Request, source string, id engine.MessageID, later bool, answer func(Outcome) reply) reply {
	if later {
		return s.pending(r, id)
	}
	out, err := s.desk.Outcome(r.Context(), source, id, s.cfg.Wait)
	switch {
	case err != nil && engine.KindOf(err) != engine.Unavailable:
		return s.fromDesk(err)
	case err != nil || !out.Settled: // it is durable, whatever the record says now
		return s.pending(r, id)
	}
	return answer(out)
}

// later reads whether the sender waits for the answer. It does not with async=true, or with Prefer: respond-async.
func (s *Server) later(r *http.Request, parameters bool) (bool, *reply) {
	fail := func(text string) (bool, *reply) {
		refused := refusal(http.StatusBadRequest, "invalid", codeUnsupportedVal, "Unsupported value", text)
		return false, &refused
	}
	asked, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fail("the query cannot be read")
	}
	later := false
	if exchangeOf(r).prefer.RespondAsync {
		later = true
		exchangeOf(r).apply("respond-async")
	}
	for name, v := range asked {
		switch {
		case name == "async" && parameters && len(v) == 1 && (v[0] == "true" || v[0] == "false"):
			later = v[0] == "true"
		case name == "async" && parameters:
			return fail("async is true or false")
		case name == "response-url" && parameters:
			if !slices.Equal(asked["async"], []string{"true"}) || len(v) != 1 {
				return fail("response-url goes with async=true, once")
			}
		case name != "_format":
			return fail("the parameters that are known here are async and response-url")
		}
	}
	return later, nil
}

// responseURL is the address to which the sender wants its answer posted; empty for none. It is one of those that the configuration allows this
// client: a sender that could name any address could make this server call it.
func responseURL(r *http.Request, c *Client) (string, *reply) {
	wanted := r.URL.Query().Get("response-url")
	if wanted == "" && !r.URL.Query().Has("response-url") || slices.Contains(c.Responses, wanted) {
		return wanted, nil
	}
	refused := refusal(http.StatusUnprocessableEntity, "not-supported", codeUnsupportedVal, "Unsupported value",
		"the configuration allows this client no such response-url: nothing was taken")
	return "", &refused
}

// incoming reads a Bundle that is not kept yet.
func (s *Server) incoming(r *http.Request, c *Client) (engine.Message, *fhir.Document, *reply) {
	fail := func(refused reply) (engine.Message, *fhir.Document, *reply) { return engine.Message{}, nil, &refused }
	body, doc, refused := s.resource(r)
	if refused != nil {
		return fail(*refused)
	}
	if doc.Type() != "Bundle" {
		return fail(reply{status: http.StatusBadRequest, body: fhir.Outcome(fhir.Issue{Severity: fhir.SeverityError, Type: "structure",
			Code: codeValidation, Display: "Validation error", Diagnostics: "a Bundle is taken here"})})
	}
	return s.message(r, c, body), doc, nil
}

// resource reads a body that is one resource, in the form that its Content-Type names. What is not sound FHIR R4, or does not keep
// to the server's standard, is refused, and nothing of it is kept.
func (s *Server) resource(r *http.Request) ([]byte, *fhir.Document, *reply) {
	fail := func(refused reply) ([]byte, *fhir.Document, *reply) { return nil, nil, &refused }
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	examine := fhir.Examine
	if kind == fhir.MediaTypeXML {
		examine = fhir.ExamineXML
	}
	if err != nil || kind != fhir.MediaType && kind != fhir.MediaTypeXML || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return fail(unsupportedMedia("content-type must be set to " + fhir.MediaType + " or " + fhir.MediaTypeXML))
	}
	body, refused := s.body(r)
	if refused != nil {
		return fail(*refused)
	}
	limits := fhir.DefaultLimits()
	limits.MaxBytes = s.cfg.MaxBody
	doc, faults := examine(body, limits, s.cfg.Opinion)
	if len(faults) > 0 {
		return fail(unsound(http.StatusBadRequest, faults))
	}
	check := s.cfg.Standard.Check
	if kind := doc.Root().Child("type"); doc.Type() == "Bundle" && kind != nil && kind.Text() == "batch" {
		check = s.cfg.Standard.CheckBatch // the adapter refuses the entry, with what refers to it
	}
	if faults := check(doc); len(faults) > 0 { // 422: FHIR R4, "create": profiles and rules of the server
		return fail(unsound(http.StatusUnprocessableEntity, faults))
	}
	return body, doc, nil
}

// body reads no more than the bound.
func (s *Server) body(r *http.Request) ([]byte, *reply) {
	fail := func(refused reply) ([]byte, *reply) { return nil, &refused }
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, int64(s.cfg.MaxBody)))
	if isTooLarge(err) {
		return fail(refusal(http.StatusRequestEntityTooLarge, "too-long", codeValidation, "Validation error", "the message is over the limit of size"))
	}
	if err != nil {
		return fail(refusal(http.StatusBadRequest, "incomplete", codeValidation, "Validation error", "the message did not arrive whole"))
	}
	if len(body) == 0 {
		return fail(refusal(http.StatusBadRequest, "required", codeValidation, "Validation error", "requires payload"))
	}
	return body, nil
}

// message wraps the body. A request id that comes again with another body is another message: a sender mends a refused message under the
// same id, and the mended one must not be taken for a repeat. An access is known by the id that the sender gives it, so a second body about
// the same attendance is no second access either.
func (s *Server) message(r *http.Request, c *Client, body []byte) engine.Message {
	upstream := engine.Digest(body)
	if id := r.Header.Get("X-Request-ID"); isUUID(id) {
		upstream = strings.ToLower(id) + ":" + upstream[:16]
	}
	source := sourceOf(c)
	return engine.Message{
		ID: engine.NewMessageID(source, upstream), Source: source, Upstream: upstream, From: c.ODSCode, Received: s.now(), Body: body,
	}
}

// sourceOf names where a client's messages come in.
func sourceOf(c *Client) string { return "fhir/" + c.Name }

// statusPath is where a sender asks what became of a message.
const statusPath = "/$message-status"

// pending says that a message is durable, and where its outcome will be.
func (s *Server) pending(r *http.Request, id engine.MessageID) reply {
	words := "message " + string(id) + " is received and durable; Content-Location says where its outcome will be"
	out := preferred(negotiate.OperationOutcome, reply{status: http.StatusAccepted}, words)
	if exchangeOf(r).prefer.Return == negotiate.Minimal {
		out.body = nil
	}
	return out.
		with("Content-Location", s.base()+statusPath+"?message="+url.QueryEscape(string(id))).
		with("Retry-After", strconv.Itoa(max(1, int(s.cfg.Wait/time.Second))))
}

// messageStatus answers what became of a message, to who sent it: the same answer that its sender would have had.
func (s *Server) messageStatus(r *http.Request, c *Client) reply {
	asked := r.URL.Query()
	if ids := asked["message"]; len(asked) != 1 || len(ids) != 1 || ids[0] == "" || len(ids[0]) > 64 {
		return invalidSearch("the one parameter is message, as Content-Location had it")
	}
	id := engine.MessageID(asked.Get("message"))
	out, err := s.desk.Outcome(r.Context(), sourceOf(c), id, 0)
	if err != nil {
		return s.fromStatus(err)
	}
	if !out.Settled {
		return s.pending(r, id)
	}
	m, err := s.desk.Sent(r.Context(), sourceOf(c), id)
	if err != nil {
		return s.fromStatus(err)
	}
	doc, faults := fhir.ExamineEither(m.Body, fhir.DefaultLimits(), nil)
	if len(faults) > 0 { // it was sound when it came: the limits are lower now
		return internal()
	}
	if m.WorkflowID == WorkflowTransaction {
		return transactionReply(id, doc, out, wants(r))
	}
	header, refused := messageHeader(doc)
	if refused != nil {
		return internal()
	}
	return messageReply(s.base(), id, header, out, wants(r))
}

func (s *Server) fromStatus(err error) reply {
	if engine.KindOf(err) == engine.NotFound {
		return refusal(http.StatusNotFound, "not-found", codeNotFound, "Resource not found", "this client sent no such message, or it is no longer kept")
	}
	return s.fromDesk(err)
}

// header is what a reply needs to know of the MessageHeader that it answers.
type header struct {
	id    string
	event [2]string // name and JSON of eventCoding or eventUri, as sent
	from  [2]string // name and endpoint of its source
}

// messageHeader finds the header of a message Bundle, which is its first entry.
func messageHeader(doc *fhir.Document) (header, *reply) {
	fail := func(path, text string) (header, *reply) {
		refused := reply{status: http.StatusBadRequest, body: fhir.Outcome(fhir.Issue{Severity: fhir.SeverityError, Type: "structure",
			Code: codeValidation, Display: "Validation error", Diagnostics: text, Expression: path})}
		return header{}, &refused
	}
	if t := doc.Root().Child("type"); t == nil || t.Text() != "message" {
		return fail("Bundle.type", "the Bundle is not of type message")
	}
	first := doc.Root().Child("entry").Item(0)
	found := first.Child("resource")
	if found.ResourceType() != "MessageHeader" {
		return fail("Bundle.entry[0].resource", "the first entry of a message is its MessageHeader")
	}
	var h header
	if id := found.Child("id"); id != nil {
		h.id = id.Text()
	} else if u := first.Child("fullUrl"); u != nil {
		h.id = strings.TrimPrefix(u.Text(), "urn:uuid:")
	}
	if h.id == "" || len(h.id) > 64 {
		return fail("Bundle.entry[0].resource.id", "the MessageHeader has no id: the answer refers to it")
	}
	for _, name := range []string{"eventCoding", "eventUri"} {
		if n := found.Child(name); n != nil {
			h.event = [2]string{name, string(n.AppendJSON(nil))}
		}
	}
	if source := found.Child("source"); source != nil {
		for i, name := range []string{"name", "endpoint"} {
			if n := source.Child(name); n != nil {
				h.from[i] = n.Text()
			}
		}
	}
	return h, nil
}

// transaction takes a Bundle of type transaction or batch that creates Encounters. A transaction is taken whole or not at all: when one of
// its entries is refused nothing is kept. A batch is kept, and each entry has its own answer.
func (s *Server) transaction(r *http.Request, c *Client) reply {
	later, refused := s.later(r, false)
	if refused != nil {
		return *refused
	}
	m, doc, refused := s.incoming(r, c)
	if refused != nil {
		return *refused
	}
	m.WorkflowID = WorkflowTransaction
	kind := doc.Root().Child("type")
	if kind == nil || !slices.Contains([]string{"transaction", "batch"}, kind.Text()) {
		return reply{status: http.StatusBadRequest, body: fhir.Outcome(fhir.Issue{Severity: fhir.SeverityError, Type: "structure", Code: codeValidation,
			Display: "Validation error", Expression: "Bundle.type", Diagnostics: "the Bundle is neither of type transaction nor of type batch; messages go to $process-message"})}
	}
	if kind.Text() == "transaction" {
		records, err := s.desk.Preview(r.Context(), m)
		if err != nil {
			return s.fromRoute(err)
		}
		if faults := refusedIn(records); len(faults) > 0 {
			return reply{status: http.StatusUnprocessableEntity, body: fhir.Outcome(append(issuesOf(faults), fhir.Issue{
				Severity: fhir.SeverityInformation, Type: "informational", Diagnostics: "nothing of the transaction was taken"})...)}
		}
	}
	want := wants(r)
	receipt, err := s.desk.Receive(r.Context(), m)
	if err != nil {
		return s.fromRoute(err)
	}
	return s.settle(r, m.Source, receipt.ID, later, func(out Outcome) reply { return transactionReply(m.ID, doc, out, want) })
}

// fromRoute is fromDesk for a client that may send, but not this.
func (s *Server) fromRoute(err error) reply {
	if engine.KindOf(err) == engine.Unmapped {
		return refusal(http.StatusUnprocessableEntity, "not-supported", codeUnsupported, "Unsupported service",
			"no mapping is configured for what this client sends here: nothing was taken")
	}
	return s.fromDesk(err)
}
