package replay_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/replay"
	"signalbox/engine/store"
	"signalbox/engine/store/storetest"
)

// blank are the empty records of this test binary.
var blank storetest.Records

func TestMain(m *testing.M) { os.Exit(blank.Main(m)) }

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// table is a mapping that makes of each message what the test says, under a name of its own.
type table struct {
	name string
	of   map[string][]engine.Translated // by upstream id
}

func (m table) Digest() string  { return m.name }
func (m table) Archive() []byte { return []byte(m.name) }
func (m table) Translate(msg engine.Message) iter.Seq[engine.Translated] {
	return func(yield func(engine.Translated) bool) {
		for _, r := range m.of[msg.Upstream] {
			if r.Event != nil {
				e := *r.Event
				e.Origin.Mapping = m.name
				r.Event = &e
			}
			if !yield(r) {
				return
			}
		}
	}
}

const source = "mesh/SIGNALBOX1/TESTLA01"

// arrived is the n-th message; each arrives a minute after the one before.
func arrived(n int) engine.Message {
	upstream := fmt.Sprint("M", n)
	return engine.Message{ID: engine.NewMessageID(source, upstream), Source: source, Upstream: upstream, From: "TESTLA01", WorkflowID: "TEST_UPLOAD",
		Received: time.Date(2026, 10, 1, 3, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute), Body: []byte(upstream)}
}

func date(t testing.TB, s string) engine.Date {
	t.Helper()
	if s == "" {
		return engine.Date{}
	}
	d, err := engine.MustLayout("iso").Parse(s)
	must(t, err)
	return d
}

func nhs(t testing.TB, s string) engine.NHSNumber {
	t.Helper()
	n, err := engine.ParseNHSNumber(s)
	must(t, err)
	return n
}

func flag(t testing.TB, m engine.Message, position int, person string, plan engine.PlanType, end string) engine.Translated {
	t.Helper()
	e := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: m.Source, Message: m.ID, Position: position, Received: m.Received})
	e.Flag = &engine.Flag{Subject: engine.Subject{NHSNumber: nhs(t, person)}, Plan: engine.Plan{Type: plan, Start: date(t, "2026-01-01"), End: date(t, end)},
		Authority: engine.Authority{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL"}}
	return engine.Translated{Outcome: engine.Accepted, Place: engine.Place{Record: position}, Event: &e}
}

func parked(position int) engine.Translated {
	at := engine.Place{Record: position, Path: "column plan_cat"}
	return engine.Translated{Outcome: engine.Parked, Place: at, Faults: []*engine.Error{{Op: "translate", Kind: engine.Unmapped, Rule: engine.RuleCode, Place: at, Text: "the code is in no table"}}}
}

// bench is a record with everything that works on it.
type bench struct {
	*testing.T
	store    *store.Store
	register *register.Register
	mapping  *table // the configured one; nil: no route
	pinned   map[string]table
}

func (b *bench) rooms() replay.Rooms {
	var senders []pipeline.Route
	if b.mapping != nil {
		senders = []pipeline.Route{{Name: "la", Mailbox: "SIGNALBOX1", Sender: "TESTLA01", Workflow: "TEST_UPLOAD", Supplier: "test", Mapping: *b.mapping,
			Party: notify.Party{Authority: engine.Authority{ODSCode: "999"}}}}
	}
	routes, err := pipeline.NewRoutes(senders, nil)
	must(b, err)
	return replay.Rooms{Store: b.store, Register: b.register, Routes: routes, Load: func(archive []byte) (pipeline.Mapping, error) {
		return b.pinned[string(archive)], nil
	}}
}

// use configures a mapping.
func (b *bench) use(m table) {
	b.mapping = &m
	b.pinned[m.name] = m
	must(b, b.store.KeepMapping(ctx, m.name, "test", m.Archive()))
}

// take brings messages in and translates them with the configured mapping, or sets them aside where there is none.
func (b *bench) take(messages ...engine.Message) {
	b.Helper()
	rooms := b.rooms()
	for _, m := range messages {
		_, err := b.store.Intake(ctx, m)
		must(b, err)
		wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: m.Source, Message: m.ID, Received: m.Received})
		mapping, ok := rooms.Routes.Mapping(m)
		if !ok {
			must(b, b.store.Refuse(ctx, wait, &engine.Error{Op: "route", Kind: engine.Unmapped, Rule: engine.RuleNoRoute, Text: "no route"}))
			continue
		}
		must(b, b.store.SaveTranslation(ctx, store.Translation{Wait: wait, Mapping: mapping.Digest(), Records: slices.Values(rooms.Routes.Translate(m, mapping))}))
	}
}

// work gives every event that is due its outcome, as the pipeline would.
func (b *bench) work() {
	b.Helper()
	for _, k := range []engine.Kind{engine.KindFlag, engine.KindAccess} {
		for _, p := range b.due(k) {
			e, err := engine.DecodeEnvelope(p.Body)
			must(b, err)
			b.handle(e)
		}
	}
}

func (b *bench) handle(e engine.Envelope) (first bool) {
	b.Helper()
	must(b, b.store.Write(ctx, func(tx *store.Tx) (err error) {
		if first, err = tx.Resolve(e); err != nil || !first || e.Flag == nil {
			return err
		}
		return b.register.Apply(tx, e)
	}))
	return first
}

func (b *bench) due(k engine.Kind) []store.Pending {
	b.Helper()
	all, err := b.store.Due(ctx, k, 10_000, 10_000)
	must(b, err)
	return all
}

// run replays everything and returns the results of messages that were not unchanged.
func (b *bench) run(which replay.Which, dry bool) []replay.Result {
	b.Helper()
	var out []replay.Result
	q := replay.Query{Since: arrived(0).Received, Mapping: which, DryRun: dry}
	must(b, replay.Run(ctx, b.rooms(), q, func(r replay.Result) error {
		if r.Status != replay.Unchanged || r.Rows > 0 || len(r.Changes) > 0 {
			out = append(out, r)
		}
		return nil
	}))
	return out
}

// stands describes a person's rows of the register.
func (b *bench) stands(person string) string {
	b.Helper()
	var out string
	must(b, b.store.Write(ctx, func(tx *store.Tx) error {
		out = ""
		all, err := tx.Flags(nhs(b, person))
		for _, e := range all {
			out += fmt.Sprintf("%s %s %s/%d;", e.Flag.Authority.ODSCode, e.Flag.Plan.Type, e.Flag.Plan.End.ISO(), e.Origin.Position)
		}
		return err
	}))
	return out
}

func each(t *testing.T, test func(*bench)) {
	blank.Each(t, func(t *testing.T, cfg store.Config) {
		s, err := store.Open(ctx, cfg, nil)
		must(t, err)
		defer func() { must(t, s.Close()) }()
		r, err := register.New(register.Default())
		must(t, err)
		test(&bench{T: t, store: s, register: r, pinned: map[string]table{}})
	})
}
