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
	WhySuspended   = "suspended"     // PDS has another NHS number for the child, or none: who asks PDS first asks under that, and uploads change nothing
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
// read either, the record itself, which by its bytes is known when it is sent again; it stays until somebody has answered for it. A child
// leaves the list only when a flag of the authority stands for that NHS number, which no open task suspends, or, where there is none, for the one
// NHS number that has that id now: the flag that a query shows.
func NotProtected(ctx context.Context, s *store.Store, v Visibility, la, source string, at time.Time) ([]Unprotected, error) {
	claims, err := s.Claims(ctx, la, source, at)
	if err != nil {
		return nil, err
	}
	when := at
	if at.IsZero() {
		when = s.Now()
	}
	l := list{visible: v, at: when, suspended: claims.Suspended, shown: map[engine.NHSNumber]bool{}, ids: map[engine.Personal]*holder{}, children: map[string]*child{}}
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
	for _, c := range l.children {
		if !l.protected(c) {
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
	visible   Visibility
	at        time.Time
	suspended map[engine.NHSNumber]time.Time // since when
	shown     map[engine.NHSNumber]bool      // numbers of which a query shows a flag, and no task is open
	ids       map[engine.Personal]*holder    // the authority's own ids of such flags
	children  map[string]*child
}

// holder is who has one of the authority's own ids, among those whom a flag shows.
type holder struct {
	number   engine.NHSNumber
	several  bool      // the id is more than one child's: it says nothing
	received time.Time // the last that was said of it
}

type child struct {
	first time.Time // when the authority first spoke of the child
	gone  time.Time // when the last flag that was shown no longer was; zero: none ever was
	seen  bool      // a flag stands
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
	if _, waits := l.suspended[c.About.NHSNumber]; waits || !l.stands(c) {
		return
	}
	l.shown[c.About.NHSNumber] = true
	if c.About.LocalID.Reveal() == "" {
		return
	}
	h := l.ids[c.About.LocalID]
	if h == nil {
		h = &holder{number: c.About.NHSNumber}
		l.ids[c.About.LocalID] = h
	}
	if h.several = h.several || h.number != c.About.NHSNumber; c.Received.After(h.received) {
		h.received = c.Received
	}
}

func (l *list) stands(c store.Claim) bool {
	return c.State == store.ClaimApplied && l.visible.Stands(*c.Event.Flag, l.at)
}

// protected reports whether a query shows the child. A child whose number was not taken, or is suspended, and whom the authority sent since under
// another number with the same id of its own, is shown under that; an id that several children share tells of none.
func (l *list) protected(c *child) bool {
	if l.shown[c.last.About.NHSNumber] {
		return true
	}
	h := l.ids[c.last.About.LocalID]
	return h != nil && !h.several && (c.last.About.NHSNumber.IsZero() || h.received.After(c.last.Received))
}

func (l *list) add(c store.Claim) {
	var key string
	switch {
	case !c.About.NHSNumber.IsZero():
		key = numberKey(c.About)
	case c.About.LocalID.Reveal() != "":
		key = localKey(c.About)
	case c.About.Mark != "":
		key = "mark " + c.About.Mark
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
	had.seen = had.seen || l.stands(c)
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
	since, suspended := l.suspended[u.Child.NHSNumber]
	if c.seen {
		u.Since = since // nothing else hides a flag that stands
	}
	if c.last.Event != nil {
		u.Plan = c.last.Event.Flag.Plan.Type
	}
	if suspended {
		u.Why = WhySuspended
		return u
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
	if u.Record.State == store.ClaimRefused && u.Record.Position > 0 && u.Child.Nameless() {
		return "mend the record as the reason says and send it again, then tell the operator of the engine: it cannot be seen which child it is, so a person has to take this line off"
	}
	switch u.Why {
	case WhySuspended:
		return "confirm the child's NHS number with PDS and send the child under that; the operator of the engine then closes the task"
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
