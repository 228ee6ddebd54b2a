package cpis

import "strings"

// The kinds of plan.
const (
	PlanChildProtection  = "CPP"
	PlanLookedAfter      = "LAC"
	PlanUnbornProtection = "UCP"
)

// Plan is a record's plan with its dates as sent: 12 digits, yyyymmddhhmm. End
// and Delete are empty when they were left out or nil.
type Plan struct {
	Kind               string // PlanChildProtection, PlanLookedAfter or PlanUnbornProtection
	Start, End, Delete string
}

// Subject is whom a record is about. For an unborn child everything in it is
// the mother's.
type Subject struct {
	Unborn             bool
	NHSNumber          string
	LocalID            string // the authority's own id, may be empty
	AssigningAuthority string // of the local id: "ODS code:name"
	BirthTime          string // HL7 time as sent
	Given, Family      string
}

// planKinds ties each plan to its template and to the prefix of its dates.
var planKinds = [...]struct{ kind, template, prefix string }{
	{PlanChildProtection, "COCT_TP146101GB01.CPPInformation", "cPP"},
	{PlanLookedAfter, "COCT_TP146100GB01.LACInformation", "lAC"},
	{PlanUnbornProtection, "COCT_TP146102GB01.UCPInformation", "uCP"},
}

// Plan gives the record's plan; false when it does not hold exactly one.
func (r *Record) Plan() (Plan, bool) {
	var p Plan
	for _, part := range r.body() {
		if part.Name != "pertinentInformation" {
			continue
		}
		for _, k := range planKinds {
			block := part.Child(k.template)
			if block == nil {
				continue
			}
			if p.Kind != "" {
				return Plan{}, false
			}
			p = Plan{
				Kind:   k.kind,
				Start:  block.Find("component", k.prefix+"StartDate", "value").value("value"),
				End:    block.Find("component1", k.prefix+"EndDate", "value").value("value"),
				Delete: block.Find("component2", k.prefix+"DeleteDate", "value").value("value"),
			}
		}
	}
	return p, p.Kind != ""
}

// Subject gives whom the record is about; false when it does not hold exactly one.
func (r *Record) Subject() (Subject, bool) {
	var role *Element
	for _, part := range r.body() {
		if part.Name != "subject" {
			continue
		}
		for _, c := range part.Children {
			if c.Name == "contentId" {
				continue
			}
			if role != nil {
				return Subject{}, false
			}
			role = c
		}
	}
	if role == nil {
		return Subject{}, false
	}
	return subjectOf(role)
}

func subjectOf(role *Element) (Subject, bool) {
	s := Subject{Unborn: strings.HasSuffix(role.Name, ".UnbornChild")}
	person, ids := role.Child("childPerson"), role
	if s.Unborn {
		person = role.Child("parentMotherPerson")
		ids = person.Child("playedMother")
	}
	if person == nil || ids == nil {
		return Subject{}, false
	}
	s.BirthTime = person.Child("birthTime").value("value")
	s.Given = person.Find("name", "given").text()
	s.Family = person.Find("name", "family").text()
	s.NHSNumber, s.LocalID, s.AssigningAuthority = patientIDsOf(ids.Children, "id")
	return s, true
}

func patientIDsOf(elements []*Element, name string) (nhsNumber, localID, authority string) {
	for _, id := range elements {
		if id.Name != name {
			continue
		}
		switch id.value("root") {
		case OIDNHSNumber:
			nhsNumber = id.value("extension")
		case OIDLocalID:
			localID, authority = id.value("extension"), id.value("assigningAuthorityName")
		}
	}
	return nhsNumber, localID, authority
}

func (r *Record) body() []*Element {
	if body := r.Element.Child("CP-ISRecord"); body != nil {
		return body.Children
	}
	return nil
}

func (e *Element) text() string {
	if e == nil {
		return ""
	}
	return e.Text
}
