// Package hl7v3 reads a CP-IS query as HL7 V3 sends it and writes the answer, for systems that have not moved to FHIR.
//
// QUPC_MT000006GB01 comes in and REPC_MT000007GB01 goes out. Who asks, what is recorded and who is told are the server's business, the
// same as for a FHIR search: this room turns one wire form into a question and an answer into the other, and does no I/O.
package hl7v3

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/register"
	"signalbox/mesh/cpis"
)

// MediaType is the type of an answer. Queries come as this or as application/xml.
const MediaType = "text/xml"

// maxQuery bounds a query: the published example has 1.5 KB.
const maxQuery = 64 << 10

// Query is what was asked.
type Query struct {
	ID        string // the query's UUID, in lower case: the de-duplication key
	NHSNumber engine.NHSNumber
}

// ErrNHSNumber says that the number is not one. It holds no datum.
var ErrNHSNumber = errors.New("person.NHSnumber/value/@extension: the NHS number is not ten digits with a right check digit")

// Read reads a query. Its error has one line for each fault, safe to show and to log: rule, place, line and column. The author in the
// message is held to the schema and then left aside: who asks is what the caller's token says.
func Read(body []byte) (Query, error) {
	limits := cpis.Default()
	limits.MaxBytes = maxQuery
	q, err := cpis.DecodeQuery(body, limits)
	if faults, ok := errors.AsType[cpis.QueryFaults](err); ok {
		var lines []string
		for _, f := range faults {
			lines = append(lines, f.Rule+": "+f.Path+" (line "+strconv.Itoa(f.Line)+", column "+strconv.Itoa(f.Column)+"): "+f.Text)
		}
		return Query{}, errors.New(strings.Join(lines, "\n"))
	}
	if err != nil {
		return Query{}, err
	}
	n, err := engine.ParseNHSNumber(q.NHSNumber)
	if err != nil {
		return Query{}, ErrNHSNumber
	}
	return Query{ID: strings.ToLower(strings.TrimSpace(q.ID)), NHSNumber: n}, nil
}

// Write writes the answer to a query that asked for everything. It is nil when no flag stands: the message has no form without a record.
// systemID is the twelve digits under which an earlier access is shown that names neither person nor system in full.
func Write(a register.Answer, systemID string) ([]byte, error) {
	if len(a.Flags) == 0 {
		return nil, nil
	}
	r := cpis.QueryResponse{ID: engine.NewUUID("hl7v3 response", a.Access.ID), At: a.Access.At}
	for i, past := range a.History {
		if i == register.HistoryLength {
			break
		}
		r.History = append(r.History, cpis.AccessQuery{
			ID: notify.QueryID(past.ID), At: past.At, By: notify.Author(past.By, systemID), NHSNumber: past.Subject.NHSNumber.Reveal(),
		})
	}
	for _, f := range a.Flags {
		r.Records = append(r.Records, record(f))
	}
	var buf bytes.Buffer
	if err := cpis.EncodeQueryResponse(&buf, r); err != nil {
		return nil, &engine.Error{Op: "hl7v3 answer", Kind: engine.Internal, Text: "the answer cannot be written", Err: err}
	}
	return buf.Bytes(), nil
}

// record shows a flag. The local id is left out: it is the authority's own, and the published mapping to FHIR leaves it out too.
func record(f engine.Flag) cpis.AnswerRecord {
	plan := cpis.Plan{Kind: kind(f.Plan.Type), Start: f.Plan.Start.HL7(), End: f.Plan.End.HL7()}
	f.Authority.OfficeHours, f.Authority.EmergencyDuty = digits(f.Authority.OfficeHours), digits(f.Authority.EmergencyDuty)
	return cpis.AnswerRecord{
		Authority: notify.Party{Authority: f.Authority}.Organisation(), Plan: plan,
		Subject: cpis.Subject{
			Unborn: f.Plan.Type == engine.UnbornChildProtection, NHSNumber: f.Subject.NHSNumber.Reveal(),
			BirthTime: f.Subject.BirthDate.HL7Day(), Given: notify.Clean(f.Subject.Given.Reveal()), Family: notify.Clean(f.Subject.Family.Reveal()),
		},
	}
}

func kind(p engine.PlanType) string {
	switch p {
	case engine.ChildProtection:
		return cpis.PlanChildProtection
	case engine.LookedAfter:
		return cpis.PlanLookedAfter
	}
	return cpis.PlanUnbornProtection
}

// digits keeps what a telephone number of the message may hold: an authority's own file may have written it with spaces.
func digits(telephone string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' && strings.HasPrefix(strings.TrimSpace(telephone), "+") {
			return r
		}
		return -1
	}, telephone)
}
