package register

import (
	"context"
	"fmt"
	"slices"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
)

// Register applies flag events and answers who stands flagged. It keeps nothing itself: its rows are in the store.
type Register struct {
	cfg  Config
	zone *time.Location
}

// New returns a register with the given windows.
func New(cfg Config) (*Register, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return nil, err
	}
	return &Register{cfg: cfg, zone: zone}, nil
}

// Apply puts a flag event into the register. Any order and any number of copies of the same events leave the same register: each row keeps
// the event with the greatest version.
func (r *Register) Apply(tx *store.Tx, e engine.Envelope) error {
	_, err := r.Restore(tx, e)
	return err
}

// ApplyAll is Apply for many events, in any order.
func (r *Register) ApplyAll(tx *store.Tx, events []engine.Envelope) error {
	rows := make([]store.FlagRow, len(events))
	for i, e := range events {
		rows[i] = flagRow(e)
	}
	return tx.PutFlags(rows)
}

// Restore is Apply for an event that was applied before, and reports whether its row had been lost.
func (r *Register) Restore(tx *store.Tx, e engine.Envelope) (changed bool, err error) {
	return tx.RaiseFlag(flagRow(e))
}

func flagRow(e engine.Envelope) store.FlagRow {
	return store.FlagRow{
		NHSNumber: e.Flag.Subject.NHSNumber, Authority: e.Flag.Authority.ODSCode, Plan: e.Flag.Plan.Type,
		Version: version(e), Event: e.ID, Message: e.Origin.Message, Position: e.Origin.Position,
	}
}

// version orders the events of one person, authority and plan type: the message that arrived later wins. Within one message the entry that
// protects more wins (a standing plan over an ended one over one entered in error), then the later start, then the later record.
// That absence changes nothing and that the latest arrival overwrites are assumptions: the scheme's text on it is not public.
func version(e engine.Envelope) string {
	rank := 2
	switch p := e.Flag.Plan; {
	case !p.Withdrawn.IsZero():
		rank = 0
	case !p.End.IsZero():
		rank = 1
	}
	return fmt.Sprintf("%020d/%s/%d/%s/%09d", e.Origin.Received.UnixMicro(), e.Origin.Message, rank, e.Flag.Plan.Start.HL7(), e.Origin.Position)
}

// Stands reports whether the flag can be seen at the given time. A flag entered in error cannot; an open one can, also before its start,
// because the authority knows of the risk already; an ended one can for the configured number of days after the day on which it ended.
func (r *Register) Stands(f engine.Flag, at time.Time) bool {
	if !f.Plan.Withdrawn.IsZero() {
		return false
	}
	end := r.ended(f)
	if end.IsZero() {
		return true
	}
	return engine.DateOf(at.In(r.zone)).Compare(r.last(f)) <= 0
}

// last is the last day on which an ended flag can be seen.
func (r *Register) last(f engine.Flag) engine.Date {
	return r.ended(f).AddDays(r.cfg.days(f.Plan.Type))
}

// Until returns when an ended flag is no longer seen: the midnight after its last day. It is zero for a flag without an end.
func (r *Register) Until(f engine.Flag) time.Time {
	if r.ended(f).IsZero() {
		return time.Time{}
	}
	return r.last(f).AddDays(1).Time(r.zone)
}

// Supersedes reports whether a takes b's place in their row of the register.
func (r *Register) Supersedes(a, b engine.Envelope) bool { return version(a) > version(b) }

// ended is the day on which the plan ends, zero while it is open: the day that was sent, or the birthday on which the child is grown up where
// that comes first. An unborn plan has the mother's birth date, which ends nothing.
func (r *Register) ended(f engine.Flag) engine.Date {
	end := f.Plan.End
	if r.cfg.EndsAtAge == 0 || f.Plan.Type == engine.UnbornChildProtection || f.Subject.BirthDate.IsZero() {
		return end
	}
	grown := engine.DateOf(f.Subject.BirthDate.Time(r.zone).AddDate(r.cfg.EndsAtAge, 0, 0))
	if end.IsZero() || grown.Compare(end) < 0 {
		return grown
	}
	return end
}

// Standing returns the events of the flags that stand for a person at the given time, ordered by authority and plan type.
func (r *Register) Standing(tx *store.Tx, n engine.NHSNumber, at time.Time) ([]engine.Envelope, error) {
	all, err := tx.Flags(n)
	if err != nil {
		return nil, err
	}
	standing := all[:0]
	for _, e := range all {
		if r.Stands(*e.Flag, at) {
			standing = append(standing, e)
		}
	}
	return standing, nil
}

// StandingOf returns the events of every flag of an authority that stands at the given time, by NHS number.
func (r *Register) StandingOf(tx *store.Tx, authority string, at time.Time) ([]engine.Envelope, error) {
	all, err := tx.FlagsOf(authority)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(e engine.Envelope) bool { return !r.Stands(*e.Flag, at) }), nil
}

// Ask records an access and answers it, in one transaction: when it returns without an error the access is durable and will be told. e is
// the access event. The same access id asked again is answered again but recorded once.
func (r *Register) Ask(ctx context.Context, s *store.Store, e engine.Envelope, q Question) (Answer, error) {
	var answer Answer
	err := s.Write(ctx, func(tx *store.Tx) error {
		answer = Answer{Access: *e.Access}
		fresh, err := tx.PutAccess(e)
		if err != nil {
			return err
		}
		if answer.Repeat = !fresh; fresh {
			if err := tx.AddEvent(e); err != nil {
				return err
			}
		}
		return r.fill(tx, &answer, q)
	})
	return answer, err
}

func (r *Register) fill(tx *store.Tx, answer *Answer, q Question) error {
	n := answer.Access.Subject.NHSNumber
	if q != WhoLooked {
		standing, err := r.Standing(tx, n, answer.Access.At)
		if err != nil {
			return err
		}
		for _, e := range standing {
			answer.Flags = append(answer.Flags, *e.Flag)
			answer.Recorded = append(answer.Recorded, e.Origin.Received)
		}
	}
	if q != WhichFlags {
		history, err := tx.History(n, HistoryLength, answer.Access.ID)
		if err != nil {
			return err
		}
		for _, e := range history {
			answer.History = append(answer.History, *e.Access)
		}
	}
	return nil
}

// Witness records an access that a message told of, and reports whether this very event is the one on record. It is false when another
// event with the same access id came first: that one has its effects already.
func (r *Register) Witness(tx *store.Tx, e engine.Envelope) (bool, error) {
	fresh, err := tx.PutAccess(e)
	if err != nil || fresh {
		return fresh, err
	}
	recorded, err := tx.AccessEvent(e.Access.ID)
	return recorded.ID == e.ID, err
}

// Concerned returns, for an access, every standing flag event whose authority has to be told, ordered by authority and plan type. Nobody is
// told of a scheduled access. The time of access is the sender's word, so a time in the future counts as now: it could hide a flag, and the
// engine fails towards telling.
func (r *Register) Concerned(tx *store.Tx, a engine.Access) ([]engine.Envelope, error) {
	if a.Scheduled && !teeth.Bite("notify-scheduled") {
		return nil, nil
	}
	at := a.At
	if at.After(tx.Now()) && !teeth.Bite("future-access-hides-flag") {
		at = tx.Now()
	}
	return r.Standing(tx, a.Subject.NHSNumber, at)
}

// Responsible returns, of the flag events that Concerned returned, one of each authority: it is told of an access once.
func Responsible(concerned []engine.Envelope) []engine.Envelope {
	var out []engine.Envelope
	for _, e := range concerned {
		if n := len(out); n == 0 || out[n-1].Flag.Authority.ODSCode != e.Flag.Authority.ODSCode {
			out = append(out, e)
		}
	}
	return out
}
