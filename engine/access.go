package engine

import (
	"log/slog"
	"time"
)

// Organisation is a care organisation or site by its ODS code.
type Organisation struct {
	ODSCode string
	Name    string
}

// Person is a member of staff who looked: SDS user id and role (facts: cpis 2.6, COCT_TP145102GB01).
type Person struct {
	UserID      string // SDS user id
	RoleProfile string // SDS role profile id; may be empty
	RoleCode    string // SDS job role, for example R0260
	RoleName    string
	Name        Personal
}

// Actor is who looked: a person, or a device when no person is known, for an organisation.
type Actor struct {
	Person       *Person
	DeviceID     string // ASID of the system; stands alone when Person is nil (COCT_TP145104GB01)
	Organisation Organisation
}

// CareSetting is the kind of place that asked, as configured for the trust. The CP-IS messages of 2022 have no field for it.
type CareSetting string

// Access says that somebody looked, or that a service said the child is being seen.
type Access struct {
	ID        string // the query's UUID: the de-duplication key
	Subject   Subject
	At        time.Time
	Scheduled bool // scheduled: no history row, no notification. Absent on the wire means unscheduled
	By        Actor
	Setting   CareSetting
}

// LogValue keeps persons out of structured logs.
func (a Access) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", a.ID), slog.Bool("scheduled", a.Scheduled), slog.String("by", a.By.Organisation.ODSCode))
}

// Check reports every rule that the access breaks, each as an *Error whose Place.Path is the target field.
func (a Access) Check() []*Error {
	var faults []*Error
	need := func(ok bool, path, text string) {
		if !ok {
			faults = append(faults, &Error{Op: "access", Kind: Invalid, Rule: RuleMandatory, Place: Place{Path: path}, Text: text})
		}
	}
	need(a.ID != "", "id", "an access needs an id: it is the key against counting it twice")
	need(!a.Subject.NHSNumber.IsZero(), "subject.nhsNumber", "an access needs an NHS number")
	need(!a.At.IsZero(), "at", "an access needs its time")
	need(a.By.Organisation.ODSCode != "", "by.organisation", "an access needs the organisation's ODS code")
	need(a.By.Person != nil || a.By.DeviceID != "", "by.person", "an access needs a person or a device")
	return faults
}

// NumberInactive says that an NHS number is no longer in use. Replacements may be none, one or many; nothing is ever swapped by itself.
type NumberInactive struct {
	Old          NHSNumber
	Replacements []NHSNumber
}

// LogValue keeps the numbers out of structured logs.
func (n NumberInactive) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("replacements", len(n.Replacements)))
}
