package pattern

import (
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Found is a day on which a child was seen and, looking back over the rule's days, had been seen across boundaries.
type Found struct {
	Since, Day    engine.Date
	Visits        []engine.Visit // of the days from Since until Day, in the order of time
	Organisations int            // different ones
	Areas         int            // different ones, an unknown area being one of its own
}

// Day is the day that an access counts for. Its time is the sender's word: where that is in the future, when it arrived counts.
func (w *Watch) Day(at, received time.Time) engine.Date {
	if at.After(received) {
		at = received
	}
	return engine.DateOf(at.In(w.zone))
}

// visit says what a pattern tells of an access.
func (w *Watch) visit(a engine.Access) engine.Visit {
	return engine.Visit{Access: a.ID, At: a.At, Organisation: a.By.Organisation, Area: w.areas[plain(a.By.Organisation.ODSCode)]}
}

// Look returns the visits of a span of days as one finding, whether or not they make a pattern.
func (w *Watch) Look(since, day engine.Date, seen []store.Seen) Found {
	f := Found{Since: since, Day: day}
	organisations, areas := map[string]bool{}, map[string]bool{}
	for _, s := range seen {
		if s.Day < since.ISO() || s.Day > day.ISO() {
			continue
		}
		v := w.visit(s.Access)
		f.Visits = append(f.Visits, v)
		code := plain(v.Organisation.ODSCode)
		organisations[code] = true
		if v.Area == "" {
			areas["organisation "+code] = true
		} else {
			areas["area "+strings.ToLower(v.Area)] = true
		}
	}
	f.Organisations, f.Areas = len(organisations), len(areas)
	return f
}

// meets reports whether a finding is a pattern.
func meets(f Found, r engine.PatternRule) bool {
	return r.Organisations > 0 && f.Organisations >= r.Organisations || r.Areas > 0 && f.Areas >= r.Areas
}

// Days returns the patterns among visits of one child under one authority's plan: each of the days on which the child was seen and, with the
// days before it that the rule counts, by so many organisations or in so many areas. It is a function of the visits alone, and more visits
// never make fewer patterns: what was found stays found whatever arrives later.
func (w *Watch) Days(r engine.PatternRule, seen []store.Seen) []Found {
	var out []Found
	done := map[string]bool{}
	for _, s := range seen {
		if done[s.Day] || !on(r) {
			continue
		}
		done[s.Day] = true
		day, err := engine.MustLayout("iso").Parse(s.Day)
		if err != nil {
			continue // days are written by Note
		}
		if f := w.Look(day.AddDays(-r.Days), day, seen); meets(f, r) {
			out = append(out, f)
		}
	}
	return out
}

// Note records an unscheduled access as a visit of the child to each plan that stands, given as the events of its flags, and raises each
// pattern that is there now and was not: it returns their events, which go their own way from the same transaction.
func (w *Watch) Note(tx *store.Tx, access engine.Envelope, standing []engine.Envelope) ([]engine.Envelope, error) {
	day := w.Day(access.Access.At, access.Origin.Received)
	var visits []store.Visit
	for _, flag := range standing {
		if f := flag.Flag; on(w.cfg.rule(f.Plan.Type)) {
			visits = append(visits, store.Visit{NHSNumber: f.Subject.NHSNumber, Authority: f.Authority.ODSCode, Plan: f.Plan.Type, Access: access.Access.ID, Day: day.ISO()})
		}
	}
	if err := tx.PutVisits(visits); err != nil {
		return nil, err
	}
	var raised []engine.Envelope
	for _, v := range visits {
		rule := w.cfg.rule(v.Plan)
		// The visit counts for its own day and for those after it that look back so far.
		seen, err := tx.Visits(v.NHSNumber, v.Authority, v.Plan, day.AddDays(-rule.Days).ISO(), day.AddDays(rule.Days).ISO())
		if err != nil {
			return nil, err
		}
		for _, f := range w.Days(rule, seen) {
			if f.Day.Compare(day) < 0 {
				continue
			}
			e := event(v, rule, f, tx.Now())
			fresh, err := tx.PutPattern(e)
			if err != nil {
				return nil, err
			}
			if fresh {
				raised = append(raised, e)
			}
		}
	}
	return raised, nil
}

// event names the pattern by the access that completed it: an id that is made of the person's number would be a pseudonym.
func event(v store.Visit, rule engine.PatternRule, f Found, at time.Time) engine.Envelope {
	source := "pattern/" + v.Authority
	e := engine.NewEnvelope(engine.KindPattern, engine.Origin{
		Source: source, Message: engine.NewMessageID(source, string(v.Plan)+"/"+f.Day.ISO()+"/"+v.Access), Received: at,
	})
	e.Pattern = &engine.Pattern{
		NHSNumber: v.NHSNumber, Authority: v.Authority, Plan: v.Plan, Since: f.Since, Day: f.Day, Rule: rule, Visits: f.Visits,
	}
	return e
}
