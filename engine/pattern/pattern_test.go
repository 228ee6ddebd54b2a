package pattern_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
	"signalbox/engine/pattern"
	"signalbox/engine/store"
	"signalbox/engine/store/storetest"
)

// records are the empty records of this test binary.
var records storetest.Records

func TestMain(m *testing.M) { os.Exit(records.Main(m)) }

var (
	ctx   = context.Background()
	begin = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) // the clocks go forward in this month
)

const child = "9990000018"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func nhs(t testing.TB) engine.NHSNumber {
	t.Helper()
	n, err := engine.ParseNHSNumber(child)
	must(t, err)
	return n
}

func watch(t testing.TB, rule engine.PatternRule) *pattern.Watch {
	t.Helper()
	cfg := pattern.Default()
	cfg.ChildProtection, cfg.LookedAfter = rule, engine.PatternRule{}
	cfg.Areas = map[string]string{"RXX01": "Northshire", "rxx02": "northshire ", "RXX03": "Testshire"}
	w, err := pattern.New(cfg, "Europe/London")
	must(t, err)
	return w
}

func open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(ctx, cfg, nil)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func onSQLite(t testing.TB) *store.Store {
	return open(t, records.SQLite(t))
}

// visit is an access of the child: at so many hours after the beginning, by one of a few organisations.
type visit struct {
	id    string
	hours int
	by    string
}

func (v visit) envelope(t testing.TB) engine.Envelope {
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/test", Message: engine.NewMessageID("fhir/test", v.id), Received: begin.AddDate(1, 0, 0)})
	e.Access = &engine.Access{ID: v.id, Subject: engine.Subject{NHSNumber: nhs(t)}, At: begin.Add(time.Duration(v.hours) * time.Hour),
		By: engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: v.by, Name: "TEST " + v.by}}}
	return e
}

func standing(t testing.TB, la string, plans ...engine.PlanType) []engine.Envelope {
	var out []engine.Envelope
	for i, p := range plans {
		e := engine.NewEnvelope(engine.KindFlag, engine.Origin{Source: "mesh/A/B", Message: "m", Position: i + 1})
		e.Flag = &engine.Flag{Subject: engine.Subject{NHSNumber: nhs(t)}, Plan: engine.Plan{Type: p}, Authority: engine.Authority{ODSCode: la}}
		out = append(out, e)
	}
	return out
}

// note gives the watch visits in one transaction and returns what it raised.
func note(t testing.TB, s *store.Store, w *pattern.Watch, flags []engine.Envelope, visits ...visit) []engine.Envelope {
	t.Helper()
	var raised []engine.Envelope
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		raised = nil
		for _, v := range visits {
			e := v.envelope(t)
			if _, err := tx.PutAccess(e); err != nil {
				return err
			}
			if err := tx.AddFact(e); err != nil {
				return err
			}
			more, err := w.Note(tx, e, flags)
			if err != nil {
				return err
			}
			raised = append(raised, more...)
		}
		return nil
	}))
	return raised
}

// said writes patterns in short: the day, and the visits that are known of it now.
func said(t testing.TB, s *store.Store, w *pattern.Watch, la string) map[string]string {
	t.Helper()
	all, err := s.Patterns(ctx, la, time.Time{})
	must(t, err)
	out := map[string]string{}
	for _, p := range all {
		f := w.Look(p.Event.Pattern.Since, p.Event.Pattern.Day, p.Visits)
		var ids []string
		for _, v := range f.Visits {
			ids = append(ids, v.Access)
		}
		slices.Sort(ids)
		out[string(p.Event.Pattern.Plan)+" "+f.Day.ISO()] = fmt.Sprintf("%d/%d %s", f.Organisations, f.Areas, strings.Join(ids, " "))
	}
	return out
}

// expected is the same by the words of the README: each day with a visit, and the visits of that day and so many days before.
func expected(rule engine.PatternRule, visits []visit) map[string]string {
	zone, _ := time.LoadLocation("Europe/London")
	midnight := func(v visit) time.Time {
		y, m, d := begin.Add(time.Duration(v.hours) * time.Hour).In(zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	out := map[string]string{}
	for _, v := range visits {
		organisations, areas, ids := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, other := range visits {
			days := int(midnight(v).Sub(midnight(other)).Hours()) / 24
			if days < 0 || days > rule.Days {
				continue
			}
			organisations[other.by], ids[other.id] = true, true
			switch other.by {
			case "RXX01", "RXX02":
				areas["north"] = true
			default:
				areas[other.by] = true
			}
		}
		if rule.Organisations > 0 && len(organisations) >= rule.Organisations || rule.Areas > 0 && len(areas) >= rule.Areas {
			out["child-protection "+midnight(v).Format(time.DateOnly)] = fmt.Sprintf("%d/%d %s", len(organisations), len(areas), strings.Join(slices.Sorted(maps.Keys(ids)), " "))
		}
	}
	return out
}

// Any order, copies, splits and repeats of the same accesses make the same patterns, each raised once; and what is raised proves itself by the
// visits that it holds.
func TestPatternsAreAFunctionOfTheSetOfAccesses(t *testing.T) {
	s := onSQLite(t)
	round, most := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		la := fmt.Sprint("T", round)
		rule := engine.PatternRule{Organisations: rapid.SampledFrom([]int{0, 2, 3}).Draw(rt, "organisations"), Days: rapid.IntRange(1, 6).Draw(rt, "days"),
			Areas: rapid.SampledFrom([]int{0, 2, 3}).Draw(rt, "areas")}
		w := watch(t, rule)
		var visits []visit
		for i := range rapid.IntRange(0, 9).Draw(rt, "visits") {
			visits = append(visits, visit{id: fmt.Sprintf("%d-%d", round, i), hours: rapid.IntRange(0, 24*14).Draw(rt, "hours") + 24*20,
				by: rapid.SampledFrom([]string{"RXX01", "RXX02", "RXX03", "RXX04", "RXX05"}).Draw(rt, "by")})
		}
		come := slices.Clone(visits)
		for range rapid.IntRange(0, 4).Draw(rt, "copies") {
			if len(visits) > 0 {
				come = append(come, visits[rapid.IntRange(0, len(visits)-1).Draw(rt, "copy")])
			}
		}
		come = rapid.Permutation(come).Draw(rt, "order")
		raised := map[string]int{}
		for len(come) > 0 {
			n := rapid.IntRange(1, len(come)).Draw(rt, "together")
			for _, e := range note(t, s, w, standing(t, la, engine.ChildProtection, engine.LookedAfter), come[:n]...) {
				p := e.Pattern
				raised[string(p.Plan)+" "+p.Day.ISO()]++
				if !proves(p) || p.Authority != la || e.Key() != nhs(t).Key() {
					rt.Fatalf("a pattern was raised that does not prove itself: %v", p)
				}
			}
			come = come[n:]
		}
		got, want := said(t, s, w, la), expected(rule, visits)
		if !maps.Equal(got, want) {
			rt.Fatalf("patterns %v, want %v", got, want)
		}
		for day, n := range raised {
			if _, there := want[day]; !there || n != 1 {
				rt.Fatalf("%s was raised %d times", day, n)
			}
		}
		if len(raised) != len(want) {
			rt.Fatalf("%d patterns were raised, want %d", len(raised), len(want))
		}
		most = max(most, len(want))
	})
	if most < 3 {
		t.Errorf("no round had more than %d patterns: the test sees nothing", most)
	}
}

// proves reports whether the visits in the event meet its rule by themselves.
func proves(p *engine.Pattern) bool {
	organisations, areas := map[string]bool{}, map[string]bool{}
	for _, v := range p.Visits {
		organisations[v.Organisation.ODSCode] = true
		if areas[strings.ToLower(strings.TrimSpace(v.Area))+"|"] = true; v.Area == "" {
			areas[v.Organisation.ODSCode] = true
			delete(areas, "|")
		}
	}
	return p.Rule.Organisations > 0 && len(organisations) >= p.Rule.Organisations || p.Rule.Areas > 0 && len(areas) >= p.Rule.Areas
}

// Several processes on one PostgreSQL note visits of one child at once: none of them overlooks what the others have seen.
func TestVisitsThatComeAtOnce(t *testing.T) {
	cfg := records.PostgreSQL(t)
	rule := engine.PatternRule{Organisations: 3, Days: 2}
	w := watch(t, rule)
	stores := []*store.Store{open(t, cfg), open(t, cfg), open(t, cfg)}
	for round := range 15 {
		la := fmt.Sprint("T", round)
		var visits []visit
		for i, by := range []string{"RXX01", "RXX04", "RXX05"} {
			visits = append(visits, visit{id: fmt.Sprintf("%d-%d", round, i), hours: 10 + i*24, by: by})
		}
		var mu sync.Mutex
		var all sync.WaitGroup
		raised := 0
		for i, v := range visits {
			all.Go(func() {
				n := len(note(t, stores[i], w, standing(t, la, engine.ChildProtection), v))
				mu.Lock()
				defer mu.Unlock()
				raised += n
			})
		}
		all.Wait()
		if got, want := said(t, stores[0], w, la), expected(rule, visits); !maps.Equal(got, want) || raised != len(want) {
			t.Fatalf("round %d: %d raised, %v, want %v", round, raised, got, want)
		}
	}
}

func TestWhatCounts(t *testing.T) {
	two := engine.PatternRule{Organisations: 2, Days: 3}
	for name, tc := range map[string]struct {
		rule   engine.PatternRule
		visits []visit
		days   int
	}{
		"one organisation often":                      {two, []visit{{"1", 0, "RXX01"}, {"2", 20, "RXX01"}, {"3", 30, "rxx01 "}}, 0},
		"two at once":                                 {two, []visit{{"1", 0, "RXX01"}, {"2", 0, "RXX02"}}, 1},
		"just within":                                 {two, []visit{{"1", 0, "RXX01"}, {"2", 3*24 + 14, "RXX02"}}, 1},
		"a day too late":                              {two, []visit{{"1", 0, "RXX01"}, {"2", 4 * 24, "RXX02"}}, 0},
		"each further day":                            {two, []visit{{"1", 0, "RXX01"}, {"2", 24, "RXX02"}, {"3", 48, "RXX01"}}, 2},
		"two organisations of one area":               {engine.PatternRule{Areas: 2, Days: 3}, []visit{{"1", 0, "RXX01"}, {"2", 0, "RXX02"}}, 0},
		"two areas":                                   {engine.PatternRule{Areas: 2, Days: 3}, []visit{{"1", 0, "RXX01"}, {"2", 0, "RXX03"}}, 1},
		"an unknown area is another":                  {engine.PatternRule{Areas: 2, Days: 3}, []visit{{"1", 0, "RXX01"}, {"2", 0, "RXX04"}}, 1},
		"unknown areas are different from each other": {engine.PatternRule{Areas: 3, Days: 3}, []visit{{"1", 0, "RXX01"}, {"2", 0, "RXX04"}, {"3", 0, "RXX05"}}, 1},
		"no rule":                                     {engine.PatternRule{Days: 3}, []visit{{"1", 0, "RXX01"}, {"2", 0, "RXX04"}, {"3", 0, "RXX05"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := onSQLite(t), watch(t, tc.rule)
			note(t, s, w, standing(t, "999", engine.ChildProtection), tc.visits...)
			if got := said(t, s, w, "999"); len(got) != tc.days {
				t.Errorf("%v, want %d", got, tc.days)
			}
		})
	}
}

// A sender whose clock is ahead must not put a visit out of reach of the others: it counts for the day on which it came.
func TestATimeInTheFutureCountsAsNow(t *testing.T) {
	w := watch(t, engine.PatternRule{Organisations: 2, Days: 3})
	if got := w.Day(begin.AddDate(0, 0, 40), begin); got.ISO() != "2026-03-01" {
		t.Error("a visit of next month counts for next month")
	}
	summer := time.Date(2026, 7, 1, 23, 30, 0, 0, time.UTC) // half past midnight in England
	if got := w.Day(summer, summer); got.ISO() != "2026-07-02" {
		t.Error("the day is not England's")
	}
}

func TestConfig(t *testing.T) {
	if err := pattern.Default().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*pattern.Config){
		"patterns.unborn.days":           func(c *pattern.Config) { c.Unborn.Days = 0 },
		"patterns.lookedAfter.areas":     func(c *pattern.Config) { c.LookedAfter.Areas = 2 },
		"patterns.childProtection.organ": func(c *pattern.Config) { c.ChildProtection.Organisations = 1 },
		"patterns.areas":                 func(c *pattern.Config) { c.Areas = map[string]string{"RXX01": " "} },
	} {
		c := pattern.Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := pattern.New(pattern.Default(), "Nowhere/Here"); err == nil {
		t.Error("a time zone that is not known is taken")
	}
	off := pattern.Default()
	off.Unborn = engine.PatternRule{}
	if err := off.Validate(); err != nil {
		t.Errorf("a rule that is off: %v", err)
	}
}
