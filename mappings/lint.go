package mappings

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"signalbox/engine"
)

// readRules compiles the rules under the key "set", after those of the mapping that this one extends, and insists on those that must be
// there.
func (m *loading) readRules(key, n *yaml.Node, b *base) {
	ruled := map[string]bool{}
	m.baseRules(b, n, ruled)
	if n != nil {
		for _, e := range m.entries(n) {
			m.readEntry(e, ruled)
		}
	}
	m.orderRules(ruled)
	for _, t := range m.known {
		if t.mandatory && !ruled[t.path] {
			m.fail(key, CodeMandatory, "no rule for the target field %q, which is mandatory", t.path).Why =
				"every record would be rejected: " + t.advice()
		}
	}
	if m.out.emit == engine.KindAccess && !ruled["by.person.userId"] && !ruled["by.deviceId"] {
		m.fail(key, CodeMandatory, "no rule for by.person.userId nor for by.deviceId: an access needs one of them").Why =
			"every record would be rejected"
	}
}

// readEntry compiles the rule of one target field.
func (m *loading) readEntry(e entry, ruled map[string]bool) {
	t, ok := m.target(e.key.Value)
	if !ok {
		p := m.fail(e.key, CodeTarget, "no target field %q in a %s", e.key.Value, m.out.emit)
		if p.Suggest = nearest(e.key.Value, m.targetPaths()); p.Suggest == "" {
			p.Why = "nobody would read it: the target fields are " + strings.Join(m.siblings(e.key.Value), ", ")
		}
		return
	}
	ruled[t.path] = true
	if r, ok := m.readRule(t, e); ok {
		m.out.rules = append(m.out.rules, r)
	}
}

func (m *loading) target(path string) (target, bool) {
	for _, t := range m.known {
		if t.path == path {
			return t, true
		}
	}
	return target{}, false
}

func (m *loading) targetPaths() []string {
	var paths []string
	for _, t := range m.known {
		paths = append(paths, t.path)
	}
	return paths
}

// siblings lists the target fields that begin like a path, or all of them.
func (m *loading) siblings(path string) []string {
	group, _, _ := strings.Cut(path, ".")
	var like []string
	for _, p := range m.targetPaths() {
		if strings.HasPrefix(p, group+".") {
			like = append(like, p)
		}
	}
	if len(like) == 0 {
		return m.targetPaths()
	}
	return like
}

// readRule compiles one rule. It returns false when nothing can be made of it.
func (m *loading) readRule(t target, e entry) (rule, bool) {
	before := len(*m.problems)
	keys := m.keys(e.value, "from", "const", "expr", "table", "at", "as", "else", "optional", "one")
	r := rule{target: t, file: m.name, line: e.key.Line, text: written(e.value), optional: m.flag(keys["optional"]), one: m.flag(keys["one"])}
	if len(*m.problems) > before && len(keys) == 0 {
		return r, false // not a rule at all
	}
	origin := m.origin(e, keys)
	if origin == nil {
		return r, false
	}
	m.readTable(&r, keys["table"])
	m.readAt(&r, keys["at"], e)
	m.readElse(&r, keys["else"])
	switch {
	case keys["from"] != nil:
		m.readFrom(&r, keys["from"])
	case keys["expr"] != nil:
		r.expr = m.compileExpression(keys["expr"])
	}
	if keys["table"] == nil || r.table != nil {
		m.readConversion(&r, keys, origin)
	}
	switch {
	case len(*m.problems) > before:
	case keys["const"] != nil:
		m.readConst(&r, keys)
	case r.expr != nil || r.selector != nil:
		m.checkTypes(&r, keys, origin)
		m.checkOutcome(&r, e)
	}
	return r, len(*m.problems) == before
}

// origin returns the one of from, const, expr that the rule has.
func (m *loading) origin(e entry, keys map[string]*yaml.Node) *yaml.Node {
	var found *yaml.Node
	for _, key := range []string{"from", "const", "expr"} {
		if keys[key] == nil {
			continue
		}
		if found != nil {
			m.fail(e.key, CodeSource, "a rule has exactly one of from, const, expr, and this one has several: leave out all but one")
			return nil
		}
		found = keys[key]
	}
	if found == nil {
		m.fail(e.key, CodeSource, "a rule has exactly one of from, const, expr, and this one has none: say where the value comes from")
	}
	return found
}

func (m *loading) readTable(r *rule, n *yaml.Node) {
	name, ok := m.scalar(n)
	if n == nil || !ok {
		return
	}
	if r.table = m.tables[name]; r.table == nil {
		p := m.fail(n, CodeTable, "no table %q: there is no file tables/%s.csv", name, name)
		p.Suggest = nearest(name, slices.Sorted(maps.Keys(m.tables)))
	}
}

func (m *loading) readElse(r *rule, n *yaml.Node) {
	word, ok := m.scalar(n)
	if n == nil || !ok {
		return
	}
	outcomes := map[string]engine.Outcome{"reject": engine.Rejected, "park": engine.Parked, "null": engine.Accepted}
	if r.otherwise, ok = outcomes[word]; !ok {
		p := m.fail(n, CodeWord, "else is one of reject, park, null")
		p.Suggest = nearest(word, []string{"reject", "park", "null"})
	}
}

// readFrom compiles the selector: the name of a declared field, or an expression of the format's own language.
func (m *loading) readFrom(r *rule, n *yaml.Node) {
	expr, ok := m.scalar(n)
	if !ok || m.source.adapter == nil {
		return
	}
	r.from = expr
	if r.field = m.source.find(expr); r.field != nil {
		r.selector, r.plain = r.field.selector, r.field.plain
		m.source.used[expr] = true
		return
	}
	selector, err := m.source.adapter.Compile(expr, m.source.schema)
	if err == nil {
		r.selector, r.plain = selector, plainOf(selector)
		m.useSelected(r, expr)
		return
	}
	p := m.source.selectorProblem(&m.document, n, err)
	if p.Length >= utf8.RuneCountInString(expr) { // the whole of it: perhaps a declared field's name
		if known := nearest(expr, append(m.source.names(), p.Suggest)); known != "" && known != p.Suggest {
			p.Suggest, p.Declared = known, Spot{}
		}
	}
	m.declaredAt(p)
	if r.target.mandatory {
		p.Why = "every event would lose " + r.target.path + ", which is mandatory"
	}
}

// useSelected recognises a selector that is written out in full as the field which declares it.
func (m *loading) useSelected(r *rule, expr string) {
	for _, f := range m.source.fields {
		if f.Select == expr {
			r.field = f
			m.source.used[f.Name] = true
		}
	}
}

// readConversion settles what the rule makes and holds it against its target.
func (m *loading) readConversion(r *rule, keys map[string]*yaml.Node, origin *yaml.Node) {
	made, at := kindText, origin
	layout := engine.Layout{}
	explicit := false
	switch {
	case keys["as"] != nil:
		var ok bool
		if made, layout, ok = m.readAs(r, keys["as"]); !ok {
			return
		}
		at, explicit = keys["as"], true
	case r.expr != nil && r.table == nil:
		var ok bool
		if made, ok = resultKind(r.expr.result); !ok {
			m.fail(origin, CodeType, "the expression makes %s: a target takes a string, a bool or a timestamp", r.expr.result)
			return
		}
		if made == kindInstant && r.target.kind == kindDate {
			made = kindDate
		}
	case keys["const"] != nil || r.table != nil:
		made = r.target.kind // checked row by row below
		if made == kindDate {
			layout = engine.MustLayout(engine.LayoutISO)
		}
	}
	if (explicit || r.table != nil) && r.expr != nil && !m.makesText(r.expr) {
		m.fail(origin, CodeType, "a table and a conversion read text, and this expression makes %s", r.expr.result)
	}
	if !r.target.takes(made) {
		p := m.fail(at, CodeType, "%s takes %s, and this rule makes %s", r.target.path, r.target.kind, made)
		if !explicit {
			p.Why = "text is converted only where the rule says so: add \"as: " + string(r.target.kind) + "\""
		}
		return
	}
	r.convert = newConversion(made, layout)
	r.settled = made == kindDate && r.table == nil && r.field != nil && r.field.reads(layout)
	if r.zone != nil {
		r.convert = newInstant(layout, r.zone)
	}
	m.checkTable(r)
}

func (m *loading) makesText(e *expression) bool {
	k, ok := resultKind(e.result)
	return ok && k == kindText
}

// readAs reads the conversion. A date takes its layout from the brackets or from the declared field.
func (m *loading) readAs(r *rule, n *yaml.Node) (kind, engine.Layout, bool) {
	text, ok := m.scalar(n)
	if !ok {
		return "", engine.Layout{}, false
	}
	name, argument, offset, err := splitConversion(text)
	if err != nil {
		m.fail(n, CodeConversion, "%s", err)
		return "", engine.Layout{}, false
	}
	if !contains(conversionNames(), name) {
		p := m.failAt(n, 0, len(name), CodeConversion, "no conversion \""+name+"\"")
		if p.Suggest = nearest(name, conversionNames()); p.Suggest == "" {
			p.Why = "no value could be read: the conversions are " + strings.Join(conversionNames(), ", ") + "; signalbox functions shows what each reads"
		}
		return "", engine.Layout{}, false
	}
	if kind(name) == kindInstant && offset > 0 {
		return m.readInstant(r, n, argument, offset)
	}
	if kind(name) != kindDate {
		if offset > 0 {
			m.failAt(n, offset-1, len(text)-offset+1, CodeConversion, name+" takes nothing in brackets")
			return "", engine.Layout{}, false
		}
		return kind(name), engine.Layout{}, true
	}
	return m.readLayout(r, n, argument, offset)
}

func (m *loading) readLayout(r *rule, n *yaml.Node, argument string, offset int) (kind, engine.Layout, bool) {
	declared := ""
	if r.field != nil && r.table == nil {
		declared = r.field.Layout
	}
	switch {
	case argument == "" && declared != "":
		return kindDate, r.field.layout, true
	case argument == "":
		m.fail(n, CodeLayout, "a date has its layout in brackets, for example date(dd/MM/yyyy), unless the source declares it")
		return "", engine.Layout{}, false
	case declared != "" && declared != argument:
		m.failAt(n, offset, len(argument), CodeContradicts, "this rule reads the date as "+argument+" and the source declares it as "+declared+": one of the two is wrong, the supplier's file tells which").Declared = m.source.layoutSpot(r.field)
		return "", engine.Layout{}, false
	}
	layout, err := engine.NewLayout(argument)
	if err != nil {
		m.failAt(n, offset, len(argument), CodeLayout, strings.TrimPrefix(err.Error(), "date layout: "))
		return "", engine.Layout{}, false
	}
	return kindDate, layout, true
}

// checkTable converts every row's target once, so that a table never fails on a record for a reason of its own.
func (m *loading) checkTable(r *rule) {
	if r.table == nil {
		return
	}
	var v value
	for _, row := range r.table.rows {
		err := r.convert.read(row.target, &v)
		if err == nil {
			continue
		}
		p := Problem{File: r.table.file, Line: row.line, Column: row.column, Length: utf8.RuneCountInString(row.target),
			Code: CodeTableRow, Text: fmt.Sprintf("%s takes %s: %s", r.target.path, r.target.kind, err)}
		if r.target.kind == kindPlanType {
			p.Suggest = nearest(row.target, planTypes())
		}
		*m.problems = append(*m.problems, p)
	}
}

func planTypes() []string {
	var names []string
	for _, p := range engine.PlanTypes() {
		names = append(names, string(p))
	}
	return names
}

func (m *loading) readConst(r *rule, keys map[string]*yaml.Node) {
	n := keys["const"]
	for _, key := range []string{"table", "at", "optional", "one"} {
		if keys[key] != nil {
			m.fail(keys[key], CodeContradicts, "a constant needs no %s", key)
			return
		}
	}
	text, ok := m.scalar(n)
	if !ok {
		return
	}
	var v value
	err := errAbsent
	if text = trim(text); text != "" {
		err = r.convert.read(text, &v)
	}
	if err != nil {
		m.fail(n, CodeConst, "%s takes %s: %s", r.target.path, r.target.kind, err)
		return
	}
	r.constant = &v
}

// alwaysThere reports whether the rule cannot come out empty: an expression that is plainly true or false.
func (r *rule) alwaysThere() bool {
	return r.expr != nil && r.expr.result.IsExactType(cel.BoolType)
}

// checkOutcome insists that a step which can fail says what becomes of the record, and that a mandatory field cannot be left empty.
func (m *loading) checkOutcome(r *rule, e entry) {
	single := r.expr != nil || r.one || r.target.many || isSingle(r.selector)
	checked := r.field != nil && (len(r.field.Enum) > 0 || r.field.Type != engine.TypeString)
	converted := r.convert.to != kindText && (r.expr == nil || m.makesText(r.expr))
	canFail := !r.optional && !r.alwaysThere() || !single || checked || r.table != nil || converted
	if canFail && r.otherwise == "" {
		m.fail(e.key, CodeElse, "this rule can fail and does not say what becomes of the record: add else: reject, park or null")
	}
	if r.target.mandatory && (r.optional || r.otherwise == engine.Accepted) {
		m.fail(e.key, CodeMandatory, "%s is mandatory, and this rule may leave it empty", r.target.path).Why =
			"such a record would be rejected all the same: " + r.filling()
	}
}

// filling says how a rule of a mandatory field is mended that may leave it empty.
func (r *rule) filling() string {
	switch {
	case r.optional && r.otherwise != "" && r.otherwise != engine.Accepted:
		return "leave out optional: true"
	case r.optional:
		return "leave out optional: true, and say else: reject or park"
	}
	return "say else: reject or park"
}
