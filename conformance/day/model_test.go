package day

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// The model is written from the words of the promises (conformance/README.md, decisions/0001, engine/README.md) and the published windows,
// and from nothing of the engine: it has its own dates, its own wire formats and its own idea of what stands.

// kind is a type of plan.
type kind int

const (
	protection kind = iota // child protection plan
	lookedAfter
	unborn // the number is the mother's
)

// window is for how many days after its end a plan can be seen.
func (k kind) window() int {
	if k == unborn {
		return 28
	}
	return 365
}

// person is a child, or the mother of one.
type person struct {
	number, given, family string
	born                  time.Time
}

// entry is one record of a file. Dates are days, at midnight UTC; zero: none.
type entry struct {
	who                   *person
	la                    *authority
	kind                  kind
	start, end, withdrawn time.Time
	local, file           string
	fault                 *fault // why it has to be refused; nil: it stands
}

// visible says whether a hospital that asks on that day may see the entry.
func (e *entry) visible(on time.Time) bool {
	if !e.withdrawn.IsZero() {
		return false
	}
	end := e.end
	if e.kind != unborn {
		if grown := e.who.born.AddDate(18, 0, 0); end.IsZero() || grown.Before(end) {
			end = grown
		}
	}
	return end.IsZero() || !on.After(end.AddDate(0, 0, e.kind.window()))
}

// over says whether of two entries for one plan in one file this one stands: what protects more, then the later start, then the later line.
func (e *entry) over(earlier *entry) bool {
	rank := func(x *entry) int {
		switch {
		case !x.withdrawn.IsZero():
			return 0
		case !x.end.IsZero():
			return 1
		}
		return 2
	}
	if a, b := rank(e), rank(earlier); a != b {
		return a > b
	}
	return !e.start.Before(earlier.start)
}

// file is what an authority sends, in the order of its sending.
type file struct {
	la      *authority
	turn    int // 1 for the authority's first
	id      string
	entries []*entry
	read    int    // so many entries can be read; the file ends badly after them
	count   int    // the number that it states
	as      string // the ODS code that it names
	nobody  bool   // no telephone of the emergency duty team
	again   bool   // the id was used before
	refused *fault // of the whole file; nil: none
	acks    int
}

// authority is a local authority with its mailbox.
type authority struct {
	index                               int
	mailbox, ods, name, supplier        string
	office, duty                        string
	csv, toldInCSV, urgent              bool
	files                               []*file
	sent, acked                         int // turns: begun to be sent, answered
	rows                                map[rowKey]*row
	toldLetters, toldAccesses, refusals int
}

type rowKey struct {
	number string
	kind   kind
}

// row is one plan of one person at one authority, and what each file made of it.
type row struct {
	la       *authority
	key      rowKey
	versions []version
}

type version struct {
	turn int
	entry
}

// between returns what the row may hold for somebody who asks while the authority's files up to low have been answered and those up to high
// may have come; nil among them: nothing.
func (r *row) between(low, high int) []*entry {
	out := []*entry{nil}
	for i := range r.versions {
		switch v := &r.versions[i]; {
		case v.turn <= low:
			out = []*entry{&v.entry}
		case v.turn <= high:
			out = append(out, &v.entry)
		}
	}
	return out
}

// model is everything that was sent and asked, and what came of it.
type model struct {
	mu        sync.Mutex
	las       []*authority
	byBox     map[string]*authority
	rows      map[string][]*row // by NHS number
	people    []*person
	strangers []*person                   // known to no authority
	looks     map[string]map[string]*look // unscheduled, by NHS number and ODS code: a setting looks at a person once
	faults    []string                    // what the engine did wrong
	wrong     int
	zone      *time.Location
	settings  []*setting
	checked   tally
}

// tally counts what was compared.
type tally struct {
	states, answers, histories, notices, letters, files, records, refused, refusedQueries, retried, unprotected int
}

// blame notes a fault of the engine.
func (m *model) blame(format string, args ...any) {
	if m.wrong++; m.wrong <= 40 {
		m.faults = append(m.faults, fmt.Sprintf(format, args...))
	}
}

// settle puts a file's entries into the rows: the best of each row.
func (m *model) settle(f *file) {
	if f.refused != nil {
		return
	}
	best := map[rowKey]*entry{}
	for _, e := range f.entries[:f.read] {
		if e.fault != nil {
			continue
		}
		key := rowKey{e.who.number, e.kind}
		if old := best[key]; old == nil || e.over(old) {
			best[key] = e
		}
	}
	for key, e := range best {
		r := f.la.rows[key]
		if r == nil {
			r = &row{la: f.la, key: key}
			f.la.rows[key] = r
			m.rows[key.number] = append(m.rows[key.number], r)
		}
		r.versions = append(r.versions, version{f.turn, *e})
	}
}

// plan is one plan of an answer.
type plan struct {
	la, start, end string // the authority's name, days as 2006-01-02
	kind           kind
	phones         string // office and duty; empty: the answer does not say
}

func (e *entry) shown() plan {
	return plan{la: e.la.name, start: iso(e.start), end: iso(e.end), kind: e.kind, phones: e.la.office + " " + e.la.duty}
}

func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// sight is what may be true while somebody looks.
type sight struct {
	low  []int // turns answered before the look, by the person's rows
	from time.Time
}

// open begins a look at a person.
func (m *model) open(number string) sight {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := sight{from: time.Now()}
	for _, r := range m.rows[number] {
		s.low = append(s.low, r.la.acked)
	}
	return s
}

// days are the English days between two instants: one, or two about midnight.
func (m *model) days(from, to time.Time) []time.Time {
	first, last := m.day(from), m.day(to)
	if first.Equal(last) {
		return []time.Time{first}
	}
	return []time.Time{first, last}
}

func (m *model) day(at time.Time) time.Time {
	y, month, d := at.In(m.zone).Date()
	return time.Date(y, month, d, 0, 0, 0, 0, time.UTC)
}

// judge compares an answer with what may have been true while it was made.
func (m *model) judge(number string, s sight, got []plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	days := m.days(s.from, time.Now())
	left := slices.Clone(got)
	for i, r := range m.rows[number] {
		hidden, found := false, -1
		for _, e := range r.between(s.low[i], r.la.sent) {
			for _, day := range days {
				if e == nil || !e.visible(day) {
					hidden = true
				} else if at := slices.IndexFunc(left, func(p plan) bool { return e.shown().same(p) }); at >= 0 {
					found = at
				}
			}
		}
		switch {
		case found >= 0:
			left = slices.Delete(left, found, found+1)
		case !hidden:
			m.blame("a child's plan %d of %s is not shown", r.key.kind, r.la.name)
		}
	}
	for _, p := range left {
		m.blame("a plan %d of %s from %s to %q with telephones %q is shown that is none, or not so", p.kind, p.la, p.start, p.end, p.phones)
	}
}

func (p plan) same(got plan) bool {
	if got.phones == "" {
		got.phones = p.phones
	}
	return p == got
}

// report is the model's verdict in words.
func (m *model) report() string {
	c := m.checked
	var b strings.Builder
	fmt.Fprintf(&b, "compared with the model: %d files acknowledged with %d records, %d of them refused; %d states of children; %d answers, %d histories, %d refused questions;\n",
		c.files, c.records, c.refused, c.states, c.answers, c.histories, c.refusedQueries)
	fmt.Fprintf(&b, "%d accesses told in %d notifications; %d children whom nobody sees in their authorities' lists;\n", c.notices, c.letters, c.unprotected)
	fmt.Fprintf(&b, "%d requests asked again after a restart; %d disagreements", c.retried, m.wrong)
	return b.String()
}
