package cpis

import (
	"io"
	"time"
)

// QueryResponse answers a query, REPC_MT000007GB01. The schema wants one record at least.
type QueryResponse struct {
	ID      string // UUID of the response
	At      time.Time
	History []AccessQuery  // earlier accesses, newest first
	Records []AnswerRecord // one for each plan of each authority
}

// AnswerRecord is one plan and whom it is about, from one authority. Plan.Delete is not carried.
type AnswerRecord struct {
	Authority Organisation
	Plan      Plan
	Subject   Subject
}

const responseRoot = "CP-ISNHSQueryResponse"

// EncodeQueryResponse writes a REPC_MT000007GB01. The totals that it states are the numbers of its accesses and records.
func EncodeQueryResponse(w io.Writer, r QueryResponse) error {
	x := newXMLWriter(w, "encode query response")
	if len(r.Records) == 0 {
		x.fail("pertinentInformation14", "there is no record")
	}
	x.begin(responseRoot)
	x.leaf("effectiveTime", "value", x.hl7Time("effectiveTime", r.At))
	x.leaf("id", "root", x.uuid("id", r.ID))
	x.open("pertinentInformation11")
	x.count("pertinentTotalReturnedAccessRecords", len(r.History))
	x.end("pertinentInformation11")
	x.open("pertinentInformation12")
	x.count("pertinentTotalReturnedChildRecords", len(r.Records))
	x.end("pertinentInformation12")
	for i := range r.History {
		x.open("pertinentInformation13")
		x.open("pertinentCP-ISNHSQuery")
		x.asked(&r.History[i])
		x.end("pertinentCP-ISNHSQuery")
		x.end("pertinentInformation13")
	}
	x.open("pertinentInformation14")
	x.open("pertinentCP-ISRecordControlAct")
	for i := range r.Records {
		x.answerRecord(&r.Records[i])
	}
	x.end("pertinentCP-ISRecordControlAct")
	x.end("pertinentInformation14")
	return x.finish(responseRoot)
}

func (x *xmlWriter) answerRecord(r *AnswerRecord) {
	x.open("record")
	x.open("communicationFunctionSnd")
	x.organisation("organisation", r.Authority, true)
	x.end("communicationFunctionSnd")
	x.open("CP-ISRecord")
	x.answerPlan(r.Plan)
	x.subject(r.Subject)
	x.end("CP-ISRecord")
	x.end("record")
}

// answerKinds ties each plan to its template in a response, which has no delete date.
var answerKinds = [...]struct{ kind, template, prefix string }{
	{PlanChildProtection, "COCT_TP146105GB01.CPPInformation", "cPP"},
	{PlanLookedAfter, "COCT_TP146103GB01.LACInformation", "lAC"},
	{PlanUnbornProtection, "COCT_TP146104GB01.UCPInformation", "uCP"},
}

func (x *xmlWriter) answerPlan(p Plan) {
	for _, k := range answerKinds {
		if k.kind != p.Kind {
			continue
		}
		x.open("pertinentInformation15")
		x.contentID(k.template)
		x.open(k.template)
		x.planDate("component", k.prefix+"StartDate", p.Start)
		if p.End != "" || k.kind == PlanUnbornProtection {
			x.planDate("component1", k.prefix+"EndDate", p.End)
		}
		x.end(k.template)
		x.end("pertinentInformation15")
		return
	}
	x.fail("plan kind", "is not CPP, LAC or UCP")
}

// QueryResponseSummary is the essence of a REPC_MT000007GB01.
type QueryResponseSummary struct {
	ID, At                     string
	TotalAccesses, TotalRecord int // as stated by the sender
	History                    []AccessSummary
	Records                    []AnswerRecord
}

// DecodeQueryResponse reads back the essentials of a query response. Its error is a *[Fault].
func DecodeQueryResponse(body []byte) (*QueryResponseSummary, error) {
	root, f := readMessage(body, responseRoot)
	if f != nil {
		return nil, f
	}
	m := &must{root: root}
	r := &QueryResponseSummary{
		ID: m.value("root", "id"), At: m.value("value", "effectiveTime"),
		TotalAccesses: m.number("pertinentInformation11", "pertinentTotalReturnedAccessRecords", "value"),
		TotalRecord:   m.number("pertinentInformation12", "pertinentTotalReturnedChildRecords", "value"),
	}
	for _, p := range root.children("pertinentInformation13") {
		asked := p.Child("pertinentCP-ISNHSQuery")
		if asked == nil {
			continue
		}
		past := accessOf(asked, "")
		past.NHSNumber = asked.Find("queryByParameter", "person.NHSnumber", "value").value("extension")
		r.History = append(r.History, past)
	}
	for _, p := range root.children("pertinentInformation14") {
		for _, record := range p.Child("pertinentCP-ISRecordControlAct").children("record") {
			r.Records = append(r.Records, answerOf(record))
		}
	}
	return r, m.err()
}

func answerOf(record *Element) AnswerRecord {
	organisation := record.Find("communicationFunctionSnd", "organisation")
	id := organisation.Child("id")
	a := AnswerRecord{Authority: Organisation{Root: id.value("root"), ODSCode: id.value("extension"), Name: organisation.Child("name").text()}}
	for _, t := range organisation.children("telecom") {
		a.Authority.Telecoms = append(a.Authority.Telecoms, Telecom{Use: t.value("use"), Value: t.value("value")})
	}
	body := record.Child("CP-ISRecord")
	for _, part := range body.children("pertinentInformation15") {
		for _, k := range answerKinds {
			if block := part.Child(k.template); block != nil {
				a.Plan = Plan{Kind: k.kind, Start: block.Find("component", k.prefix+"StartDate", "value").value("value"),
					End: block.Find("component1", k.prefix+"EndDate", "value").value("value")}
			}
		}
	}
	for _, subject := range body.children("subject") {
		for _, role := range subject.Children {
			if s, ok := subjectOf(role); ok {
				a.Subject = s
			}
		}
	}
	return a
}
