// Package draft writes a supplier's folder from sample files: the declared source, a rule for each field of the event that a column speaks for with
// the reason beside it, the code tables with the codes that were seen, and first tests of synthetic twins.
//
// It guesses nothing that it does not know: where the samples leave a choice it writes a line with the mark DECIDE(supplier), which lint or a
// reader finds. It works offline, and the same samples make the same folder.
package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox/engine"
	"signalbox/mappings"
)

// Mark begins every line that a person has to decide; the supplier's name in brackets follows.
const Mark = "DECIDE"

// Options say what the samples cannot.
type Options struct {
	Supplier string            // name of the folder
	Emit     engine.Kind       // what the mapping makes; empty: accesses of FHIR and HL7 v2, flags of all else
	Set      map[string]string // target -> constant, for what no file says: the authority's code and telephones
}

// Draft is a folder that was drafted.
type Draft struct {
	Files   map[string]string // by path within the folder
	Rules   []Rule            // in the order of the mapping
	Open    []string          // "mapping.yaml:12  what has to be decided"
	Records int               // that the samples have
	Unread  int               // faults of what could not be read
	Schema  engine.Schema
}

// Rule is a drafted rule.
type Rule struct {
	Target string
	From   string // field; empty for a constant, an expression and a target that nothing speaks for
	As     string // conversion, or empty
	Table  string
	Set    bool // the caller said it
	Expr   string
	Reason string
	open   string // what has to be decided, or empty
	text   string // as written
}

// New drafts a folder. adapters are the formats to try: the first that recognises the sample, csv last, because almost any text can be read as that.
func New(samples [][]byte, adapters []engine.Adapter, o Options) (*Draft, error) {
	if len(samples) == 0 {
		return nil, fmt.Errorf("draft: there is no sample")
	}
	adapter, profile, err := Recognise(samples[0], adapters)
	if err != nil {
		return nil, err
	}
	if o.Emit == "" {
		o.Emit = engine.KindFlag
		if profile.Schema.Format == "fhir-r4" || profile.Schema.Format == "hl7v2" {
			o.Emit = engine.KindAccess
		}
	}
	for target := range o.Set {
		if !slices.ContainsFunc(mappings.Targets(o.Emit), func(t mappings.Target) bool { return t.Path == target }) {
			return nil, fmt.Errorf("draft: there is no field %s in a %s", target, o.Emit)
		}
	}
	d := &drafting{Options: o, profile: profile, tables: map[string]string{}}
	unread := 0
	d.columns, d.records, unread = measure(adapter, profile.Schema, samples)
	if d.records == 0 {
		return nil, fmt.Errorf("draft: the sample is %s, and no record of it can be read", profile.Schema.Format)
	}
	d.rules = d.ruleAll()
	out := &Draft{Files: map[string]string{"source.yaml": d.source(), "mapping.yaml": d.mapping()}, Rules: d.rules, Records: d.records, Unread: unread, Schema: d.profile.Schema}
	maps.Copy(out.Files, d.tables)
	maps.Copy(out.Files, d.tests(adapter, samples[0]))
	out.Files["README.md"] = d.readme()
	out.Open = Open(out.Files)
	return out, nil
}

// Recognise finds the format of a sample and how it could be declared.
func Recognise(sample []byte, adapters []engine.Adapter) (engine.Adapter, engine.Profile, error) {
	var tried []string
	sorted := slices.Clone(adapters)
	slices.SortStableFunc(sorted, func(a, b engine.Adapter) int { return last(a) - last(b) })
	for _, a := range sorted {
		p, ok := a.(engine.Profiler)
		if !ok {
			continue
		}
		tried = append(tried, a.Format())
		if profile, is := p.Profile(sample); is {
			return a, profile, nil
		}
	}
	return nil, engine.Profile{}, fmt.Errorf("draft: the sample is none of %s", strings.Join(tried, ", "))
}

// last puts the format that recognises almost anything behind the others.
func last(a engine.Adapter) int {
	if a.Format() == "csv" {
		return 1
	}
	return 0
}

// Open lists the lines of a folder's files, by path, that wait for a decision: "mapping.yaml:12  what has to be decided". READMEs and tests
// are passed over.
func Open(files map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		n := 0
		for line := range strings.Lines(files[name]) {
			n++
			if name == "README.md" || strings.HasPrefix(name, "tests/") {
				continue
			}
			if at := strings.Index(line, Mark); at >= 0 {
				what, _, _ := strings.Cut(strings.TrimSpace(line[at:]), ",seen")
				what = strings.TrimRight(what, "'} ")
				if _, column, ignored := strings.Cut(line[:at], "{ column: "); ignored {
					column, _, _ = strings.Cut(column, ",")
					what += ": " + column
				}
				out = append(out, fmt.Sprintf("%s:%d  %s", name, n, what))
			}
		}
	}
	return out
}

// drafting is the work on one folder.
type drafting struct {
	Options
	profile engine.Profile
	columns []*column
	records int
	rules   []Rule
	tables  map[string]string
}

// mark is "DECIDE(supplier): what".
func (d *drafting) mark(what string) string { return Mark + "(" + d.Supplier + "): " + what }

func (d *drafting) readme() string {
	return "# " + d.Supplier + "\n\nDrafted from sample files. Write here what is known of the supplier's format and its quirks, and who said so.\n"
}
