package pipeline

import (
	"context"
	"errors"
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

// tracedFile is a file's records after PDS was asked: those whose child is another, or nobody, are refused; and what is done about it in the
// transaction that writes them.
type tracedFile struct {
	records []engine.Translated
	also    []func(*store.Tx) error
}

// traceFile asks about each child of an authority's file. The error is of kind Unavailable when some have no answer yet: then nothing of the
// file is written, and it comes back. A flag that stands keeps standing whatever PDS says: a refused record changes nothing.
func (p *Pipeline) traceFile(ctx context.Context, m engine.Message, r Route, records []engine.Translated) (tracedFile, error) {
	authority := r.Party.Authority.ODSCode
	suspended, err := p.Store.Suspended(ctx, authority)
	if err != nil {
		return tracedFile{}, err
	}
	known, err := p.traces(ctx, m, asks(records, suspended), p.TraceRules)
	if err != nil {
		return tracedFile{}, err
	}
	out, counts := tracedFile{records: records}, map[engine.TraceOutcome]int{}
	for i, rec := range records {
		if !traceable(rec) {
			continue
		}
		who := rec.Event.Flag.Subject
		if kind, is := suspended[who.NHSNumber]; is {
			out.records[i] = refuse(rec, engine.Trace{Outcome: engine.TraceOutcome(kind)}, true)
			counts[engine.TraceOutcome(kind)]++
			continue
		}
		t := known[store.TraceKeyOf(who, p.TraceRules)]
		if counts[t.Outcome]++; t.Outcome == engine.TraceMatched {
			continue
		}
		out.records[i] = refuse(rec, t, false)
		if kind, is := taskOf(t.Outcome); is {
			out.also = append(out.also, p.task(r, *rec.Event, kind, t))
		}
	}
	p.Observer.Traced(counts)
	return out, nil
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
func (p *Pipeline) traces(ctx context.Context, m engine.Message, who []engine.Subject, rules string) (map[store.TraceKey]engine.Trace, error) {
	keys := make([]store.TraceKey, len(who))
	for i, s := range who {
		keys[i] = store.TraceKeyOf(s, rules)
	}
	kept, err := p.Store.Traces(ctx, keys)
	if err != nil {
		return nil, err
	}
	out, ask := map[store.TraceKey]engine.Trace{}, map[store.TraceKey]engine.Subject{}
	for i, key := range keys {
		if t, ok := kept[key]; ok && p.Now().Sub(t.At) < p.cfg.Trace.life(t.Trace.Outcome) {
			out[key] = t.Trace
		} else {
			ask[key] = who[i]
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	fresh, failed := p.askAll(ctx, m, ask)
	if err := p.Store.KeepTraces(ctx, fresh); err != nil {
		return nil, err
	}
	for _, t := range fresh {
		out[t.Key] = t.Trace
	}
	if len(fresh) < len(ask) {
		return nil, &traceWait{progress: len(fresh) > 0, cause: failed}
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
func (p *Pipeline) askAll(ctx context.Context, m engine.Message, ask map[store.TraceKey]engine.Subject) ([]store.Traced, error) {
	ctx, stop := context.WithTimeout(p.Tracer.Together(ctx, engine.NewUUID(string(m.ID))), p.cfg.Trace.Slice)
	defer stop()
	work := make(chan store.TraceKey)
	var mu sync.Mutex
	var answers []store.Traced
	var failed error
	var asking sync.WaitGroup
	for range min(p.cfg.Trace.Concurrent, len(ask)) {
		asking.Go(func() {
			for key := range work {
				t, err := p.Tracer.Trace(ctx, ask[key])
				mu.Lock()
				if err == nil {
					answers = append(answers, store.Traced{Key: key, NHSNumber: ask[key].NHSNumber, Trace: t, At: p.Now()})
				} else if failed == nil {
					failed = err
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for key := range ask {
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
func (p *Pipeline) waitForTrace(ctx context.Context, m engine.Message, r Route, err error) engine.Verdict {
	wait, ok := errors.AsType[*traceWait](err)
	if !ok {
		return outcome(err)
	}
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
