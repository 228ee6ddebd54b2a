package engine

import "log/slog"

// PlanType is the kind of plan that a flag tells of.
type PlanType string

// The three plan types of CP-IS.
const (
	ChildProtection       PlanType = "child-protection"
	LookedAfter           PlanType = "looked-after"
	UnbornChildProtection PlanType = "unborn-child-protection"
)

// PlanTypes lists the plan types in the order in which they are shown.
func PlanTypes() []PlanType { return []PlanType{ChildProtection, LookedAfter, UnbornChildProtection} }

// Valid reports whether p is one of the plan types.
func (p PlanType) Valid() bool {
	return p == ChildProtection || p == LookedAfter || p == UnbornChildProtection
}

// Subject is the person whom an event is about: the child, or the mother of an unborn child.
type Subject struct {
	NHSNumber NHSNumber
	BirthDate Date
	Given     Personal // as sent
	Family    Personal // as sent
}

// LogValue keeps a person out of structured logs.
func (s Subject) LogValue() slog.Value { return slog.StringValue(Redacted) }

// Authority is a local authority as it described itself: ODS code, name, and the two telephone numbers that a clinician may call.
type Authority struct {
	ODSCode       string
	Name          string
	OfficeHours   string // telephone, digits with an optional leading +; empty when the LA gave none
	EmergencyDuty string // telephone of the emergency duty team
}

// Plan is the plan that a flag tells of. Start is always there; End is zero while the plan is open and mandatory for an unborn
// plan; Withdrawn is zero unless the entry was made in error.
type Plan struct {
	Type                  PlanType
	Start, End, Withdrawn Date
}

// Flag says that a plan stands, has an end, or was entered in error.
type Flag struct {
	Subject   Subject
	Plan      Plan
	Authority Authority
	LocalID   Personal // the LA's own id for the child
	FileID    string   // the LA's upload sequence number, echoed back in every notification
}

// LogValue keeps a person out of structured logs.
func (f Flag) LogValue() slog.Value {
	return slog.GroupValue(slog.String("plan", string(f.Plan.Type)), slog.String("la", f.Authority.ODSCode))
}

// Check reports every rule that the flag breaks, each as an *Error whose Place.Path is the target field: NHS number, birth date,
// plan type, start, LA code and name and emergency telephone are mandatory (CP-IS stage 2 record rules, facts: cpis 1.4); an unborn plan
// has an end (REPC_MT000002GB01); no plan ends before it starts.
func (f Flag) Check() []*Error {
	var faults []*Error
	need := func(ok bool, path, text string) {
		if !ok {
			faults = append(faults, &Error{Op: "flag", Kind: Invalid, Rule: RuleMandatory, Place: Place{Path: path}, Text: text})
		}
	}
	need(!f.Subject.NHSNumber.IsZero(), "subject.nhsNumber", "a flag needs an NHS number")
	need(!f.Subject.BirthDate.IsZero(), "subject.birthDate", "a flag needs a birth date")
	need(f.Plan.Type.Valid(), "plan.type", "a flag needs one of the plan types child-protection, looked-after, unborn-child-protection")
	need(!f.Plan.Start.IsZero(), "plan.start", "a plan needs a start date")
	need(f.Plan.Type != UnbornChildProtection || !f.Plan.End.IsZero(), "plan.end", "an unborn child protection plan needs an end date")
	need(f.Authority.ODSCode != "", "authority.odsCode", "a flag needs the local authority's ODS code")
	need(f.Authority.Name != "", "authority.name", "a flag needs the local authority's name")
	need(f.Authority.EmergencyDuty != "", "authority.emergencyDuty", "a flag needs the emergency duty team's telephone")
	if !f.Plan.End.IsZero() && f.Plan.End.Compare(f.Plan.Start) < 0 {
		faults = append(faults, &Error{Op: "flag", Kind: Invalid, Rule: RulePlanPeriod, Place: Place{Path: "plan.end"},
			Text: "the plan ends before it starts"})
	}
	return faults
}
