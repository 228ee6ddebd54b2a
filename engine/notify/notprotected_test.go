package notify

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/engine/store"
)

const source = "mesh/OURS/TESTLA01"

// office is an authority that uploads, with a clock of its own.
type office struct {
	store *store.Store
	reg   *register.Register
	clock time.Time
	files int
}

func newOffice(t rapid.TB, dir string) *office {
	o := &office{clock: time.Date(2026, 10, 1, 7, 0, 0, 0, time.UTC)}
	cfg := store.Default()
	cfg.Path = filepath.Join(dir, "record.db")
	var err error
	o.store, err = store.Open(ctx, cfg, func() time.Time { return o.clock })
	o.check(t, err)
	o.reg, err = register.New(register.Default())
	o.check(t, err)
	return o
}

func (o *office) check(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// line is one record of an upload: the child, and what becomes of it.
type line struct {
	number, local string // as far as they can be read
	fate          string // open, ended, in-error, rejected, parked
	waits         bool   // what it made is not applied
	aside         bool   // it is in quarantine
	mark          string // of a record that names nobody
}

func (l line) translated(t rapid.TB, o *office, m engine.Message, at int) engine.Translated {
	place := engine.Place{Record: at}
	var n engine.NHSNumber
	if l.number != "" {
		var err error
		n, err = engine.ParseNHSNumber(l.number)
		o.check(t, err)
	}
	if l.fate == "rejected" || l.fate == "parked" {
		return engine.Translated{Outcome: engine.Outcome(l.fate), Place: place, About: &engine.About{Authority: "999", NHSNumber: n, LocalID: engine.Personal(l.local), Mark: l.mark},
			Faults: []*engine.Error{{Rule: engine.RuleMandatory, Place: place, Text: "is missing"}}}
	}
	day := func(y int, m time.Month, d int) engine.Date {
		date, err := engine.NewDate(y, m, d)
		o.check(t, err)
		return date
	}
	plan := engine.Plan{Type: engine.ChildProtection, Start: day(2024, 1, 1)}
	switch l.fate {
	case "ended":
		plan.End = day(2025, 3, 1)
	case "in-error":
		plan.Withdrawn = day(2026, 9, 1)
	}
	e := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: source, Message: m.ID, Position: at, Received: m.Received})
	e.Flag = &engine.Flag{Subject: engine.Subject{NHSNumber: n, BirthDate: day(2015, 1, 1)}, Plan: plan, Authority: testshire().Authority, LocalID: engine.Personal(l.local)}
	return engine.Translated{Outcome: engine.Accepted, Place: place, Event: &e}
}

// upload brings a file in, as the pipeline does. What it returns mends a line by a replay: the mapping takes the record now.
func (o *office) upload(t rapid.TB, lines ...line) (mend func(at int, l line)) {
	o.files++
	o.clock = o.clock.Add(24 * time.Hour)
	upstream := fmt.Sprint("MESH", o.files)
	m := engine.Message{ID: engine.NewMessageID(source, upstream), Source: source, Upstream: upstream, Body: []byte(upstream), Received: o.clock}
	_, err := o.store.Intake(ctx, m)
	o.check(t, err)
	var made []engine.Translated
	for i, l := range lines {
		made = append(made, l.translated(t, o, m, i+1))
	}
	wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: source, Message: m.ID, Received: m.Received})
	o.check(t, o.store.SaveTranslation(ctx, store.Translation{Wait: wait, Mapping: strings.Repeat("0", 64), Records: slices.Values(made)}))
	for i, l := range lines {
		switch {
		case made[i].Event == nil || l.waits:
		case l.aside:
			o.check(t, o.store.SetAside(ctx, *made[i].Event, "a poison"))
		default:
			o.apply(t, *made[i].Event)
		}
	}
	return func(at int, l line) {
		made[at] = l.translated(t, o, m, at+1)
		o.check(t, o.store.Write(ctx, func(tx *store.Tx) error {
			if err := tx.AddEvent(*made[at].Event); err != nil {
				return err
			}
			return tx.Retranslated(store.Translation{Wait: wait, Mapping: strings.Repeat("1", 64), Records: slices.Values(made)})
		}))
		o.apply(t, *made[at].Event)
	}
}

func (o *office) apply(t rapid.TB, e engine.Envelope) {
	o.check(t, o.store.Write(ctx, func(tx *store.Tx) error {
		if first, err := tx.Resolve(e); err != nil || !first {
			return err
		}
		return o.reg.Apply(tx, e)
	}))
}

// suspend opens a task about a number, or closes it.
func (o *office) suspend(t rapid.TB, number string, on bool) {
	o.clock = o.clock.Add(time.Minute)
	n, err := engine.ParseNHSNumber(number)
	o.check(t, err)
	if on {
		o.check(t, o.store.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.OpenTask(&store.Task{Kind: store.TaskSuperseded, Authority: "999", NHSNumber: n, Message: engine.NewMessageID(source, "MESH1"), Position: 1})
			return err
		}))
		return
	}
	all, err := o.store.Tasks(ctx, false)
	o.check(t, err)
	for _, task := range all {
		if task.NHSNumber == n {
			_, err := o.store.CloseTask(ctx, task.ID, "confirmed")
			o.check(t, err)
		}
	}
}

// shown asks as a hospital does, and reports whether a flag of the authority comes back.
func (o *office) shown(t rapid.TB, number string) bool {
	n, err := engine.ParseNHSNumber(number)
	o.check(t, err)
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/T", Message: engine.NewMessageID("fhir/T", number+o.clock.String())})
	e.Access = &engine.Access{ID: engine.NewUUID(number, o.clock.String()), Subject: engine.Subject{NHSNumber: n}, At: o.clock, Scheduled: true}
	answer, err := o.reg.Ask(ctx, o.store, e, register.WhichFlags)
	o.check(t, err)
	return len(answer.Flags) > 0
}

func (o *office) list(t rapid.TB, at time.Time) []Unprotected {
	t.Helper()
	all, err := NotProtected(ctx, o.store, o.reg, "999", source, at)
	o.check(t, err)
	return all
}

func children() []string { return []string{"9990000018", "9990000026", "9990000034", "9990000042"} }

// A child that the authority sent is in the list exactly while a hospital that asks is shown nothing, or its number is suspended: for every child,
// after every file, whether its record was refused, parked, left waiting, set aside, mended by a replay, ended, withdrawn or taken. A child leaves
// only when a query shows the flag.
func TestAChildIsInTheListWhileAQueryShowsNothing(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			t.Fatal(err)
		}
		o := newOffice(t, dir)
		defer func() { o.check(t, o.store.Close()) }()
		sent, suspended := map[string]bool{}, map[string]bool{}
		for range rapid.IntRange(1, 5).Draw(t, "files") {
			var lines []line
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 4, rapid.ID[int]).Draw(t, "children") {
				number := children()[i]
				l := line{number: number, local: "L" + number, fate: rapid.SampledFrom([]string{"open", "ended", "in-error", "rejected", "parked"}).Draw(t, "fate")}
				l.waits, l.aside = rapid.IntRange(0, 3).Draw(t, "waits") == 0, rapid.IntRange(0, 3).Draw(t, "set aside") == 0
				if (l.fate == "rejected" || l.fate == "parked") && rapid.Bool().Draw(t, "number is unreadable") {
					l.number = ""
				}
				sent[number] = true
				lines = append(lines, l)
			}
			mend := o.upload(t, lines...)
			for i, l := range lines {
				if (l.fate == "rejected" || l.fate == "parked") && rapid.IntRange(0, 2).Draw(t, "replayed") == 0 {
					mend(i, line{number: strings.TrimPrefix(l.local, "L"), local: l.local, fate: "open"})
				}
			}
			if number := rapid.SampledFrom(children()).Draw(t, "task"); sent[number] && rapid.Bool().Draw(t, "a task is opened or closed") {
				suspended[number] = !suspended[number]
				o.suspend(t, number, suspended[number])
			}
			listed := map[string]bool{}
			for _, u := range o.list(t, time.Time{}) {
				listed[strings.TrimPrefix(u.Child.LocalID.Reveal(), "L")] = true
				if u.Since.After(o.clock) || u.Why == "" || u.ToDo() == "" {
					t.Fatalf("an odd line: since %v, %q, %q", u.Since, u.Why, u.ToDo())
				}
			}
			for number := range sent {
				if shown := o.shown(t, number) && !suspended[number]; shown == listed[number] {
					t.Fatalf("child %s: shown %v, suspended %v, in the list %v", number, shown, suspended[number], listed[number])
				}
			}
		}
	})
}

func TestNotProtectedSaysWhyAndSinceWhen(t *testing.T) {
	kids := children()
	for name, tc := range map[string]struct {
		files [][]line
		why   string
		since int // the file since which, from 1
	}{
		"never taken":                 {[][]line{{{number: kids[0], local: "L1", fate: "rejected"}}, {{number: kids[0], local: "L1", fate: "rejected"}}}, WhyRejected, 1},
		"number unreadable":           {[][]line{{{number: "", local: "L1", fate: "rejected"}}}, WhyRejected, 1},
		"nothing readable":            {[][]line{{{number: "", local: "", fate: "rejected"}}}, WhyRejected, 1},
		"a code that nobody mapped":   {[][]line{{{number: kids[0], local: "L1", fate: "parked"}}}, WhyParked, 1},
		"on its way":                  {[][]line{{{number: kids[0], local: "L1", fate: "open", waits: true}}}, WhyWaiting, 1},
		"ended":                       {[][]line{{{number: kids[0], local: "L1", fate: "ended"}}}, WhyEnded, 1},
		"withdrawn":                   {[][]line{{{number: kids[0], local: "L1", fate: "open"}}, {{number: kids[0], local: "L1", fate: "in-error"}}}, WhyInError, 2},
		"withdrawn, then refused":     {[][]line{{{number: kids[0], local: "L1", fate: "open"}}, {{number: kids[0], local: "L1", fate: "in-error"}}, {{number: kids[0], local: "L1", fate: "rejected"}}}, WhyRejected, 2},
		"mended":                      {[][]line{{{number: kids[0], local: "L1", fate: "rejected"}}, {{number: kids[0], local: "L1", fate: "open"}}}, "", 0},
		"an update refused":           {[][]line{{{number: kids[0], local: "L1", fate: "open"}}, {{number: kids[0], local: "L1", fate: "rejected"}}}, "", 0},
		"mended by the local id":      {[][]line{{{number: "", local: "L1", fate: "rejected"}}, {{number: kids[0], local: "L1", fate: "open"}}}, "", 0},
		"nameless, then a later file": {[][]line{{{number: "", local: "", fate: "rejected"}}, {{number: kids[1], local: "L2", fate: "open"}}}, WhyRejected, 1},
		"the same nameless, daily":    {[][]line{{{mark: "A", fate: "rejected"}}, {{mark: "A", fate: "rejected"}}, {{mark: "A", fate: "rejected"}}}, WhyRejected, 1},
		"set aside":                   {[][]line{{{number: kids[0], local: "L1", fate: "open", aside: true}}}, WhyQuarantined, 1},
		"sent under another number":   {[][]line{{{number: kids[0], local: "L1", fate: "rejected"}}, {{number: kids[1], local: "L1", fate: "open"}}}, "", 0},
		"another child's id":          {[][]line{{{number: kids[0], local: "L1", fate: "rejected"}}, {{number: kids[1], local: "L1", fate: "open"}, {number: kids[2], local: "L1", fate: "open"}}}, WhyRejected, 1},
		"nameless in part, and an id that two share": {[][]line{{{number: "", local: "L1", fate: "rejected"}}, {{number: kids[1], local: "L1", fate: "open"}, {number: kids[2], local: "L1", fate: "open"}}}, WhyRejected, 1},
		"the other number came before":               {[][]line{{{number: kids[1], local: "L1", fate: "open"}}, {{number: kids[0], local: "L1", fate: "rejected"}}}, WhyRejected, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, t.TempDir())
			defer func() { o.check(t, o.store.Close()) }()
			var received []time.Time
			for _, f := range tc.files {
				o.upload(t, f...)
				received = append(received, o.clock)
			}
			all := o.list(t, time.Time{})
			if tc.why == "" {
				if len(all) != 0 {
					t.Errorf("listed: %s", all[0].Why)
				}
				return
			}
			if len(all) != 1 || all[0].Why != tc.why || !all[0].Since.Equal(received[tc.since-1]) {
				t.Fatalf("%d lines: %+v", len(all), all)
			}
		})
	}
}

// While a number is suspended the child is in the list, also while its flag stands: who asks PDS first asks under another number. It leaves when the
// task is closed, or when it was sent under the other number.
func TestASuspendedNumberIsAReason(t *testing.T) {
	kids := children()
	o := newOffice(t, t.TempDir())
	defer func() { o.check(t, o.store.Close()) }()
	o.upload(t, line{number: kids[0], local: "L1", fate: "open"}, line{number: kids[1], local: "L2", fate: "rejected"})
	first := o.clock
	o.suspend(t, kids[0], true)
	opened := o.clock
	o.suspend(t, kids[1], true)
	all := o.list(t, time.Time{})
	if len(all) != 2 || all[0].Why != WhySuspended || !all[0].Since.Equal(first) || all[1].Why != WhySuspended || !all[1].Since.Equal(opened) ||
		!strings.Contains(all[1].ToDo(), "confirm the child's NHS number") {
		t.Fatalf("%+v", all)
	}
	if all := o.list(t, opened.Add(-time.Second)); len(all) != 1 || all[0].Why != WhyRejected {
		t.Errorf("before the tasks were opened: %+v", all)
	}
	o.upload(t, line{number: kids[2], local: "L1", fate: "open"})
	if all := o.list(t, time.Time{}); len(all) != 1 || all[0].Child.LocalID.Reveal() != "L2" {
		t.Errorf("after the first child was sent under another number: %+v", all)
	}
	o.suspend(t, kids[1], false)
	if all := o.list(t, time.Time{}); len(all) != 1 || all[0].Why != WhyRejected {
		t.Errorf("after the task was closed: %+v", all)
	}
}

// A record that names nobody stays, through later files, until somebody answers for it or a replay takes it; sent again it is the same line, and
// after the answer a new one.
func TestANamelessRecordStaysUntilSomebodyAnswers(t *testing.T) {
	kids := children()
	o := newOffice(t, t.TempDir())
	defer func() { o.check(t, o.store.Close()) }()
	mend := o.upload(t, line{fate: "rejected", mark: "A"}, line{fate: "parked", mark: "B"}, line{fate: "rejected"}, line{number: kids[0], local: "L1", fate: "rejected"})
	o.upload(t, line{fate: "rejected", mark: "A"}, line{number: kids[1], local: "L2", fate: "open"})
	count := func(want int) []Unprotected {
		t.Helper()
		all := o.list(t, time.Time{})
		if len(all) != want {
			t.Fatalf("%d lines, want %d: %+v", len(all), want, all)
		}
		return all
	}
	if all := count(4); !strings.Contains(all[0].ToDo(), "take this line off") {
		t.Errorf("what to do: %s", all[0].ToDo())
	}
	mend(1, line{number: kids[2], local: "L3", fate: "open"})
	before := count(3)
	latest := string(engine.NewMessageID(source, "MESH2"))
	answer := func(la, message string, record int, want int64) {
		t.Helper()
		o.clock = o.clock.Add(time.Minute)
		if n, err := o.store.AnswerNameless(ctx, la, message, record, "mended"); err != nil || n != want {
			t.Fatalf("%d records are answered for, want %d: %v", n, want, err)
		}
	}
	answer("998", latest[:16], 1, 0) // another authority
	answer("999", latest[:16], 2, 0) // a record that was taken
	answer("999", string(before[0].Record.Message), 4, 0)
	answer("999", latest[:16], 1, 2) // and the copy of the day before
	answer("999", latest[:16], 1, 0)
	count(2)
	if all := o.list(t, o.clock.Add(-2*time.Minute)); len(all) != 3 {
		t.Errorf("before the answer: %d lines", len(all))
	}
	answer("999", string(engine.NewMessageID(source, "MESH1")), 3, 1)
	if all := count(1); all[0].Child.LocalID.Reveal() != "L1" {
		t.Error("a child with a name has left without a flag")
	}
	o.upload(t, line{fate: "rejected", mark: "A"})
	count(2)
}

// What the list said on an earlier day can be asked later.
func TestNotProtectedAtAnEarlierTime(t *testing.T) {
	o := newOffice(t, t.TempDir())
	defer func() { o.check(t, o.store.Close()) }()
	kid := children()[0]
	var days []time.Time
	for _, fate := range []string{"rejected", "open", "in-error"} {
		o.upload(t, line{number: kid, local: "L1", fate: fate})
		days = append(days, o.clock)
	}
	o.upload(t, line{number: kid, local: "L1", fate: "open"})
	for i, want := range []string{WhyRejected, "", WhyInError, ""} {
		at := time.Time{}
		if i < len(days) {
			at = days[i].Add(time.Hour)
		}
		why := ""
		if all := o.list(t, at); len(all) > 0 {
			why = all[0].Why
		}
		if why != want {
			t.Errorf("day %d: %q, want %q", i+1, why, want)
		}
	}
}

// A file of which nothing could be read stands in the list until a later one was read.
func TestNotProtectedNamesFilesThatWereNotRead(t *testing.T) {
	o := newOffice(t, t.TempDir())
	defer func() { o.check(t, o.store.Close()) }()
	m := engine.Message{ID: engine.NewMessageID(source, "BAD"), Source: source, Upstream: "BAD", Body: []byte("bad"), Received: o.clock}
	_, err := o.store.Intake(ctx, m)
	must(t, err)
	if all := o.list(t, time.Time{}); len(all) != 1 || all[0].Why != WhyFileWaiting || all[0].Record.Upstream != "BAD" {
		t.Fatalf("a file that waits: %+v", all)
	}
	wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{Source: source, Message: m.ID, Received: m.Received})
	must(t, o.store.Refuse(ctx, wait, &engine.Error{Rule: engine.RuleNoRoute, Text: "no route"}))
	if all := o.list(t, time.Time{}); len(all) != 1 || all[0].Why != WhyFileUnread || !strings.Contains(all[0].Reason(), "no route") {
		t.Fatalf("a file that was not read: %+v", all)
	}
	o.upload(t, line{number: children()[0], local: "L1", fate: "open"})
	if all := o.list(t, time.Time{}); len(all) != 0 {
		t.Errorf("after a later file: %+v", all)
	}
}

func TestNotProtectedCSV(t *testing.T) {
	o := newOffice(t, t.TempDir())
	defer func() { o.check(t, o.store.Close()) }()
	o.upload(t, line{number: children()[0], local: "=L1", fate: "rejected"}, line{number: children()[1], local: "L2", fate: "open"})
	raw, err := NotProtectedCSV(o.list(t, time.Time{}))
	must(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	must(t, err)
	want := []string{children()[0], "'=L1", "", "2026-10-02T07:00:00Z", "rejected"}
	if len(rows) != 2 || !slices.Equal(rows[1][:5], want) || rows[1][7] != "MESH1" || rows[1][8] != "1" || !strings.Contains(rows[1][5], "is missing") {
		t.Errorf("rows %q", rows)
	}
}
