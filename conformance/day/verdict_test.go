package day

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// acknowledged takes an acknowledgement that came into an authority's mailbox and compares it with what the file was.
func (m *model) acknowledged(la *authority, body []byte) {
	f := la.answered(body)
	if f == nil {
		m.blame("%s got an acknowledgement of no file of its own, or one too many", la.name)
		return
	}
	if f.acks++; f.acks > 1 {
		return // counted at the end
	}
	for la.acked < la.sent && la.files[la.acked].acks > 0 {
		la.acked++
	}
	m.checked.files++
	a, err := f.readAck(body)
	if err != nil {
		m.blame("file %s of %s: %v", f.id, la.name, err)
		return
	}
	for _, wrong := range f.compare(a) {
		m.blame("file %s of %s: %s", f.id, la.name, wrong)
	}
	m.checked.records += len(f.entries)
	m.checked.refused += a.failed
	la.refusals += a.failed
}

// answered finds the file that an acknowledgement is of: the first of that id without one. A CSV names none, and is sent one at a time.
func (la *authority) answered(body []byte) *file {
	for _, again := range []bool{false, true} {
		for _, f := range la.files[:la.sent] {
			if (f.acks > 0) == again && (la.csv || strings.Contains(string(body[:min(len(body), 600)]), `<id extension="`+f.id+`"/>`)) {
				return f
			}
		}
	}
	return nil
}

// compare says in what an acknowledgement is not what the file deserves.
func (f *file) compare(a *ack) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	want := f.due()
	if !f.la.csv && (a.id != want.id || a.file != want.file) {
		say("answered with %s for id %s, want %s", a.file, a.id, want.file)
	}
	if a.good != want.good || a.failed != want.failed {
		say("%d records stand and %d are refused, want %d and %d", a.good, a.failed, want.good, want.failed)
	}
	if len(a.whole) != len(want.whole) {
		say("%d reasons about the whole file, want %d: %v", len(a.whole), len(want.whole), a.whole)
	} else {
		for i, w := range want.whole {
			if a.whole[i].code != w.code || !names(a.whole[i].words, w.words) {
				say("the file's reason is %v, want %v", a.whole[i], w)
			}
		}
	}
	for at, w := range want.records {
		if got, ok := a.records[at]; !ok || got.code != w.code || !names(got.words, w.words) {
			say("record %d is answered with %v, want %v", at, got, w)
		}
	}
	for at, got := range a.records {
		if _, ok := want.records[at]; !ok {
			say("record %d is answered with %v, and is good", at, got)
		}
	}
	if !slices.Equal(a.valid, want.valid) || !slices.Equal(a.invalid, want.invalid) {
		say("%d good and %d bad records are given back, want %d and %d, each in its order", len(a.valid), len(a.invalid), len(want.valid), len(want.invalid))
	}
	return out
}

// names says whether the words of a reason name the rule. No rule wanted: no words may stand.
func names(words, rule string) bool {
	if rule == "" {
		return words == ""
	}
	for _, one := range strings.Split(words, "; ") {
		if one == rule || strings.HasPrefix(one, rule+": ") {
			return true
		}
	}
	return false
}

// due is the acknowledgement that the file deserves.
func (f *file) due() *ack {
	want := &ack{id: f.id, records: map[int]outcome{}}
	if f.refused == noDuty {
		want.file, want.whole = noDuty.code, []outcome{{"CPR07", noDuty.rule}}
		return want
	}
	for i, e := range f.entries[:f.read] {
		why := e.fault
		if why == nil && f.refused != nil {
			why = &fault{code: "CPR07", rule: f.refused.rule}
		}
		switch {
		case f.la.csv && why == nil:
			want.records[i+1] = outcome{"accepted", ""}
		case f.la.csv:
			want.records[i+1] = outcome{why.csv, why.rule}
		case why != nil:
			want.records[i+1] = outcome{why.code, why.rule}
		}
		if why == nil {
			want.good++
		} else {
			want.failed++
		}
		if !f.la.csv && why == nil {
			want.valid = append(want.valid, e.local)
		} else if !f.la.csv && !why.bare {
			want.invalid = append(want.invalid, e.local)
		}
	}
	switch {
	case want.good == 0:
		want.file = "CPF04"
	case want.failed > 0:
		want.file = "CPF03"
	default:
		want.file = "CPF02"
	}
	switch {
	case f.again:
		want.whole = []outcome{{"CPR06", "sequence-repeated"}}
	case f.read < len(f.entries):
		want.file, want.whole = "CPF03", []outcome{{"CPR07", "xml-well-formed"}}
	case f.count != len(f.entries):
		want.file, want.whole = "CPF03", []outcome{{"CPR07", "record-count"}}
	}
	return want
}

// notified takes a notification that came into an authority's mailbox.
func (m *model) notified(la *authority, body []byte) {
	m.checked.letters++
	la.toldLetters++
	all, err := la.readNotification(body)
	if err != nil {
		m.blame("a notification to %s: %v", la.name, err)
		return
	}
	if len(all) == 0 || la.urgent && len(all) != 1 {
		m.blame("a notification to %s tells of %d accesses", la.name, len(all))
	}
	for _, n := range all {
		la.toldAccesses++
		m.told(la, n)
		m.when(la, n)
	}
}

// when compares the time that a notification tells with the time of the look. It may come before the look's own answer.
func (m *model) when(la *authority, n notice) {
	l := m.lookOf(n.number, n.ods)
	layout := "20060102150405-0700"
	if la.toldInCSV {
		layout = time.RFC3339
	}
	at, err := time.Parse(layout, n.at)
	if err != nil {
		m.blame("a notification to %s tells of a time that is none", la.name)
		return
	}
	if l.at != nil && !l.at.Equal(at) {
		m.blame("one access is told with two times")
	}
	l.at = &at
}

// onTime compares each told time with the look.
func (m *model) onTime() {
	m.everyLook(func(_, ods string, l *look) {
		if l.at != nil && !l.to.IsZero() && (l.at.Before(l.from.Add(-2*time.Second)) || l.at.After(l.to.Add(2*time.Second))) {
			m.blame("an access by %s is told for a time at which nobody asked", ods)
		}
	})
}
