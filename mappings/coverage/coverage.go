// Package coverage counts what a mapping makes of all that its supplier sends: each column, element and code, whether it is used, ignored on purpose
// or unmapped, and each field of the event, by which rule it is made and how often it is filled.
//
// It counts and names; of values it shows the codes of code tables alone.
package coverage

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"signalbox/engine"
	"signalbox/mappings"
)

// Use is what a mapping makes of something that is sent.
type Use string

// The uses. Fixed is what the format itself fixes, which nobody needs to map.
const (
	Used     Use = "used"
	Ignored  Use = "ignored"
	Unmapped Use = "unmapped"
)

// Element is one column or element of the source.
type Element struct {
	Path   string   `json:"path"`
	Use    Use      `json:"use"`
	By     []string `json:"by,omitempty"`  // target fields that read it, or "when"
	Why    string   `json:"why,omitempty"` // of what is ignored
	Filled int      `json:"filled"`        // values that are not empty
	Passed int      `json:"passed"`        // of these, values that nothing reads: of an element that is used where a condition of its selector holds
	Seen   int      `json:"seen"`
}

// Code is one code of a code table.
type Code struct {
	Table string `json:"table"`
	Code  string `json:"code"`
	Use   Use    `json:"use"` // Used, or Unmapped for a code that was seen and is not in the table
	At    string `json:"at,omitempty"`
	Days  string `json:"days,omitempty"` // on which the row counts: "from 2027-01-01"; a code that was seen on another day is unmapped
	Seen  int    `json:"seen"`           // 0: the table has it and nobody sent it
}

// Target is one field of the event.
type Target struct {
	Path   string `json:"path"`
	Rule   string `json:"rule,omitempty"` // "mapping.yaml:14"; empty: no rule makes it
	Filled int    `json:"filled"`         // of the events
	Faults int    `json:"faults"`         // records in which its rule failed
}

// Report is the coverage of some messages.
type Report struct {
	Supplier   string                 `json:"supplier"`
	Messages   int                    `json:"messages"`
	Records    int                    `json:"records"`
	Outcomes   map[engine.Outcome]int `json:"outcomes"`
	Elements   []Element              `json:"elements"`
	Codes      []Code                 `json:"codes"`
	Targets    []Target               `json:"targets"`
	Unsurveyed bool                   `json:"unsurveyed,omitempty"` // the format cannot show what no field declares
}

// Complete reports whether everything that was seen is used or ignored on purpose.
func (r *Report) Complete() bool {
	return !slices.ContainsFunc(r.Elements, func(e Element) bool { return e.Use == Unmapped }) &&
		!slices.ContainsFunc(r.Codes, func(c Code) bool { return c.Use == Unmapped })
}

// reader is a selector with what reads it.
type reader struct {
	selector engine.Selector
	by       []string
	why      string
}

// codeKey is a row of a table, or a code that no row knew.
type codeKey struct{ table, code, at string }

// Run is a count that is under way. It is not safe for concurrent use.
type Run struct {
	mapping  *mappings.Mapping
	readers  []reader
	elements map[string]*Element
	codes    map[codeKey]*Code
	targets  []Target
	index    map[string]int
	report   Report
}

// New begins the coverage of a mapping.
func New(m *mappings.Mapping) *Run {
	r := &Run{mapping: m, elements: map[string]*Element{}, codes: map[codeKey]*Code{}, index: map[string]int{},
		report: Report{Supplier: m.Supplier(), Outcomes: map[engine.Outcome]int{}}}
	r.declare()
	for _, t := range mappings.Targets(m.Emit()) {
		r.index[t.Path] = len(r.targets)
		r.targets = append(r.targets, Target{Path: t.Path})
	}
	for _, rule := range m.Rules() {
		r.targets[r.index[rule.Target]].Rule = fmt.Sprintf("%s:%d", path.Base(rule.File), rule.Line)
	}
	for table, rows := range m.Tables() {
		for _, row := range rows {
			at := row.At()
			r.codes[codeKey{table, row.Source, at}] = &Code{Table: table, Code: row.Source, Use: Used, At: at, Days: row.Days()}
		}
	}
	return r
}

// declare compiles the selector of everything that is used or ignored.
func (r *Run) declare() {
	src := r.mapping.Schema()
	by, why := map[string][]string{}, map[string]string{}
	selectors := map[string]string{}
	for _, f := range src.Fields {
		selectors[f.Name] = cmp.Or(f.Select, f.Name)
	}
	for _, rule := range r.mapping.Rules() {
		read := rule.Fields
		declared := func(f engine.Field) bool { return f.Name == rule.From || f.Select == rule.From }
		if rule.From != "" && !slices.ContainsFunc(src.Fields, declared) {
			read = append(slices.Clone(read), rule.From)
			selectors[rule.From] = rule.From
		}
		for _, name := range read {
			by[name] = append(by[name], rule.Target)
		}
	}
	_, _, read := r.mapping.When()
	for _, name := range read {
		by[name] = append(by[name], "when")
	}
	for _, i := range r.mapping.Ignored() {
		why[i.Field] = i.Why
	}
	for _, name := range slices.Sorted(maps.Keys(selectors)) {
		if s, err := r.mapping.Adapter().Compile(selectors[name], src); err == nil && (by[name] != nil || why[name] != "") {
			r.readers = append(r.readers, reader{s, by[name], why[name]})
		}
	}
}

// Message counts one message and returns the number of its records.
func (r *Run) Message(m engine.Message) int {
	r.report.Messages++
	read := &places{}
	decoded := map[int]bool{0: true}
	var found []engine.Value
	for record, err := range r.mapping.Adapter().Decode(m, r.mapping.Schema()) {
		if err != nil && record == nil {
			continue
		}
		decoded[record.Position()] = true
		for i := range r.readers {
			for _, v := range r.readers[i].selector.Select(record, found[:0]) {
				read.all = append(read.all, place{v.At.Start, v.At.End, strings.TrimSpace(v.Text), &r.readers[i]})
			}
		}
	}
	read.sort()
	r.survey(m, read, decoded)
	return r.trace(m)
}

// survey counts every value of the message, whether or not anything reads it. What stands in a record that cannot be read has no use.
func (r *Run) survey(m engine.Message, read *places, decoded map[int]bool) {
	surveyor, ok := r.mapping.Adapter().(engine.Surveyor)
	if !ok {
		r.report.Unsurveyed = true
		return
	}
	for c := range surveyor.Survey(m, r.mapping.Schema()) {
		if !decoded[c.Record] {
			continue
		}
		by := read.of(c)
		if (c.Fixed || c.Apart) && by == nil {
			continue
		}
		e := r.elements[c.Path]
		if e == nil {
			e = &Element{Path: c.Path, Use: Unmapped}
			r.elements[c.Path] = e
		}
		e.Seen++
		if strings.TrimSpace(c.Text) == "" {
			if by == nil {
				continue
			}
		} else {
			e.Filled++
		}
		switch {
		case by == nil:
			e.Passed++
		case by.by != nil:
			e.Use = Used
			for _, target := range by.by {
				if !slices.Contains(e.By, target) {
					e.By = append(e.By, target)
				}
			}
		case e.Use == Unmapped:
			e.Use, e.Why = Ignored, by.why
		}
	}
}

// trace counts outcomes, codes and targets.
func (r *Run) trace(m engine.Message) int {
	records := 0
	rules := r.mapping.Rules()
	for t := range r.mapping.Trace(m) {
		r.report.Outcomes[t.Outcome]++
		if t.Place.Record > 0 {
			records++
		}
		for _, s := range t.Steps {
			rule := rules[s.Rule]
			target := &r.targets[r.index[rule.Target]]
			if t.Event != nil && len(s.Made) > 0 {
				target.Filled++
			}
			if len(s.Faults) > 0 {
				target.Faults++
			}
			if s.Code == "" {
				continue
			}
			k := codeKey{rule.Table, s.Code, ""}
			if s.Row != nil {
				k.at = s.Row.At()
			}
			if r.codes[k] == nil {
				r.codes[k] = &Code{Table: rule.Table, Code: s.Code, Use: Unmapped}
			}
			r.codes[k].Seen++
		}
	}
	r.report.Records += records
	return records
}

// Report ends the count. Elements stand in order of use and name: what is unmapped first.
func (r *Run) Report() *Report {
	out := r.report
	rank := map[Use]int{Unmapped: 0, Used: 1, Ignored: 2}
	for _, e := range r.elements {
		slices.Sort(e.By)
		if e.Use == Ignored {
			e.Passed = 0
		}
		out.Elements = append(out.Elements, *e)
	}
	slices.SortFunc(out.Elements, func(a, b Element) int {
		return cmp.Or(cmp.Compare(rank[a.Use], rank[b.Use]), strings.Compare(a.Path, b.Path))
	})
	for _, c := range r.codes {
		out.Codes = append(out.Codes, *c)
	}
	slices.SortFunc(out.Codes, func(a, b Code) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), cmp.Compare(rank[a.Use], rank[b.Use]), cmp.Compare(b.Seen, a.Seen), strings.Compare(a.Code, b.Code), strings.Compare(a.Days, b.Days))
	})
	out.Targets = slices.Clone(r.targets)
	return &out
}
