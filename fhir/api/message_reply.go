package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"signalbox/engine"
	"signalbox/fhir"
	"signalbox/fhir/api/negotiate"
)

// Everything in a reply comes from the message and from the record: the same message asked about again has the same reply, byte for byte,
// whenever it is asked and whichever process answers.

// Codes of MessageHeader.response (value set response-code).
const (
	responseOK        = "ok"
	responseTransient = "transient-error" // our own trouble: send it again, under the same X-Request-ID
	responseFatal     = "fatal-error"     // sending it again changes nothing
)

// messageReply is the message that answers a message. What became of it also shows in the status, for a sender who reads nothing else: 200
// for ok, 422 when nobody will be told.
func messageReply(base string, id engine.MessageID, h header, out Outcome, want negotiate.Return) reply {
	code, status := responseOK, http.StatusOK
	if len(refusedIn(out.Records)) > 0 {
		code, status = responseFatal, http.StatusUnprocessableEntity
	}
	issues := issuesOfRecords(id, out.Records)
	switch {
	case want == negotiate.OperationOutcome:
		return reply{status: status, body: fhir.Outcome(issues...)}
	case want == negotiate.Minimal && code == responseOK:
		issues = nil
	}
	return reply{status: status, body: answerMessage(base, id, h, out.Received, code, issues)}
}

// unavailable answers a message that could not be kept.
func (s *Server) unavailable(err error, id engine.MessageID, h header) reply {
	out := s.fromRoute(err)
	if out.status != http.StatusServiceUnavailable {
		return out
	}
	out.body = answerMessage(s.base(), id, h, s.now(), responseTransient, []fhir.Issue{{Severity: fhir.SeverityError, Type: "transient", Code: codeUnable,
		Display: "Unable to call service", Diagnostics: "nothing was taken: try again later, with the same X-Request-ID"}})
	return out
}

// AnswerTo writes the message that answers a message which is translated, in the form in which it was sent, for a server whose base is that URL:
// the same that its sender would have had by waiting.
func AnswerTo(base string, m engine.Message, out Outcome) (body []byte, mediaType string, err error) {
	doc, faults := fhir.ExamineEither(m.Body, fhir.DefaultLimits(), nil)
	if len(faults) > 0 {
		return nil, "", faults
	}
	h, refused := messageHeader(doc)
	if refused != nil {
		return nil, "", &engine.Error{Op: "answer", Kind: engine.Invalid, Text: "it is no message"}
	}
	body = messageReply(base, m.ID, h, out, "").body
	if doc.XML() {
		body, err = asXML(body)
		return body, fhir.MediaTypeXML, err
	}
	return body, fhir.MediaType, nil
}

// answerMessage writes the message that answers; without issues its header stands alone.
func answerMessage(base string, id engine.MessageID, h header, at time.Time, code string, issues []fhir.Issue) []byte {
	headerID, outcomeID := engine.NewUUID("reply header", string(id)), engine.NewUUID("reply outcome", string(id))
	response := object{
		"id":     headerID,
		"source": object{"name": "Signalbox", "endpoint": base + "/$process-message"},
	}
	result := object{"identifier": h.id, "code": code}
	response["response"] = result
	if h.event[0] != "" {
		response[h.event[0]] = json.RawMessage(h.event[1])
	}
	if h.from[1] != "" {
		destination := object{"endpoint": h.from[1]}
		if h.from[0] != "" {
			destination["name"] = h.from[0]
		}
		response["destination"] = []object{destination}
	}
	var details []object
	if len(issues) > 0 {
		result["details"] = object{"reference": "urn:uuid:" + outcomeID}
		details = []object{{"fullUrl": "urn:uuid:" + outcomeID, "resource": withID(fhir.Outcome(issues...), outcomeID)}}
	}
	return resource("Bundle", object{
		"id": engine.NewUUID("reply", string(id)), "type": "message", "timestamp": at.UTC().Format(time.RFC3339Nano),
		"entry": append([]object{{"fullUrl": "urn:uuid:" + headerID, "resource": resource("MessageHeader", response)}}, details...),
	})
}

// transactionReply answers a transaction or batch entry by entry. A representation is the resource as it was sent, of an entry that was taken:
// nothing of it is changed, and it cannot be read again.
func transactionReply(id engine.MessageID, doc *fhir.Document, out Outcome, want negotiate.Return) reply {
	by := map[int]Record{}
	for _, r := range out.Records {
		by[r.Position] = r
	}
	if whole, ok := by[0]; ok {
		return reply{status: http.StatusUnprocessableEntity, body: fhir.Outcome(issuesOf(whole.Faults)...)}
	}
	entries := []object{}
	n := 0
	for sent := range doc.Root().Child("entry").Children {
		n++
		status, issues := entryAnswer(by[n])
		taken := status == entryTaken
		response := object{"status": status}
		if !taken || want != negotiate.Minimal {
			response["outcome"] = json.RawMessage(fhir.Outcome(issues...))
		}
		entry := object{"response": response}
		if taken && want == negotiate.Representation {
			entry["resource"] = json.RawMessage(sent.Child("resource").AppendJSON(nil))
		}
		entries = append(entries, entry)
	}
	body := object{"id": engine.NewUUID("reply", string(id)), "type": doc.Root().Child("type").Text() + "-response"}
	if len(entries) > 0 {
		body["entry"] = entries
	}
	return reply{status: http.StatusOK, body: resource("Bundle", body)}
}

// entryTaken is the status of an entry that was taken. Nothing of it can be read again, so that it is not "created".
const entryTaken = "202 Accepted"

// entryAnswer says what became of one entry.
func entryAnswer(r Record) (status string, issues []fhir.Issue) {
	say := func(text string) []fhir.Issue {
		return []fhir.Issue{{Severity: fhir.SeverityInformation, Type: "informational", Diagnostics: text}}
	}
	switch r.Outcome {
	case engine.Accepted:
		return entryTaken, append(say("the Encounter is taken as an access"), warnings(r.Faults)...)
	case engine.Skipped:
		return entryTaken, say("the Encounter is kept; by the mapping of this client it is no access")
	case engine.Rejected, engine.Parked:
		return "422 Unprocessable Entity", issuesOf(r.Faults)
	}
	return entryTaken, say("read with the Encounters that refer to it; not kept as a resource of its own")
}

// issuesOfRecords tells a sender what became of each record: every fault with its rule and place, and a word on the rest.
func issuesOfRecords(id engine.MessageID, records []Record) []fhir.Issue {
	issues := issuesOf(refusedIn(records))
	bad := len(issues) > 0
	counts := map[engine.Outcome]int{}
	for _, r := range records {
		counts[r.Outcome]++
		if r.Outcome == engine.Accepted {
			issues = append(issues, warnings(r.Faults)...)
		}
	}
	text := "message " + string(id) + " is received, durable and translated: "
	switch {
	case bad:
		text += "it is kept all the same: nothing is lost, and it is looked at again when the mapping changes"
	case counts[engine.Accepted] == 0:
		text += "by the mapping of this client it tells of no access"
	default:
		text += strconv.Itoa(counts[engine.Accepted]) + " accepted"
	}
	if counts[engine.Parked] > 0 {
		text += "; " + strconv.Itoa(counts[engine.Parked]) + " parked until a person here decides"
	}
	return append(issues, fhir.Issue{Severity: fhir.SeverityInformation, Type: "informational", Diagnostics: text})
}

func issuesOf(faults []*engine.Error) []fhir.Issue {
	var issues []fhir.Issue
	for _, f := range faults {
		issues = append(issues, faultIssue(f))
	}
	return issues
}

// warnings are the faults of a record that was accepted in spite of them.
func warnings(faults []*engine.Error) []fhir.Issue {
	issues := issuesOf(faults)
	for i := range issues {
		issues[i].Severity = fhir.SeverityWarning
	}
	return issues
}

// withID puts an id into an OperationOutcome that was made without one.
func withID(made []byte, id string) json.RawMessage {
	rest, ok := bytes.CutPrefix(made, []byte(`{"resourceType":"OperationOutcome",`))
	if !ok {
		return made
	}
	return append([]byte(`{"resourceType":"OperationOutcome","id":`+string(encoded(id))+`,`), rest...)
}

// resource writes a resource that has elements, with its type in front, where streaming readers want it.
func resource(kind string, o object) json.RawMessage {
	return append([]byte(`{"resourceType":`+string(encoded(kind))+`,`), encoded(o)[1:]...)
}

// encoded writes JSON with its keys in order. What comes here is made of strings, numbers and lists, which cannot fail to encode.
func encoded(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return fhir.Outcome()
	}
	return raw
}

// isTooLarge reports that a body was over the bound.
func isTooLarge(err error) bool {
	_, over := errors.AsType[*http.MaxBytesError](err)
	return over
}
