package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// Resource is one resource ready to leave, with the UUID by which its Bundle refers to it.
type Resource struct {
	ID   string
	JSON json.RawMessage
}

// URL returns the resource's address within its Bundle.
func (r Resource) URL() string { return "urn:uuid:" + r.ID }

// Authority is a local authority with the two telephones that a clinician may call. Empty telephones are left out.
type Authority struct {
	ODSCode, Name, OfficeHours, EmergencyDuty string
}

// Plan is one child protection plan or period of care. Start and End are FHIR dates; End is empty while the plan is open.
type Plan struct {
	Code, Display string // SNOMED CT (England-ChildProtectionPlan v1.0.0)
	Start, End    string
	Ended         bool // End is in the past
}

// Look is one recorded access. Recorded is a FHIR instant. Person is empty when a system looked.
type Look struct {
	Recorded                     string
	Organisation, OrganisationID string
	Person, RoleCode, RoleName   string
	Device                       string
}

func ptr[T any](v T) *T { return &v }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func concept(system, code, display string) models.CodeableConcept {
	return models.CodeableConcept{Coding: []models.Coding{{System: ptr(system), Code: ptr(code), Display: optional(display)}}}
}

// byIdentifier is a logical reference: Signalbox holds no Patient or Organization resources to point to.
func byIdentifier(kind, system, value, display string) models.Reference {
	return models.Reference{
		Type: ptr(kind), Identifier: &models.Identifier{System: ptr(system), Value: ptr(value)}, Display: optional(display),
	}
}

func patient(nhsNumber string) models.Reference {
	return byIdentifier("Patient", SystemNHSNumber, nhsNumber, "")
}

func organisation(code, name string) models.Reference {
	if code == "" {
		return models.Reference{Type: ptr("Organization"), Display: optional(name)}
	}
	return byIdentifier("Organization", SystemODS, code, name)
}

func (p Plan) period() *models.Period { return period(p.Start, p.End) }

// period leaves out what has neither start nor end: an empty object is not FHIR.
func period(start, end string) *models.Period {
	if start == "" && end == "" {
		return nil
	}
	return &models.Period{Start: optional(start), End: optional(end)}
}

// telephones: work is office hours and mobile is the emergency duty team (CP-IS FHIR R4 API Producer guide, data mapping; the published
// Patient Flags example does the same).
func (a Authority) telephones() []models.ContactPoint {
	var out []models.ContactPoint
	add := func(number string, use models.ContactPointUse) {
		if number != "" {
			out = append(out, models.ContactPoint{System: ptr(models.ContactPointSystemPhone), Value: ptr(number), Use: ptr(use)})
		}
	}
	add(a.OfficeHours, models.ContactPointUseWork)
	add(a.EmergencyDuty, models.ContactPointUseMobile)
	return out
}

func (a Authority) careTeam(id string) models.CareTeam {
	return models.CareTeam{
		Id: ptr(id), Status: ptr(models.CareTeamStatusActive), Name: ptr(a.Name), Telecom: a.telephones(),
		ManagingOrganization: []models.Reference{organisation(a.ODSCode, a.Name)},
	}
}

// CareTeamOfPlan builds the CareTeam of the CP-IS FHIR R4 API (draft, 2023): one for each plan of each authority, with the plan's code as
// category and its dates as period.
func CareTeamOfPlan(id, nhsNumber string, a Authority, p Plan) Resource {
	t := a.careTeam(id)
	if p.Ended {
		t.Status = ptr(models.CareTeamStatusInactive)
	}
	t.Category = []models.CodeableConcept{concept(SystemSNOMED, p.Code, p.Display)}
	t.Subject = ptr(patient(nhsNumber))
	t.Period = p.period()
	return encode(id, t)
}

// CareTeamOfAuthority builds the CareTeam of the Patient Flags API: an authority and how to reach it.
func CareTeamOfAuthority(id string, a Authority) Resource { return encode(id, a.careTeam(id)) }

// CarePlan builds the CarePlan of the Patient Flags API, which leads to its authority's CareTeam.
func CarePlan(id, nhsNumber string, p Plan, team Resource, authority string) Resource {
	status := models.RequestStatusActive
	if p.Ended {
		status = models.RequestStatusCompleted
	}
	return encode(id, models.CarePlan{
		Id: ptr(id), Status: status, Intent: models.CarePlanIntentPlan,
		Category: []models.CodeableConcept{concept(SystemSNOMED, p.Code, p.Display)},
		Subject:  patient(nhsNumber), Period: p.period(),
		CareTeam: []models.Reference{{Reference: ptr(team.URL()), Display: optional(authority)}},
	})
}

// Flag builds the one CP-IS Flag of a patient, with a flag-detail extension for each plan. Start is the FHIR date of the earliest plan.
// It has no contained Provenance: that needs the time at which the flag was recorded, which the canonical flag does not carry.
func Flag(id, nhsNumber, start string, plans []Resource) Resource {
	f := models.Flag{
		Id: ptr(id), Status: models.FlagStatusActive, Code: concept(SystemFlagCategory, CodeCPIS, DisplayCPIS),
		Subject: patient(nhsNumber), Period: period(start, ""),
	}
	for _, p := range plans {
		f.Extension = append(f.Extension, models.Extension{
			Url: ExtensionFlagDetail, ValueReference: &models.Reference{Reference: ptr(p.URL())},
		})
	}
	return encode(id, f)
}

// PractitionerRole builds the role that an AuditEvent includes: person, SDS job role and organisation, each for display.
func PractitionerRole(id string, l Look) Resource {
	r := models.PractitionerRole{Id: ptr(id), Organization: ptr(organisation(l.OrganisationID, l.Organisation))}
	if l.Person != "" {
		r.Practitioner = &models.Reference{Type: ptr("Practitioner"), Display: ptr(l.Person)}
	}
	if l.RoleCode != "" {
		r.Code = []models.CodeableConcept{concept(SystemSDSRole, l.RoleCode, l.RoleName)}
	} else if l.RoleName != "" {
		r.Code = []models.CodeableConcept{{Text: ptr(l.RoleName)}}
	}
	return encode(id, r)
}

// AuditEvent builds one row of a child's access history. The shape is that of NHS England's published AuditEvent of a patient flag read;
// the entity of type ASSIGNED leads to the role.
func AuditEvent(id, nhsNumber, site string, l Look, role Resource) Resource {
	return encode(id, models.AuditEvent{
		Id:       ptr(id),
		Type:     coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", ""),
		Subtype:  []models.Coding{coding("http://hl7.org/fhir/restful-interaction", "read", "")},
		Action:   ptr(models.AuditEventActionR),
		Recorded: l.Recorded,
		Agent:    agents(l),
		Source:   models.AuditEventSource{Site: optional(site), Observer: models.Reference{Type: ptr("Device"), Display: ptr("Signalbox")}},
		Entity: []models.AuditEventEntity{
			{
				What: ptr(patient(nhsNumber)),
				Type: ptr(coding("http://terminology.hl7.org/CodeSystem/audit-entity-type", "1", "Person")),
				Role: ptr(coding("http://terminology.hl7.org/CodeSystem/object-role", "1", "Patient")),
			},
			{
				What: &models.Reference{Reference: ptr(role.URL()), Type: ptr("PractitionerRole")},
				Type: ptr(coding(SystemRoleClass, CodeAssigned, "")),
			},
		},
	})
}

func agents(l Look) []models.AuditEventAgent {
	out := []models.AuditEventAgent{{Who: ptr(organisation(l.OrganisationID, l.Organisation)), Requestor: true}}
	if l.Device != "" && l.Person == "" {
		who := models.Reference{Type: ptr("Device"), Identifier: &models.Identifier{Value: ptr(l.Device)}}
		out = append(out, models.AuditEventAgent{Who: &who})
	}
	return out
}

func coding(system, code, display string) models.Coding {
	return models.Coding{System: ptr(system), Code: ptr(code), Display: optional(display)}
}

// Entry is one entry of a searchset.
type Entry struct {
	Resource
	Included bool // not a match: it came along with one
}

// Searchset builds the Bundle that answers a search. Total counts the matches. It has no self link, because that would hold the NHS number.
func Searchset(entries []Entry) []byte {
	b := models.Bundle{Type: models.BundleTypeSearchset, Total: ptr(0)}
	for _, e := range entries {
		mode := models.SearchEntryModeMatch
		if e.Included {
			mode = models.SearchEntryModeInclude
		} else {
			*b.Total++
		}
		b.Entry = append(b.Entry, models.BundleEntry{
			FullUrl: ptr(e.URL()), Resource: e.JSON, Search: &models.BundleEntrySearch{Mode: &mode},
		})
	}
	return encode("", b).JSON
}

// encode marshals a model and moves its resourceType, which the models write last, to the front, where streaming readers want it. The
// models hold strings, numbers and enumerations only, so a failure is a fault of the program.
func encode(id string, model json.Marshaler) Resource {
	raw, err := json.Marshal(model)
	if err != nil {
		panic(fmt.Sprintf("fhir: encode %T: %v", model, err))
	}
	if at := bytes.LastIndex(raw, []byte(`,"resourceType":`)); at > 0 {
		front := append([]byte{'{'}, raw[at+1:len(raw)-1]...)
		raw = append(append(front, ','), append(raw[1:at], '}')...)
	}
	return Resource{ID: id, JSON: raw}
}
