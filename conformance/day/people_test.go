package day

import (
	"fmt"
	"math/rand/v2"
	"time"

	"signalbox/conformance/harness"
)

// figures say how large a day is.
type figures struct {
	las, children, settings, queries, kills int
}

// full is England in the published figures; a share of it keeps enough of each for every case to come.
func full(share float64) figures {
	of := func(n, least int) int { return max(least, int(share*float64(n))) }
	return figures{las: of(153, 12), children: of(131_000, 600), settings: of(1_250, 60), queries: of(50_000, 600), kills: of(20, 4)}
}

// england makes the day: the people, the authorities with every file that they will send, the settings.
func england(seed uint64, size figures, now time.Time) *model {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	m := &model{zone: zone, byBox: map[string]*authority{}, rows: map[string][]*row{}, looks: map[string]map[string]*look{}}
	k := &maker{rng: rand.New(rand.NewPCG(seed, 7)), m: m, today: m.day(now), numbers: harness.Numbers(size.children*5/4 + 2000)}
	k.rng.Shuffle(len(k.numbers), func(i, j int) { k.numbers[i], k.numbers[j] = k.numbers[j], k.numbers[i] })
	for i := range size.las {
		la := &authority{index: i, mailbox: fmt.Sprintf("DAYLA%03d", i), ods: fmt.Sprintf("L%03d", i), name: fmt.Sprintf("AUTHORITY %d", i),
			office: fmt.Sprintf("01632960%03d", i), duty: fmt.Sprintf("01632960%03d", 500+i), supplier: "testshire-cpisxml", rows: map[rowKey]*row{}}
		if la.csv = i%10 == 6; la.csv {
			la.supplier = fmt.Sprintf("day-csv-%d", i)
			la.toldInCSV = i%20 == 6
		}
		la.urgent = i%19 == 4
		m.las, m.byBox[la.mailbox] = append(m.las, la), la
	}
	for i := range size.settings {
		m.settings = append(m.settings, newSetting(i))
	}
	k.morning(size.children)
	for _, la := range m.las {
		k.changes(la)
	}
	for range 200 {
		m.strangers = append(m.strangers, &person{number: k.number()})
	}
	for _, la := range m.las {
		for _, f := range la.files {
			m.settle(f)
		}
	}
	return m
}

// morning makes each authority's first file: everybody whom it knows.
func (k *maker) morning(children int) {
	first := make([][]*entry, len(k.m.las))
	add := func(la *authority, e *entry) { first[la.index] = append(first[la.index], e) }
	for range children {
		la := pick(k.rng, k.m.las)
		who := k.child()
		if k.oneIn(30) {
			who = k.person(18+k.rng.IntN(20), 100) // a mother
			add(la, k.plan(la, who, unborn))
			continue
		}
		of := kind(k.rng.IntN(2))
		add(la, k.plan(la, who, of))
		if k.oneIn(20) { // both plans at once
			add(la, k.plan(la, who, 1-of))
		}
		if k.oneIn(40) { // two authorities at once
			if other := pick(k.rng, k.m.las); other != la {
				add(other, k.plan(other, who, of))
			}
		}
		if k.oneIn(50) { // the old plan beside the new one, in either order
			old := k.plan(la, who, of)
			old.start, old.end, old.withdrawn = k.ago(900), k.ago(820), time.Time{}
			add(la, old)
		}
	}
	for _, la := range k.m.las {
		all := first[la.index]
		k.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		k.send(la, all)
	}
}

// send makes the authority's next file of these entries.
func (k *maker) send(la *authority, entries []*entry) *file {
	f := &file{la: la, turn: len(la.files) + 1, entries: entries, read: len(entries), count: len(entries), as: la.ods}
	f.id = fmt.Sprint(1000 + f.turn)
	for _, e := range entries {
		e.file = f.id
	}
	k.spoil(f)
	la.files = append(la.files, f)
	return f
}

// changes makes the files of the day: what became of children since the morning, and the mishaps of some authorities.
func (k *maker) changes(la *authority) {
	entries := k.news(la)
	switch mishap := la.index % 12; {
	case la.csv:
		k.send(la, entries)
	case mishap == 1: // the emergency duty telephone is forgotten, the file refused, mended and sent again
		f := k.send(la, entries)
		f.nobody, f.refused = true, noDuty
		k.send(la, again(entries))
	case mishap == 3: // in another authority's name, then in its own
		f := k.send(la, entries)
		f.as, f.refused = "L999", foreign
		k.send(la, again(entries))
	case mishap == 5: // a wrong count is doubted, and stands
		k.send(la, entries).count += 2
	case mishap == 7: // cut short in the middle: what could be read stands
		f := k.send(la, entries)
		f.read = len(entries) / 2
		k.send(la, again(entries))
	case mishap == 9: // the id of the morning again
		f := k.send(la, entries)
		f.id, f.again = la.files[0].id, true
		for _, e := range entries {
			e.file = f.id
		}
	case mishap == 11: // two files one after the other without waiting: the later word counts
		k.send(la, entries)
		k.send(la, k.news(la))
	default:
		k.send(la, entries)
	}
}

// again copies entries for another file.
func again(entries []*entry) []*entry {
	out := make([]*entry, len(entries))
	for i, e := range entries {
		one := *e
		one.fault = nil
		out[i] = &one
	}
	return out
}

// news is what became of one in twenty of an authority's plans: ended, withdrawn, open again, begun on another day, born, moved; and of
// children who are new.
func (k *maker) news(la *authority) []*entry {
	var out []*entry
	for _, e := range la.files[0].entries {
		if e.fault != nil && k.oneIn(3) { // mended in the course of the day
			mended := *e
			mended.fault = nil
			out = append(out, &mended)
		}
		if !k.oneIn(20) || e.fault != nil {
			continue
		}
		n := *e
		switch k.rng.IntN(6) {
		case 0:
			n.end = k.later(n.start, 0)
		case 1:
			n.withdrawn = k.today
		case 2:
			n.start = k.later(n.start, 1)
			n.withdrawn = time.Time{}
			if n.end = (time.Time{}); n.kind == unborn {
				n.end = k.ago(-90)
			}
		case 3:
			n.start = n.start.AddDate(0, 0, -3)
		case 4: // born: the mother's plan ends, the child has one of its own
			if n.end = k.later(n.start, 0); n.kind == unborn {
				out = append(out, k.plan(la, k.person(0, 0), protection))
			}
		case 5: // moved to another plan
			n.end = k.later(n.start, 0)
			if n.kind != unborn {
				other := k.plan(la, n.who, 1-n.kind)
				other.start, other.end, other.withdrawn = k.today, time.Time{}, time.Time{}
				out = append(out, other)
			}
		}
		out = append(out, &n)
	}
	for range 1 + len(la.files[0].entries)/100 {
		out = append(out, k.plan(la, k.child(), kind(k.rng.IntN(2))))
	}
	return out
}

// later is so many days ago, or the given day where that is later: a plan does not end before it starts.
func (k *maker) later(start time.Time, days int) time.Time {
	if at := k.ago(days); at.After(start) {
		return at
	}
	return start
}
