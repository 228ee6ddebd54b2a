package replay_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/engine/replay"
	"signalbox/engine/store"
)

// office is a bench whose clock the test moves, and a note of what a hospital that asked was shown at each moment.
type office struct {
	*bench
	now   time.Time
	last  int // number of the newest message
	made  map[string][]engine.Translated
	shown []glimpse
	asked int
}

type glimpse struct {
	at     time.Time
	person string
	flags  string
	looks  string
}

func persons() []string { return []string{ada, ben, cat} }

// drawRecords makes the records of a message.
func (o *office) drawRecords(t *rapid.T, m engine.Message) []engine.Translated {
	var out []engine.Translated
	for i := range rapid.IntRange(1, 4).Draw(t, "records") {
		if rapid.IntRange(0, 5).Draw(t, "parked") == 0 {
			out = append(out, parked(i+1))
			continue
		}
		end := rapid.SampledFrom([]string{"", "", "2025-10-01", "2026-09-30"}).Draw(t, "end")
		r := flag(o.T, m, i+1, rapid.SampledFrom(persons()).Draw(t, "person"), rapid.SampledFrom(engine.PlanTypes()).Draw(t, "plan"), end)
		if rapid.IntRange(0, 6).Draw(t, "in error") == 0 {
			r.Event.Flag.Plan.Withdrawn = date(o.T, "2026-09-01")
		}
		out = append(out, r)
	}
	return out
}

func (o *office) configure(t *rapid.T) {
	all := map[string][]engine.Translated{}
	for name, records := range o.made {
		all[name] = records
	}
	o.use(table{fmt.Sprint("mapping ", rapid.IntRange(0, 3).Draw(t, "digest")), all})
}

// step does one thing that can happen to a record.
func (o *office) step(t *rapid.T) {
	due := o.due(engine.KindFlag)
	pick := func() engine.Envelope {
		e, err := engine.DecodeEnvelope(due[rapid.IntRange(0, len(due)-1).Draw(t, "which")].Body)
		must(o.T, err)
		return e
	}
	switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
	case what <= 2:
		o.last++
		m := arrived(o.last)
		m.Received = o.now
		o.made[m.Upstream] = o.drawRecords(t, m)
		o.configure(t)
		o.take(m)
	case what <= 5 && len(due) > 0:
		for range rapid.IntRange(1, 3).Draw(t, "applied") {
			o.handle(pick())
		}
	case what == 6 && len(due) > 0:
		must(o.T, o.store.SetAside(ctx, pick(), "poison"))
	case what == 7:
		aside, err := o.store.Quarantine(ctx)
		if must(o.T, err); len(aside) == 0 {
			return
		}
		if rapid.Bool().Draw(t, "given up") {
			_, err = o.store.DropEvent(ctx, engine.EventID(aside[0].ID), "test")
		} else {
			_, err = o.store.ReleaseEvent(ctx, engine.EventID(aside[0].ID))
		}
		must(o.T, err)
	case what == 8 && o.last > 0:
		m := arrived(rapid.IntRange(1, o.last).Draw(t, "message"))
		a, err := o.store.Arrival(ctx, m.ID)
		must(o.T, err)
		m.Received = a.Message.Received
		o.made[m.Upstream] = o.drawRecords(t, m)
		o.configure(t)
		o.run(replay.Current, false)
	default:
		o.ask(t, rapid.SampledFrom(persons()).Draw(t, "person"))
	}
}

func (o *office) ask(t *rapid.T, person string) {
	o.asked++
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/test", Message: engine.NewMessageID("fhir/test", fmt.Sprint(o.asked)), Received: o.now})
	e.Access = &engine.Access{ID: fmt.Sprintf("a%03d", o.asked), Subject: engine.Subject{NHSNumber: nhs(o.T, person)}, Scheduled: rapid.Bool().Draw(t, "scheduled"),
		At: o.now.Add(time.Duration(rapid.IntRange(-2, 1).Draw(t, "clock")) * time.Minute)} // senders' clocks differ
	_, err := o.register.Ask(ctx, o.store, e, register.Everything)
	must(o.T, err)
}

// look notes what a hospital is shown now.
func (o *office) look() {
	for _, person := range persons() {
		g := glimpse{at: o.now, person: person}
		must(o.T, o.store.Write(ctx, func(tx *store.Tx) error {
			standing, err := o.register.Standing(tx, nhs(o.T, person), o.now)
			if err != nil {
				return err
			}
			for _, e := range standing {
				g.flags += word(e)
			}
			history, err := tx.History(nhs(o.T, person), register.HistoryLength, "")
			for _, e := range history {
				g.looks += e.Access.ID + ";"
			}
			return err
		}))
		o.shown = append(o.shown, g)
	}
}

func word(e engine.Envelope) string {
	return fmt.Sprintf("%s %s %s of %s/%d by %s;", e.Flag.Authority.ODSCode, e.Flag.Plan.Type, e.Flag.Plan.End.ISO(), e.Origin.Message, e.Origin.Position, e.Origin.Mapping)
}

// Whatever happens to the record, in whichever order: what a hospital that asked was shown at a moment is what the past shows of that moment ever
// after, by what was known then.
func TestThePastIsWhatWasShownThen(t *testing.T) {
	reg, err := register.New(register.Default())
	must(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		o := &office{now: time.Date(2026, 10, 1, 3, 0, 0, 0, time.UTC), made: map[string][]engine.Translated{}}
		s, err := store.Open(ctx, blank.SQLite(t), func() time.Time { return o.now })
		must(t, err)
		defer func() { must(t, s.Close()) }()
		o.bench = &bench{T: t, store: s, register: reg, pinned: map[string]table{}}
		o.look()
		for range rapid.IntRange(3, 14).Draw(rt, "steps") {
			o.now = o.now.Add(time.Minute)
			o.step(rt)
			o.look()
		}
		for _, g := range o.shown {
			past, err := reg.Past(ctx, s, nhs(t, g.person), g.at, g.at)
			must(t, err)
			var flags, looks string
			for _, k := range past.Shown {
				flags += word(k.Event)
				if k.Assumed || k.From.After(g.at) {
					rt.Fatalf("a flag is known since %s, %v", k.From, k.Assumed)
				}
			}
			for _, a := range past.History {
				looks += a.ID + ";"
			}
			if flags != g.flags || looks != g.looks {
				rt.Fatalf("at %s: was shown %q and %q, the past says %q and %q", g.at.Format(time.TimeOnly), g.flags, g.looks, flags, looks)
			}
		}
	})
}

// On either database: what a replay changed, and what it withdrew, was shown before as it was then; and who asks is kept.
func TestThePastBeforeAReplay(t *testing.T) {
	each(t, func(b *bench) {
		m := arrived(1)
		shown := func(at, asOf time.Time) string {
			past, err := b.register.Past(ctx, b.store, nhs(b, ada), at, asOf)
			must(b, err)
			out := ""
			for _, k := range past.Known {
				out += fmt.Sprintf("%s %s/%d by %s;", k.Why, k.Event.Flag.Plan.Type, k.Event.Origin.Position, k.Event.Origin.Mapping)
			}
			return out
		}
		moment := func() time.Time {
			time.Sleep(time.Millisecond)
			defer time.Sleep(time.Millisecond)
			return b.store.Now()
		}
		b.use(table{"a", records(flag(b, m, 1, ada, engine.LookedAfter, ""), flag(b, m, 2, ada, engine.ChildProtection, ""))})
		b.take(m)
		arrivedAt := moment()
		b.work()
		applied := moment()
		b.use(table{"b", records(flag(b, m, 1, ben, engine.LookedAfter, ""))})
		b.run(replay.Current, false)
		replayed := moment()
		b.use(b.pinned["a"])
		b.run(replay.Current, false)
		for _, tc := range []struct {
			name string
			at   time.Time
			want string
		}{
			{"before it was applied", arrivedAt, ""},
			{"once it was applied", applied, "shown looked-after/1 by a;shown child-protection/2 by a;"},
			{"after the replay", replayed, "taken-back looked-after/1 by a;taken-back child-protection/2 by a;"},
			{"after the replay was taken back", moment(), "taken-back looked-after/1 by a;taken-back child-protection/2 by a;shown looked-after/1 by a;shown child-protection/2 by a;"},
		} {
			if got := shown(tc.at, tc.at); got != tc.want {
				b.Errorf("%s: %s, want %s", tc.name, got, tc.want)
			}
		}
		if got := shown(arrivedAt, applied); got != "shown looked-after/1 by a;shown child-protection/2 by a;" {
			b.Errorf("with hindsight: %s", got) // the plans had begun
		}
		if got := shown(time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), applied); got != "not-yet looked-after/1 by a;not-yet child-protection/2 by a;" {
			b.Errorf("with hindsight, before the plans began: %s", got)
		}
		asked := store.Inspection{Who: "operator", Why: "review", NHSNumber: nhs(b, ada), Valid: applied.Truncate(time.Microsecond), Known: replayed.Truncate(time.Microsecond)}
		must(b, b.store.KeepInspection(ctx, asked))
		all, err := b.store.Inspections(ctx)
		if must(b, err); len(all) != 1 || all[0].Who != "operator" || all[0].Why != "review" || all[0].NHSNumber != asked.NHSNumber || !all[0].Valid.Equal(asked.Valid) ||
			!all[0].Known.Equal(asked.Known) || all[0].At.IsZero() {
			b.Errorf("who asked: %d", len(all))
		}
	})
}
