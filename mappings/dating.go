package mappings

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// dating says which day picks the row of a code table whose rows have days of validity: that of a declared date field, or of a target that
// another rule of the record makes. Without one it is the UTC day on which the message was received, so that a replay finds the same.
type dating struct {
	name   string
	field  *field  // declared field; nil for a target
	target *target // target field; nil for a declared one
}

// errNotMade is the fault of a target's date that its own rule has left empty.
var errNotMade = errors.New("it is empty, or could not be read")

// errDay is what is wrong with the date that picks a table's row. It holds no datum.
type errDay struct {
	name string
	err  error
}

// Error names the date's field.
func (e *errDay) Error() string {
	return "the date in " + e.name + ", which picks the table's row: " + e.err.Error()
}

// Unwrap returns what is wrong with it.
func (e *errDay) Unwrap() error { return e.err }

// readAt reads the name of the date by which a rule's table is read.
func (m *loading) readAt(r *rule, n *yaml.Node, e entry) {
	name, ok := m.scalar(n)
	if n == nil || !ok {
		return
	}
	if r.table == nil {
		if at(e.value, "table") == nil {
			m.fail(n, CodeContradicts, "\"at\" picks the row of a code table, and this rule reads none")
		}
		return
	}
	if !r.table.dated() {
		m.fail(n, CodeContradicts, "the table %q has no days of validity for a date to pick by", r.table.name)
		return
	}
	if f := m.source.find(name); f != nil {
		m.source.used[name] = true
		if f.Type != engine.TypeDate {
			m.fail(n, CodeType, "\"at\" takes a date, and the field %q is declared as %s", name, f.Type).Declared = m.source.spot(f)
			return
		}
		r.at = &dating{name: name, field: f}
		return
	}
	t, ok := m.target(name)
	switch {
	case !ok:
		p := m.fail(n, CodeSelector, "no date %q: \"at\" takes a declared field of type date, or a target field that is a date", name)
		p.Suggest = nearest(name, m.dates())
		m.declaredAt(p)
	case t.kind != kindDate && t.kind != kindInstant:
		m.fail(n, CodeType, "\"at\" takes a date, and %s takes %s", name, t.kind)
	case name == r.target.path:
		m.fail(n, CodeContradicts, "a rule cannot be dated by what it makes itself")
	default:
		r.at = &dating{name: name, target: &t}
		m.datings = append(m.datings, pendingDating{m.document, n, name})
	}
}

// dates lists what "at" can name.
func (m *loading) dates() []string {
	var names []string
	for _, f := range m.source.fields {
		if f.Type == engine.TypeDate {
			names = append(names, f.Name)
		}
	}
	for _, t := range m.known {
		if t.kind == kindDate || t.kind == kindInstant {
			names = append(names, t.path)
		}
	}
	return names
}

// pendingDating is a target's name that stands after "at", to be looked at when all rules are read.
type pendingDating struct {
	document
	node *yaml.Node
	name string
}

// orderRules lets rules that are dated by a target run after the one that makes it, and refuses what no order can bring about.
func (m *loading) orderRules(ruled map[string]bool) {
	for _, p := range m.datings {
		by := slices.IndexFunc(m.out.rules, func(r rule) bool { return r.target.path == p.name })
		switch {
		case !ruled[p.name]:
			p.fail(p.node, CodeTarget, "no rule makes %s, whose date picks the table's row", p.name)
		case by >= 0 && m.out.rules[by].at != nil && m.out.rules[by].at.target != nil:
			p.fail(p.node, CodeContradicts, "the date of %s is picked by another target's itself: name a declared field", p.name)
		}
	}
	slices.SortStableFunc(m.out.rules, func(a, b rule) int { return cmp.Compare(a.late(), b.late()) })
}

// late is 1 for a rule that waits for another one's value.
func (r *rule) late() int {
	if r.at != nil && r.at.target != nil {
		return 1
	}
	return 0
}

// day returns the day that picks the row of the rule's table, with where its date stands. The error is an *errDay; broken is the rule of the
// engine that the date breaks.
func (r *rule) day(t *translation) (day engine.Date, at engine.Place, broken string, err error) {
	switch {
	case r.at == nil:
		return engine.DateOf(t.msg.Received.UTC()), at, "", nil
	case r.at.target != nil:
		if day = r.at.target.day(&t.draft); day.IsZero() {
			return day, at, engine.RuleMandatory, &errDay{r.at.name, errNotMade}
		}
		return day, at, "", nil
	}
	f := r.at.field
	t.dates = f.selector.Select(t.view.record, t.dates[:0])
	text, at, err := pick(t.dates, false)
	broken = engine.RuleMandatory
	switch {
	case errors.Is(err, errMany):
		broken = engine.RuleMany
	case err == nil:
		broken = engine.RuleDate
		day, err = f.layout.Parse(text)
	}
	if err != nil {
		return day, placed(at, t.view.record, f.Selector()), broken, &errDay{r.at.name, err}
	}
	return day, at, "", nil
}

// lookup returns the row of the rule's table for a code on the day that counts; nil when a fault is noted.
func (r *rule) lookup(t *translation, code string, at engine.Place) *tableRow {
	row, dated := r.table.only(code)
	if !dated {
		if row == nil {
			t.failCode(r, at, errUnmapped)
		}
		return row
	}
	day, where, broken, err := r.day(t)
	if err != nil {
		t.fail(r, broken, cmp.Or(where, at), err)
		return nil
	}
	if row = r.table.on(code, day); row == nil {
		t.failCode(r, at, errUnmappedThen)
	}
	return row
}

// Dating is the date by which the rows of a rule's code table are picked.
type Dating struct {
	Name   string // of the declared field or the target; empty: the day on which the message was received
	Target bool   // Name is a target field
}

// String says it for a person.
func (d Dating) String() string {
	if d.Name == "" {
		return "the UTC day on which the message was received"
	}
	return "the date in " + d.Name
}

func (r *rule) dating() Dating {
	if r.at == nil {
		return Dating{}
	}
	return Dating{Name: r.at.name, Target: r.at.target != nil}
}

// validity writes the days on which a row counts; nothing for one that always does.
func validity(from, until engine.Date) string {
	switch {
	case from.IsZero() && until.IsZero():
		return ""
	case from.IsZero():
		return "until " + until.ISO()
	case until.IsZero():
		return "from " + from.ISO()
	}
	return fmt.Sprintf("from %s until %s", from.ISO(), until.ISO())
}
