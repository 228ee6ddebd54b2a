package cpis

// plan writes a pertinentInformation. What the schema would refuse is an error.
func (x *xmlWriter) plan(p Plan) {
	for _, k := range planKinds {
		if k.kind != p.Kind {
			continue
		}
		x.open("pertinentInformation")
		x.contentID(k.template)
		x.open(k.template)
		x.planDate("component", k.prefix+"StartDate", p.Start)
		if p.End != "" || k.kind == PlanUnbornProtection {
			x.planDate("component1", k.prefix+"EndDate", p.End)
		}
		if p.Delete != "" {
			x.planDate("component2", k.prefix+"DeleteDate", p.Delete)
		}
		x.end(k.template)
		x.end("pertinentInformation")
		return
	}
	x.fail("plan kind", "is not CPP, LAC or UCP")
}

func (x *xmlWriter) planDate(component, name, date string) {
	if !isPlanDate(date) {
		x.fail(name, "is not a date of 12 digits, yyyymmddhhmm")
	}
	x.open(component)
	x.open(name)
	x.leaf("value", "value", date)
	x.end(name)
	x.end(component)
}

// subject writes whom a record is about.
func (x *xmlWriter) subject(s Subject) {
	if !isTime(s.BirthTime) {
		x.fail("birthTime", "is not an HL7 time")
	}
	template := "COCT_TP145101GB01.Child"
	if s.Unborn {
		template = "COCT_TP145100GB01.UnbornChild"
	}
	x.open("subject")
	x.contentID(template)
	x.open(template)
	if s.Unborn {
		x.open("parentMotherPerson")
		x.personName(s)
		x.open("playedMother")
		x.patientIDs("id", s.NHSNumber, s.LocalID, s.AssigningAuthority)
		x.end("playedMother")
		x.end("parentMotherPerson")
	} else {
		x.patientIDs("id", s.NHSNumber, s.LocalID, s.AssigningAuthority)
		x.open("childPerson")
		x.personName(s)
		x.end("childPerson")
	}
	x.end(template)
	x.end("subject")
}

func (x *xmlWriter) personName(s Subject) {
	x.leaf("birthTime", "value", s.BirthTime)
	x.open("name")
	x.text("given", s.Given)
	x.text("family", s.Family)
	x.end("name")
}

// keepsSchema says whether the schema would take the decoded record, so that it
// may be echoed. Spine's rules and ours do not count here.
func (r *Record) keepsSchema() bool {
	if r == nil || r.Element == nil || r.Element.node != upload.record {
		return false
	}
	if r.trusted {
		return true
	}
	c := &checker{level: RecordLevel, max: 1}
	c.element(&frame{e: r.Element})
	return len(c.faults) == 0
}
