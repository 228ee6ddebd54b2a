package mappings

import "slices"

// Rule is one compiled rule as a person wrote it.
type Rule struct {
	Target string   // field of the event
	File   string   // as problems print it
	Line   int      // 1-based
	Text   string   // the rule in one line, keys in the order of the language: "from: start_dt, as: date(dd/MM/yyyy), else: reject"
	From   string   // selector or declared field; empty for a constant and for an expression
	Fields []string // declared fields that the rule reads, the one that dates its table among them
	Table  string   // code table, or empty
	At     Dating   // what picks the table's row, where its rows have days of validity
	Const  bool     // the value stands in the rule
}

// Rules lists the rules in the order in which they run.
func (m *Mapping) Rules() []Rule {
	out := make([]Rule, len(m.rules))
	for i := range m.rules {
		r := &m.rules[i]
		out[i] = Rule{Target: r.target.path, File: r.file, Line: r.line, Text: r.text, From: r.from, Const: r.constant != nil}
		if r.table != nil {
			out[i].Table, out[i].At = r.table.name, r.dating()
		}
		switch {
		case r.field != nil:
			out[i].Fields = []string{r.field.Name}
		case r.expr != nil:
			out[i].Fields = slices.Clone(r.expr.fields)
		}
		if at := out[i].At; at.Name != "" && !at.Target && !slices.Contains(out[i].Fields, at.Name) {
			out[i].Fields = append(out[i].Fields, at.Name)
		}
	}
	return out
}
