package workbench_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/tools/txtar"

	"signalbox/adapters"
	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/replay"
	"signalbox/engine/store"
	"signalbox/engine/workbench"
	"signalbox/mappings"
	"signalbox/mappings/backtest"
	"signalbox/mappings/lineage"
)

// events is how many events the lineage test makes: go test ./engine/workbench -run Lineage -events 100000
var events = flag.Int("events", 5_000, "events of the lineage test")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

const header = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\n"

// world is a record, the routes of two authorities and a trust, and the mappings that they use.
type world struct {
	*testing.T
	store    *store.Store
	mappings map[string]*mappings.Mapping
	n        int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cfg := store.Default()
	cfg.Path = filepath.Join(t.TempDir(), "record.db")
	s, err := store.Open(ctx, cfg, nil)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	w := &world{T: t, store: s, mappings: map[string]*mappings.Mapping{}}
	for _, name := range []string{"northshire-csv", "testshire-cpisxml", "testshire-trust-fhir"} {
		m, err := mappings.Load(mappings.Embedded(), name, adapters.All())
		must(t, err)
		w.mappings[name] = m
	}
	return w
}

func (w *world) bench() *workbench.Bench {
	w.Helper()
	route := func(name, sender, ods string) pipeline.Route {
		return pipeline.Route{Name: name, Mailbox: "SIGNALBOX1", Sender: sender, Workflow: "TEST_UPLOAD", Supplier: name, Mapping: w.mappings[name],
			Party: notify.Party{Authority: engine.Authority{ODSCode: ods}}}
	}
	routes, err := pipeline.NewRoutes([]pipeline.Route{route("northshire-csv", "TESTLA02", "998"), route("testshire-cpisxml", "TESTLA01", "999")},
		[]pipeline.Source{{Name: pipeline.TrustSource("testshire-infirmary"), Supplier: "testshire-trust-fhir", Mapping: w.mappings["testshire-trust-fhir"]}})
	must(w, err)
	return &workbench.Bench{Store: w.store, Routes: routes, Formats: adapters.All()}
}

// take brings a message in and translates it as the pipeline would.
func (w *world) take(source, body string) engine.MessageID {
	w.Helper()
	w.n++
	m := engine.Message{Source: source, Upstream: fmt.Sprint("M", w.n), From: "TESTLA02", WorkflowID: "TEST_UPLOAD", LocalID: fmt.Sprint(w.n),
		Received: time.Date(2026, 10, 1, 3, w.n, 0, 0, time.UTC), Body: []byte(body)}
	m.ID = engine.NewMessageID(source, m.Upstream)
	_, err := w.store.Intake(ctx, m)
	must(w, err)
	routes := w.bench().Routes
	with := w.mappings[routes.Supplier(m)]
	must(w, w.store.KeepMapping(ctx, with.Digest(), with.Supplier(), with.Archive()))
	wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: m.Source, Message: m.ID, Received: m.Received})
	must(w, w.store.SaveTranslation(ctx, store.Translation{Wait: wait, Mapping: with.Digest(), Records: slices.Values(routes.Translate(m, with))}))
	return m.ID
}

const northshire = "mesh/SIGNALBOX1/TESTLA02"

func sample(t testing.TB, path string) string {
	t.Helper()
	raw, err := fs.ReadFile(mappings.Embedded(), path)
	must(t, err)
	for _, f := range txtar.Parse(raw).Files {
		if f.Name == "input" {
			return string(f.Data)
		}
	}
	t.Fatal("no input in " + path)
	return ""
}

// nhsNumber makes the n-th number of the 999 range that has a check digit.
func nhsNumber(n int) string {
	for ; ; n += 1_000_003 {
		stem := fmt.Sprintf("999%06d", n%1_000_000)
		for check := range 10 {
			if _, err := engine.ParseNHSNumber(fmt.Sprint(stem, check)); err == nil {
				return fmt.Sprint(stem, check)
			}
		}
		n++
	}
}

// Every field of every event has an answer whose bytes are there, and every event, derived again from the stored bytes, comes out the same.
func TestLineageOfEveryEvent(t *testing.T) {
	w := newWorld(t)
	const rowsPerFile = 10_000
	var ids []engine.MessageID
	for made := 0; made < *events; {
		var b strings.Builder
		b.WriteString(header)
		for range min(rowsPerFile, *events-made) {
			made++
			fmt.Fprintf(&b, "%s,Given%d,\"Family, %d\",%02d/%02d/2015,%s,%02d/09/2026,,,N-%d,L,\n", nhsNumber(made*7), made, made, made%28+1, made%12+1,
				[]string{"P", "L"}[made%2], made%30+1, made)
		}
		ids = append(ids, w.take(northshire, b.String()))
	}
	ids = append(ids, w.take("mesh/SIGNALBOX1/TESTLA01", sample(t, "testshire-cpisxml/tests/01-four-records.txtar")),
		w.take("fhir/testshire-infirmary", sample(t, "testshire-trust-fhir/tests/01-emergency.txtar")))
	bench := w.bench()
	seen, fields := 0, 0
	for _, id := range ids {
		body := w.body(id)
		must(t, bench.ExplainMessage(ctx, id, func(x workbench.Explanation, e engine.Envelope) error {
			seen++
			fields += len(x.Fields)
			if !x.Identical {
				return fmt.Errorf("record %d of %s is not identical: %v %s", x.Position, x.Supplier, x.Differs, x.Why)
			}
			if missing := lineage.Missing(e, x.Fields); len(missing) > 0 {
				return fmt.Errorf("record %d of %s: no lineage for %v", x.Position, x.Supplier, missing)
			}
			return placesHold(body, x)
		}))
	}
	if want := *events + 4 + 1; seen != want {
		t.Fatalf("%d events were explained, want %d", seen, want)
	}
	t.Logf("%d events, %d fields, every one explained and every event derived again to the same bytes", seen, fields)
}

func (w *world) body(id engine.MessageID) []byte {
	w.Helper()
	a, err := w.store.Arrival(ctx, id)
	must(w, err)
	return a.Message.Body
}

// placesHold checks that each place lies in the message, within its record unless it is of the file's header, and holds something.
func placesHold(body []byte, x workbench.Explanation) error {
	for _, f := range x.Fields {
		if f.Line < 1 || f.File != "mapping.yaml" {
			return fmt.Errorf("%s: the rule is nowhere", f.Target)
		}
		for _, p := range f.From {
			if p.Start < 0 || p.End <= p.Start || int(p.End) > len(body) || strings.TrimSpace(string(body[p.Start:p.End])) == "" {
				return fmt.Errorf("%s: bytes [%d,%d) of %d hold nothing", f.Target, p.Start, p.End, len(body))
			}
			if x.Supplier == "northshire-csv" && (p.Start < x.Record.Start || p.End > x.Record.End) {
				return fmt.Errorf("%s: bytes [%d,%d) are not of the row [%d,%d)", f.Target, p.Start, p.End, x.Record.Start, x.Record.End)
			}
		}
	}
	return nil
}

func TestExplainNamesBytesRuleAndRow(t *testing.T) {
	w := newWorld(t)
	body := header + "9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1,L,\n9990000026,Ben,Testtwo,20/11/2010,L,10/05/2026,,,N-2,L,\n"
	id := w.take(northshire, body)
	e := engine.NewEventID(engine.Origin{Source: northshire, Message: id, Position: 2}, engine.KindFlag)
	for _, asked := range []string{string(e), string(e[:8]), string(e[:11])} {
		x, err := w.bench().Explain(ctx, asked)
		must(t, err)
		if x.Event != e || !x.Identical || x.Position != 2 || x.Digest != engine.Digest([]byte(body)) || x.Supplier != "northshire-csv" {
			t.Fatalf("%+v", x)
		}
		i := slices.IndexFunc(x.Fields, func(f lineage.Field) bool { return f.Target == "plan.type" })
		f := x.Fields[i]
		if p := f.From[0]; body[p.Start:p.End] != "L" || p.String() != fmt.Sprintf("column plan_cat, line 3:35, bytes %d-%d", p.Start, p.End-1) ||
			f.Line != 15 || f.Row != "tables/plan-type.csv:3" || !slices.Equal(f.Declared, []string{"source.yaml:12 plan_cat"}) {
			t.Errorf("plan.type: %+v", f)
		}
	}
	for asked, want := range map[string]engine.ErrorKind{"00000000": engine.NotFound, "0000": engine.Invalid, "nonsense": engine.Invalid, strings.Repeat("0", 65): engine.Invalid} {
		if _, err := w.bench().Explain(ctx, asked); engine.KindOf(err) != want || err == nil {
			t.Errorf("%s: %v", asked, err)
		}
	}
}

// An event in the record that its mapping does not make of the stored bytes is told, not passed over.
func TestExplainShoutsWhenAnEventIsNotWhatItsBytesSay(t *testing.T) {
	w := newWorld(t)
	id := w.take(northshire, header+"9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1,L,\n9990000026,Ben,Testtwo,20/11/2010,L,10/05/2026,,,N-2,L,\n")
	stored, err := w.store.Events(ctx, id)
	must(t, err)
	forged := stored[0].Envelope
	flag := *forged.Flag
	flag.Plan.Type = engine.LookedAfter
	forged.Flag = &flag
	must(t, w.store.Write(ctx, func(tx *store.Tx) error { return tx.Supersede(forged) }))
	x, err := w.bench().Explain(ctx, string(forged.ID))
	must(t, err)
	if x.Identical || !slices.Equal(x.Differs, []string{"plan.type"}) {
		t.Errorf("%+v", x)
	}
	phantom := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: northshire, Message: id, Position: 9, Mapping: forged.Origin.Mapping, Received: forged.Origin.Received})
	phantom.Flag = &flag
	must(t, w.store.Write(ctx, func(tx *store.Tx) error { return tx.AddFact(phantom) }))
	x, err = w.bench().Explain(ctx, string(phantom.ID))
	if must(t, err); x.Identical || x.Why == "" {
		t.Errorf("an event of a record that is not there: %+v", x)
	}
	own := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: northshire, Message: id})
	x, err = w.bench().Explain(ctx, string(own.ID))
	if must(t, err); !x.Identical || x.Why == "" || len(x.Fields) != 0 {
		t.Errorf("the engine's own event: %+v", x)
	}
}

// version is the northshire mapping with texts of its files replaced.
func version(t testing.TB, edits ...string) *mappings.Mapping {
	t.Helper()
	folder := fstest.MapFS{}
	for _, name := range []string{"mapping.yaml", "source.yaml", "tables/plan-type.csv"} {
		raw, err := fs.ReadFile(mappings.Embedded(), "northshire-csv/"+name)
		must(t, err)
		text := string(raw)
		for pair := range slices.Chunk(edits, 2) {
			text = strings.ReplaceAll(text, pair[0], pair[1])
		}
		folder["northshire-csv/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	m, err := mappings.Load(folder, "northshire-csv", adapters.All())
	must(t, err)
	return m
}

func TestBacktestOverTheRecord(t *testing.T) {
	w := newWorld(t)
	w.take(northshire, header+"9990000018,Ada,Testone,12/03/2015,P,01/09/2026,,,N-1,L,\n9990000026,Ben,Testtwo,20/11/2010,L,10/05/2026,,,N-2,L,\n")
	w.take("mesh/SIGNALBOX1/TESTLA01", sample(t, "testshire-cpisxml/tests/01-four-records.txtar"))
	second := w.take(northshire, header+"9990000034,Cara,Testthree,02/01/1999,L,05/08/2026,,,N-3,L,\n")
	now := version(t, "L,looked-after", "L,child-protection")
	bench := w.bench()
	all, total, err := bench.Messages(ctx, "northshire-csv", time.Time{})
	must(t, err)
	r := backtest.New(now, bench.Translate)
	for m, err := range all {
		must(t, err)
		r.Message(m.Message, m.Mapping)
	}
	report := r.Report()
	if total != 3 || report.Messages != 2 || report.Records != 3 || len(report.Differences) != 2 || report.Differences[1].Message != second || report.Causes[0].Edit.At() != "tables/plan-type.csv:3" {
		t.Errorf("%d messages, %+v", total, report)
	}
}

func TestUnmappedCodesAreCountedAndReleased(t *testing.T) {
	w := newWorld(t)
	first := w.take(northshire, header+"9990000018,Ada,Testone,12/03/2015,X,01/09/2026,,,N-1,L,\n9990000026,Ben,Testtwo,20/11/2010,Y,10/05/2026,,,N-2,L,\n"+
		"9990000034,Cara,Testthree,02/01/1999,P,05/08/2026,,,N-3,L,\n")
	w.take(northshire, header+"9990000018,Ada,Testone,12/03/2015,X,01/10/2026,,,N-1,L,\n9990000019,Bad,Number,12/03/2015,X,01/10/2026,,,N-4,L,\n")
	codes, gone, err := w.bench().Unmapped(ctx)
	must(t, err)
	if gone != 0 || len(codes) != 2 {
		t.Fatalf("%d gone, %+v", gone, codes)
	}
	if c := codes[0]; c.Code != "X" || c.Table != "plan-type" || c.Supplier != "northshire-csv" || c.Parked != 2 || c.Other != 1 || c.Messages != 2 || c.Message == "" || c.Place.Record != 1 {
		t.Errorf("%+v", c)
	}
	if c := codes[1]; c.Code != "Y" || c.Parked != 1 || c.Messages != 1 || c.Place.Path != "column plan_cat" {
		t.Errorf("%+v", c)
	}
	// The table learns X, and another rule changes too: only what waited for X is touched.
	w.mappings["northshire-csv"] = version(t, "P,child-protection,CP plan\n", "P,child-protection,CP plan\nX,looked-after,\n", "from: forename, optional", "from: surname, optional",
		"ignore:\n", "ignore:\n  - { column: forename, why: test }\n")
	reg, err := register.New(register.Default())
	must(t, err)
	rooms := replay.Rooms{Store: w.store, Register: reg, Routes: w.bench().Routes}
	for round, want := range []string{"1 added;1 added;", ""} {
		var got string
		must(t, replay.Run(ctx, rooms, replay.Query{Mapping: replay.Current, Table: "plan-type"}, func(r replay.Result) error {
			for _, c := range r.Changes {
				got += fmt.Sprintf("%d %s;", c.Position, c.What)
			}
			return nil
		}))
		if got != want {
			t.Errorf("round %d: %s, want %s", round, got, want)
		}
	}
	stored, err := w.store.Events(ctx, first)
	must(t, err)
	if len(stored) != 2 || stored[1].Envelope.Flag.Subject.Given.Reveal() != "Cara" {
		t.Errorf("%d events; the record that did not wait was touched", len(stored))
	}
	a, err := w.store.Arrival(ctx, first)
	if must(t, err); a.Accepted != 2 || a.Records != 3 || a.Open != 2 {
		t.Errorf("message: %d records, %d accepted, %d open", a.Records, a.Accepted, a.Open)
	}
	codes, _, err = w.bench().Unmapped(ctx)
	if must(t, err); len(codes) != 2 || codes[0].Code != "X" || codes[0].Parked != 0 || codes[1].Parked != 1 {
		t.Errorf("what is left: %+v", codes)
	}
	// Every event still explains itself by the version that made it.
	must(t, w.bench().ExplainMessage(ctx, first, func(x workbench.Explanation, _ engine.Envelope) error {
		if !x.Identical {
			return fmt.Errorf("record %d: %v %s", x.Position, x.Differs, x.Why)
		}
		return nil
	}))
}
