package pipeline

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
)

// translate turns a raw message into canonical events: route, decode, map; events, faults and outbox rows in one transaction. A bad record
// gets its faults and harms nothing beside it.
func (p *Pipeline) translate(ctx context.Context, wait engine.Envelope) engine.Verdict {
	leave, err := p.files.enter(ctx)
	if err != nil {
		return outcome(err)
	}
	defer leave()
	arrival, err := p.Store.ArrivalOpened(ctx, wait.Origin.Message)
	if err != nil {
		return outcome(err)
	}
	m := arrival.Message
	if len(m.Body) <= smallMessage {
		leave()
	}
	mapping, ok := p.Routes.Mapping(m)
	if !ok {
		p.Observer.Unrouted()
		p.Log.Error("message has no route, kept aside", "step", "translate", "message", m.ID, "source", m.Source, "workflow", m.WorkflowID)
		err := p.Store.Refuse(ctx, wait, errNoRoute)
		p.translated.wake(m.ID)
		return outcome(err)
	}
	if m, err = readable(m, mapping); err != nil {
		return outcome(err)
	}
	counts, unmapped := map[engine.Outcome]int{}, map[string]int{}
	u := p.uploadOf(m)
	records, err := u.ordered(ctx, mapping, p.Routes.translate(m, mapping))
	if err != nil {
		return outcome(err)
	}
	traced := &tracing{}
	if route, sent := p.Routes.sender(m); sent && p.Tracer != nil {
		if traced, err = p.newTracing(ctx, m, route); err != nil {
			return outcome(err)
		}
		records = traced.through(ctx, records)
	}
	err = p.Store.SaveTranslation(ctx, store.Translation{
		Wait: wait, Mapping: mapping.Digest(), Records: p.counted(m, records, counts, unmapped),
		Failed: func() error {
			u.id() // which may read the file, and is wanted in the transaction
			return cmp.Or(arrival.Broken(), traced.err)
		},
		Also: []func(*store.Tx) error{u.note, traced.also},
	})
	if wait, is := errors.AsType[*traceWait](err); is {
		return p.waitForTrace(ctx, m, traced.route, wait)
	}
	if err == nil {
		p.translated.wake(m.ID)
		p.tellTranslation(m, counts, unmapped)
	}
	return outcome(err)
}

// readable gives the message its Body where the mapping does not read piece by piece.
func readable(m engine.Message, by Mapping) (engine.Message, error) {
	if s, says := by.(interface{ Streams() bool }); says && s.Streams() {
		return m, nil
	}
	return m.Whole()
}

// heldToAuthority rejects a flag that names another authority than the one whose mailbox sent it: nobody flags in another's name.
func heldToAuthority(r engine.Translated, odsCode string) engine.Translated {
	if r.Event == nil || r.Event.Flag == nil || r.Event.Flag.Authority.ODSCode == odsCode || teeth.Bite("foreign-authority") {
		return r
	}
	at := r.Place
	at.Path = "authority.odsCode"
	return engine.Translated{Outcome: engine.Rejected, Place: r.Place, About: r.Event.Flag.About(), Faults: []*engine.Error{{
		Op: "translate", Kind: engine.Denied, Rule: RuleAuthority, Place: at,
		Text: "the record names another authority than the one that this mailbox belongs to",
	}}}
}

// sentBy notes on a record that was refused or parked whose it is: an authority is told of every record that protects nobody, also of one
// that could not be read at all.
func sentBy(r engine.Translated, odsCode string, pieces *spans) engine.Translated {
	if r.Place.Record == 0 || r.Outcome != engine.Rejected && r.Outcome != engine.Parked {
		return r
	}
	about := engine.About{}
	if r.About != nil {
		about = *r.About
	}
	about.Authority = odsCode
	if about.Nameless() {
		about.Mark = pieces.mark(r.Place)
	}
	r.About = &about
	return r
}

// scopeAccess makes the senders' own access ids unique: two trusts may well number their encounters alike, and an access that looks like
// a repeat of another trust's would be told to nobody.
func scopeAccess(r engine.Translated, source string) {
	if r.Event != nil && r.Event.Access != nil {
		r.Event.Access.ID = engine.NewUUID(source, r.Event.Access.ID)
	}
}

// RuleAuthority is the rule that a mailbox speaks for its own authority only.
const RuleAuthority = "foreign-authority"

// counted counts the records of a message by outcome as they pass, and the codes that a table does not know by table. A commit that is tried again
// passes them again: the counts begin anew.
func (p *Pipeline) counted(m engine.Message, records iter.Seq[engine.Translated], counts map[engine.Outcome]int, unmapped map[string]int) iter.Seq[engine.Translated] {
	return func(yield func(engine.Translated) bool) {
		clear(counts)
		clear(unmapped)
		for r := range records {
			if r.Place.Record > 0 {
				counts[r.Outcome]++
			}
			for _, f := range r.Faults {
				if f.Rule == engine.RuleCode {
					if _, table := store.FailedLookup(f.Sentence()); table != "" {
						unmapped[table]++
					}
				}
				p.Log.Debug("record fault", "step", "translate", "message", m.ID, "outcome", r.Outcome, "rule", f.Rule, "at", f.Place.String(), "why", f.Sentence())
			}
			if !yield(r) {
				return
			}
		}
	}
}

func (p *Pipeline) tellTranslation(m engine.Message, counts map[engine.Outcome]int, unmapped map[string]int) {
	for table, n := range unmapped {
		p.Observer.Unmapped(p.Routes.Supplier(m), table, n)
	}
	p.Observer.Translated(p.Routes.Supplier(m), counts)
	p.Log.Info("file translated", "step", "translate", "message", m.ID, "source", m.Source, "accepted", counts[engine.Accepted],
		"rejected", counts[engine.Rejected], "parked", counts[engine.Parked], "skipped", counts[engine.Skipped])
}
