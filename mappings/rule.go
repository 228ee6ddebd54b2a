package mappings

import (
	"cmp"
	"errors"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"signalbox/engine"
)

// rule makes one target field of a record. It knows the line that it was written on, so that an explanation can name it.
type rule struct {
	target    target
	file      string
	line      int
	text      string // as written, in one line
	from      string // selector as written; empty for const and expr
	selector  engine.Selector
	plain     engine.TextSelector // selector, where it can give the text alone; else nil
	field     *field              // declared field that from names, or nil
	settled   bool                // the conversion holds a value to all that the field's declaration says
	expr      *expression
	constant  *value
	table     *table
	at        *dating // picks the table's row; nil: the day on which the message was received
	convert   conversion
	otherwise engine.Outcome // Rejected or Parked; Accepted for null; empty where nothing can fail
	optional  bool
	one       bool
	zone      *time.Location // of an instant that is sent without its offset
}

// run makes the target's value of the current record.
func (r *rule) run(t *translation) {
	switch {
	case r.constant != nil:
		r.target.set(&t.draft, r.constant)
	case r.expr != nil:
		r.runExpression(t)
	default:
		r.runSelector(t)
	}
}

func (r *rule) runSelector(t *translation) {
	if r.plain != nil && !r.target.many {
		r.runPlain(t)
		return
	}
	var err error
	if t.found, err = engine.Select(r.selector, t.view.record, t.found[:0]); err != nil {
		t.failSelector(r, err)
		return
	}
	if r.target.many {
		r.runMany(t)
		return
	}
	text, at, err := pick(t.found, r.one)
	if err != nil {
		r.unusable(t, at, err)
		return
	}
	r.finish(t, text, at)
}

// runPlain takes the one value without its place, which is looked for when something is wrong with it.
func (r *rule) runPlain(t *translation) {
	text := trim(r.plain.Text(t.view.record))
	if text == "" {
		r.unusable(t, engine.Place{}, errAbsent)
		return
	}
	r.finish(t, text, engine.Place{})
}

// runMany sets every value found, each one once.
func (r *rule) runMany(t *translation) {
	before := len(t.faults)
	some := false
	for i, v := range t.found {
		text := trim(v.Text)
		if text == "" || repeated(t.found[:i], text) {
			continue
		}
		some = true
		r.finish(t, text, v.At)
	}
	if !some && len(t.faults) == before {
		r.unusable(t, engine.Place{}, errAbsent)
	}
}

func repeated(earlier []engine.Value, text string) bool {
	for _, v := range earlier {
		if trim(v.Text) == text {
			return true
		}
	}
	return false
}

// unusable handles a selector that found nothing, or too much.
func (r *rule) unusable(t *translation, at engine.Place, err error) {
	switch {
	case errors.Is(err, errMany):
		t.fail(r, engine.RuleMany, at, err)
	case !r.optional:
		t.fail(r, engine.RuleMandatory, at, err)
	}
}

// failSelector notes that a rule's selector could not be worked out on this record, and does what the rule says in that case.
func (t *translation) failSelector(r *rule, err error) {
	fault := selectorFault(r.target.path, err)
	t.add(fault, r.otherwise)
}

// selectorFault is the fault of a selector, in the words of its adapter and about a target or a row's field.
func selectorFault(what string, err error) *engine.Error {
	fault := &engine.Error{Op: "translate", Kind: engine.Internal, Rule: engine.RuleSelector, Text: what, Err: errSelector}
	if cause, ok := errors.AsType[*engine.Error](err); ok {
		fault.Kind, fault.Place, fault.Err = cause.Kind, cause.Place, errors.New(cause.Sentence())
	}
	return fault
}

func (r *rule) runExpression(t *translation) {
	out, err := t.evaluate(r.expr)
	if err != nil {
		if fault := t.view.fault; fault != nil {
			fault.Text = r.target.path + ": " + fault.Text
			t.add(fault, cmp.Or(r.otherwise, engine.Parked))
			return
		}
		t.parkExpression(r.target.path)
		return
	}
	switch v := out.(type) {
	case types.String:
		if text := trim(string(v)); text != "" {
			r.finish(t, text, engine.Place{})
			return
		}
	case types.Bool:
		r.target.set(&t.draft, &value{yes: bool(v)})
		return
	case types.Timestamp:
		r.target.set(&t.draft, &value{at: v.Time, date: engine.DateOf(v.Time)})
		return
	}
	r.unusable(t, engine.Place{}, errAbsent)
}

// place finds where the rule's value stands in the current record, also where it is empty. Only a fault asks for it.
func (r *rule) place(t *translation) engine.Place {
	if r.selector == nil {
		return engine.Place{}
	}
	t.found = r.selector.Select(t.view.record, t.found[:0])
	_, at, _ := pick(t.found, true)
	return at
}

// finish takes trimmed text through field check, table and conversion to the target.
func (r *rule) finish(t *translation, text string, at engine.Place) {
	if r.field != nil && !r.settled {
		if broken, err := r.field.check(text); err != nil {
			t.fail(r, broken, at, err)
			return
		}
	}
	if r.table != nil {
		row := r.lookup(t, text, at)
		if row == nil {
			return
		}
		text = row.target
	}
	if err := r.convert.read(text, &t.value); err != nil {
		t.fail(r, r.convert.rule, at, err)
		return
	}
	r.target.set(&t.draft, &t.value)
}

// resultKind is the kind of value that an expression makes; false when no target takes it.
func resultKind(t *cel.Type) (kind, bool) {
	switch {
	case t.IsExactType(cel.StringType), t.IsExactType(cel.NullableType(cel.StringType)):
		return kindText, true
	case t.IsExactType(cel.BoolType), t.IsExactType(cel.NullableType(cel.BoolType)):
		return kindBoolean, true
	case t.IsExactType(cel.TimestampType):
		return kindInstant, true
	}
	return kindText, false
}
