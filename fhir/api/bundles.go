package api

import (
	"strconv"
	"time"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/fhir"
)

// The resources of an answer are named after the access that asked for them, so that a repeat gets the same names and no name is made of
// an NHS number. They cannot be read one by one.

// careTeamBundle is the answer of the CP-IS FHIR R4 API.
func careTeamBundle(a register.Answer) searchset {
	nhs := a.Access.Subject.NHSNumber.Reveal()
	out := make(searchset, 0, len(a.Flags))
	for i, f := range a.Flags {
		id := resourceID(a, "CareTeam", i)
		out = append(out, match{Resource: fhir.CareTeamOfPlan(id, nhs, authority(f), plan(f, a.Access.At))})
	}
	return out
}

// flagBundle is the answer in the shape of the Patient Flags API: one Flag, a CarePlan for every plan, a CareTeam for every authority.
// Authorities with other telephones are kept apart: neither number may go missing.
func flagBundle(a register.Answer) searchset {
	if len(a.Flags) == 0 {
		return nil
	}
	nhs := a.Access.Subject.NHSNumber.Reveal()
	teams := map[engine.Authority]fhir.Resource{}
	var plans, others []fhir.Resource
	start := ""
	for i, f := range a.Flags {
		team, known := teams[f.Authority]
		if !known {
			id := nameUUID(a.Access.ID, "team", f.Authority.ODSCode, f.Authority.Name, f.Authority.OfficeHours, f.Authority.EmergencyDuty)
			team = fhir.CareTeamOfAuthority(id, authority(f))
			teams[f.Authority] = team
			others = append(others, team)
		}
		p := plan(f, a.Access.At)
		if start == "" || p.Start != "" && p.Start < start {
			start = p.Start
		}
		one := fhir.CarePlan(resourceID(a, "CarePlan", i), nhs, p, team, f.Authority.Name)
		plans = append(plans, one)
	}
	flag := withProvenance(fhir.Flag(nameUUID(a.Access.ID, "Flag"), nhs, start, plans), a)
	return searchset{{Resource: flag, with: append(plans, others...)}}
}

// auditBundle is the history, newest first, with the role of each access where it was asked for.
func auditBundle(a register.Answer, site string, include bool) searchset {
	nhs := a.Access.Subject.NHSNumber.Reveal()
	var out searchset
	for i, past := range a.History {
		if i == register.HistoryLength {
			break
		}
		l := look(past)
		role := fhir.PractitionerRole(nameUUID(a.Access.ID, "role", past.ID), l)
		one := match{Resource: fhir.AuditEvent(nameUUID(a.Access.ID, "event", past.ID), nhs, site, l, role)}
		if include {
			one.with = []fhir.Resource{role}
		}
		out = append(out, one)
	}
	return out
}

// resourceID names the resource of the answer's i-th flag. The order of flags is part of the answer.
func resourceID(a register.Answer, kind string, i int) string {
	return nameUUID(a.Access.ID, kind, strconv.Itoa(i))
}

func authority(f engine.Flag) fhir.Authority { return fhir.Authority(f.Authority) }

// snomed gives a plan type its code (England-ChildProtectionPlan v1.0.0).
func snomed(p engine.PlanType) (code, display string) {
	switch p {
	case engine.ChildProtection:
		return "342191000000101", "Subject to child protection plan"
	case engine.LookedAfter:
		return "764841000000100", "Looked after child"
	}
	return "818901000000100", "Unborn child subject to child protection plan"
}

// plan shows a plan. Plan dates are shown as days, because their time of day has no zone on the wire and FHIR wants one.
func plan(f engine.Flag, at time.Time) fhir.Plan {
	p := fhir.Plan{Start: day(f.Plan.Start), End: day(f.Plan.End)}
	p.Code, p.Display = snomed(f.Plan.Type)
	p.Ended = p.End != "" && p.End < at.Format(time.DateOnly)
	return p
}

func day(d engine.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.ISO()[:len(time.DateOnly)]
}

// look shows an access as the data mapping of the CP-IS FHIR R4 API Producer guide does: names for display. The user's id stays inside.
func look(a engine.Access) fhir.Look {
	l := fhir.Look{
		Recorded: a.At.Format(time.RFC3339), Organisation: a.By.Organisation.Name, OrganisationID: a.By.Organisation.ODSCode,
		Device: a.By.DeviceID,
	}
	if p := a.By.Person; p != nil {
		l.Person, l.RoleCode, l.RoleName = p.Name.Reveal(), p.RoleCode, p.RoleName
	}
	return l
}
