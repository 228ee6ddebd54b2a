package day

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// A small England in which everything has been said and answered as it should be.
func answeredEngland(t *testing.T) *model {
	t.Helper()
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	m := england(5, full(0.001), now)
	for _, la := range m.las {
		for _, f := range la.files {
			la.sent++
			if wrong := f.compare(f.due()); len(wrong) > 0 {
				t.Fatalf("the deserved acknowledgement is refused: %q", wrong)
			}
			f.acks++
			la.acked++
		}
	}
	return m
}

// shownNow is the answer about a person, by the model itself.
func (m *model) shownNow(number string, at time.Time) []plan {
	var out []plan
	for _, r := range m.rows[number] {
		for _, e := range r.between(r.la.acked, r.la.sent) {
			if e != nil && e.visible(m.day(at)) {
				out = append(out, e.shown())
			}
		}
	}
	return out
}

// flagged returns somebody with so many plans in sight.
func (m *model) flagged(t *testing.T, plans int) *person {
	t.Helper()
	at := slices.IndexFunc(m.people, func(p *person) bool { return len(m.shownNow(p.number, time.Now())) == plans })
	if at < 0 {
		t.Fatalf("nobody has %d plans", plans)
	}
	return m.people[at]
}

// A model that finds everything right proves nothing: an answer that is wrong in each way is seen.
func TestAWrongAnswerIsSeen(t *testing.T) {
	m := answeredEngland(t)
	one, two, none := m.flagged(t, 1), m.flagged(t, 2), m.flagged(t, 0)
	for name, tc := range map[string]struct {
		about *person
		spoil func([]plan) []plan
		want  int
	}{
		"nothing wrong":                 {two, func(p []plan) []plan { return p }, 0},
		"in another order":              {two, func(p []plan) []plan { return []plan{p[1], p[0]} }, 0},
		"a plan hidden":                 {two, func(p []plan) []plan { return p[1:] }, 1},
		"the only plan hidden":          {one, func([]plan) []plan { return nil }, 1},
		"a plan twice":                  {one, func(p []plan) []plan { return append(p, p[0]) }, 1},
		"another's plan":                {none, func([]plan) []plan { return m.shownNow(one.number, time.Now()) }, 1},
		"another start":                 {one, func(p []plan) []plan { p[0].start = "1999-01-01"; return p }, 2},
		"another end":                   {one, func(p []plan) []plan { p[0].end = "2099-01-01"; return p }, 2},
		"another kind":                  {one, func(p []plan) []plan { p[0].kind = unborn; return p }, 2},
		"another authority":             {one, func(p []plan) []plan { p[0].la = "NOBODY"; return p }, 2},
		"a telephone that nobody has":   {one, func(p []plan) []plan { p[0].phones = "1 2"; return p }, 2},
		"no word about the telephones":  {one, func(p []plan) []plan { p[0].phones = ""; return p }, 0},
		"somebody whom nobody has sent": {m.strangers[0], func([]plan) []plan { return m.shownNow(one.number, time.Now()) }, 1},
	} {
		m.wrong, m.faults = 0, nil
		m.judge(tc.about.number, m.open(tc.about.number), tc.spoil(m.shownNow(tc.about.number, time.Now())))
		if m.wrong != tc.want {
			t.Errorf("%s: %d faults, want %d: %q", name, m.wrong, tc.want, m.faults)
		}
	}
}

func TestAWrongAcknowledgementIsSeen(t *testing.T) {
	m := answeredEngland(t)
	first := func(a *ack) int { return slices.Min(slices.Collect(maps.Keys(a.records))) }
	for name, spoil := range map[string]func(a *ack){
		"another code of the file":   func(a *ack) { a.file = "CPF02" },
		"another file's id":          func(a *ack) { a.id = "-1" },
		"a refused record left out":  func(a *ack) { delete(a.records, first(a)) },
		"a good record refused":      func(a *ack) { a.records[len(a.valid)+len(a.invalid)+9] = outcome{"CPR07", "nhs-number"} },
		"another rule":               func(a *ack) { a.records[first(a)] = outcome{a.records[first(a)].code, "made-up"} },
		"another record code":        func(a *ack) { a.records[first(a)] = outcome{"CPR01", a.records[first(a)].words} },
		"a wrong count":              func(a *ack) { a.good++ },
		"a reason about the file":    func(a *ack) { a.whole = append(a.whole, outcome{"CPR07", "record-count"}) },
		"a good record not returned": func(a *ack) { a.valid = a.valid[1:] },
		"two in another order":       func(a *ack) { a.valid[0], a.valid[1] = a.valid[1], a.valid[0] },
	} {
		at := slices.IndexFunc(m.las, func(la *authority) bool { return !la.csv && la.files[0].due().failed > 0 })
		f := m.las[at].files[0]
		a := f.due()
		if wrong := f.compare(a); len(wrong) > 0 {
			t.Fatalf("before it is spoiled: %q", wrong)
		}
		if spoil(a); len(f.compare(a)) == 0 {
			t.Errorf("%s: not seen", name)
		}
	}
}

func TestAWrongNotificationIsSeen(t *testing.T) {
	m := answeredEngland(t)
	who := m.flagged(t, 1)
	la, other := m.rows[who.number][0].la, m.las[0]
	if other == la {
		other = m.las[1]
	}
	v := m.rows[who.number][0].versions
	right := notice{number: who.number, ods: "T0001", file: v[len(v)-1].file, local: v[len(v)-1].local}
	for name, tc := range map[string]struct {
		told func()
		want int
	}{
		"told once":             {func() { m.told(la, right) }, 0},
		"told nobody":           {func() {}, 1},
		"told twice":            {func() { m.told(la, right); m.told(la, right) }, 1},
		"told another as well":  {func() { m.told(la, right); m.told(other, right) }, 2}, // its file is none of theirs either
		"an access nobody made": {func() { m.told(la, right); n := right; n.ods = "T0002"; m.told(la, n) }, 1},
		"under another file":    {func() { n := right; n.file = "1"; m.told(la, n) }, 1},
		"under another child":   {func() { n := right; n.local = "LA-ELSE"; m.told(la, n) }, 1},
	} {
		m.wrong, m.faults, m.looks = 0, nil, map[string]map[string]*look{}
		m.looked(who.number, "T0001", "CareTeam", m.open(who.number))
		m.phaseEnds()
		tc.told()
		if m.close(); m.wrong != tc.want {
			t.Errorf("%s: %d faults, want %d: %q", name, m.wrong, tc.want, m.faults)
		}
	}
}

func TestAWrongHistoryIsSeen(t *testing.T) {
	m := answeredEngland(t)
	who := m.people[0].number
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	var all []past
	for i := range 30 {
		l := m.lookOf(who, m.settings[i].ods)
		l.from, l.to = at.Add(time.Duration(i)*time.Minute), at.Add(time.Duration(i)*time.Minute)
		all = append([]past{{m.settings[i].ods}}, all...)
	}
	for name, tc := range map[string]struct {
		got  []past
		want bool
	}{
		"the 25 newest":            {all[:25], false},
		"26":                       {all[:26], true},
		"24":                       {all[:24], true},
		"an older for a newer one": {append(slices.Clone(all[1:25]), all[27]), true},
		"one twice":                {append(slices.Clone(all[:24]), all[0]), true},
		"one that was none":        {append(slices.Clone(all[:24]), past{"X"}), true},
	} {
		m.wrong, m.faults = 0, nil
		if m.judgeHistory(who, tc.got); (m.wrong > 0) != tc.want {
			t.Errorf("%s: %q", name, m.faults)
		}
	}
}

// The model's own windows, day by day, so that a slip in it cannot hide one in the engine.
func TestTheModelsWindows(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	child := &person{born: day("2015-03-12")}
	for _, tc := range []struct {
		name string
		e    entry
		on   string
		want bool
	}{
		{"open", entry{who: child}, "2026-11-22", true},
		{"before its start", entry{who: child, start: day("2026-12-24")}, "2026-11-22", true},
		{"ended 365 days ago", entry{who: child, end: day("2025-11-22")}, "2026-11-22", true},
		{"ended 366 days ago", entry{who: child, end: day("2025-11-21")}, "2026-11-22", false},
		{"born 28 days ago", entry{who: child, kind: unborn, end: day("2026-10-25")}, "2026-11-22", true},
		{"born 29 days ago", entry{who: child, kind: unborn, end: day("2026-10-24")}, "2026-11-22", false},
		{"entered in error", entry{who: child, withdrawn: day("2026-11-22")}, "2026-11-22", false},
		{"grown up a year ago", entry{who: child}, "2034-03-12", true},
		{"grown up longer ago", entry{who: child}, "2034-03-13", false},
		{"a mother is grown up", entry{who: &person{born: day("1990-01-01")}, kind: unborn, end: day("2026-12-24")}, "2026-11-22", true},
	} {
		if got := tc.e.visible(day(tc.on)); got != tc.want {
			t.Errorf("%s: visible %v", tc.name, got)
		}
	}
}
