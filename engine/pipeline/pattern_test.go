package pipeline_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/pattern"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
)

// looks has an organisation look at the child.
func (b *bench) looks(t *testing.T, id, by string) {
	t.Helper()
	number, err := engine.ParseNHSNumber(child)
	must(t, err)
	_, err = b.pipe.Ask(context.Background(), engine.Access{ID: id, Subject: engine.Subject{NHSNumber: number}, At: time.Now(),
		By: engine.Actor{DeviceID: "999000000002", Organisation: engine.Organisation{ODSCode: by, Name: "TEST " + by}}}, register.WhichFlags)
	must(t, err)
}

func watchFor(t *testing.T, organisations int) *pattern.Watch {
	t.Helper()
	cfg := pattern.Default()
	cfg.ChildProtection.Organisations = organisations
	w, err := pattern.New(cfg, "Europe/London")
	must(t, err)
	return w
}

// The authority gets a child's visits once, beside its notifications, whose lines name the pattern; and nothing is told twice though the
// event is published again and again.
func TestAChildSeenAcrossBoundariesIsToldOnce(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.patterns = watchFor(t, 2)
		b.cfg.Reconcile, b.cfg.Poll = 4*time.Second, 5*time.Second // it looks each second
		b.window = time.Hour
		b.route = func(r *pipeline.Route) { r.PatternWorkflow, r.Party.Told = "TEST_PATTERN", "csv" }
	}, func(t *testing.T, b *bench) {
		b.upload(t, child+" 202601010000 999")
		time.Sleep(10 * time.Second)
		b.looks(t, "3c4c0aef-3537-44c4-a8b5-f0c313603401", "RXX01")
		b.looks(t, "3c4c0aef-3537-44c4-a8b5-f0c313603402", "RXX01")
		time.Sleep(10 * time.Second)
		if n := len(b.letters(t, "TEST_PATTERN")); n != 0 {
			t.Fatalf("one organisation makes %d patterns", n)
		}
		b.looks(t, "3c4c0aef-3537-44c4-a8b5-f0c313603403", "RXX02")
		b.looks(t, "3c4c0aef-3537-44c4-a8b5-f0c313603403", "RXX02") // the same query again
		time.Sleep(2 * time.Minute)                                 // a hundred rounds of the reconciler
		b.leap(time.Hour)                                           // the window
		b.leap(time.Hour)
		letters := b.letters(t, "TEST_PATTERN")
		if len(letters) != 1 {
			t.Fatalf("the authority is told %d times", len(letters))
		}
		lines, err := csv.NewReader(bytes.NewReader(letters[0])).ReadAll()
		must(t, err)
		if len(lines) != 4 || lines[1][1] != child || lines[1][2] != "L"+child || lines[3][11] != "RXX02" || lines[1][6] != "2" {
			t.Errorf("the authority is told %q", lines)
		}
		told := b.letters(t, "TEST_ACCESS")
		if len(told) != 1 {
			t.Fatalf("%d notifications", len(told))
		}
		marked, err := csv.NewReader(bytes.NewReader(told[0])).ReadAll()
		must(t, err)
		for i, line := range marked[1:] {
			if line[10] != lines[1][0] || line[0] != lines[i+1][9] {
				t.Errorf("a line of the notification does not name the pattern: %q", line)
			}
		}
		if len(marked) != 4 {
			t.Errorf("%d lines tell of three accesses", len(marked)-1)
		}
	})
}

// An authority whose route names no workflow is not written to; its pattern is there all the same.
func TestAPatternWithoutAWorkflow(t *testing.T) {
	inBubble(t, func(b *bench) { b.patterns = watchFor(t, 2) }, func(t *testing.T, b *bench) {
		b.upload(t, child+" 202601010000 999")
		time.Sleep(10 * time.Second)
		b.looks(t, "1", "RXX01")
		b.looks(t, "2", "RXX02")
		time.Sleep(time.Minute)
		all, err := b.store.Patterns(context.Background(), "999", time.Time{})
		must(t, err)
		backlog, err := b.store.Backlog(context.Background())
		must(t, err)
		if len(all) != 1 || len(all[0].Visits) != 2 || backlog.Open[engine.KindPattern] != 0 || backlog.Quarantined != 0 {
			t.Errorf("%d patterns, %d open", len(all), backlog.Open[engine.KindPattern])
		}
		if n := len(b.letters(t, "")); n != 0 {
			t.Errorf("%d letters without a workflow", n)
		}
	})
}
