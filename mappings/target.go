package mappings

import (
	"time"

	"signalbox/engine"
)

// draft is the event being made of one record.
type draft struct {
	flag     *engine.Flag
	access   *engine.Access
	person   engine.Person
	inactive engine.NumberInactive
}

// begin makes an empty event of that kind.
func (d *draft) begin(emit engine.Kind) {
	switch emit {
	case engine.KindFlag:
		d.flag = &engine.Flag{}
	case engine.KindAccess:
		d.access, d.person = &engine.Access{}, engine.Person{}
	default:
		d.inactive = engine.NumberInactive{}
	}
}

// target is one field of a canonical event that a rule can set.
type target struct {
	path      string
	kind      kind
	mandatory bool
	many      bool // takes every value found
	set       func(*draft, *value)
	day       func(*draft) engine.Date // of a date or an instant: the civil day that the draft holds
}

// emits lists what a mapping can make.
func emits() []string {
	return []string{string(engine.KindFlag), string(engine.KindAccess), string(engine.KindNumberInactive)}
}

// targets is the typed table of what can be set for a kind of event.
func targets(emit engine.Kind) []target {
	switch emit {
	case engine.KindFlag:
		return append(subjectTargets(func(d *draft) *engine.Subject { return &d.flag.Subject }, true), flagTargets()...)
	case engine.KindAccess:
		return append(subjectTargets(func(d *draft) *engine.Subject { return &d.access.Subject }, false), accessTargets()...)
	case engine.KindNumberInactive:
		return []target{
			{path: "old", kind: kindNHSNumber, mandatory: true, set: func(d *draft, v *value) { d.inactive.Old = v.nhs }},
			{path: "replacements", kind: kindNHSNumber, many: true, set: func(d *draft, v *value) {
				d.inactive.Replacements = append(d.inactive.Replacements, v.nhs)
			}},
		}
	}
	return nil
}

func subjectTargets(of func(*draft) *engine.Subject, born bool) []target {
	return []target{
		{path: "subject.nhsNumber", kind: kindNHSNumber, mandatory: true, set: func(d *draft, v *value) { of(d).NHSNumber = v.nhs }},
		{path: "subject.birthDate", kind: kindDate, mandatory: born, set: func(d *draft, v *value) { of(d).BirthDate = v.date },
			day: func(d *draft) engine.Date { return of(d).BirthDate }},
		{path: "subject.given", kind: kindText, set: func(d *draft, v *value) { of(d).Given = engine.Personal(v.text) }},
		{path: "subject.family", kind: kindText, set: func(d *draft, v *value) { of(d).Family = engine.Personal(v.text) }},
	}
}

func flagTargets() []target {
	return []target{
		{path: "plan.type", kind: kindPlanType, mandatory: true, set: func(d *draft, v *value) { d.flag.Plan.Type = engine.PlanType(v.text) }},
		{path: "plan.start", kind: kindDate, mandatory: true, set: func(d *draft, v *value) { d.flag.Plan.Start = v.date },
			day: func(d *draft) engine.Date { return d.flag.Plan.Start }},
		{path: "plan.end", kind: kindDate, set: func(d *draft, v *value) { d.flag.Plan.End = v.date },
			day: func(d *draft) engine.Date { return d.flag.Plan.End }},
		{path: "plan.withdrawn", kind: kindDate, set: func(d *draft, v *value) { d.flag.Plan.Withdrawn = v.date },
			day: func(d *draft) engine.Date { return d.flag.Plan.Withdrawn }},
		{path: "authority.odsCode", kind: kindODSCode, mandatory: true, set: func(d *draft, v *value) { d.flag.Authority.ODSCode = v.text }},
		{path: "authority.name", kind: kindText, mandatory: true, set: func(d *draft, v *value) { d.flag.Authority.Name = v.text }},
		{path: "authority.officeHours", kind: kindTelephone, set: func(d *draft, v *value) { d.flag.Authority.OfficeHours = v.text }},
		{path: "authority.emergencyDuty", kind: kindTelephone, mandatory: true, set: func(d *draft, v *value) { d.flag.Authority.EmergencyDuty = v.text }},
		{path: "localId", kind: kindText, set: func(d *draft, v *value) { d.flag.LocalID = engine.Personal(v.text) }},
		{path: "fileId", kind: kindText, set: func(d *draft, v *value) { d.flag.FileID = v.text }},
	}
}

func accessTargets() []target {
	return []target{
		{path: "id", kind: kindText, mandatory: true, set: func(d *draft, v *value) { d.access.ID = v.text }},
		{path: "at", kind: kindInstant, mandatory: true, set: func(d *draft, v *value) { d.access.At = v.at },
			day: func(d *draft) engine.Date { return dayOf(d.access.At) }},
		{path: "scheduled", kind: kindBoolean, set: func(d *draft, v *value) { d.access.Scheduled = v.yes }},
		{path: "by.person.userId", kind: kindText, set: func(d *draft, v *value) { d.person.UserID = v.text }},
		{path: "by.person.roleProfile", kind: kindText, set: func(d *draft, v *value) { d.person.RoleProfile = v.text }},
		{path: "by.person.roleCode", kind: kindText, set: func(d *draft, v *value) { d.person.RoleCode = v.text }},
		{path: "by.person.roleName", kind: kindText, set: func(d *draft, v *value) { d.person.RoleName = v.text }},
		{path: "by.person.name", kind: kindText, set: func(d *draft, v *value) { d.person.Name = engine.Personal(v.text) }},
		{path: "by.deviceId", kind: kindText, set: func(d *draft, v *value) { d.access.By.DeviceID = v.text }},
		{path: "by.organisation.odsCode", kind: kindODSCode, mandatory: true, set: func(d *draft, v *value) { d.access.By.Organisation.ODSCode = v.text }},
		{path: "by.organisation.name", kind: kindText, set: func(d *draft, v *value) { d.access.By.Organisation.Name = v.text }},
		{path: "setting", kind: kindText, set: func(d *draft, v *value) { d.access.Setting = engine.CareSetting(v.text) }},
	}
}

// dayOf is the civil day of an instant in the zone or the offset that it was read in.
func dayOf(at time.Time) engine.Date {
	if at.IsZero() {
		return engine.Date{}
	}
	return engine.DateOf(at)
}

// Targets lists the target fields of a kind of event, with the conversion each one needs and whether it must have a rule.
func Targets(emit engine.Kind) []Target {
	var out []Target
	for _, t := range targets(emit) {
		out = append(out, Target{Path: t.path, Type: string(t.kind), Mandatory: t.mandatory, Many: t.many})
	}
	return out
}

// Target describes a target field for documentation and editors.
type Target struct {
	Path      string // as written under "set"
	Type      string // the conversion that makes it
	Mandatory bool   // lint insists on a rule
	Many      bool   // takes every value that its selector finds
}

// advice shows the two ways in which a field that has no rule gets one.
func (t target) advice() string {
	as := ", as: " + string(t.kind)
	switch t.kind {
	case kindText:
		as = ""
	case kindDate:
		as = ", as: date(dd/MM/yyyy)"
	case kindPlanType:
		as = ", table: plan-type"
	}
	return "add under set \"" + t.path + ": { from: COLUMN" + as + ", else: reject }\", or { const: VALUE } where all records share one"
}

// takes reports whether a target of kind t accepts a value of kind k. Plain text is checked text without its check.
func (t target) takes(k kind) bool {
	return t.kind == k || t.kind == kindText && (k == kindODSCode || k == kindTelephone)
}

// body hands the finished event to an envelope and reports the rules it breaks. It is the envelope's from then on.
func (d *draft) body(emit engine.Kind, e *engine.Envelope) []*engine.Error {
	switch emit {
	case engine.KindFlag:
		e.Flag = d.flag
		return d.flag.Check()
	case engine.KindAccess:
		if d.person != (engine.Person{}) {
			person := d.person
			d.access.By.Person = &person
		}
		e.Access = d.access
		return d.access.Check()
	}
	inactive := d.inactive
	e.Inactive = &inactive
	if inactive.Old.IsZero() {
		return []*engine.Error{{Op: "number-inactive", Kind: engine.Invalid, Rule: engine.RuleMandatory, Place: engine.Place{Path: "old"},
			Text: "an inactive number needs the number"}}
	}
	return nil
}
