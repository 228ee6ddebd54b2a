package mappings

import (
	"iter"
	"slices"

	"cel.dev/cel-go/common/types"

	"signalbox/engine"
)

// Traced is a translated record with the work of every rule beside it. It holds what was read and made, so it is for the eyes of who may see
// the message, and for programs that keep its positions only.
type Traced struct {
	engine.Translated
	When  *Step  // the condition's; nil when the mapping has none, or the record could not be read
	Steps []Step // one for each rule, in the order of Rules; empty when the condition or the adapter left the record out
}

// Step is the work of one rule on one record.
type Step struct {
	Rule   int            // index into Rules; -1 for the condition
	Read   []engine.Value // what its selector, or the fields in its expression, found
	Code   string         // what was looked up in the rule's code table
	Row    *TableRow      // where it stands in the table; nil when it does not on that day
	Dated  []engine.Value // the date that picked the row, where a declared field says it
	Made   []string       // what the target holds afterwards; the condition's answer
	Faults []*engine.Error
}

// Trace is Translate with the work of each rule shown. With positions it yields only these records, and ends after the last of them. What it
// yields as Translated is what Translate yields.
func (m *Mapping) Trace(msg engine.Message, positions ...int) iter.Seq[Traced] {
	return func(yield func(Traced) bool) {
		tr := &tracer{rules: m.Rules(), only: map[int]bool{}}
		last := 0
		for _, p := range positions {
			tr.only[p] = true
			last = max(last, p)
		}
		for out := range m.translate(msg, tr) {
			traced := tr.take(out)
			if len(positions) > 0 && !tr.only[out.Place.Record] {
				if out.Place.Record > last {
					return
				}
				continue
			}
			if !yield(traced) || last > 0 && out.Place.Record >= last {
				return
			}
		}
	}
}

// tracer watches a translation. Without one a translation asks for it once a record and not again.
type tracer struct {
	rules []Rule
	only  map[int]bool
	when  *Step
	steps []Step
}

// take hands over what was seen of the record that was just translated. An unreadable one was seen by nobody.
func (tr *tracer) take(out engine.Translated) Traced {
	traced := Traced{Translated: out, When: tr.when, Steps: tr.steps}
	tr.when, tr.steps = nil, nil
	return traced
}

// passes reports whether nobody asks for the record.
func (tr *tracer) passes(position int) bool {
	return tr != nil && len(tr.only) > 0 && !tr.only[position]
}

// condition notes what the mapping's condition read and said.
func (tr *tracer) condition(t *translation, faults int) {
	when := t.mapping.when
	if when == nil {
		return
	}
	step := Step{Rule: -1, Read: t.fieldsRead(when), Faults: slices.Clone(t.faults[faults:])}
	if out, err := t.evaluate(when); err == nil {
		step.Made = []string{"false"}
		if out == types.True {
			step.Made[0] = "true"
		}
	}
	tr.when = &step
}

// run runs every rule and notes what it did.
func (tr *tracer) run(t *translation) {
	tr.steps = make([]Step, 0, len(t.mapping.rules))
	room := make([]engine.Value, 0, len(t.mapping.rules)) // of all that is read: nearly every rule reads one value
	for i := range t.mapping.rules {
		r := &t.mapping.rules[i]
		before := len(t.faults)
		r.run(t)
		step := Step{Rule: i, Faults: slices.Clone(t.faults[before:])}
		switch {
		case r.selector != nil:
			from := len(room)
			room = r.selector.Select(t.view.record, room)
			step.Read = room[from:len(room):len(room)]
		case r.expr != nil:
			step.Read = t.fieldsRead(r.expr)
		}
		if r.table != nil {
			step.Code = tr.code(t, r, step.Read)
			step.Row = tr.row(t, r, step.Code)
			if r.at != nil && r.at.field != nil {
				step.Dated = r.at.field.selector.Select(t.view.record, nil)
			}
		}
		tr.steps = append(tr.steps, step)
	}
}

// code is what a rule looks up in its table; empty when it has nothing to look up.
func (tr *tracer) code(t *translation, r *rule, read []engine.Value) string {
	if r.expr == nil {
		code, _, _ := pick(read, r.one)
		return code
	}
	out, err := t.evaluate(r.expr)
	text, is := out.(types.String)
	if err != nil || !is {
		return ""
	}
	return trim(string(text))
}

// row finds the line of a code table that a code stood on, on the day that counts.
func (tr *tracer) row(t *translation, r *rule, code string) *TableRow {
	found, dated := r.table.only(code)
	if dated {
		if day, _, _, err := r.day(t); err == nil {
			found = r.table.on(code, day)
		}
	}
	if found == nil {
		return nil
	}
	row := r.table.row(found)
	return &row
}

// finish adds what the targets hold, whatever becomes of the record.
func (tr *tracer) finish(e engine.Envelope) {
	pairs := Describe(e)
	texts := make([]string, len(pairs))
	for i, pair := range pairs {
		texts[i] = pair[1]
	}
	for i := range tr.steps {
		target := tr.rules[tr.steps[i].Rule].Target
		from := slices.IndexFunc(pairs, func(pair [2]string) bool { return pair[0] == target })
		if from < 0 {
			continue
		}
		to := from + 1
		for to < len(pairs) && pairs[to][0] == target { // the values of one target stand together
			to++
		}
		tr.steps[i].Made = texts[from:to:to]
	}
}

// fieldsRead is what the fields that an expression names hold in this record.
func (t *translation) fieldsRead(e *expression) []engine.Value {
	var read []engine.Value
	for _, name := range e.fields {
		if f := t.mapping.source.find(name); f != nil {
			read = f.selector.Select(t.view.record, read)
		}
	}
	return read
}
