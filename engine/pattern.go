package engine

import (
	"encoding/json"
	"log/slog"
	"time"
)

// Pattern says that a flagged child was seen across boundaries: by so many organisations, or in so many areas, within so many days, as the
// rule of the plan's type wants it. Authority, person, plan type and day name it: a day on which the child was seen, looking back over
// the rule's days. It is raised once, when the record first knows of enough visits, and holds those; more may become known.
type Pattern struct {
	NHSNumber NHSNumber // of the child, or of the mother of an unborn child
	Authority string    // ODS code of the authority whose flag stood at each visit
	Plan      PlanType
	Since     Date // the first day that was looked at, Rule.Days before Day
	Day       Date
	Rule      PatternRule
	Visits    []Visit // in the order of time
}

// PatternRule is what makes a pattern: Organisations different ones or Areas different ones within Days days of each other. 0: that count
// makes none.
type PatternRule struct {
	Organisations int `json:"organisations" yaml:"organisations"`
	Areas         int `json:"areas" yaml:"areas"`
	Days          int `json:"days" yaml:"days"`
}

// Visit is one unscheduled access, as a pattern tells of it.
type Visit struct {
	Access       string // its id
	At           time.Time
	Organisation Organisation
	Area         string // as configured for the organisation; empty: not known, and different from every other
}

// LogValue keeps the person out of structured logs.
func (p Pattern) LogValue() slog.Value {
	return slog.GroupValue(slog.String("plan", string(p.Plan)), slog.String("la", p.Authority), slog.Int("visits", len(p.Visits)))
}

type wirePattern struct {
	Subject   wireSubject `json:"subject"`
	Authority string      `json:"authority"`
	Plan      PlanType    `json:"plan"`
	Since     string      `json:"since"`
	Day       string      `json:"day"`
	Rule      PatternRule `json:"rule"`
	Visits    []wireVisit `json:"visits"`
}

type wireVisit struct {
	Access       string           `json:"access"`
	At           time.Time        `json:"at"`
	Organisation wireOrganisation `json:"organisation"`
	Area         string           `json:"area,omitempty"`
}

// pattern writes the data of a pattern. There are few, so encoding/json may do it.
func (w *writer) pattern(p *Pattern) {
	b, err := json.Marshal(patternToWire(p))
	if err != nil {
		w.err = err
	}
	w.b = append(w.b, b...)
}

func patternToWire(p *Pattern) wirePattern {
	out := wirePattern{
		Subject: wireSubject{NHSNumber: p.NHSNumber.Reveal()}, Authority: p.Authority, Plan: p.Plan, Since: p.Since.ISO(), Day: p.Day.ISO(), Rule: p.Rule,
		Visits: []wireVisit{},
	}
	for _, v := range p.Visits {
		out.Visits = append(out.Visits, wireVisit{v.Access, v.At, wireOrganisation(v.Organisation), v.Area})
	}
	return out
}

func (w wirePattern) pattern() (*Pattern, error) {
	n, err := ParseNHSNumber(w.Subject.NHSNumber)
	if err != nil {
		return nil, badField("data.subject.nhsNumber", err)
	}
	p := &Pattern{NHSNumber: n, Authority: w.Authority, Plan: w.Plan, Rule: w.Rule}
	if !p.Plan.Valid() {
		return nil, badEvent("data.plan is unknown")
	}
	if p.Since, err = day(w.Since); err != nil {
		return nil, badField("data.since", err)
	}
	if p.Day, err = day(w.Day); err != nil {
		return nil, badField("data.day", err)
	}
	for _, v := range w.Visits {
		p.Visits = append(p.Visits, Visit{v.Access, v.At, Organisation(v.Organisation), v.Area})
	}
	return p, nil
}

// day reads a date that was made by us and so was never written otherwise.
func day(iso string) (Date, error) {
	c, err := parseISO(iso)
	if err != nil {
		return Date{}, err
	}
	return newDate(c, iso)
}
