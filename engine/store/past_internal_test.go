package store

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine"
)

// Positions come back as they were, each once, in their order; records that lie together cost next to nothing.
func TestRunsOfRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		positions := rapid.SliceOf(rapid.Int64Range(0, 300)).Draw(t, "positions")
		want := slices.Clone(positions)
		slices.Sort(want)
		want = slices.Compact(want)
		if got := unpackRuns(packRuns(positions)); !slices.Equal(got, want) {
			t.Fatalf("%v became %v", want, got)
		}
	})
	var file []int64
	for i := range int64(1000) {
		file = append(file, i+1)
	}
	if n := len(packRuns(file)); n > 4 {
		t.Errorf("a thousand records in a row take %d bytes", n)
	}
	for _, damaged := range [][]byte{{0x80}, {1}, {1, 0x80}} {
		if got := unpackRuns(damaged); len(got) != 0 {
			t.Errorf("% x is %v", damaged, got)
		}
	}
}

// What an event's stretches are, by what the record knows of it.
func TestStretches(t *testing.T) {
	minute := func(n int) time.Time { return time.Date(2026, 10, 1, 3, n, 0, 0, time.UTC) }
	wording := func(mapping string) engine.Envelope {
		return engine.Envelope{Kind: engine.KindFlag, Origin: engine.Origin{Mapping: mapping, Received: minute(0)}}
	}
	type span struct {
		wording  string
		from, to int // -1: it counts still
		assumed  bool
	}
	for name, c := range map[string]struct {
		course course
		want   []span
	}{
		"waits":                {course{outbox: toPublish}, nil},
		"in quarantine":        {course{outbox: quarantined}, nil},
		"given up":             {course{outbox: -1, withdrawn: true}, nil},
		"before that was kept": {course{outbox: -1}, []span{{"now", 0, -1, true}}},
		"applied":              {course{outbox: -1, turns: []turn{{minute(5), true}}}, []span{{"now", 5, -1, false}}},
		"withdrawn": {course{outbox: -1, withdrawn: true, turns: []turn{{minute(5), true}, {minute(9), false}}},
			[]span{{"now", 5, 9, false}}},
		"withdrawn, applied before that was kept": {course{outbox: -1, withdrawn: true, turns: []turn{{minute(9), false}}}, []span{{"now", 0, 9, true}}},
		"withdrawn and back": {course{outbox: -1, turns: []turn{{minute(5), true}, {minute(9), false}, {minute(12), true}},
			before: []Revision{{At: minute(12), Body: wording("first")}}},
			[]span{{"first", 5, 9, false}, {"now", 12, -1, false}}},
		"changed": {course{outbox: -1, turns: []turn{{minute(5), true}},
			before: []Revision{{At: minute(7), Body: wording("first")}, {At: minute(8), Body: wording("second")}}},
			[]span{{"first", 5, 7, false}, {"second", 7, 8, false}, {"now", 8, -1, false}}},
		"changed on its way": {course{outbox: -1, turns: []turn{{minute(5), true}}, before: []Revision{{At: minute(3), Body: wording("first")}}},
			[]span{{"now", 5, -1, false}}},
		"changed and withdrawn": {course{outbox: -1, withdrawn: true, turns: []turn{{minute(5), true}, {minute(9), false}},
			before: []Revision{{At: minute(7), Body: wording("first")}}},
			[]span{{"first", 5, 7, false}, {"now", 7, 9, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.course.now = wording("now")
			var got []span
			for _, s := range c.course.stretches() {
				to := -1
				if !s.To.IsZero() {
					to = s.To.Minute()
				}
				got = append(got, span{s.Event.Origin.Mapping, s.From.Minute(), to, s.Assumed})
				if s.Counted(s.From.Add(-time.Microsecond)) || !s.Counted(s.From) || !s.To.IsZero() && s.Counted(s.To) {
					t.Error("it does not count from its beginning until its end")
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
