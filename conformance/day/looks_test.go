package day

import "time"

// look is one unscheduled access that was answered.
type look struct {
	sight
	to    time.Time // when the answer came
	high  []int     // turns that may have come when the authorities were chosen
	told  map[*authority]int
	at    *time.Time // as it was told
	kinds string
}

// looked notes an unscheduled access that the engine has answered. whom it tells is decided behind the answer, so high is filled at the end
// of the phase.
func (m *model) looked(number, ods, how string, s sight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lookOf(number, ods)
	l.sight, l.to, l.kinds = s, time.Now(), how
}

func (m *model) lookOf(number, ods string) *look {
	if m.looks[number] == nil {
		m.looks[number] = map[string]*look{}
	}
	if m.looks[number][ods] == nil {
		m.looks[number][ods] = &look{told: map[*authority]int{}}
	}
	return m.looks[number][ods]
}

// everyLook goes through the looks.
func (m *model) everyLook(visit func(number, ods string, l *look)) {
	for number, by := range m.looks {
		for ods, l := range by {
			visit(number, ods, l)
		}
	}
}

// told notes what a notification said, when it comes.
func (m *model) told(la *authority, n notice) {
	m.lookOf(n.number, n.ods).told[la]++ // its answer may still be on the way
	m.checked.notices++
	for _, r := range m.rows[n.number] {
		if r.la != la {
			continue
		}
		for _, v := range r.versions {
			if v.file == n.file && v.local == n.local {
				return
			}
		}
	}
	m.blame("%s is told of a child under a file id or a local id that is not its own", la.name)
}

// phaseEnds notes which files may have come before the authorities of the phase's looks were chosen.
func (m *model) phaseEnds() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.everyLook(func(number, _ string, l *look) {
		if l.high != nil || l.to.IsZero() {
			return
		}
		l.high = []int{}
		for _, r := range m.rows[number] {
			l.high = append(l.high, r.la.sent)
		}
	})
}

// owed says for a look which authorities must have been told, and which may have been.
func (m *model) owed(number string, l *look) (must, may map[*authority]bool) {
	must, may = map[*authority]bool{}, map[*authority]bool{}
	for i, r := range m.rows[number] {
		always := true
		for _, e := range r.between(l.low[i], l.high[i]) {
			for _, day := range m.days(l.from, l.to) {
				if e != nil && e.visible(day) {
					may[r.la] = true
				} else {
					always = false
				}
			}
		}
		if always {
			must[r.la] = true
		}
	}
	return must, may
}

// waiting counts what is still to come: acknowledgements, and notices that must come.
func (m *model) waiting() (acks, notices int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, la := range m.las {
		for _, f := range la.files[:la.sent] {
			if f.acks == 0 {
				acks++
			}
		}
	}
	m.everyLook(func(number, _ string, l *look) {
		if l.high == nil {
			return
		}
		must, _ := m.owed(number, l)
		for la := range must {
			if l.told[la] == 0 {
				notices++
			}
		}
	})
	return acks, notices
}

// close compares, at the end, every notification with every look.
func (m *model) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.everyLook(m.judgeLook)
	m.onTime()
	for _, la := range m.las {
		for _, f := range la.files {
			if f.acks != 1 {
				m.blame("file %s of %s was acknowledged %d times", f.id, la.name, f.acks)
			}
		}
	}
}

// overMidnight says that the look was asked again on another day of UTC, which makes two of it (decisions/0003).
func (l *look) overMidnight() bool {
	return l.from.UTC().Format(time.DateOnly) != l.to.UTC().Format(time.DateOnly)
}

// judgeLook compares who was told of a look with who had to be.
func (m *model) judgeLook(number, ods string, l *look) {
	if l.to.IsZero() {
		m.blame("somebody was told of an access that nobody made, by %s", ods)
		return
	}
	must, may := m.owed(number, l)
	for la := range must {
		if l.told[la] == 0 {
			m.blame("%s was not told of an access by %s (%s)", la.name, ods, l.kinds)
		}
	}
	for la, n := range l.told {
		if !may[la] {
			m.blame("%s was told of an access by %s that is none of its business (%s)", la.name, ods, l.kinds)
		}
		if n > 1 && !l.overMidnight() {
			m.blame("%s was told %d times of one access by %s (%s)", la.name, n, ods, l.kinds)
		}
	}
}

// past is one access in a history, newest first.
type past struct{ ods string }

// judgeHistory compares a history with the accesses that were made: all of them, or of more than 25 none that is older than one left out.
func (m *model) judgeHistory(number string, got []past) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.looks[number]
	for _, l := range all {
		if l.overMidnight() {
			return
		}
	}
	m.checked.histories++
	if want := min(len(all), 25); len(got) != want {
		m.blame("a history holds %d accesses, not %d", len(got), want)
	}
	shown := map[string]bool{}
	var oldest time.Time
	for _, p := range got {
		l := all[p.ods]
		if l == nil || shown[p.ods] {
			m.blame("a history holds an access that was none, or one twice, by %s", p.ods)
			continue
		}
		shown[p.ods] = true
		if oldest.IsZero() || l.to.Before(oldest) {
			oldest = l.to
		}
	}
	for ods, l := range all {
		if !shown[ods] && l.from.After(oldest.Add(time.Second)) {
			m.blame("a history leaves an access by %s out that is newer than one that it shows", ods)
		}
	}
}
