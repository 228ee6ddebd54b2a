package replay_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/replay"
	"signalbox/engine/store"
)

const (
	ada = "9990000018"
	ben = "9990000026"
	cat = "9990000034"
)

func records(all ...engine.Translated) map[string][]engine.Translated {
	return map[string][]engine.Translated{"M1": all}
}

// say writes results in short.
func say(all []replay.Result) string {
	var out string
	for _, r := range all {
		out += fmt.Sprintf("%s rows %d:", r.Status, r.Rows)
		for _, c := range r.Changes {
			out += fmt.Sprintf(" %d %s %v", c.Position, c.What, c.Fields)
		}
		out += "\n"
	}
	return out
}

func TestCorrectedMappingReplacesAddsAndWithdraws(t *testing.T) {
	each(t, func(b *bench) {
		m := arrived(1)
		b.use(table{"a", records(flag(b, m, 1, ada, engine.ChildProtection, ""), flag(b, m, 2, ben, engine.LookedAfter, ""), parked(3),
			flag(b, m, 4, cat, engine.ChildProtection, ""))})
		b.take(m)
		b.work()
		b.use(table{"b", records(flag(b, m, 1, ada, engine.ChildProtection, ""), flag(b, m, 2, ben, engine.ChildProtection, ""),
			flag(b, m, 3, ben, engine.LookedAfter, "2026-06-01"), parked(4))})
		const want = "changed rows 3: 2 changed [plan.type] 4 withdrawn [] 3 added []\n"
		for range 2 { // the dry run says what will happen, and nothing does
			if got := say(b.run(replay.Current, true)); got != want {
				b.Fatalf("dry run: %swant %s", got, want)
			}
			if b.stands(ben) != "999 looked-after /2;" || b.stands(cat) == "" || len(b.due(engine.KindFlag)) != 0 {
				b.Fatal("the dry run changed something")
			}
		}
		if got := say(b.run(replay.Current, false)); got != want {
			b.Errorf("replay: %swant %s", got, want)
		}
		if got := b.stands(ben); got != "999 child-protection /2;" {
			b.Errorf("before the added event is handled: %s", got)
		}
		b.work()
		if got := b.stands(ada) + b.stands(ben) + b.stands(cat); got != "999 child-protection /1;999 child-protection /2;999 looked-after 2026-06-01/3;" {
			b.Errorf("the register holds %s", got)
		}
		if got := say(b.run(replay.Current, false)); got != "" {
			b.Errorf("the second run changes %s", got)
		}
		if n := len(b.due(engine.KindFileDone)); n != 1 {
			b.Errorf("%d replies are due, want the first one only", n)
		}
		a, err := b.store.Arrival(ctx, m.ID)
		if must(b, err); a.State != store.Complete || a.Mapping != "b" || a.Accepted != 3 || a.Open != 0 {
			b.Errorf("message: %+v", a)
		}
		faults, err := b.store.Faults(ctx, m.ID)
		if must(b, err); len(faults) != 1 || faults[0].Error.Place.Record != 4 {
			b.Errorf("faults: %+v", faults)
		}
		old, err := b.store.Revisions(ctx, engine.NewEventID(engine.Origin{Source: m.Source, Message: m.ID, Position: 2}, engine.KindFlag))
		if must(b, err); len(old) != 1 || old[0].Body.Flag.Plan.Type != engine.LookedAfter || old[0].Body.Origin.Mapping != "a" {
			b.Errorf("the pinned version is not kept: %d", len(old))
		}
		// And back again: the first mapping is pinned by its name as before.
		b.use(b.pinned["a"])
		b.run(replay.Current, false)
		b.work()
		if got := b.stands(ben) + b.stands(cat); got != "999 looked-after /2;999 child-protection /4;" {
			b.Errorf("after going back the register holds %s", got)
		}
	})
}

func TestWhatALaterMessageHidStandsAgain(t *testing.T) {
	each(t, func(b *bench) {
		m1, m2 := arrived(1), arrived(2)
		first, second := flag(b, m1, 1, ada, engine.ChildProtection, ""), flag(b, m2, 1, ada, engine.ChildProtection, "2026-02-01")
		b.use(table{"a", map[string][]engine.Translated{"M1": {first}, "M2": {second}}})
		b.take(m1, m2)
		b.work()
		b.use(table{"b", map[string][]engine.Translated{"M1": {first}, "M2": {parked(1)}}})
		b.run(replay.Current, false)
		if got := b.stands(ada); got != "999 child-protection /1;" {
			b.Errorf("the register holds %s", got)
		}
	})
}

func TestMessageWithoutARouteIsTranslatedOnceThereIsOne(t *testing.T) {
	each(t, func(b *bench) {
		m := arrived(1)
		b.take(m)
		if got := say(b.run(replay.Current, false)); got != "no-mapping rows 0:\n" {
			b.Errorf("without a route: %s", got)
		}
		aside, err := b.store.Quarantine(ctx)
		if must(b, err); len(aside) != 1 || !aside[0].Whole || aside[0].Reason != "no route" {
			b.Errorf("quarantine: %+v", aside)
		}
		b.use(table{"a", records(flag(b, m, 1, ada, engine.ChildProtection, ""))})
		if got := say(b.run(replay.Pinned, false)); got != "no-mapping rows 0:\n" {
			b.Errorf("nothing is pinned: %s", got)
		}
		if got := say(b.run(replay.Current, false)); got != "translated rows 0: 1 added []\n" {
			b.Errorf("with a route: %s", got)
		}
		b.work()
		if aside, err := b.store.Quarantine(ctx); err != nil || len(aside) != 0 || b.stands(ada) == "" || len(b.due(engine.KindFileDone)) != 1 {
			b.Errorf("the message is not done: %v, %v, %q", aside, err, b.stands(ada))
		}
		if got := say(b.run(replay.Current, false)); got != "" {
			b.Errorf("the second run changes %s", got)
		}
	})
}

func TestToldAccessIsKept(t *testing.T) {
	each(t, func(b *bench) {
		m := arrived(1)
		access := func(position int, person string) engine.Translated {
			e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: m.Source, Message: m.ID, Position: position, Received: m.Received})
			e.Access = &engine.Access{ID: fmt.Sprint("a", position), Subject: engine.Subject{NHSNumber: nhs(b, person)}, At: m.Received}
			return engine.Translated{Outcome: engine.Accepted, Place: engine.Place{Record: position}, Event: &e}
		}
		b.use(table{"a", records(access(1, ada), access(2, ada))})
		b.take(m)
		b.work()
		b.use(table{"b", records(access(1, ben), access(3, cat))})
		if got := say(b.run(replay.Current, false)); got != "changed rows 0: 1 kept [subject.nhsNumber] 2 kept [] 3 added []\n" {
			b.Errorf("replay: %s", got)
		}
		all := b.due(engine.KindAccess)
		if len(all) != 1 {
			b.Fatalf("%d accesses are to be told, want the added one", len(all))
		}
		b.work()
		b.run(replay.Current, false)
		if n := len(b.due(engine.KindAccess)); n != 0 {
			b.Errorf("%d accesses are told again", n)
		}
	})
}

func TestEventOnItsWayIsReplacedAndItsOldCopyDoesNothing(t *testing.T) {
	each(t, func(b *bench) {
		m := arrived(1)
		b.use(table{"a", records(flag(b, m, 1, ada, engine.LookedAfter, ""), flag(b, m, 2, ben, engine.LookedAfter, ""))})
		b.take(m)
		var old []engine.Envelope
		for _, p := range b.due(engine.KindFlag) {
			e, err := engine.DecodeEnvelope(p.Body)
			must(b, err)
			old = append(old, e)
		}
		must(b, b.store.MarkPublished(ctx, b.due(engine.KindFlag)))
		must(b, b.store.SetAside(ctx, old[1], "poison"))
		b.use(table{"b", records(flag(b, m, 1, ada, engine.ChildProtection, ""), flag(b, m, 2, ben, engine.ChildProtection, ""))})
		b.run(replay.Current, false)
		for _, e := range old {
			if b.handle(e) {
				b.Error("a copy of the old event had an effect")
			}
		}
		if n := len(b.due(engine.KindFlag)); n != 2 {
			b.Fatalf("%d events are due, want both", n)
		}
		b.work()
		if got := b.stands(ada) + b.stands(ben); got != "999 child-protection /1;999 child-protection /2;" {
			b.Errorf("the register holds %s", got)
		}
		history, err := b.store.Attempts(ctx, old[1].ID)
		if must(b, err); len(history) != 2 || history[0].Reason != "poison" || history[1].Step != store.StepReleased {
			b.Errorf("history: %+v", history)
		}
	})
}

func TestDroppedRecordStaysDropped(t *testing.T) {
	each(t, func(b *bench) {
		m := arrived(1)
		b.use(table{"a", records(flag(b, m, 1, ada, engine.LookedAfter, ""), flag(b, m, 2, ben, engine.LookedAfter, ""))})
		b.take(m)
		first := *flag(b, m, 1, ada, engine.LookedAfter, "").Event
		id := first.ID
		must(b, b.store.SetAside(ctx, first, "poison"))
		if ok, err := b.store.DropEvent(ctx, id, "not ours"); err != nil || !ok {
			b.Fatalf("not dropped: %v", err)
		}
		if ok, err := b.store.DropEvent(ctx, id, "not ours"); err != nil || ok {
			b.Errorf("dropped twice: %v", err)
		}
		b.work()
		a, err := b.store.Arrival(ctx, m.ID)
		if must(b, err); a.State != store.Complete || a.Accepted != 1 {
			b.Errorf("message: state %s, %d accepted", a.State, a.Accepted)
		}
		b.use(table{"b", records(flag(b, m, 1, ada, engine.ChildProtection, ""), flag(b, m, 2, ben, engine.LookedAfter, ""))})
		if got := say(b.run(replay.Current, false)); got != "unchanged rows 0: 1 kept [plan.type]\n" {
			b.Errorf("replay: %s", got)
		}
		faults, err := b.store.Faults(ctx, m.ID)
		if must(b, err); b.stands(ada) != "" || len(faults) != 1 || faults[0].Error.Rule != store.RuleDropped {
			b.Errorf("the register holds %q, faults %+v", b.stands(ada), faults)
		}
	})
}

func TestPinnedReplayRestoresALostRow(t *testing.T) {
	each(t, func(b *bench) {
		m := arrived(1)
		b.use(table{"a", records(flag(b, m, 1, ada, engine.LookedAfter, ""))})
		b.take(m)
		b.work()
		must(b, b.store.Write(ctx, func(tx *store.Tx) error {
			row, found, err := tx.FlagVersion(nhs(b, ada), "999", engine.LookedAfter)
			if err != nil || !found {
				return errors.Join(err, errors.New("no row"))
			}
			return tx.RemoveFlag(row)
		}))
		b.use(table{"b", records(parked(1))}) // what is configured now does not matter
		if got := say(b.run(replay.Pinned, false)); got != "unchanged rows 1:\n" || b.stands(ada) == "" {
			b.Errorf("replay: %s", got)
		}
	})
}

func TestQueriesThatCannotWork(t *testing.T) {
	now := time.Now()
	for name, q := range map[string]replay.Query{
		"no mapping":     {Since: now, Mapping: "newest"},
		"no since":       {Mapping: replay.Current},
		"until is early": {Since: now, Until: now.Add(-time.Hour), Mapping: replay.Current},
	} {
		if q.Validate() == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	if err := (replay.Query{Message: "x", Mapping: replay.Pinned}).Validate(); err != nil {
		t.Error(err)
	}
}

// However far the first mapping's events had come, a replay with the second one leaves the register that the second one alone would have left.
func TestReplayLeavesTheRegisterThatTheNewMappingAloneWouldHave(t *testing.T) {
	each(t, func(b *bench) {
		round := 0
		rapid.Check(b, func(rt *rapid.T) {
			round++
			people := []string{person(2 * round), person(2*round + 1)}
			var messages []engine.Message
			a, c := table{fmt.Sprint("a", round), map[string][]engine.Translated{}}, table{fmt.Sprint("b", round), map[string][]engine.Translated{}}
			draw := func(m engine.Message, position int, label string) engine.Translated {
				if rapid.IntRange(0, 3).Draw(rt, label+" parked") == 0 {
					return parked(position)
				}
				return flag(b, m, position, rapid.SampledFrom(people).Draw(rt, label+" person"),
					rapid.SampledFrom([]engine.PlanType{engine.ChildProtection, engine.LookedAfter}).Draw(rt, label+" plan"),
					rapid.SampledFrom([]string{"", "2026-03-01"}).Draw(rt, label+" end"))
			}
			for n := range 3 {
				m := arrived(round*10 + n)
				messages = append(messages, m)
				for position := 1; position <= 2; position++ {
					a.of[m.Upstream] = append(a.of[m.Upstream], draw(m, position, "a"))
					c.of[m.Upstream] = append(c.of[m.Upstream], draw(m, position, "b"))
				}
			}
			b.use(a)
			b.take(messages...)
			for _, p := range b.due(engine.KindFlag) {
				e, err := engine.DecodeEnvelope(p.Body)
				must(b, err)
				if rapid.Bool().Draw(rt, "handled") {
					b.handle(e)
				}
			}
			b.use(c)
			rooms := b.rooms()
			q := replay.Query{Since: messages[0].Received, Until: messages[2].Received.Add(time.Second), Mapping: replay.Current}
			changes := 0
			again := func(r replay.Result) error { changes += len(r.Changes) + r.Rows; return nil }
			must(b, replay.Run(ctx, rooms, q, again))
			b.work()
			changes = 0
			must(b, replay.Run(ctx, rooms, q, again))
			if changes != 0 {
				rt.Errorf("the second run changes %d things", changes)
			}
			got := b.stands(people[0]) + "|" + b.stands(people[1])
			if want := b.alone(c, messages, people); got != want {
				rt.Errorf("the register holds %s, want %s", got, want)
			}
		})
	})
}

// alone applies what a mapping makes to a register that knows nothing else of these persons' authority.
func (b *bench) alone(m table, messages []engine.Message, people []string) string {
	b.Helper()
	var out string
	undo := errors.New("undo")
	err := b.store.Write(ctx, func(tx *store.Tx) error {
		out = ""
		for _, p := range people {
			for _, plan := range []engine.PlanType{engine.ChildProtection, engine.LookedAfter} {
				if row, found, err := tx.FlagVersion(nhs(b, p), "999", plan); err != nil || found && tx.RemoveFlag(row) != nil {
					return errors.Join(err, errors.New("not removed"))
				}
			}
		}
		for _, msg := range messages {
			for r := range m.Translate(msg) {
				if r.Event != nil {
					if err := b.register.Apply(tx, *r.Event); err != nil {
						return err
					}
				}
			}
		}
		for i, p := range people {
			if i > 0 {
				out += "|"
			}
			all, err := tx.Flags(nhs(b, p))
			if err != nil {
				return err
			}
			for _, e := range all {
				out += fmt.Sprintf("%s %s %s/%d;", e.Flag.Authority.ODSCode, e.Flag.Plan.Type, e.Flag.Plan.End.ISO(), e.Origin.Position)
			}
		}
		return undo
	})
	if !errors.Is(err, undo) {
		must(b, err)
	}
	return out
}

// person returns the n-th valid NHS number of the 999 range, from a place where no other test's are.
func person(n int) string {
	for stem := 999100000; ; stem++ {
		sum := 0
		for place, c := range fmt.Sprint(stem) {
			sum += int(c-'0') * (10 - place)
		}
		check := (11 - sum%11) % 11
		if check == 10 {
			continue
		}
		if n == 0 {
			return fmt.Sprintf("%d%d", stem, check)
		}
		n--
	}
}
