package cpis

import "strings"

// checkHeaderRules applies what Spine asks of a header beyond the schema, and
// the gap it leaves: the use of a telephone. Source: Spine's upload stylesheet
// (MISSING_MANDATORY_FIELD, MISSING_MANDATORY_TELECOM_TYPE and the like).
func checkHeaderRules(c *checker, file *Element) {
	root := &frame{e: file}
	report := func(rule, text string, names ...string) {
		c.add(descend(root, names...), "", rule, text)
	}
	if trim(file.Child("id").value("extension")) == "" {
		report(RuleFileID, "the file id is blank", "id")
	}
	org := file.Find("communicationFunctionSnd", "organisation")
	if trim(org.Child("id").value("extension")) == "" {
		report(RuleOrgID, "the organisation's ODS code is blank", "communicationFunctionSnd", "organisation", "id")
	}
	if name := org.Child("name"); name != nil && trim(name.Text) == "" {
		report(RuleOrgName, "the organisation's name is blank", "communicationFunctionSnd", "organisation", "name")
	}
	checkTelecoms(c, descend(root, "communicationFunctionSnd", "organisation"))
}

func checkTelecoms(c *checker, at *frame) {
	duty := 0
	for i, t := range at.e.Children {
		if t.Name != "telecom" {
			continue
		}
		down := &frame{up: at, e: t, i: i}
		use := trim(t.value("use"))
		if use == "EC" {
			duty++
		} else if use != "WP" {
			c.add(down, "/@use", RuleTelecomUse, "the use of a telephone is neither WP (office hours) nor EC (emergency duty team)")
		}
		if strings.Trim(t.value("value"), "tel:+ ") == "" {
			c.add(down, "/@value", RuleTelecomValue, "a telephone has no digits")
		}
	}
	switch {
	case duty == 0:
		c.add(at, "/telecom", RuleTelecomEC, "there is no emergency duty telephone (use EC)")
	case duty > 1:
		c.add(at, "/telecom", RuleTelecomTwiceEC, "there is more than one emergency duty telephone (use EC)")
	}
}

// officeTelephone warns when there is none: schema and Spine both let the emergency duty team's stand alone.
func officeTelephone(file *Element) []*Fault {
	c := &checker{level: FileLevel, max: 1}
	at := descend(&frame{e: file}, "communicationFunctionSnd", "organisation")
	for _, t := range at.e.children("telecom") {
		if trim(t.value("use")) == "WP" {
			return nil
		}
	}
	c.add(at, "/telecom", RuleTelecomOffice, "there is no telephone of the office (use WP)")
	return c.faults
}

// descend gives the frame of the first child of each name, stopping where one
// is not there.
func descend(at *frame, names ...string) *frame {
	for _, name := range names {
		for i, child := range at.e.Children {
			if child.Name == name {
				at = &frame{up: at, e: child, i: i}
				break
			}
		}
	}
	return at
}

// checkRecordRules applies to a record that keeps the schema what Spine asks of
// it beyond, and what neither catches.
func checkRecordRules(c *checker, record *frame) {
	body := c.below(record, record.e.Children[0], 0)
	plans, subjects := 0, 0
	unbornPlan, unbornSubject := false, false
	for i, part := range body.e.Children {
		at := c.below(body, part, i)
		if part.Name == "subject" {
			subjects++
			unbornSubject = checkSubject(c, at)
			continue
		}
		plans++
		unbornPlan = checkPlan(c, at)
	}
	switch {
	case plans != 1:
		c.add(body, "/pertinentInformation", RuleOnePlan, "a record must hold exactly one plan")
	case subjects != 1:
		c.add(body, "/subject", RuleOneSubject, "a record must hold exactly one subject")
	case unbornPlan != unbornSubject:
		c.add(body, "/subject", RulePlanSubject, "an unborn child protection plan goes with an unborn child, other plans with a child")
	}
}

// checkPlan checks the dates of a plan block and says whether it is for an unborn child.
func checkPlan(c *checker, at *frame) (unborn bool) {
	contentMatches(c, at)
	for i, component := range at.e.Children[1].Children {
		value := component.firstChild().firstChild()
		if value == nil {
			continue // nil on the wire
		}
		if v := value.value("value"); !isCalendar(v) {
			block := frame{up: at, e: at.e.Children[1], i: 1}
			down := frame{up: &block, e: component, i: i}
			date := frame{up: &down, e: component.Children[0]}
			c.add(&frame{up: &date, e: value}, "/@value", RuleDate, "the date is not in the calendar")
		}
	}
	return at.e.Children[1].node == unbornPlanNode
}

// checkSubject checks one subject and says whether it is an unborn child.
func checkSubject(c *checker, at *frame) (unborn bool) {
	contentMatches(c, at)
	role := at.e.Children[1]
	down := c.below(at, role, 1)
	person := len(role.Children) - 1
	personAt := c.below(down, role.Children[person], person)
	ids := down
	if unborn = role.node == unbornNode; unborn {
		ids = &frame{up: personAt, e: personAt.e.Child("playedMother"), i: 2}
	}
	numbers := 0
	for _, id := range ids.e.Children {
		if id.Name == "id" && id.value("root") == OIDNHSNumber && trim(id.value("extension")) != "" {
			numbers++
		}
	}
	if numbers != 1 {
		c.add(ids, "/id", RuleNHSNumber, "a subject must have exactly one NHS number")
	}
	birth := personAt.e.Children[0]
	if !isCalendar(birth.value("value")) {
		c.add(&frame{up: personAt, e: birth}, "/@value", RuleDate, "the date is not in the calendar")
	}
	return unborn
}

// The model's nodes that rules ask about.
var (
	unbornPlanNode = upload.record.find("CP-ISRecord", "pertinentInformation", "COCT_TP146102GB01.UCPInformation")
	unbornNode     = upload.record.find("CP-ISRecord", "subject", "COCT_TP145100GB01.UnbornChild")
)

func (n *node) find(names ...string) *node {
	for _, name := range names {
		n = n.child(name, nsHL7)
	}
	return n
}

func (e *Element) firstChild() *Element {
	if e == nil || len(e.Children) == 0 {
		return nil
	}
	return e.Children[0]
}

// contentMatches checks that the content id announces the template that follows
// it: COCT_TP146101GB01#CPPInformation before COCT_TP146101GB01.CPPInformation.
func contentMatches(c *checker, at *frame) {
	id, body := at.e.Children[0], at.e.Children[1]
	said := id.value("extension")
	if i := strings.IndexByte(body.Name, '.'); len(said) != len(body.Name) || i < 0 ||
		said[:i] != body.Name[:i] || said[i] != '#' || said[i+1:] != body.Name[i+1:] {
		c.add(&frame{up: at, e: id}, "/@extension", RuleContentID, "the content id does not name the template that follows it")
	}
}
