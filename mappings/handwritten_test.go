package mappings_test

import (
	"errors"
	"strings"

	"signalbox/engine"
)

// handwritten is what testdata/twelve says, as Go that somebody would write for this one supplier: the same checks in the same order, the
// same faults with their rule, column and line, the same events. It knows less of a fault's place: no bytes and no position in the line.
type handwritten struct {
	mapping string // digest that its events carry
	day     engine.Layout
	plans   map[string]engine.PlanType
}

func newHandwritten(digest string) *handwritten {
	return &handwritten{mapping: digest, day: engine.MustLayout("dd/MM/yyyy"),
		plans: map[string]engine.PlanType{"P": engine.ChildProtection, "L": engine.LookedAfter, "U": engine.UnbornChildProtection}}
}

// row is one row on its way to an event.
type row struct {
	*handwritten
	cells   []string
	at      engine.Place
	outcome engine.Outcome
	faults  []*engine.Error
}

// fail notes a fault; a rejected row stays rejected.
func (r *row) fail(outcome engine.Outcome, rule, column, target string, cause error) {
	kind := engine.Invalid
	if rule == engine.RuleCode {
		kind = engine.Unmapped
	}
	at := r.at
	at.Path = "column " + column
	r.faults = append(r.faults, &engine.Error{Op: "translate", Kind: kind, Rule: rule, Place: at, Text: target, Err: cause})
	if r.outcome != engine.Rejected {
		r.outcome = outcome
	}
}

var errMissing = errors.New("the value is missing or empty")

// text returns a cell without the space around it; a mandatory one that is empty is a fault.
func (r *row) text(i int, column, target string, mandatory bool) string {
	text := strings.TrimSpace(r.cells[i])
	if text == "" && mandatory {
		r.fail(engine.Rejected, engine.RuleMandatory, column, target, errMissing)
	}
	return text
}

func (r *row) date(i int, column, target string, mandatory bool, otherwise engine.Outcome) engine.Date {
	text := r.text(i, column, target, mandatory)
	if text == "" {
		return engine.Date{}
	}
	date, err := r.day.Parse(text)
	if err != nil {
		r.fail(otherwise, engine.RuleDate, column, target, err)
	}
	return date
}

func (r *row) nhsNumber() engine.NHSNumber {
	text := r.text(0, "nhs_no", "subject.nhsNumber", true)
	if text == "" {
		return engine.NHSNumber{}
	}
	number, err := engine.ParseNHSNumber(text)
	if err != nil {
		r.fail(engine.Rejected, engine.RuleNHSNumber, "nhs_no", "subject.nhsNumber", err)
	}
	return number
}

func (r *row) plan() engine.PlanType {
	text := strings.TrimSpace(r.cells[4])
	if text == "" {
		r.fail(engine.Parked, engine.RuleMandatory, "plan_cat", "plan.type", errMissing)
		return ""
	}
	plan, ok := r.plans[text]
	if !ok {
		r.fail(engine.Parked, engine.RuleCode, "plan_cat", "plan.type: table plan-type", errors.New("the code is not in the table"))
	}
	return plan
}

func (r *row) odsCode() string {
	text := r.text(10, "la_code", "authority.odsCode", true)
	if text == "" {
		return ""
	}
	good := len(text) >= 3 && len(text) <= 10
	for i := 0; good && i < len(text); i++ {
		good = text[i] >= '0' && text[i] <= '9' || text[i] >= 'A' && text[i] <= 'Z'
	}
	if !good {
		r.fail(engine.Rejected, engine.RuleType, "la_code", "authority.odsCode", errors.New("an ODS code is 3 to 10 capital letters and digits"))
		return ""
	}
	return text
}

func (r *row) telephone() string {
	text := r.text(11, "edt_phone", "authority.emergencyDuty", true)
	if text == "" {
		return ""
	}
	var room [24]byte
	digits := room[:0]
	good, count := true, 0
	for _, c := range []byte(strings.TrimPrefix(text, "tel:")) {
		switch {
		case c >= '0' && c <= '9':
			digits, count = append(digits, c), count+1
		case c == '+' && len(digits) == 0:
			digits = append(digits, c)
		case c == ' ', c == '-', c == '(', c == ')':
		default:
			good = false
		}
	}
	if !good || count < 3 || count > 20 {
		r.fail(engine.Rejected, engine.RuleType, "edt_phone", "authority.emergencyDuty", errors.New("a telephone number is 3 to 20 digits with an optional + before them"))
		return ""
	}
	return string(digits)
}

// translate makes of a row what the mapping makes of it.
func (h *handwritten) translate(msg *engine.Message, at engine.Place, cells []string) engine.Translated {
	if status := strings.TrimSpace(cells[9]); status != "L" && status != "" {
		return engine.Translated{Outcome: engine.Skipped, Place: at}
	}
	r := row{handwritten: h, cells: cells, at: at, outcome: engine.Accepted}
	if strings.TrimSpace(cells[9]) == "" {
		r.fail(engine.Parked, engine.RuleMandatory, "record_status", "when: row.record_status", errMissing)
		return engine.Translated{Outcome: r.outcome, Place: at, Faults: r.faults}
	}
	flag := &engine.Flag{}
	flag.Subject.NHSNumber = r.nhsNumber()
	flag.Subject.BirthDate = r.date(3, "dob", "subject.birthDate", true, engine.Rejected)
	flag.Subject.Given = engine.Personal(strings.TrimSpace(cells[1]))
	flag.Subject.Family = engine.Personal(strings.TrimSpace(cells[2]))
	flag.Plan.Type = r.plan()
	flag.Plan.Start = r.date(5, "start_dt", "plan.start", true, engine.Rejected)
	flag.Plan.End = r.date(6, "end_dt", "plan.end", false, engine.Parked)
	flag.Plan.Withdrawn = r.date(7, "withdrawn_dt", "plan.withdrawn", false, engine.Parked)
	flag.Authority = engine.Authority{ODSCode: r.odsCode(), Name: "NORTHSHIRE COUNTY COUNCIL", EmergencyDuty: r.telephone()}
	flag.LocalID = engine.Personal(strings.TrimSpace(cells[8]))
	if flag.FileID = msg.LocalID; flag.FileID == "" {
		flag.FileID = string(msg.ID)
	}
	return r.finish(msg, flag)
}

// finish holds the flag against its own rules and puts it into its envelope.
func (r *row) finish(msg *engine.Message, flag *engine.Flag) engine.Translated {
	for _, fault := range flag.Check() {
		if r.told(fault.Place.Path) {
			continue
		}
		if fault.Rule != engine.RuleMandatory {
			fault.Text = fault.Place.Path + ": " + fault.Text
		}
		if fault.Place.Path == "plan.end" { // no other rule of a flag can break when its fields are sound
			fault.Place.Path = "column end_dt"
		}
		fault.Place.Record, fault.Place.Line = r.at.Record, r.at.Line
		r.faults, r.outcome = append(r.faults, fault), engine.Rejected
	}
	out := engine.Translated{Outcome: r.outcome, Place: r.at, Faults: r.faults}
	if r.outcome != engine.Accepted {
		out.About = &engine.About{NHSNumber: flag.Subject.NHSNumber, LocalID: flag.LocalID}
		return out
	}
	envelope := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: msg.Source, Message: msg.ID, Position: r.at.Record, Mapping: r.mapping, Received: msg.Received})
	envelope.Flag = flag
	out.Event = &envelope
	return out
}

// told reports whether a fault of the target's own value is there already.
func (r *row) told(target string) bool {
	for _, fault := range r.faults {
		if fault.Text == target || strings.HasPrefix(fault.Text, target+": ") {
			return true
		}
	}
	return false
}
