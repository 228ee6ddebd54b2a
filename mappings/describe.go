package mappings

import (
	"fmt"
	"strings"
	"time"

	"signalbox/engine"
)

// describe writes what became of a message's records as readable text, one block a record. It is the "want" of a test and reveals
// personal data, so it is for fictitious messages only.
func describe(results []engine.Translated) string {
	var b strings.Builder
	for i, r := range results {
		if i > 0 {
			b.WriteByte('\n')
		}
		what := "file"
		if r.Place.Record > 0 {
			what = fmt.Sprintf("record %d", r.Place.Record)
		}
		fmt.Fprintf(&b, "%s %s\n", what, r.Outcome)
		if r.Event != nil {
			for _, line := range describeEvent(*r.Event) {
				fmt.Fprintf(&b, "  %s = %s\n", line[0], line[1])
			}
		}
		for _, fault := range r.Faults {
			b.WriteString("  ! " + describeFault(fault) + "\n")
		}
	}
	return b.String()
}

// describeFault is "rule, path, line 4:1: sentence".
func describeFault(fault *engine.Error) string {
	at := fault.Place
	at.Record = 0
	text := fault.Rule
	if place := at.String(); place != "" {
		text += ", " + place
	}
	return text + ": " + fault.Sentence()
}

// describeEvent lists the fields that are not empty, by the names that rules give them.
func describeEvent(e engine.Envelope) [][2]string {
	fields := make([][2]string, 0, 16)
	add := func(path, text string) {
		if text != "" {
			fields = append(fields, [2]string{path, text})
		}
	}
	subject := func(s engine.Subject) {
		add("subject.nhsNumber", s.NHSNumber.Reveal())
		add("subject.birthDate", describeDate(s.BirthDate))
		add("subject.given", s.Given.Reveal())
		add("subject.family", s.Family.Reveal())
	}
	switch {
	case e.Flag != nil:
		subject(e.Flag.Subject)
		describeFlag(e.Flag, add)
	case e.Access != nil:
		add("id", e.Access.ID)
		subject(e.Access.Subject)
		describeAccess(e.Access, add)
	case e.Inactive != nil:
		add("old", e.Inactive.Old.Reveal())
		for _, n := range e.Inactive.Replacements {
			add("replacements", n.Reveal())
		}
	}
	return fields
}

func describeFlag(f *engine.Flag, add func(path, text string)) {
	add("plan.type", string(f.Plan.Type))
	add("plan.start", describeDate(f.Plan.Start))
	add("plan.end", describeDate(f.Plan.End))
	add("plan.withdrawn", describeDate(f.Plan.Withdrawn))
	add("authority.odsCode", f.Authority.ODSCode)
	add("authority.name", f.Authority.Name)
	add("authority.officeHours", f.Authority.OfficeHours)
	add("authority.emergencyDuty", f.Authority.EmergencyDuty)
	add("localId", f.LocalID.Reveal())
	add("fileId", f.FileID)
}

func describeAccess(a *engine.Access, add func(path, text string)) {
	add("at", a.At.Format(time.RFC3339Nano))
	add("scheduled", fmt.Sprint(a.Scheduled))
	if p := a.By.Person; p != nil {
		add("by.person.userId", p.UserID)
		add("by.person.roleProfile", p.RoleProfile)
		add("by.person.roleCode", p.RoleCode)
		add("by.person.roleName", p.RoleName)
		add("by.person.name", p.Name.Reveal())
	}
	add("by.deviceId", a.By.DeviceID)
	add("by.organisation.odsCode", a.By.Organisation.ODSCode)
	add("by.organisation.name", a.By.Organisation.Name)
	add("setting", string(a.Setting))
}

// describeDate is the date in ISO form, and as sent where that differs.
func describeDate(d engine.Date) string {
	if d.IsZero() || d.Sent() == d.ISO() {
		return d.ISO()
	}
	return d.ISO() + " (sent " + d.Sent() + ")"
}
