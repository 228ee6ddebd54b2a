package mappings

import (
	"errors"
	"iter"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"signalbox/engine"
)

// errExpression is all that is said of a failed evaluation: CEL's own text may hold data.
var errExpression = errors.New("the expression failed on this record")

// errSelector is all that is said of a selector whose adapter does not say why it failed.
var errSelector = errors.New("the selector could not be worked out on this record")

// Streams reports whether Translate reads a message with Open set piece by piece; otherwise it wants the Body.
func (m *Mapping) Streams() bool {
	_, streams := m.source.adapter.(engine.Streamer)
	return streams
}

// Translate yields what becomes of each record of a message, in order. A fault of the whole message is yielded as Rejected with
// Place.Record 0. Several faults of one unreadable record are one result. The same message always yields the same.
func (m *Mapping) Translate(msg engine.Message) iter.Seq[engine.Translated] {
	return m.translate(msg, nil)
}

// translate is Translate under the eyes of a tracer, if there is one.
func (m *Mapping) translate(msg engine.Message, tr *tracer) iter.Seq[engine.Translated] {
	return func(yield func(engine.Translated) bool) {
		t := &translation{mapping: m, msg: &msg, trace: tr}
		t.view.msg = &msg
		last := 0
		var held *engine.Translated // an unreadable record that may have more faults to come
		for record, err := range m.decode(msg, tr != nil) {
			if record == nil {
				out := unreadable(err)
				if held != nil && held.Place.Record == out.Place.Record {
					held.Faults = append(held.Faults, out.Faults...)
					continue
				}
				if held != nil && !yield(*held) {
					return
				}
				held = &out
				continue
			}
			if held != nil && !yield(*held) {
				return
			}
			held = nil
			out := outOfOrder(record)
			if record.Position() > last {
				last = record.Position()
				out = t.record(record, err)
			}
			if !yield(out) {
				return
			}
		}
		if held != nil {
			yield(*held)
		}
	}
}

// decode yields the records of a message. Who keeps them says so; otherwise each may take the memory of the one before.
func (m *Mapping) decode(msg engine.Message, keep bool) iter.Seq2[engine.Record, error] {
	if r, can := m.source.adapter.(engine.Reuser); can && !keep {
		return r.DecodeReusing(msg, m.source.schema)
	}
	return m.source.adapter.Decode(msg, m.source.schema)
}

// unreadable is a record, or a whole message, that its adapter could not read.
func unreadable(err error) engine.Translated {
	faults := asFaults(err)
	out := engine.Translated{Outcome: engine.Rejected, Place: faults[0].Place, Faults: faults}
	if first, ok := errors.AsType[*engine.Error](err); ok {
		if known, ok := first.Err.(interface{ About() engine.About }); ok { // an adapter that read enough to say whose record it is
			about := known.About()
			out.About = &about
		}
	}
	return out
}

// asFaults lists the engine's errors in what an adapter yielded: the first, and those that it unwraps to. It is never empty.
func asFaults(err error) []*engine.Error {
	first, ok := errors.AsType[*engine.Error](err)
	if !ok {
		return []*engine.Error{{Op: "decode", Kind: engine.Internal, Rule: engine.RuleSyntax, Text: "the adapter failed"}}
	}
	list, ok := first.Err.(interface{ Unwrap() []error })
	if !ok {
		return []*engine.Error{first}
	}
	alone := *first
	alone.Err = nil
	faults := []*engine.Error{&alone}
	for _, other := range list.Unwrap() {
		if fault, ok := errors.AsType[*engine.Error](other); ok {
			faults = append(faults, fault)
		}
	}
	return faults
}

// outOfOrder refuses a position that was there before: its event would have the id of another record's.
func outOfOrder(record engine.Record) engine.Translated {
	fault := &engine.Error{Op: "decode", Kind: engine.Internal, Rule: engine.RuleDuplicate, Place: record.Place(),
		Text: "the adapter yielded this position out of order"}
	return engine.Translated{Outcome: engine.Rejected, Place: fault.Place, Faults: []*engine.Error{fault}}
}

// translation is the work on one message: scratch that each record uses anew.
type translation struct {
	mapping *Mapping
	msg     *engine.Message
	view    view
	draft   draft
	value   value
	found   []engine.Value
	dates   []engine.Value // what picks a table's row
	faults  []*engine.Error
	outcome engine.Outcome
	once    map[*expression]ref.Val // answers that go for the whole message
	trace   *tracer                 // nil: nobody watches
}

// record translates one record. broken is what its adapter says is wrong with it, or nil.
func (t *translation) record(record engine.Record, broken error) engine.Translated {
	t.view.record, t.faults, t.outcome = record, nil, engine.Accepted
	place := record.Place()
	if t.trace.passes(record.Position()) {
		return engine.Translated{Place: place}
	}
	if broken != nil {
		for _, fault := range asFaults(broken) {
			t.add(fault, engine.Rejected)
		}
	}
	before := len(t.faults)
	wanted := t.wanted()
	if t.trace != nil {
		t.trace.condition(t, before)
	}
	if !wanted {
		return engine.Translated{Outcome: t.outcome, Place: place, Faults: t.faults}
	}
	t.draft.begin(t.mapping.emit)
	if t.trace != nil {
		t.trace.run(t)
	} else {
		for i := range t.mapping.rules {
			t.mapping.rules[i].run(t)
		}
	}
	envelope := engine.NewEnvelope(t.mapping.emit, engine.Origin{
		Source: t.msg.Source, Message: t.msg.ID, Position: record.Position(), Mapping: t.mapping.digest, Received: t.msg.Received,
	})
	t.check(t.draft.body(t.mapping.emit, &envelope))
	if t.trace != nil {
		t.trace.finish(envelope)
	}
	out := engine.Translated{Outcome: t.outcome, Place: place, Faults: t.faults}
	switch {
	case t.outcome == engine.Accepted:
		out.Event = &envelope
	case envelope.Flag != nil:
		out.About = envelope.Flag.About()
	}
	return out
}

// wanted asks the mapping's condition. When it says no, or cannot say, the outcome is set.
func (t *translation) wanted() bool {
	if t.mapping.when == nil {
		return true
	}
	out, err := t.evaluate(t.mapping.when)
	if err != nil {
		if t.view.fault != nil {
			t.view.fault.Text = "when: " + t.view.fault.Text
			t.add(t.view.fault, engine.Parked)
		} else {
			t.parkExpression("when")
		}
		return false
	}
	if out == types.True {
		return true
	}
	if t.outcome == engine.Accepted {
		t.outcome = engine.Skipped
	}
	return false
}

func (t *translation) evaluate(e *expression) (out ref.Val, err error) {
	if e.once && t.once[e] != nil {
		return t.once[e], nil
	}
	t.view.fault, t.view.broken = nil, nil
	if e.quick != nil {
		out, err = e.quick(&t.view)
	} else {
		out, _, err = e.program.Eval(&t.view)
	}
	if t.view.broken != nil { // whatever CEL made of it without knowing the field would be a guess
		t.view.fault = t.view.broken
		return nil, errField
	}
	if e.once && err == nil {
		if t.once == nil {
			t.once = map[*expression]ref.Val{}
		}
		t.once[e] = out
	}
	return out, err
}

func (t *translation) parkExpression(what string) {
	fault := newFault(engine.RuleExpression, what, t.view.record.Place(), errExpression)
	t.add(fault, engine.Parked)
}

// fail notes a rule's fault and does what the rule says in that case.
func (t *translation) fail(r *rule, broken string, at engine.Place, cause error) {
	path := r.from
	if path == "" {
		path = r.target.path
	}
	if r.plain != nil && at == (engine.Place{}) {
		at = r.place(t)
	}
	at = placed(at, t.view.record, path)
	t.add(newFault(broken, r.target.path, at, cause), r.otherwise)
}

func (t *translation) failCode(r *rule, at engine.Place, cause error) {
	t.fail(r, engine.RuleCode, at, cause)
	t.faults[len(t.faults)-1].Text += ": table " + r.table.name
}

// add notes a fault; the worst outcome of a record's faults is the record's. An empty outcome counts as Rejected: lint lets no rule
// that can fail be without one, so this is the safe side of a fault of our own.
func (t *translation) add(fault *engine.Error, outcome engine.Outcome) {
	t.faults = append(t.faults, fault)
	switch {
	case outcome == engine.Rejected || outcome == "":
		t.outcome = engine.Rejected
	case outcome == engine.Parked && t.outcome == engine.Accepted:
		t.outcome = engine.Parked
	}
}

// check takes in the rules that the finished event breaks, but not those which a rule's own fault already explains.
func (t *translation) check(broken []*engine.Error) {
	for _, fault := range broken {
		at, explained := t.placeOf(fault.Place.Path)
		if explained {
			continue
		}
		if fault.Rule != engine.RuleMandatory {
			fault.Text = fault.Place.Path + ": " + fault.Text
		}
		fault.Op, fault.Place = "translate", placed(at, t.view.record, fault.Place.Path)
		t.add(fault, engine.Rejected)
	}
}

// placeOf finds where a target's value stood, and whether its rule has already failed. A path such as by.person stands for all below it.
func (t *translation) placeOf(path string) (at engine.Place, explained bool) {
	for i := range t.mapping.rules {
		target := t.mapping.rules[i].target.path
		if target != path && !strings.HasPrefix(target, path+".") {
			continue
		}
		if at == (engine.Place{}) {
			at = t.mapping.rules[i].place(t)
		}
		for _, fault := range t.faults {
			explained = explained || fault.Text == target || strings.HasPrefix(fault.Text, target+": ")
		}
	}
	return at, explained
}
