package notify

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Visibility says which flags a hospital that asks is shown. *register.Register is one.
type Visibility interface {
	Stands(f engine.Flag, at time.Time) bool
	Until(f engine.Flag) time.Time        // when a flag with an end is no longer shown
	Supersedes(a, b engine.Envelope) bool // of two events of one row
}

// Why a child is not protected.
const (
	WhyRejected    = "rejected"      // the record breaks a rule
	WhyParked      = "parked"        // the record waits for a person at the engine
	WhyGivenUp     = "given-up"      // the engine's operator gave the record up
	WhyWaiting     = "waiting"       // the record is on its way into the register
	WhyQuarantined = "quarantined"   // the record could not be applied
	WhyEnded       = "ended"         // the plan ended so long ago that it is not shown any more
	WhyInError     = "entered-error" // the authority withdrew the plan as entered in error
	WhyFileWaiting = "file-waiting"  // a whole file is not read yet
	WhyFileUnread  = "file-not-read" // a whole file could not be read
)

// Unprotected is one child of an authority whom no hospital that asks is shown by a flag of that authority, or a whole file of which nothing
// is known but that it came.
type Unprotected struct {
	Child  engine.About
	Plan   engine.PlanType // of the record; empty: not known
	Since  time.Time
	Why    string        // one of the words above
	Record store.Claim   // the last that was said of the child
	Faults []store.Fault // what is wrong with it
}

// NotProtected returns every child that an authority sent and that it does not protect at a time, the longest first, and whole files before
// them. source is where its files come in. A zero time is now.
//
// A child is who has the NHS number of the record; where that could not be read, who has the authority's own id; where that could not be
// read either, the record itself, until a later file was read. A child leaves the list only when a flag of the authority stands for that NHS
// number or, where there is none, for that id: the flag that a query shows.
func NotProtected(ctx context.Context, s *store.Store, v Visibility, la, source string, at time.Time) ([]Unprotected, error) {
	claims, err := s.Claims(ctx, la, source, at)
	if err != nil {
		return nil, err
	}
	when := at
	if at.IsZero() {
		when = s.Now()
	}
	l := list{visible: v, at: when, last: claims.Last, shown: map[string]bool{}, children: map[string]*child{}}
	records := l.rows(claims.Records)
	for _, c := range records {
		l.show(c)
	}
	for _, c := range records {
		l.add(c)
	}
	var out []Unprotected
	for _, c := range claims.Unread {
		u := Unprotected{Child: c.About, Since: c.Received, Why: WhyFileUnread, Record: c, Faults: c.Faults}
		if c.State == store.ClaimWaiting {
			u.Why = WhyFileWaiting
		}
		out = append(out, u)
	}
	files := len(out)
	for key, c := range l.children {
		if !l.shown[key] {
			out = append(out, l.unprotected(c))
		}
	}
	slices.SortFunc(out[files:], func(a, b Unprotected) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Record.Message, b.Record.Message), cmp.Compare(a.Record.Position, b.Record.Position))
	})
	return out, nil
}

// list is a list in the making.
type list struct {
	visible  Visibility
	at       time.Time
	last     time.Time
	shown    map[string]bool // children, by number and by the authority's id, whom a flag shows
	children map[string]*child
}

type child struct {
	first time.Time // when the authority first spoke of the child
	gone  time.Time // when the last flag that was shown no longer was; zero: none ever was
	last  store.Claim
}

func numberKey(a engine.About) string { return "number " + a.NHSNumber.Reveal() }
func localKey(a engine.About) string  { return "local " + a.LocalID.Reveal() }

// rows keeps of the events of one row of the register the one that has it.
func (l *list) rows(claims []store.Claim) []store.Claim {
	type row struct {
		number string
		plan   engine.PlanType
	}
	best, out := map[row]int{}, []store.Claim(nil)
	for _, c := range claims {
		if c.State == store.ClaimApplied {
			r := row{c.About.NHSNumber.Reveal(), c.Event.Flag.Plan.Type}
			if i, seen := best[r]; seen {
				if l.visible.Supersedes(*c.Event, *out[i].Event) {
					out[i] = c
				}
				continue
			}
			best[r] = len(out)
		}
		out = append(out, c)
	}
	return out
}

func (l *list) show(c store.Claim) {
	if c.State == store.ClaimApplied && l.visible.Stands(*c.Event.Flag, l.at) {
		l.shown[numberKey(c.About)] = true
		if c.About.LocalID.Reveal() != "" {
			l.shown[localKey(c.About)] = true
		}
	}
}

func (l *list) add(c store.Claim) {
	var key string
	switch {
	case !c.About.NHSNumber.IsZero():
		key = numberKey(c.About)
	case c.About.LocalID.Reveal() != "":
		key = localKey(c.About)
	case c.Received.Before(l.last):
		return
	default:
		key = "record " + string(c.Message) + " " + strconv.Itoa(c.Position)
	}
	had := l.children[key]
	if had == nil {
		had = &child{first: c.Received, last: c}
		l.children[key] = had
	}
	if c.Received.Before(had.first) {
		had.first = c.Received
	}
	if order := c.Received.Compare(had.last.Received); order > 0 || order == 0 && c.Position > had.last.Position {
		had.last = c
	}
	if c.State == store.ClaimApplied {
		until := c.Received // withdrawn
		if c.Event.Flag.Plan.Withdrawn.IsZero() {
			until = l.visible.Until(*c.Event.Flag)
		}
		if until.After(had.gone) {
			had.gone = until
		}
	}
}

func (l *list) unprotected(c *child) Unprotected {
	u := Unprotected{Child: c.last.About, Since: c.first, Record: c.last, Faults: c.last.Faults}
	if c.gone.After(c.first) {
		u.Since = c.gone
	}
	if c.last.Event != nil {
		u.Plan = c.last.Event.Flag.Plan.Type
	}
	switch c.last.State {
	case store.ClaimWaiting:
		u.Why = WhyWaiting
	case store.ClaimQuarantined:
		u.Why = WhyQuarantined
	case store.ClaimApplied:
		u.Why = WhyEnded
		if !c.last.Event.Flag.Plan.Withdrawn.IsZero() {
			u.Why = WhyInError
		}
	default:
		u.Why = refusedWhy(c.last.Faults)
	}
	return u
}

func refusedWhy(faults []store.Fault) string {
	why := WhyRejected
	for _, f := range faults {
		switch {
		case f.Error.Rule == store.RuleDropped:
			return WhyGivenUp
		case f.Outcome == engine.Parked:
			why = WhyParked
		}
	}
	return why
}

// ToDo says what the authority does about it.
func (u Unprotected) ToDo() string {
	switch u.Why {
	case WhyRejected:
		return "mend the record as the reason says and send it again"
	case WhyParked:
		return "wait or ring the operator of the engine, who has to decide: name message and record"
	case WhyGivenUp:
		return "send the record again, and ring the operator of the engine if it comes back here"
	case WhyWaiting, WhyFileWaiting:
		return "nothing, unless it is here again tomorrow: then ring the operator of the engine"
	case WhyQuarantined:
		return "ring the operator of the engine: name message and record"
	case WhyFileUnread:
		return "mend the file as the reason says and send it again: none of its children is protected by it"
	case WhyInError:
		return "nothing, unless the plan was withdrawn by mistake: then send it again without a delete date"
	}
	return "nothing, unless the plan goes on: then send it again without its end, or with the right one"
}

// Reason is what is wrong with the record: rules, places and sentences. It holds no datum.
func (u Unprotected) Reason() string {
	var out []string
	for _, f := range u.Faults {
		if f.Error.Rule == "" { // of a whole file: its sentence says all that is kept
			out = append(out, f.Error.Text)
			continue
		}
		out = append(out, reason(f))
	}
	return strings.Join(out, "; ")
}

// NotProtectedCSV writes the list for the authority itself. The shape is ours: one line a child, under a header that stands alone when every
// child is protected. since is RFC 3339 in UTC, message the id that MESH gave the file, record its place in the file (0: the whole file).
// It holds personal data and is for the authority's mailbox only.
func NotProtectedCSV(all []Unprotected) ([]byte, error) {
	lines := [][]string{{"nhs_number", "local_id", "plan_type", "since", "why", "reason", "what_to_do", "message", "record"}}
	for _, u := range all {
		lines = append(lines, []string{
			u.Child.NHSNumber.Reveal(), Clean(u.Child.LocalID.Reveal()), string(u.Plan), u.Since.UTC().Format(time.RFC3339), u.Why, u.Reason(), u.ToDo(),
			u.Record.Upstream, strconv.Itoa(u.Record.Position),
		})
	}
	return writeCSV(lines)
}
