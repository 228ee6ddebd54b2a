package notify

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Crossing is a child who was seen across boundaries, as an authority is told of it.
type Crossing struct {
	Event         engine.Envelope // of the pattern
	LocalID       engine.Personal // the authority's own id for the child, where it is known
	Visits        []engine.Visit  // all that are known
	Organisations int             // different ones
	Areas         int             // different ones
}

// CrossingOf gathers what an authority is told of a pattern: its visits as they are known now, counted by the rules of the configuration, and the
// authority's own id for the child.
func CrossingOf(tx *store.Tx, e engine.Envelope, visits []engine.Visit, organisations, areas int) (Crossing, error) {
	out := Crossing{Event: e, Visits: visits, Organisations: organisations, Areas: areas}
	flags, err := tx.Flags(e.Pattern.NHSNumber)
	for _, f := range flags {
		if f.Flag.Authority.ODSCode == e.Pattern.Authority && f.Flag.Plan.Type == e.Pattern.Plan {
			out.LocalID = f.Flag.LocalID
		}
	}
	return out, err
}

// patternIDDigits is how many digits of a pattern's event id name it.
const patternIDDigits = 16

// PatternID names a pattern to people and in what authorities are sent: the first digits of its event's id.
func PatternID(id engine.EventID) string { return string(id[:min(len(id), patternIDDigits)]) }

func patternIDs(all []engine.EventID) string {
	var out []string
	for _, id := range all {
		out = append(out, PatternID(id))
	}
	return strings.Join(out, " ")
}

// RuleText says what makes a pattern.
func RuleText(r engine.PatternRule) string {
	var counts []string
	if r.Organisations > 0 {
		counts = append(counts, fmt.Sprintf("%d organisations", r.Organisations))
	}
	if r.Areas > 0 {
		counts = append(counts, fmt.Sprintf("%d areas", r.Areas))
	}
	return fmt.Sprintf("%s within %d days", strings.Join(counts, " or "), r.Days)
}

// PlanPattern plans what tells an authority of a pattern: once, however often it is planned. The scheme has no message for it, so it is a CSV
// of ours in a message of its own, beside the notifications of the same accesses, whose ids it repeats.
func PlanPattern(tx *store.Tx, p Party, c Crossing) error {
	body, err := PatternCSV(c)
	if err != nil {
		return err
	}
	id := EffectID(store.PatternNotice, string(c.Event.ID))
	return tx.PlanEffect(store.Effect{ID: id, Kind: store.PatternNotice, Authority: p.Authority.ODSCode, Body: body, Due: tx.Now()})
}

// PatternCSV writes one line a visit, the earliest first: pattern_id, the same in all lines; nhs_number, local_id and plan_type of the child;
// first_day and last_day that were looked at; how many organisations and areas in all; the rule that is met; then access_id, as the
// notification of the access has it, accessed_at (RFC 3339, UTC), organisation_code, organisation_name and area, empty where it is not
// known. It holds personal data and is for the authority's mailbox only.
func PatternCSV(c Crossing) ([]byte, error) {
	p := c.Event.Pattern
	lines := [][]string{{"pattern_id", "nhs_number", "local_id", "plan_type", "first_day", "last_day", "organisations", "areas", "rule",
		"access_id", "accessed_at", "organisation_code", "organisation_name", "area"}}
	for _, v := range c.Visits {
		lines = append(lines, []string{
			PatternID(c.Event.ID), p.NHSNumber.Reveal(), Clean(c.LocalID.Reveal()), string(p.Plan), p.Since.ISO(), p.Day.ISO(),
			strconv.Itoa(c.Organisations), strconv.Itoa(c.Areas), RuleText(p.Rule),
			QueryID(v.Access), v.At.UTC().Format(time.RFC3339), Clean(v.Organisation.ODSCode), Clean(v.Organisation.Name), Clean(v.Area),
		})
	}
	return writeCSV(lines)
}
