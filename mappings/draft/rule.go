package draft

import (
	"fmt"
	"slices"
	"strings"

	"signalbox/engine"
	"signalbox/mappings"
)

// ruleAll drafts a rule for every target, in the order of the documentation.
func (d *drafting) ruleAll() []Rule {
	found := assign(d.Emit, d.columns)
	var out []Rule
	for _, t := range mappings.Targets(d.Emit) {
		m, ok := found[t.Path]
		value, set := d.Set[t.Path]
		var r Rule
		switch {
		case set:
			r = Rule{Target: t.Path, Set: true, Reason: "said when this was drafted", text: "{ const: " + quote(value) + " }"}
		case ok && m.column != nil:
			r = d.fromColumn(t, m.column)
			if m.open != "" {
				r.open = d.mark(m.open)
			}
		case ok:
			r = Rule{Target: t.Path, open: d.mark("several columns could be this: " + strings.Join(m.rivals, ", "))}
		case t.Path == "fileId":
			r = Rule{Target: t.Path, Expr: `message.localId != "" ? message.localId : message.id`, Reason: "no column holds it: the sender's own reference of the message, or the message's id"}
			r.text = "{ expr: '" + r.Expr + "', else: park }"
		case t.Mandatory:
			r = Rule{Target: t.Path, open: d.mark("no column speaks for this, and it is mandatory: { from: ... } or { const: ... }")}
		default:
			continue
		}
		out = append(out, r)
	}
	return out
}

func (d *drafting) fromColumn(t mappings.Target, c *column) Rule {
	r := Rule{Target: t.Path, From: c.Name, Reason: c.describe()}
	parts := []string{"from: " + c.Name}
	switch {
	case t.Path == "plan.type" || t.Path == "scheduled" || t.Path == "setting":
		r.Table = d.table(t, c)
		parts = append(parts, "table: "+r.Table)
		if t.Type == "boolean" {
			r.As = "boolean"
			parts = append(parts, "as: boolean")
		}
	case t.Type == "date":
		as, open := d.date(c)
		r.As, r.open = as, open
		parts = append(parts, "as: "+as)
	case t.Path == "at" && c.isTimed():
		r.As = "instant(" + c.fits()[0] + " in Europe/London)"
		r.open = d.mark("the times have no zone, and are taken for local time: ask")
		parts = append(parts, "as: "+r.As)
	case (t.Path == "subject.given" || t.Path == "subject.family") && c.someCapitals():
		r.From, r.Expr = "", "text.title(text.collapse(row."+c.Name+"))"
		if c.filled < c.records {
			r.Expr = "row." + c.Name + ` == null ? "" : ` + r.Expr
		}
		r.Reason += "; in capitals in some records and not in others: made alike"
		r.text = "{ expr: '" + r.Expr + "', optional: true, else: park }"
		return r
	case t.Path == "by.deviceId" && c.prefixed("urn:nhs:addressing:asid:"):
		r.From, r.Expr = "", `row.`+c.Name+`.replace("urn:nhs:addressing:asid:", "")`
		r.text = "{ expr: '" + r.Expr + "', else: reject }"
		return r
	case t.Type != "text":
		r.As = t.Type
		parts = append(parts, "as: "+t.Type)
	}
	r.text = "{ " + strings.Join(append(parts, d.outcome(t, c, r)...), ", ") + " }"
	return r
}

// outcome says what becomes of a record whose value is missing or bad: what is mandatory rejects it, a code without a meaning parks it.
func (d *drafting) outcome(t mappings.Target, c *column, r Rule) []string {
	var parts []string
	if !t.Mandatory {
		parts = append(parts, "optional: true")
	}
	if c.many && !t.Mandatory {
		parts = append(parts, "one: true")
	}
	canFail := t.Mandatory || r.As != "" || r.Table != "" || !c.single && !c.many
	switch {
	case !canFail && c.single:
	case r.Table != "" && t.Mandatory, r.As != "" && !t.Mandatory && d.Emit == engine.KindFlag && !strings.HasPrefix(t.Path, "authority."):
		parts = append(parts, "else: park")
	case t.Mandatory:
		parts = append(parts, "else: reject")
	default:
		parts = append(parts, "else: null")
	}
	return parts
}

// someCapitals reports names that are written in capitals in many records and not in others.
func (c *column) someCapitals() bool {
	capitals, others := 0, 0
	for v := range c.distinct {
		switch {
		case len(v) < 3:
		case v == strings.ToUpper(v):
			capitals++
		default:
			others++
		}
	}
	return capitals > others && others > 0
}

func (c *column) prefixed(prefix string) bool {
	for v := range c.distinct {
		if !strings.HasPrefix(v, prefix) {
			return false
		}
	}
	return len(c.distinct) > 0
}

// date settles the layout of a column. Two layouts that fit every value are nobody's choice but a person's, unless another column of the same
// sample, written alike, fits one of them only.
func (d *drafting) date(c *column) (as, open string) {
	fits := c.fits()
	switch {
	case len(fits) == 1:
		return "date(" + fits[0] + ")", ""
	case len(fits) == 0:
		if known := d.settled(nil); known != "" {
			return "date(" + known + ")", d.mark("the column is empty in the samples: the layout is that of the other dates; check it when the first value comes")
		}
		return "date(" + Mark + ")", d.mark("the column is empty in the samples: what layout do its dates have?")
	}
	if known := d.settled(fits); known != "" {
		return "date(" + known + ")", ""
	}
	return "date(" + Mark + ")", d.mark("every value fits each of " + strings.Join(fits, " and ") + ": ask for a date after the 12th of a month, and write one of them here")
}

// settled is the one layout that the unambiguous date columns have, among the given ones; empty when they have several or none.
func (d *drafting) settled(among []string) string {
	known := ""
	for _, c := range d.columns {
		fits := c.fits()
		if len(fits) != 1 || among != nil && !slices.Contains(among, fits[0]) {
			continue
		}
		if known != "" && known != fits[0] {
			return ""
		}
		known = fits[0]
	}
	return known
}

// table drafts a code table of the codes that were seen. What a code means is taken from the scheme's own words only.
func (d *drafting) table(t mappings.Target, c *column) string {
	name := map[string]string{"plan.type": "plan-type", "scheduled": "scheduled", "setting": "setting"}[t.Path]
	var b strings.Builder
	b.WriteString("source,target,note\n")
	for _, code := range c.codes() {
		target, note := "", fmt.Sprintf("seen in %d of %d records", c.distinct[code], c.records)
		if t.Path == "plan.type" {
			target = planType(code)
		}
		if target == "" {
			target = d.mark("what does it mean?")
		}
		fmt.Fprintf(&b, "%s,%s,%s\n", csvCell(code), csvCell(target), csvCell(note))
	}
	d.tables["tables/"+name+".csv"] = b.String()
	return name
}

// planType knows the scheme's own words: its names, its abbreviations, and the templates of its messages. Single letters are nobody's words.
func planType(code string) string {
	flat := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(code))
	switch {
	case flat == "ucpp", flat == "ucp", flat == "ubcpp", strings.Contains(flat, "unborn"), strings.HasSuffix(flat, "ucpinformation"):
		return string(engine.UnbornChildProtection)
	case flat == "cpp", flat == "cp", strings.Contains(flat, "childprotection"), strings.HasSuffix(flat, "cppinformation"):
		return string(engine.ChildProtection)
	case flat == "lac", flat == "cla", strings.Contains(flat, "lookedafter"), strings.HasSuffix(flat, "lacinformation"):
		return string(engine.LookedAfter)
	}
	return ""
}

// isPlanType reports codes most of which are the scheme's own words, two at least: they say what the column is, whatever its heading.
func (c *column) isPlanType() bool {
	known := 0
	for code := range c.distinct {
		if planType(code) != "" {
			known++
		}
	}
	return c.isCode() && known > 1 && known*2 > len(c.distinct)
}

func csvCell(s string) string {
	if strings.ContainsAny(s, ",\"\n") {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// describe says what speaks for a column, without a value of it.
func (c *column) describe() string {
	part := func(n int) string {
		return fmt.Sprintf("%.0f%% of %d values", 100*float64(n)/float64(max(c.filled, 1)), c.filled)
	}
	text := fmt.Sprintf("%d of %d records have it", c.filled, c.records)
	switch {
	case c.filled == 0:
		return "by its name alone: it is empty in the samples"
	case c.isNHSNumber():
		text = "NHS number by its check digit on " + part(c.sound)
	case c.isDate():
		text = "a date, " + strings.Join(c.fits(), " or ") + " on " + part(c.layouts[c.fits()[0]])
	case c.isPhone():
		text = "a telephone number on " + part(c.phones)
	case c.isCode() && len(c.distinct)*2 <= c.filled+1:
		text = fmt.Sprintf("%d different codes in %d values", len(c.distinct), c.filled)
	}
	return fmt.Sprintf("%s; empty in %.0f%%", text, 100*float64(c.records-c.filled)/float64(max(c.records, 1)))
}
