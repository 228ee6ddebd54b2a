package register

import (
	"context"
	"slices"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Why something that was known of a person was shown, or was not.
const (
	WhyShown       = "shown"
	WhyReplaced    = "replaced"      // a later word of the authority on the same kind of plan was known
	WhyEnded       = "ended"         // so long ago that it was not shown any more
	WhyInError     = "entered-error" // the authority withdrew it
	WhyNotYet      = "not-yet"       // it became known only after the time that is asked about, and began after it
	WhyNotCounting = "taken-back"    // a replay had changed or withdrawn it by then
)

// Past is an answer about the past, of two times: what a query at a time would have shown, by what the record knew at a time.
type Past struct {
	Shown   []Known         // ordered by authority and plan type, as Answer.Flags
	Known   []Known         // every word on the person that was known by then, in the order in which they became known; Shown among them
	History []engine.Access // unscheduled accesses, newest first, at most HistoryLength
}

// Known is one word on a person: a wording of a flag event, and when it counted.
type Known struct {
	store.Stretch
	Why string // one of the words above
}

// Past answers what a query at the time at would have shown by what the record knew at the time asOf. With both at one time it is what a
// hospital that asked then was shown. With asOf later it is hindsight: what became known after at is shown if it had begun by then; the
// rest follows the register, in which an authority's latest word on a kind of plan takes the place of its earlier ones.
func (r *Register) Past(ctx context.Context, s *store.Store, n engine.NHSNumber, at, asOf time.Time) (Past, error) {
	all, err := s.PastFlags(ctx, n)
	if err != nil {
		return Past{}, err
	}
	accesses, err := s.PastAccesses(ctx, n, asOf)
	if err != nil {
		return Past{}, err
	}
	var out Past
	best := map[Row]int{} // of Known
	for _, stretch := range all {
		if stretch.From.After(asOf) {
			continue
		}
		i := len(out.Known)
		out.Known = append(out.Known, Known{Stretch: stretch, Why: WhyNotCounting})
		if !stretch.Counted(asOf) {
			continue
		}
		row := RowOf(*stretch.Event.Flag)
		b, seen := best[row]
		switch {
		case !seen:
			best[row] = i
		case r.Supersedes(stretch.Event, out.Known[b].Event):
			best[row], out.Known[b].Why = i, WhyReplaced
		default:
			out.Known[i].Why = WhyReplaced
		}
	}
	for _, i := range best {
		out.Known[i].Why = r.why(out.Known[i].Stretch, at)
		if out.Known[i].Why == WhyShown {
			out.Shown = append(out.Shown, out.Known[i])
		}
	}
	slices.SortFunc(out.Shown, func(a, b Known) int { return compareRows(RowOf(*a.Event.Flag), RowOf(*b.Event.Flag)) })
	for _, e := range accesses {
		if len(out.History) < HistoryLength && (!e.Origin.Received.After(at) || !e.Access.At.After(at)) {
			out.History = append(out.History, *e.Access)
		}
	}
	return out, nil
}

// why says why a row of the register is shown at a time or is not.
func (r *Register) why(s store.Stretch, at time.Time) string {
	f := *s.Event.Flag
	switch {
	case r.Stands(f, at):
		if s.From.After(at) && f.Plan.Start.Compare(engine.DateOf(at.In(r.zone))) > 0 {
			return WhyNotYet
		}
		return WhyShown
	case !f.Plan.Withdrawn.IsZero():
		return WhyInError
	}
	return WhyEnded
}
