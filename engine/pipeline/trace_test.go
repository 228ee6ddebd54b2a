package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// oracle is a PDS of a few words: an outcome for each number, matched for the rest.
type oracle struct {
	mu    sync.Mutex
	says  map[string]engine.Trace
	asked map[string]int
	away  bool
	slow  time.Duration
}

func (o *oracle) Together(ctx context.Context, _ string) context.Context { return ctx }

func (o *oracle) Trace(ctx context.Context, who engine.Subject) (engine.Trace, error) {
	o.mu.Lock()
	away, slow, t := o.away, o.slow, o.says[who.NHSNumber.Reveal()]
	if o.asked == nil {
		o.asked = map[string]int{}
	}
	o.asked[who.NHSNumber.Reveal()]++
	o.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		away = true
	}
	if away {
		return engine.Trace{}, &engine.Error{Op: "trace", Kind: engine.Unavailable, Rule: engine.RuleTraceUnavailable, Text: "PDS has not answered", Err: errors.New("test")}
	}
	if t.Outcome == "" {
		t.Outcome = engine.TraceMatched
	}
	return t, nil
}

func (o *oracle) set(number string, outcome engine.TraceOutcome, replacement string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := engine.Trace{Outcome: outcome, Step: "family name"}
	if replacement != "" {
		t.Replacement, _ = engine.ParseNHSNumber(replacement)
	}
	if o.says == nil {
		o.says = map[string]engine.Trace{}
	}
	o.says[number] = t
}

func (o *oracle) leave(away bool) { o.mu.Lock(); o.away = away; o.mu.Unlock() }

// all is how often it was asked about each.
func (o *oracle) all() map[string]int { o.mu.Lock(); defer o.mu.Unlock(); return maps.Clone(o.asked) }

func (o *oracle) count(number string) int { o.mu.Lock(); defer o.mu.Unlock(); return o.asked[number] }

// others are synthetic numbers with right check digits.
const another = "9990000026"

func line(number string, month int) string {
	return fmt.Sprintf("%s 2026%02d010000 999", number, month)
}

func last(all [][]byte) string {
	if len(all) == 0 {
		return ""
	}
	return string(all[len(all)-1])
}

func withOracle(o *oracle) func(*bench) {
	return func(b *bench) {
		b.tracer, b.log, b.cfg.Retry.Attempts = o, &notes{}, 3
		// A simulated day costs real work: the day of production is here eleven minutes, and its half hour five.
		b.cfg.Poll, b.cfg.Idle, b.cfg.Trace.Again, b.cfg.Trace.Keep, b.cfg.Trace.TellAfter = time.Minute, 15*time.Second, 2*time.Minute, 11*time.Minute, 5*time.Minute
	}
}

func (b *bench) tasks(t *testing.T, closed bool) []store.Task {
	t.Helper()
	all, err := b.store.Tasks(context.Background(), closed)
	must(t, err)
	return all
}

func TestARefusedChildHarmsNoOther(t *testing.T) {
	for outcome, task := range map[engine.TraceOutcome]store.TaskKind{
		engine.TraceNoMatch: "", engine.TraceNotVerified: "", engine.TraceBadFormat: "",
		engine.TraceSensitive: store.TaskSensitive, engine.TraceSuperseded: store.TaskSuperseded, engine.TraceInactive: store.TaskInactive,
	} {
		t.Run(string(outcome), func(t *testing.T) {
			o := &oracle{}
			o.set(another, outcome, "")
			inBubble(t, withOracle(o), func(t *testing.T, b *bench) {
				b.upload(t, line(another, 1), line(child, 9))
				time.Sleep(2 * time.Minute)
				if got := b.ask(t, "one", true); len(got) != 1 {
					t.Errorf("the child whom PDS confirms is not shown: %v", got)
				}
				ack := last(b.letters(t, "TEST_ACK"))
				if !strings.Contains(ack, "1,rejected,pds-"+string(outcome)+",") || !strings.Contains(ack, "2,accepted") {
					t.Errorf("the acknowledgement says %q", ack)
				}
				if shown := b.log.String() + ack; strings.Contains(shown, another) || strings.Contains(shown, child) {
					t.Error("a number is in the log or in the acknowledgement")
				}
				tasks := b.tasks(t, false)
				if (len(tasks) == 1) != (task != "") || task != "" && (tasks[0].Kind != task || tasks[0].Position != 1 || tasks[0].Authority != "999") {
					t.Errorf("tasks: %+v", tasks)
				}
				if n := len(b.letters(t, "TEST_INACTIVE")); (n == 1) != outcome.Suspends() {
					t.Errorf("%d notices of an inactive number", n)
				}
			})
		})
	}
}

// A number that was replaced: what stands keeps standing, uploads are suspended, the authority is told once, and nothing is swapped.
func TestASupersededNumberIsSuspendedUntilAPersonActs(t *testing.T) {
	o := &oracle{}
	inBubble(t, withOracle(o), func(t *testing.T, b *bench) {
		b.upload(t, line(child, 1))
		time.Sleep(2 * time.Minute)
		o.set(child, engine.TraceSuperseded, another)
		time.Sleep(12 * time.Minute)
		b.upload(t, line(child, 2))
		time.Sleep(2 * time.Minute)
		if got := b.ask(t, "one", true); len(got) != 1 || got[0] != "202601010000" {
			t.Errorf("the flag that stood does not stand as it was: %v", got)
		}
		notices := b.letters(t, "TEST_INACTIVE")
		if len(notices) != 1 || !bytes.Contains(notices[0], []byte(`<newVersion><id extension="`+another+`"/></newVersion>`)) {
			t.Errorf("%d notices, or one without the successor", len(notices))
		}
		o.set(child, engine.TraceMatched, "") // PDS changes its mind; nobody has looked yet
		asked := o.count(child)
		time.Sleep(12 * time.Minute)
		b.upload(t, line(child, 3))
		time.Sleep(2 * time.Minute)
		if got := b.ask(t, "two", true); got[0] != "202601010000" || o.count(child) != asked {
			t.Errorf("the upload was taken while it was suspended: %v", got)
		}
		if ack := last(b.letters(t, "TEST_ACK")); !strings.Contains(ack, "suspended") {
			t.Errorf("the authority is not told that uploads are suspended: %q", ack)
		}
		if n := len(b.letters(t, "TEST_INACTIVE")); n != 1 || len(b.tasks(t, false)) != 1 {
			t.Errorf("%d notices and %d tasks of one change", n, len(b.tasks(t, false)))
		}
		if done, err := b.store.CloseTask(context.Background(), b.tasks(t, false)[0].ID, "confirmed"); !done || err != nil {
			t.Fatal(done, err)
		}
		b.upload(t, line(child, 4))
		time.Sleep(2 * time.Minute)
		if got := b.ask(t, "three", true); got[0] != "202604010000" {
			t.Errorf("the upload is not taken after somebody has looked: %v", got)
		}
		if all := b.tasks(t, true); len(all) != 1 || all[0].Note != "confirmed" || all[0].Closed.IsZero() {
			t.Errorf("the task's history is lost: %+v", all)
		}
	})
}

// PDS is away for longer than an authority is left in the dark, and for more attempts than an event has. The file waits, the authority is told once, and then everything in it is taken; no quarantine.
func TestAFileOutlastsPDS(t *testing.T) {
	o := &oracle{away: true}
	inBubble(t, withOracle(o), func(t *testing.T, b *bench) {
		b.upload(t, line(child, 1), line(another, 1))
		time.Sleep(4 * time.Minute)
		if acks := b.letters(t, "TEST_ACK"); len(acks) != 0 {
			t.Fatalf("the authority is told too early: %q", last(acks))
		}
		time.Sleep(5 * time.Minute)
		acks := b.letters(t, "TEST_ACK")
		if len(acks) != 1 || !strings.Contains(last(acks), "0,parked,pds-unavailable") {
			t.Fatalf("%d words that the file waits: %q", len(acks), last(acks))
		}
		aside, err := b.store.Quarantine(context.Background())
		if err != nil || len(aside) != 0 {
			t.Fatalf("a file that waits is in quarantine: %v, %v", aside, err)
		}
		o.leave(false)
		time.Sleep(3 * time.Minute)
		if got := b.ask(t, "one", true); len(got) != 1 {
			t.Errorf("the child is not shown after PDS came back: %v", got)
		}
		if acks = b.letters(t, "TEST_ACK"); len(acks) != 2 || !strings.Contains(last(acks), "2,accepted") {
			t.Errorf("%d words, the last %q", len(acks), last(acks))
		}
		if b.log.String() == "" || strings.Contains(b.log.String(), child) {
			t.Error("nothing is logged, or a number is")
		}
	})
}

// PDS is slow: the file is asked about in slices, and what was learnt is not asked again.
func TestALargeFileIsAskedAboutInSlices(t *testing.T) {
	o := &oracle{slow: 15 * time.Second}
	numbers := []string{child, another, "9990000034", "9990000042", "9990000050", "9990000069"}
	inBubble(t, func(b *bench) { withOracle(o)(b); b.cfg.Trace.Concurrent = 1 }, func(t *testing.T, b *bench) {
		var lines []string
		for _, n := range numbers {
			lines = append(lines, line(n, 1))
		}
		b.upload(t, lines...)
		time.Sleep(10 * time.Minute)
		ack := last(b.letters(t, "TEST_ACK"))
		if strings.Count(ack, "accepted") != len(numbers) {
			t.Fatalf("the acknowledgement says %q", ack)
		}
		for _, n := range numbers {
			if o.count(n) > 2 { // once, and once more where a slice ended in the middle of it
				t.Errorf("one child was asked about %d times", o.count(n))
			}
		}
		o.mu.Lock()
		o.slow = 0
		o.mu.Unlock()
		before := o.all()
		b.upload(t, lines...)
		time.Sleep(2 * time.Minute)
		if !maps.Equal(o.all(), before) {
			t.Error("who matched shortly before is asked about again")
		}
		time.Sleep(12 * time.Minute)
		b.upload(t, lines...)
		time.Sleep(2 * time.Minute)
		if maps.Equal(o.all(), before) {
			t.Error("who matched long ago is not asked about")
		}
	})
}

// The notice of another source has none, one or many replacements; each authority that has the child is told, and no flag changes.
func TestAnInactiveNumberIsToldWithNoneOneOrMany(t *testing.T) {
	for n := range 3 {
		inBubble(t, withOracle(&oracle{}), func(t *testing.T, b *bench) {
			b.upload(t, line(child, 1))
			time.Sleep(2 * time.Minute)
			old, err := engine.ParseNHSNumber(child)
			must(t, err)
			e := engine.NewEnvelope(engine.KindNumberInactive, engine.Origin{Source: "test", Message: engine.NewMessageID("test", "inactive"), Position: 1, Received: time.Now()})
			e.Inactive = &engine.NumberInactive{Old: old}
			for _, replacement := range []string{another, "9990000034"}[:n] {
				other, err := engine.ParseNHSNumber(replacement)
				must(t, err)
				e.Inactive.Replacements = append(e.Inactive.Replacements, other)
			}
			must(t, b.store.Write(context.Background(), func(tx *store.Tx) error { return tx.AddEvent(e) }))
			time.Sleep(2 * time.Minute)
			notices := b.letters(t, "TEST_INACTIVE")
			if len(notices) != 1 || bytes.Count(notices[0], []byte("<newVersion>")) != min(n, 1) || strings.Count(last(notices), another) != min(n, 1) {
				t.Errorf("%d replacements: %d notices, %q", n, len(notices), last(notices))
			}
			if tasks := b.tasks(t, false); len(tasks) != 1 || (tasks[0].Kind == store.TaskInactive) != (n == 0) {
				t.Errorf("%d replacements: tasks %+v", n, tasks)
			}
			if got := b.ask(t, "one", true); len(got) != 1 {
				t.Errorf("the flag does not stand any more: %v", got)
			}
		})
	}
}

// What PDS said of a child is forgotten once it is too old to be used: nothing is kept that has no use.
func TestOldAnswersAreForgotten(t *testing.T) {
	inBubble(t, withOracle(&oracle{}), func(t *testing.T, b *bench) {
		b.upload(t, line(child, 1))
		time.Sleep(2 * time.Minute)
		kept := func() int {
			number, err := engine.ParseNHSNumber(child)
			must(t, err)
			all, err := b.store.Traces(context.Background(), []store.TraceKey{store.TraceKeyOf(engine.Subject{NHSNumber: number}, "test")})
			must(t, err)
			return len(all)
		}
		if kept() != 1 {
			t.Fatal("the answer was not kept")
		}
		b.leap(70 * time.Minute) // an hour between two times of forgetting, and eleven minutes of use
		time.Sleep(2 * time.Minute)
		if kept() != 0 {
			t.Error("an answer that nobody uses any more is kept")
		}
	})
}
