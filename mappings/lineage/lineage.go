// Package lineage says where each field of an event came from: the bytes of the message, the rule and the row of the code table that made it.
//
// It holds positions only, never values, so what it says may be kept and shown to who may not see the message.
package lineage

import (
	"fmt"
	"path"
	"strings"

	"signalbox/engine"
	"signalbox/mappings"
)

// Field is where one field of an event came from.
type Field struct {
	Target   string   `json:"target"`
	File     string   `json:"file"` // of the rule, within the folder
	Line     int      `json:"line"`
	Rule     string   `json:"rule"`               // as written
	From     []Place  `json:"from,omitempty"`     // what was read; empty for a constant and for the message's own headers
	Declared []string `json:"declared,omitempty"` // "source.yaml:9 start_dt": the declared fields that were read
	Row      string   `json:"row,omitempty"`      // "tables/plan-type.csv:3": the row that was looked up
	RowBy    string   `json:"rowBy,omitempty"`    // of a row that counts on some days only: what says the day, "the date in began"
	RowFrom  []Place  `json:"rowFrom,omitempty"`  // where that date stands in the message; empty when a target or the message has it
}

// Place is a position in the raw message.
type Place struct {
	Path   string `json:"path"` // column or element path
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Start  int64  `json:"start"` // bytes [Start, End)
	End    int64  `json:"end"`
}

// String writes the place for a person: "column start_dt, line 2:37, bytes 136-145", both ends inclusive.
func (p Place) String() string {
	at := engine.Place{Path: p.Path, Line: p.Line, Column: p.Column}.String()
	if p.End > p.Start {
		at += fmt.Sprintf(", bytes %d-%d", p.Start, p.End-1)
	}
	return at
}

// Of lists the fields that a traced record's event has, in the order of its mapping's rules. It is empty for a record without an event.
func Of(m *mappings.Mapping, t mappings.Traced) []Field {
	if t.Event == nil {
		return nil
	}
	rules, schema := m.Rules(), m.Schema()
	var out []Field
	for _, s := range t.Steps {
		if len(s.Made) == 0 {
			continue
		}
		r := rules[s.Rule]
		f := Field{Target: r.Target, File: within(m, r.File), Line: r.Line, Rule: r.Text}
		f.From = placesOf(s.Read)
		for _, name := range r.Fields {
			if d, ok := schema.Field(name); ok {
				f.Declared = append(f.Declared, fmt.Sprintf("%s:%d %s", within(m, m.SourceFile()), d.Line, d.Name))
			}
		}
		if s.Row != nil {
			f.Row = s.Row.At()
			if s.Row.Days() != "" {
				f.RowBy, f.RowFrom = r.At.String(), placesOf(s.Dated)
			}
		}
		out = append(out, f)
	}
	return out
}

// placesOf is where values stand that are not empty.
func placesOf(values []engine.Value) []Place {
	var out []Place
	for _, v := range values {
		if strings.TrimSpace(v.Text) != "" {
			out = append(out, Place{Path: v.At.Path, Line: v.At.Line, Column: v.At.Column, Start: v.At.Start, End: v.At.End})
		}
	}
	return out
}

// within names a rule's file from its folder on: mapping.yaml, or testshire-cpisxml/mapping.yaml for a rule that is taken over from there.
func within(m *mappings.Mapping, file string) string {
	dir, name := path.Split(file)
	if of := path.Base(dir); dir != "" && of != "." && of != m.Supplier() {
		return path.Join(of, name)
	}
	return name
}

// Missing lists the fields of an event for which the lineage has no answer: none, unless there is a fault of ours.
func Missing(e engine.Envelope, fields []Field) []string {
	told := map[string]bool{}
	for _, f := range fields {
		told[f.Target] = len(f.From) > 0 || !strings.HasPrefix(f.Rule, "from:")
	}
	var out []string
	for _, pair := range mappings.Describe(e) {
		if !told[pair[0]] && !unset(pair) {
			out = append(out, pair[0])
		}
	}
	return out
}

// unset tells of a field that has a value without a rule: an access is unscheduled unless it is said to be scheduled.
func unset(pair [2]string) bool { return pair[0] == "scheduled" && pair[1] == "false" }
