// Package backtest runs two versions of a supplier's mapping over the same messages and says, event by event, what would come out different and
// which rule or table row is the cause.
//
// What it says holds positions and names of fields, never values, and nothing of the time or the machine: the same messages and the same two
// versions make the same report, byte for byte.
package backtest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/change"
)

// What is the way in which one record comes out different.
type What string

// The ways.
const (
	Added    What = "added"             // it made no event and makes one
	Removed  What = "removed"           // it made an event and is left out now
	Changed  What = "changed"           // its event says something else
	Rejected What = "newly rejected"    // it made an event and is rejected now
	Parked   What = "newly parked"      // it made an event and waits for a person now
	Refused  What = "refused otherwise" // no event before or after, but for another reason
)

// Whats lists the ways in the order in which they are shown.
func Whats() []What { return []What{Added, Removed, Changed, Rejected, Parked, Refused} }

// Difference is one record that comes out different.
type Difference struct {
	Message  engine.MessageID `json:"message"`
	Source   string           `json:"source"`
	Received time.Time        `json:"received"`
	Record   int              `json:"record"` // 0: about the whole message
	Line     int              `json:"line,omitempty"`
	Event    engine.EventID   `json:"event,omitempty"`
	What     What             `json:"what"`
	Fields   []string         `json:"fields,omitempty"` // of the event, that differ; for a refusal those at fault
	Rules    []string         `json:"rules,omitempty"`  // that are broken now: "date", "code-unmapped"
	Causes   []int            `json:"causes"`           // numbers of Report.Causes, from 1
}

// Cause is an edit with what it brings about.
type Cause struct {
	Number int          `json:"number"`
	Edit   change.Edit  `json:"edit"`
	Counts map[What]int `json:"counts"`
}

// Report is what a backtest came to.
type Report struct {
	Supplier    string       `json:"supplier"`
	New         string       `json:"new"`      // digest
	Old         []string     `json:"old"`      // digests, ordered
	Messages    int          `json:"messages"` // that were run
	Skipped     int          `json:"skipped"`  // whose bytes retention has removed, or that nobody translated
	Records     int          `json:"records"`
	Same        int          `json:"same"`
	Counts      map[What]int `json:"counts"`
	Causes      []Cause      `json:"causes"`
	Differences []Difference `json:"differences"`
	Unexplained int          `json:"unexplained"` // differences without a cause: the record holds other events than its own mapping makes, or a fault of ours
}

// Clean reports whether nothing comes out different.
func (r *Report) Clean() bool { return len(r.Differences) == 0 }

// Translate runs a message through a version of the mapping by the rules of the road that it came by.
type Translate func(engine.Message, *mappings.Mapping) []engine.Translated

// Run is a backtest that is under way. It is not safe for concurrent use.
type Run struct {
	now       *mappings.Mapping
	translate Translate
	edits     map[string][]change.Edit // by the old version's digest
	report    Report
	causes    map[string]*Cause
	order     []*Cause
	found     [][]*Cause // per difference
}

// New begins a backtest of a mapping's new version. translate is nil for the mapping alone.
func New(now *mappings.Mapping, translate Translate) *Run {
	if translate == nil {
		translate = func(m engine.Message, with *mappings.Mapping) []engine.Translated {
			return slices.Collect(with.Translate(m))
		}
	}
	return &Run{now: now, translate: translate, edits: map[string][]change.Edit{}, causes: map[string]*Cause{},
		report: Report{Supplier: now.Supplier(), New: now.Digest(), Counts: map[What]int{}}}
}

// Skip counts a message that cannot be run.
func (r *Run) Skip() { r.report.Skipped++ }

// Message runs one message through the old and the new version and returns how many of its records come out different.
func (r *Run) Message(m engine.Message, old *mappings.Mapping) int {
	if _, seen := r.edits[old.Digest()]; !seen {
		r.edits[old.Digest()] = change.Between(old, r.now)
		r.report.Old = append(r.report.Old, old.Digest())
	}
	r.report.Messages++
	before := byPosition(r.translate(m, old))
	after := before
	if old.Digest() != r.now.Digest() {
		after = byPosition(r.translate(m, r.now))
	}
	var different []int
	for position := range union(before, after) {
		if position > 0 {
			r.report.Records++
		}
		if same(before[position], after[position]) {
			if position > 0 {
				r.report.Same++
			}
			continue
		}
		different = append(different, position)
	}
	if len(different) == 0 {
		return 0
	}
	slices.Sort(different)
	was, is := traces(old, m, different), traces(r.now, m, different)
	for _, p := range different {
		r.add(m, old, p, before[p], after[p], was[p], is[p])
	}
	return len(different)
}

func traces(m *mappings.Mapping, msg engine.Message, positions []int) map[int]mappings.Traced {
	out := map[int]mappings.Traced{}
	for t := range m.Trace(msg, positions...) {
		out[t.Place.Record] = t
	}
	return out
}

// byPosition joins what was made at each position; only faults of the whole message are more than one.
func byPosition(all []engine.Translated) map[int]engine.Translated {
	out := make(map[int]engine.Translated, len(all))
	for _, t := range all {
		if before, twice := out[t.Place.Record]; twice {
			t.Faults = append(slices.Clone(before.Faults), t.Faults...)
		}
		out[t.Place.Record] = t
	}
	return out
}

func union(a, b map[int]engine.Translated) map[int]bool {
	out := make(map[int]bool, len(a))
	for p := range a {
		out[p] = true
	}
	for p := range b {
		out[p] = true
	}
	return out
}

func same(a, b engine.Translated) bool {
	if a.Outcome != b.Outcome || len(a.Faults) != len(b.Faults) || (a.Event == nil) != (b.Event == nil) {
		return false
	}
	for i := range a.Faults {
		if a.Faults[i].Rule != b.Faults[i].Rule || a.Faults[i].Place.Path != b.Faults[i].Place.Path {
			return false
		}
	}
	return a.Event == nil || sameEvent(*a.Event, *b.Event)
}

// sameEvent compares what two events say; which mapping made them does not count.
func sameEvent(a, b engine.Envelope) bool {
	switch {
	case a.Kind != b.Kind:
		return false
	case a.Flag != nil:
		return *a.Flag == *b.Flag
	}
	return slices.Equal(mappings.Describe(a), mappings.Describe(b))
}

// add notes one difference with its causes.
func (r *Run) add(m engine.Message, old *mappings.Mapping, position int, before, after engine.Translated, was, is mappings.Traced) {
	d := Difference{Message: m.ID, Source: m.Source, Received: m.Received, Record: position, What: what(before, after),
		Line: cmp.Or(after.Place.Line, before.Place.Line)}
	if e := cmp.Or(after.Event, before.Event); e != nil {
		d.Event = e.ID
	}
	for _, f := range after.Faults {
		d.Rules = append(d.Rules, f.Rule)
	}
	slices.Sort(d.Rules)
	d.Rules = slices.Compact(d.Rules)
	seen := observe(old, was, r.now, is)
	d.Fields = seen.fields()
	var causes []*Cause
	for _, e := range seen.causes(r.edits[old.Digest()]) {
		c := r.cause(e)
		c.Counts[d.What]++
		causes = append(causes, c)
	}
	if len(causes) == 0 {
		r.report.Unexplained++
	}
	r.report.Counts[d.What]++
	r.report.Differences = append(r.report.Differences, d)
	r.found = append(r.found, causes)
}

func (r *Run) cause(e change.Edit) *Cause {
	key := e.String()
	if r.causes[key] == nil {
		r.causes[key] = &Cause{Edit: e, Counts: map[What]int{}}
		r.order = append(r.order, r.causes[key])
	}
	return r.causes[key]
}

func what(before, after engine.Translated) What {
	switch {
	case before.Event != nil && after.Event != nil:
		return Changed
	case after.Event != nil:
		return Added
	case before.Event == nil:
		return Refused
	case after.Outcome == engine.Rejected:
		return Rejected
	case after.Outcome == engine.Parked:
		return Parked
	}
	return Removed
}

// Report ends the backtest: causes and differences are in a fixed order.
func (r *Run) Report() *Report {
	slices.SortFunc(r.order, func(a, b *Cause) int {
		return cmp.Or(strings.Compare(a.Edit.File, b.Edit.File), cmp.Compare(a.Edit.Line, b.Edit.Line), strings.Compare(a.Edit.String(), b.Edit.String()))
	})
	out := r.report
	out.Causes = []Cause{}
	for i, c := range r.order {
		c.Number = i + 1
		out.Causes = append(out.Causes, *c)
	}
	out.Differences = slices.Clone(out.Differences)
	for i := range out.Differences {
		out.Differences[i].Causes = []int{}
		for _, c := range r.found[i] {
			out.Differences[i].Causes = append(out.Differences[i].Causes, c.Number)
		}
		slices.Sort(out.Differences[i].Causes)
	}
	slices.SortStableFunc(out.Differences, func(a, b Difference) int {
		return cmp.Or(a.Received.Compare(b.Received), strings.Compare(string(a.Message), string(b.Message)), cmp.Compare(a.Record, b.Record))
	})
	out.Old = slices.Sorted(slices.Values(out.Old))
	return &out
}
