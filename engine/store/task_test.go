package store_test

import (
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

func TestTasksAndTracesOnBothRecords(t *testing.T) {
	for name, where := range map[string]func(testing.TB) place{"sqlite": sqlite, "postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			s := where(t).open(t)
			one, two := number(t, "9990000018"), number(t, "9990000026")
			open := func(k store.TaskKind, la string) (fresh bool) {
				if err := s.Write(ctx, func(tx *store.Tx) (err error) {
					fresh, err = tx.OpenTask(&store.Task{Kind: k, Authority: la, NHSNumber: one, Message: "m", Position: 3})
					return err
				}); err != nil {
					t.Fatal(err)
				}
				return fresh
			}
			if !open(store.TaskSuperseded, "999") || open(store.TaskSuperseded, "999") || !open(store.TaskSuperseded, "998") || !open(store.TaskSensitive, "999") {
				t.Error("a child of an authority has other than one open task of a kind")
			}
			suspended, err := s.Suspended(ctx, "999")
			if err != nil || len(suspended) != 1 || suspended[one] != store.TaskSuperseded {
				t.Errorf("suspended: %d, %v", len(suspended), err)
			}
			born, _ := engine.NewDate(2019, 3, 4)
			who := engine.Subject{NHSNumber: one, BirthDate: born, Given: "Ada", Family: "Testone"}
			key, other := store.TraceKeyOf(who, "r"), store.TraceKeyOf(who, "other rules")
			kept := []store.Traced{{Key: key, NHSNumber: one, Trace: engine.Trace{Outcome: engine.TraceNotVerified, Step: "family name"}, At: time.Now()},
				{Key: other, NHSNumber: two, Trace: engine.Trace{Outcome: engine.TraceSuperseded, Replacement: two}, At: time.Now()}}
			if err := s.KeepTraces(ctx, kept); err != nil {
				t.Fatal(err)
			}
			kept[0].Trace.Step = "birth date" // a later answer
			if err := s.KeepTraces(ctx, kept[:1]); err != nil {
				t.Fatal(err)
			}
			got, err := s.Traces(ctx, []store.TraceKey{key, other, {1}, {2}, {3}})
			if err != nil || len(got) != 2 || got[key].Trace.Step != "birth date" || got[other].Trace.Replacement != two {
				t.Errorf("%d traces, %v", len(got), err)
			}
			tasks, err := s.Tasks(ctx, false)
			if err != nil || len(tasks) != 3 || tasks[0].NHSNumber != one || tasks[0].Position != 3 {
				t.Fatalf("%d tasks, %v", len(tasks), err)
			}
			for _, want := range []bool{true, false} {
				if done, err := s.CloseTask(ctx, tasks[0].ID, "note"); done != want || err != nil {
					t.Errorf("closed: %v, %v", done, err)
				}
			}
			if got, err = s.Traces(ctx, []store.TraceKey{key, other}); err != nil || len(got) != 1 {
				t.Errorf("what PDS said of the number is not forgotten, or too much is: %d, %v", len(got), err)
			}
			if suspended, err = s.Suspended(ctx, "999"); err != nil || len(suspended) != 0 {
				t.Errorf("suspended after the task: %d, %v", len(suspended), err)
			}
			if !open(store.TaskSuperseded, "999") {
				t.Error("the same can not happen again")
			}
			if n, err := s.ForgetTraces(ctx, time.Now().Add(time.Hour)); n != 1 || err != nil {
				t.Errorf("%d forgotten, %v", n, err)
			}
		})
	}
}
