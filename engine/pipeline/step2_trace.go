package pipeline

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"signalbox/engine"
	"signalbox/engine/notify"
	"signalbox/engine/store"
)

// Trace is how the children of a file are traced.
type Trace struct {
	Concurrent  int           // questions at once; the client has a pace of its own besides
	Slice       time.Duration // a file is asked about for so long at a time; what was learnt is kept, and others have their turn
	Again       time.Duration // after a slice without any answer
	TellAfter   time.Duration // an authority is told that its file waits, when there was no answer for so long after it came (CPF05)
	Keep        time.Duration // so long a person who matched is not asked about again
	KeepRefused time.Duration // likewise for everybody else: short, because PDS may have been mended
}

// DefaultTrace has each child asked about once a day, as files come.
func DefaultTrace() Trace {
	return Trace{Concurrent: 4, Slice: 20 * time.Second, Again: 30 * time.Second, TellAfter: 30 * time.Minute, Keep: 20 * time.Hour, KeepRefused: 10 * time.Minute}
}

func (t Trace) valid() bool {
	return t.Concurrent > 0 && t.Slice > 0 && t.Again > 0 && t.TellAfter >= 0 && t.Keep >= 0 && t.KeepRefused >= 0
}

// traceBatch is how many records are held while their children are asked about.
const traceBatch = 1000

// tracing has the children of one authority's file asked about, a batch of records at a time: records whose child is another, or nobody, are refused.
// A flag that stands keeps standing whatever PDS says: a refused record changes nothing.
type tracing struct {
	*Pipeline
	message   engine.Message
	route     Route
	suspended map[engine.NHSNumber]store.TaskKind
	until     time.Time // the file's slice is over
	progress  bool      // some answers are new
	tasks     []func(*store.Tx) error
	counts    map[engine.TraceOutcome]int
	nobody    []sought // who has no number to be asked about by
	err       error    // *traceWait when some have no answer yet: then nothing of the file is written, and it comes back
}

func (p *Pipeline) newTracing(ctx context.Context, m engine.Message, r Route) (*tracing, error) {
	suspended, err := p.Store.Suspended(ctx, r.Party.Authority.ODSCode)
	return &tracing{Pipeline: p, message: m, route: r, suspended: suspended, until: time.Now().Add(p.cfg.Trace.Slice), counts: map[engine.TraceOutcome]int{}}, err
}

// through gives the records after PDS was asked. When it ends early, err says why.
func (t *tracing) through(ctx context.Context, records iter.Seq[engine.Translated]) iter.Seq[engine.Translated] {
	return func(yield func(engine.Translated) bool) {
		batch := make([]engine.Translated, 0, traceBatch)
		pass := func() bool {
			if t.err = t.judge(ctx, batch); t.err != nil {
				return false
			}
			for _, rec := range batch {
				t.note(rec)
				if !yield(rec) {
					return false
				}
			}
			batch = batch[:0]
			return true
		}
		for rec := range records {
			if batch = append(batch, rec); len(batch) == traceBatch && !pass() {
				return
			}
		}
		if pass() {
			t.Observer.Traced(t.counts)
			t.seek(ctx)
		}
	}
}

// judge asks about the children of a batch, and refuses records in it.
func (t *tracing) judge(ctx context.Context, batch []engine.Translated) error {
	known, err := t.traces(ctx, asks(batch, t.suspended))
	if err != nil {
		return err
	}
	for i, rec := range batch {
		if !traceable(rec) {
			continue
		}
		who := rec.Event.Flag.Subject
		if kind, is := t.suspended[who.NHSNumber]; is {
			batch[i] = refuse(rec, engine.Trace{Outcome: engine.TraceOutcome(kind)}, true)
			t.counts[engine.TraceOutcome(kind)]++
			continue
		}
		said := known[store.TraceKeyOf(who, t.TraceRules)]
		if t.counts[said.Outcome]++; said.Outcome == engine.TraceMatched {
			continue
		}
		batch[i] = refuse(rec, said, false)
		if kind, is := taskOf(said.Outcome); is {
			t.tasks = append(t.tasks, t.task(t.route, *rec.Event, kind, said))
		}
	}
	return nil
}

// also opens the tasks in the transaction that writes the records.
func (t *tracing) also(tx *store.Tx) error {
	for _, open := range t.tasks {
		if err := open(tx); err != nil {
			return err
		}
	}
	return nil
}

func traceable(t engine.Translated) bool {
	return t.Outcome == engine.Accepted && t.Event != nil && t.Event.Flag != nil
}

// asks lists who has to be asked about: not those whose uploads are suspended.
func asks(records []engine.Translated, suspended map[engine.NHSNumber]store.TaskKind) []engine.Subject {
	var out []engine.Subject
	for _, rec := range records {
		if traceable(rec) {
			if _, is := suspended[rec.Event.Flag.Subject.NHSNumber]; !is {
				out = append(out, rec.Event.Flag.Subject)
			}
		}
	}
	return out
}

// traces returns an answer for each subject, from the record where there is one that is not too old, and otherwise from PDS, several at once.
func (t *tracing) traces(ctx context.Context, who []engine.Subject) (map[store.TraceKey]engine.Trace, error) {
	p, keys := t.Pipeline, make([]store.TraceKey, len(who))
	for i, s := range who {
		keys[i] = store.TraceKeyOf(s, t.TraceRules)
	}
	kept, err := p.Store.Traces(ctx, keys)
	if err != nil {
		return nil, err
	}
	out, ask := map[store.TraceKey]engine.Trace{}, map[store.TraceKey]engine.Subject{}
	var order []store.TraceKey // that of the file: who was cut off by the end of a slice is the first of the next
	for i, key := range keys {
		if is, ok := kept[key]; ok && p.Now().Sub(is.At) < p.cfg.Trace.life(is.Trace.Outcome) {
			out[key] = is.Trace
		} else {
			if _, again := ask[key]; !again {
				order = append(order, key)
			}
			ask[key] = who[i]
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	fresh, failed := t.askAll(ctx, order, ask)
	if err := p.Store.KeepTraces(ctx, fresh); err != nil {
		return nil, err
	}
	for _, is := range fresh {
		out[is.Key] = is.Trace
	}
	t.progress = t.progress || len(fresh) > 0
	if len(fresh) < len(ask) {
		return nil, &traceWait{progress: t.progress, cause: failed}
	}
	return out, nil
}

func (t Trace) life(o engine.TraceOutcome) time.Duration {
	if o == engine.TraceMatched {
		return t.Keep
	}
	return t.KeepRefused
}

// askAll asks until everybody has an answer, one has none, or the slice is over. It returns the answers that there are, and the first failure.
func (t *tracing) askAll(ctx context.Context, order []store.TraceKey, ask map[store.TraceKey]engine.Subject) ([]store.Traced, error) {
	ctx, stop := context.WithDeadline(t.Tracer.Together(ctx, engine.NewUUID(string(t.message.ID))), t.until)
	defer stop()
	work := make(chan store.TraceKey)
	var mu sync.Mutex
	var answers []store.Traced
	var failed error
	var asking sync.WaitGroup
	for range min(t.cfg.Trace.Concurrent, len(ask)) {
		asking.Go(func() {
			for key := range work {
				said, err := t.Tracer.Trace(ctx, ask[key])
				mu.Lock()
				if err == nil {
					answers = append(answers, store.Traced{Key: key, NHSNumber: ask[key].NHSNumber, Trace: said, At: t.Now()})
				} else if failed == nil {
					failed = err
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for _, key := range order {
		select {
		case work <- key:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	asking.Wait()
	return answers, failed
}

// traceWait is a file that PDS has not answered for.
type traceWait struct {
	progress bool  // some answers are new: it is large, or PDS slow
	cause    error // nil: the slice was over
}

// Error says why.
func (w *traceWait) Error() string {
	if w.cause == nil {
		return "trace: not all children have been asked about yet"
	}
	return w.cause.Error()
}

// Unwrap returns the cause.
func (w *traceWait) Unwrap() error { return w.cause }

// waitForTrace puts a file off, and tells its authority once that it waits (CPF05) when PDS has not answered for long.
func (p *Pipeline) waitForTrace(ctx context.Context, m engine.Message, r Route, wait *traceWait) engine.Verdict {
	p.Observer.TraceWaits(wait.progress)
	if wait.progress {
		return engine.Later(p.Now(), wait)
	}
	if !p.Now().Before(m.Received.Add(p.cfg.Trace.TellAfter)) {
		word, err := notify.PDSUnavailable(r.Party, m, store.Effect{Due: p.Now()})
		if err == nil {
			err = p.Store.Write(ctx, func(tx *store.Tx) error { return tx.PlanEffect(word) })
		}
		if err != nil {
			p.Log.Error("cannot tell the authority that its file waits, will try again", "step", "trace", "message", m.ID, "error", err)
		}
	}
	return engine.Later(p.Now().Add(p.cfg.Trace.Again), wait)
}

// waitsForTrace reports whether a verdict is no failure but patience, for however long.
func waitsForTrace(v engine.Verdict) bool {
	_, waits := errors.AsType[*traceWait](v.Reason)
	return waits && v.Action == engine.RetryAt
}

// taskOf is the task that an outcome opens.
func taskOf(o engine.TraceOutcome) (store.TaskKind, bool) {
	switch o {
	case engine.TraceSuperseded:
		return store.TaskSuperseded, true
	case engine.TraceInactive:
		return store.TaskInactive, true
	case engine.TraceSensitive:
		return store.TaskSensitive, true
	}
	return "", false
}

// task opens a task about a record's child, and tells the authority of a number that is no longer in use.
func (p *Pipeline) task(r Route, e engine.Envelope, kind store.TaskKind, t engine.Trace) func(*store.Tx) error {
	var replacements []engine.NHSNumber
	if !t.Replacement.IsZero() {
		replacements = append(replacements, t.Replacement)
	}
	return func(tx *store.Tx) error { return p.openTask(tx, r, e, kind, replacements) }
}

func (p *Pipeline) openTask(tx *store.Tx, r Route, e engine.Envelope, kind store.TaskKind, replacements []engine.NHSNumber) error {
	task := store.Task{
		Kind: kind, Authority: r.Party.Authority.ODSCode, NHSNumber: e.Flag.Subject.NHSNumber, Message: e.Origin.Message, Position: e.Origin.Position,
	}
	fresh, err := tx.OpenTask(&task)
	if err != nil || !fresh || kind == store.TaskSensitive || r.InactiveWorkflow == "" {
		return err
	}
	return notify.Inactive(tx, r.Party, notify.Gone{Task: task, LocalID: e.Flag.LocalID, FileID: e.Flag.FileID, Replacements: replacements})
}

// refuse makes a record of somebody whom PDS does not confirm a refused one, with a sentence that its sender can act on.
func refuse(rec engine.Translated, t engine.Trace, suspended bool) engine.Translated {
	at := rec.Place
	at.Path = "subject.nhsNumber"
	kind := engine.Invalid
	if t.Outcome == engine.TraceSensitive {
		kind = engine.Denied
	}
	text := sentence(t)
	if suspended {
		text = "uploads of this child are suspended until somebody has looked: " + text
	}
	return engine.Translated{Outcome: engine.Rejected, Place: rec.Place, About: rec.Event.Flag.About(), Faults: []*engine.Error{{
		Op: "trace", Kind: kind, Rule: engine.RuleTracePrefix + string(t.Outcome), Place: at, Text: text,
	}}}
}

// sentence says what is the matter and what to do. Of a restricted record it says nothing that could be tried out.
func sentence(t engine.Trace) string {
	switch t.Outcome {
	case engine.TraceNoMatch:
		return "PDS knows nobody by this NHS number: trace the child again before the next upload"
	case engine.TraceSensitive:
		return "the PDS record is restricted: do not change the number; the authority's safeguarding lead speaks to the national service desk"
	case engine.TraceNotVerified:
		return strings.Join([]string{"PDS knows somebody else by this NHS number: the ", " differs; compare the child's record with PDS and mend the one that is wrong"}, t.Step)
	case engine.TraceBadFormat:
		return "PDS says that this is no NHS number"
	case engine.TraceSuperseded:
		return "the NHS number was replaced by another: confirm the child's number with PDS, and upload under that"
	case engine.TraceInactive:
		return "the NHS number is not in use any more, and PDS names none in its place; after an adoption the child has a new one: trace the child again"
	}
	return "PDS gave no outcome that is known"
}
