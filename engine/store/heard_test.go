package store_test

import (
	"slices"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

func TestWhoWasHeardOnBothRecords(t *testing.T) {
	for name, where := range map[string]func(testing.TB) place{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			s := where(t).open(t)
			hoursOfAccesses(t, s)
			filesAndStays(t, s)
			namelessAndSuspended(t, s)
		})
	}
}

func hoursOfAccesses(t *testing.T, s *store.Store) {
	t.Helper()
	begin := time.Date(2026, 10, 5, 9, 0, 0, 0, time.UTC)
	hear := func() {
		t.Helper()
		newest, err := s.LastEvent(ctx)
		must(t, err)
		for more := true; more; {
			more, err = s.HearAccesses(ctx, newest)
			must(t, err)
		}
	}
	put := func(id string, at time.Time) {
		t.Helper()
		e := accessOf(t, id, at)
		e.Origin.Received = at
		must(t, s.Write(ctx, func(tx *store.Tx) error { return tx.AddFact(e) }))
	}
	hear()
	put("A1", begin.Add(20*time.Minute))
	put("A2", begin.Add(10*time.Minute)) // counted out of their order
	hear()
	hear()
	put("A3", begin.Add(40*time.Minute))
	put("A4", begin.Add(26*time.Hour))
	hear()
	source := accessOf(t, "A1", begin).Origin.Source
	want := []store.Hour{{Source: source, Begin: begin, First: begin.Add(10 * time.Minute), Last: begin.Add(40 * time.Minute), Asked: 3},
		{Source: source, Begin: begin.Add(26 * time.Hour), First: begin.Add(26 * time.Hour), Last: begin.Add(26 * time.Hour), Asked: 1}}
	if got, err := s.HoursOf(ctx, source); err != nil || !slices.Equal(got, want) {
		t.Errorf("hours: %+v, %v", got, err)
	}
	if got, err := s.HeardSince(ctx, begin.Add(26*time.Hour+30*time.Minute)); err != nil || !got[source].Equal(begin.Add(26*time.Hour)) {
		t.Errorf("last heard: %v, %v", got, err)
	}
	if n, err := s.ForgetHeard(ctx, 24*time.Hour); err != nil || n != 1 {
		t.Errorf("%d hours are forgotten, %v", n, err)
	}
	before := s.Now()
	must(t, s.NotePolled(ctx, "OURS"))
	must(t, s.NotePolled(ctx, "OURS"))
	if got, err := s.Polled(ctx); err != nil || len(got) != 1 || got["OURS"].Before(before.Truncate(time.Microsecond).Add(-time.Second)) {
		t.Errorf("polled: %v, %v", got, err)
	}
}

func filesAndStays(t *testing.T, s *store.Store) {
	t.Helper()
	at := time.Date(2026, 8, 1, 7, 0, 0, 0, time.UTC)
	for i, day := range []int{0, 50, 51, 52} {
		m := message("F"+string(rune('1'+i)), "x")
		m.Source, m.WorkflowID, m.Received = "mesh/OURS/TESTLA09", "UP", at.AddDate(0, 0, day)
		_, err := s.Intake(ctx, m)
		must(t, err)
	}
	files, err := s.FilesOf(ctx, "mesh/OURS/TESTLA09", "UP", 7*24*time.Hour)
	if err != nil || len(files) != 3 || !files[2].Equal(at.AddDate(0, 0, 52)) {
		t.Errorf("files: %v, %v", files, err)
	}
	if files, err := s.FilesOf(ctx, "mesh/OURS/TESTLA09", "ELSE", time.Hour); err != nil || len(files) != 0 {
		t.Errorf("files of another workflow: %v, %v", files, err)
	}
	for _, id := range []string{"collected", "lies", "unasked"} {
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			return tx.PlanEffect(store.Effect{ID: id, Kind: store.Acknowledgement, Authority: "997", Body: []byte(id), Due: s.Now()})
		}))
	}
	must(t, s.MarkHanded(ctx, "collected", "R1", s.Now().Add(time.Hour)))
	must(t, s.MarkCollected(ctx, "collected", s.Now()))
	must(t, s.MarkHanded(ctx, "lies", "R2", s.Now().Add(time.Hour)))
	must(t, s.MarkHanded(ctx, "unasked", "R3", time.Time{}))
	stays, err := s.Stays(ctx, "997", s.Now().Add(-time.Hour))
	if err != nil || len(stays) != 2 || stays[0].Collected.IsZero() || !stays[1].Collected.IsZero() || stays[1].Sent.IsZero() {
		t.Errorf("stays: %+v, %v", stays, err)
	}
	if stays, err := s.Stays(ctx, "997", s.Now().Add(time.Hour)); err != nil || len(stays) != 1 {
		t.Errorf("stays that ended before: %+v, %v", stays, err)
	}
}

// A nameless record is answered for with its copies, what names a child is not, and the list is read while a change is under way.
func namelessAndSuspended(t *testing.T, s *store.Store) {
	t.Helper()
	for i, upstream := range []string{"N1", "N2"} {
		m := message(upstream, upstream)
		_, err := s.Intake(ctx, m)
		must(t, err)
		nameless, named := rejected(1), rejected(2)
		nameless.About, named.About = &engine.About{Authority: "996", Mark: "same"}, &engine.About{Authority: "996", LocalID: "L1", Mark: "same"}
		translate(t, s, m, nameless, named)
		must(t, s.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.OpenTask(&store.Task{Kind: store.TaskInactive, Authority: "996", NHSNumber: number(t, "9990000018"), Message: m.ID, Position: i})
			return err
		}))
	}
	claims := func(at time.Time) store.Claims {
		t.Helper()
		c, err := s.Claims(ctx, "996", message("N1", "").Source, at)
		must(t, err)
		return c
	}
	if c := claims(time.Time{}); len(c.Records) != 4 || c.Suspended[number(t, "9990000018")].IsZero() {
		t.Fatalf("before the answer: %+v", c)
	}
	id := string(message("N2", "").ID)
	for _, c := range []struct {
		la, message string
		record      int
		want        int64
	}{{"995", id, 1, 0}, {"996", id, 2, 0}, {"996", id[:8], 1, 2}, {"996", id, 1, 0}} {
		if n, err := s.AnswerNameless(ctx, c.la, c.message, c.record, "known"); err != nil || n != c.want {
			t.Errorf("%+v: %d, %v", c, n, err)
		}
	}
	tasks, err := s.OpenTasks(ctx)
	if err != nil || len(tasks) != 1 || tasks[0].Count != 1 || tasks[0].Kind != store.TaskInactive || tasks[0].Oldest.IsZero() {
		t.Errorf("open tasks: %+v, %v", tasks, err)
	}
	if err := s.Write(ctx, func(*store.Tx) error { // a writer that is in the middle of something keeps no reader waiting
		if c := claims(time.Time{}); len(c.Records) != 2 {
			t.Errorf("after the answer: %+v", c)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
