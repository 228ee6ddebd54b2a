package silence_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/silence"
	"signalbox/engine/store"
)

// town is a record over which simulated weeks pass.
type town struct {
	*store.Store
	clock time.Time
	n     int
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{clock: time.Date(2026, 9, 21, 5, 0, 0, 0, time.UTC)} // a Monday in summer time; the clocks change on 25 October
	cfg := store.Default()
	cfg.Path = filepath.Join(t.TempDir(), "record.db")
	var err error
	w.Store, err = store.Open(t.Context(), cfg, func() time.Time { return w.clock })
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func (w *town) file(t *testing.T) {
	t.Helper()
	w.n++
	upstream := fmt.Sprint("M", w.n)
	_, err := w.Intake(t.Context(), engine.Message{ID: engine.NewMessageID("mesh/OURS/TESTLA01", upstream), Source: "mesh/OURS/TESTLA01", Upstream: upstream,
		WorkflowID: "TEST_UPLOAD", Body: []byte(upstream), Received: w.clock})
	must(t, err)
}

func (w *town) ask(t *testing.T) {
	t.Helper()
	w.n++
	number, err := engine.ParseNHSNumber("9990000018")
	must(t, err)
	e := engine.NewEnvelope(engine.KindAccess, engine.Origin{Source: "fhir/infirmary", Message: engine.NewMessageID("fhir/infirmary", fmt.Sprint(w.n)), Received: w.clock})
	e.Access = &engine.Access{ID: engine.NewUUID(fmt.Sprint(w.n)), Subject: engine.Subject{NHSNumber: number}, At: w.clock}
	must(t, w.Write(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.PutAccess(e); err != nil {
			return err
		}
		return tx.AddFact(e)
	}))
}

// send puts a message into the authority's mailbox; collected takes out what lies there.
func (w *town) send(t *testing.T) string {
	t.Helper()
	w.n++
	id := fmt.Sprint("effect-", w.n)
	must(t, w.Write(t.Context(), func(tx *store.Tx) error {
		return tx.PlanEffect(store.Effect{ID: id, Kind: store.Acknowledgement, Authority: "999", Body: []byte(id), Due: w.clock})
	}))
	must(t, w.MarkHanded(t.Context(), id, "R"+id, w.clock.Add(time.Hour)))
	return id
}

// hear counts accesses as the engine does.
func (w *town) hear(t *testing.T) {
	t.Helper()
	newest, err := w.LastEvent(t.Context())
	must(t, err)
	for more := true; more; {
		more, err = w.HearAccesses(t.Context(), newest)
		must(t, err)
	}
}

// days lets working days pass: a file at seven, what answers it collected at nine, questions from ten to four, the mailbox polled.
func (w *town) days(t *testing.T, n int) {
	t.Helper()
	for range n {
		if day := w.clock.Weekday(); day != time.Saturday && day != time.Sunday {
			midnight := w.clock.Truncate(24 * time.Hour)
			w.clock = midnight.Add(7 * time.Hour)
			w.file(t)
			id := w.send(t)
			w.clock = midnight.Add(9 * time.Hour)
			must(t, w.MarkCollected(t.Context(), id, w.clock))
			for hour := 10; hour <= 16; hour += 2 {
				w.clock = midnight.Add(time.Duration(hour) * time.Hour)
				w.ask(t)
			}
			must(t, w.NotePolled(t.Context(), "OURS"))
			w.clock = midnight.Add(5 * time.Hour)
		}
		w.clock = w.clock.Add(24 * time.Hour)
	}
}

// Six weeks of an authority and a trust, by the record alone; then all of them stop.
func TestTheRecordShowsWhoHasStopped(t *testing.T) {
	w := newTown(t)
	w.days(t, 42)
	w.hear(t)
	cfg, err := silence.Default()
	must(t, err)
	watcher, err := silence.NewWatcher(cfg, w, []silence.Sender{
		{Kind: silence.Poll, Name: "OURS"}, {Kind: silence.Asking, Name: "infirmary", Source: "fhir/infirmary"}, {Kind: silence.Mailbox, Name: "999"},
		{Kind: silence.File, Name: "999", Source: "mesh/OURS/TESTLA01", Workflow: "TEST_UPLOAD"}, {Kind: silence.File, Name: "998", Source: "mesh/OURS/TESTLA02", Workflow: "TEST_UPLOAD"},
	})
	must(t, err)
	look := func(at time.Time) (states, whys string) {
		t.Helper()
		all, err := watcher.Look(t.Context(), at)
		must(t, err)
		for _, r := range all {
			states += string(r.Kind) + " " + r.Name + " " + string(r.State) + "\n"
			whys += r.Why + "\n"
		}
		return states, whys
	}
	monday := time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	want := "asking infirmary heard\nfile 998 never\nfile 999 heard\nmailbox 999 heard\npoll OURS silent\n"
	if got, whys := look(monday); got != want {
		t.Errorf("on Monday at six:\n%s%s", got, whys)
	}
	w.clock = monday.Add(time.Hour)
	w.send(t) // and nobody takes it out
	states, whys := look(monday.Add(15 * time.Hour))
	if want := "asking infirmary silent\nfile 998 never\nfile 999 silent\nmailbox 999 silent\npoll OURS silent\n"; states != want {
		t.Errorf("on Monday at nine in the evening:\n%s%s", states, whys)
	}
	for _, want := range []string{"came on 30 of the last 30 working days, by 08:00; now Mon 2 Nov 21:00, and nothing since Fri 30 Oct 07:00",
		"collected 30 of the last 30 messages within 2 hours of working days", "a message has lain there since Mon 2 Nov 07:00"} {
		if !strings.Contains(whys, want) {
			t.Errorf("nobody says %q:\n%s", want, whys)
		}
	}
	w.clock = monday.Add(16 * time.Hour)
	w.file(t)
	w.ask(t)
	w.hear(t)
	must(t, w.NotePolled(t.Context(), "OURS"))
	if got, whys := look(w.clock.Add(time.Minute)); got != "asking infirmary heard\nfile 998 never\nfile 999 heard\nmailbox 999 silent\npoll OURS heard\n" {
		t.Errorf("after all but the mailbox were heard again:\n%s%s", got, whys)
	}
}

// What is counted is counted once, however often and by whom, and what is forgotten is never what a silent sender's cadence rests on.
func TestHoursAreCountedOnceAndKeptForTheSilent(t *testing.T) {
	w := newTown(t)
	w.days(t, 7)
	for range 3 {
		w.hear(t)
	}
	hours, err := w.HoursOf(t.Context(), "fhir/infirmary")
	must(t, err)
	asked := 0
	for _, h := range hours {
		asked += h.Asked
		if h.First.Before(h.Begin) || h.Last.Before(h.First) || h.Last.Sub(h.Begin) >= time.Hour {
			t.Errorf("an odd hour: %+v", h)
		}
	}
	if len(hours) != 20 || asked != 20 {
		t.Errorf("%d hours with %d accesses, want 20 of each", len(hours), asked)
	}
	w.clock = w.clock.AddDate(2, 0, 0)
	if n, err := w.ForgetHeard(t.Context(), 7*24*time.Hour); err != nil || n != 0 {
		t.Errorf("%d hours of a sender that has been silent for two years are forgotten, %v", n, err)
	}
	if n, err := w.ForgetHeard(t.Context(), 24*time.Hour); err != nil || n == 0 || n == 20 {
		t.Errorf("%d hours are forgotten, %v", n, err)
	}
	since, err := w.HeardSince(context.Background(), w.clock.AddDate(-3, 0, 0))
	if err != nil || since["fhir/infirmary"].IsZero() {
		t.Errorf("last heard %v, %v", since, err)
	}
}
