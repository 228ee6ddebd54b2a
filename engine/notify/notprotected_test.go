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
		return engine.Translated{Outcome: engine.Outcome(l.fate), Place: place, About: &engine.About{Authority: "999", NHSNumber: n, LocalID: engine.Personal(l.local)},
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

// upload brings a file in, as the pipeline does.
func (o *office) upload(t rapid.TB, lines ...line) {
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
		if made[i].Event == nil || l.waits {
			continue
		}
		o.check(t, o.store.Write(ctx, func(tx *store.Tx) error {
			if first, err := tx.Resolve(*made[i].Event); err != nil || !first {
				return err
			}
			return o.reg.Apply(tx, *made[i].Event)
		}))
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

// A child that the authority sent is in the list exactly while a hospital that asks is shown nothing: for every child, after every file.
func TestAChildIsInTheListWhileAQueryShowsNothing(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			t.Fatal(err)
		}
		o := newOffice(t, dir)
		defer func() { o.check(t, o.store.Close()) }()
		sent := map[string]bool{}
		for range rapid.IntRange(1, 5).Draw(t, "files") {
			var lines []line
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 4, rapid.ID[int]).Draw(t, "children") {
				number := children()[i]
				l := line{number: number, local: "L" + number, fate: rapid.SampledFrom([]string{"open", "ended", "in-error", "rejected", "parked"}).Draw(t, "fate")}
				l.waits = rapid.IntRange(0, 3).Draw(t, "waits") == 0
				if (l.fate == "rejected" || l.fate == "parked") && rapid.Bool().Draw(t, "number is unreadable") {
					l.number = ""
				}
				sent[number] = true
				lines = append(lines, l)
			}
			o.upload(t, lines...)
			listed := map[string]bool{}
			for _, u := range o.list(t, time.Time{}) {
				listed[strings.TrimPrefix(u.Child.LocalID.Reveal(), "L")] = true
				if u.Since.After(o.clock) || u.Why == "" || u.ToDo() == "" {
					t.Fatalf("an odd line: since %v, %q, %q", u.Since, u.Why, u.ToDo())
				}
			}
			for number := range sent {
				if shown := o.shown(t, number); shown == listed[number] {
					t.Fatalf("child %s: shown %v, in the list %v", number, shown, listed[number])
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
		"never taken":                 {[][]line{{{kids[0], "L1", "rejected", false}}, {{kids[0], "L1", "rejected", false}}}, WhyRejected, 1},
		"number unreadable":           {[][]line{{{"", "L1", "rejected", false}}}, WhyRejected, 1},
		"nothing readable":            {[][]line{{{"", "", "rejected", false}}}, WhyRejected, 1},
		"a code that nobody mapped":   {[][]line{{{kids[0], "L1", "parked", false}}}, WhyParked, 1},
		"on its way":                  {[][]line{{{kids[0], "L1", "open", true}}}, WhyWaiting, 1},
		"ended":                       {[][]line{{{kids[0], "L1", "ended", false}}}, WhyEnded, 1},
		"withdrawn":                   {[][]line{{{kids[0], "L1", "open", false}}, {{kids[0], "L1", "in-error", false}}}, WhyInError, 2},
		"withdrawn, then refused":     {[][]line{{{kids[0], "L1", "open", false}}, {{kids[0], "L1", "in-error", false}}, {{kids[0], "L1", "rejected", false}}}, WhyRejected, 2},
		"mended":                      {[][]line{{{kids[0], "L1", "rejected", false}}, {{kids[0], "L1", "open", false}}}, "", 0},
		"an update refused":           {[][]line{{{kids[0], "L1", "open", false}}, {{kids[0], "L1", "rejected", false}}}, "", 0},
		"mended by the local id":      {[][]line{{{"", "L1", "rejected", false}}, {{kids[0], "L1", "open", false}}}, "", 0},
		"nameless, then a later file": {[][]line{{{"", "", "rejected", false}}, {{kids[1], "L2", "open", false}}}, "", 0},
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
