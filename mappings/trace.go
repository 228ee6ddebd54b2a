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
	Row    *TableRow      // of the code table, where the rule has one and the code is in it
	Made   []string       // what the target holds afterwards; the condition's answer
	Faults []*engine.Error
}

// Trace is Translate with the work of each rule shown. With positions it yields only these records, and ends after the last of them. What it
// yields as Translated is what Translate yields.
func (m *Mapping) Trace(msg engine.Message, positions ...int) iter.Seq[Traced] {
	return func(yield func(Traced) bool) {
		tr := &tracer{rules: m.Rules(), tables: m.Tables(), only: positions}
		last := 0
		if len(positions) > 0 {
			last = slices.Max(positions)
		}
		for out := range m.translate(msg, tr) {
			traced := tr.take(out)
			if len(positions) > 0 && !slices.Contains(positions, out.Place.Record) {
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
	rules  []Rule
	tables map[string][]TableRow
	only   []int
	when   *Step
	steps  []Step
}

// take hands over what was seen of the record that was just translated. An unreadable one was seen by nobody.
func (tr *tracer) take(out engine.Translated) Traced {
	traced := Traced{Translated: out, When: tr.when, Steps: tr.steps}
	tr.when, tr.steps = nil, nil
	return traced
}

// passes reports whether nobody asks for the record.
func (tr *tracer) passes(position int) bool {
	return tr != nil && len(tr.only) > 0 && !slices.Contains(tr.only, position)
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
	for i := range t.mapping.rules {
		r := &t.mapping.rules[i]
		before := len(t.faults)
		r.run(t)
		step := Step{Rule: i, Faults: slices.Clone(t.faults[before:])}
		switch {
		case r.selector != nil:
			step.Read = r.selector.Select(t.view.record, nil)
		case r.expr != nil:
			step.Read = t.fieldsRead(r.expr)
		}
		if r.table != nil {
			step.Row = tr.row(t, r, step.Read)
		}
		tr.steps = append(tr.steps, step)
	}
}

// row finds the line of the code table that a rule's code stands on.
func (tr *tracer) row(t *translation, r *rule, read []engine.Value) *TableRow {
	code, _, err := pick(read, r.one)
	if r.expr != nil {
		out, failed := t.evaluate(r.expr)
		text, is := out.(types.String)
		code, err = trim(string(text)), failed
		if !is {
			return nil
		}
	}
	if err != nil {
		return nil
	}
	for i, row := range tr.tables[r.table.name] {
		if row.Source == code {
			return &tr.tables[r.table.name][i]
		}
	}
	return nil
}

// finish adds what the targets hold, whatever becomes of the record.
func (tr *tracer) finish(e engine.Envelope) {
	made := map[string][]string{}
	for _, pair := range Describe(e) {
		made[pair[0]] = append(made[pair[0]], pair[1])
	}
	for i := range tr.steps {
		tr.steps[i].Made = made[tr.rules[tr.steps[i].Rule].Target]
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
