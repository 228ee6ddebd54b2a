//go:build unix

package faults

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signalbox/mesh/cpis"
)

// child is one child as the checker knows it.
type child struct {
	number string
	la     int
	last   record // the state that was sent last
	stood  int    // the newest state that an acknowledgement file has confirmed
	asked  bool   // is looked at, unscheduled, once in the run: from then on its authority has to be told, once
	queued bool
	due    bool // the look was answered with 2xx
	told   int
}

// checker is what was sent and what arrived. It is fed by the authorities and the trust alone.
type checker struct {
	mu       sync.Mutex
	uploads  []*upload
	children []*child
	of       [2][]*child // by authority
	byNumber map[string]*child
	stem     int // of the last NHS number given
	faults   []time.Time
	stale    []string // answers that gave an older state than one confirmed before
	strange  []string // what arrived and has no cause
	news     time.Time
}

func newChecker() *checker {
	return &checker{byNumber: map[string]*child{}, stem: 999000010, news: time.Now()}
}

// arrived logs a letter.
func (c *checker) arrived(la int, workflow string, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news = time.Now()
	if workflow == "TEST_CPIS_ACCESS" {
		c.notified(la, body)
		return
	}
	read := readXMLAck
	if la == 1 {
		read = readCSVAck
	}
	a, err := read(body)
	if err != nil || a.number >= len(c.uploads) || c.uploads[a.number].la != la {
		c.strange = append(c.strange, fmt.Sprintf("an acknowledgement of no upload of authority %d: %v", la, err))
		return
	}
	a.at = c.news
	u := c.uploads[a.number]
	u.acks = append(u.acks, a)
	for _, r := range u.records {
		if !r.spoiled {
			r.child.stood = max(r.child.stood, r.state)
		}
	}
}

func (c *checker) notified(la int, body []byte) {
	n, err := cpis.DecodeNotification(body)
	if err != nil {
		c.strange = append(c.strange, "a notification that cannot be read: "+err.Error())
		return
	}
	for _, a := range n.Accesses {
		if k := c.byNumber[a.NHSNumber]; k != nil && k.la == la {
			k.told++
		} else {
			c.strange = append(c.strange, "a notification of a child of nobody's")
		}
	}
}

// plan makes the next upload of an authority: new children and, for every other record, a child's next state.
func (c *checker) plan(w *world, la, records, spoiledOneIn int) *upload {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := &upload{number: len(c.uploads), la: la}
	known, from := c.of[la], 0
	if len(known) > 0 {
		from = w.rng.IntN(len(known))
	}
	for i := range records {
		if spoiledOneIn > 0 && w.rng.IntN(spoiledOneIn) == 0 {
			u.records = append(u.records, record{child: c.birth(la), state: 1, spoiled: true})
			continue
		}
		k := (*child)(nil)
		if i%2 == 1 && i/2 < len(known) {
			k = known[(from+i/2)%len(known)]
		} else {
			k = c.birth(la)
			k.asked = len(c.children)%6 < 2
			c.children, c.of[la] = append(c.children, k), append(c.of[la], k)
			c.byNumber[k.number] = k
		}
		k.last = record{child: k, state: k.last.state + 1, ends: !k.asked && w.rng.IntN(6) == 0}
		u.records = append(u.records, k.last)
	}
	c.uploads = append(c.uploads, u)
	return u
}

// birth gives a child that nobody has yet.
func (c *checker) birth(la int) *child {
	for {
		c.stem++
		if n, ok := withCheck(c.stem); ok {
			return &child{number: n, la: la}
		}
	}
}

// waiting returns children that may be looked at by now and were not.
func (c *checker) waiting() []*child {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*child
	for _, k := range c.children {
		if k.asked && !k.queued && k.stood > 0 {
			k.queued = true
			out = append(out, k)
		}
	}
	return out
}

// look asks about a child, unscheduled, and compares the answer with what was confirmed before the question.
func (c *checker) look(t testing.TB, tr *trust, k *child) {
	c.mu.Lock()
	before := record{child: k, state: k.stood}.start().Format(time.DateOnly)
	byMessage := k.number[8]%2 == 0
	c.mu.Unlock()
	if byMessage {
		tr.tell(t, k.number)
	} else {
		flags := tr.look(t, k.number, true)
		c.mu.Lock()
		after := k.last.start().Format(time.DateOnly)
		if len(flags) != 1 || flags[0].la != k.la || flags[0].start < before || flags[0].start > after {
			c.stale = append(c.stale, fmt.Sprintf("an answer shows %v, not one flag between %s and %s", flags, before, after))
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	k.due = true
	c.mu.Unlock()
}

// open counts what is still to arrive, and when something last did.
func (c *checker) open() (acks, notices int, news time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range c.uploads {
		if len(u.acks) == 0 {
			acks++
		}
	}
	for _, k := range c.children {
		if k.due && k.told == 0 {
			notices++
		}
	}
	return acks, notices, c.news
}

// hurt notes when a fault struck.
func (c *checker) hurt() {
	c.mu.Lock()
	c.faults = append(c.faults, time.Now())
	c.mu.Unlock()
}

// recoveries returns, for each fault, how long it took until a file that was sent after it was acknowledged.
func (c *checker) recoveries() []time.Duration {
	var out []time.Duration
	for _, at := range c.faults {
		var first time.Time
		for _, u := range c.uploads {
			if u.sent.After(at) && len(u.acks) > 0 && (first.IsZero() || u.acks[0].at.Before(first)) {
				first = u.acks[0].at
			}
		}
		if !first.IsZero() {
			out = append(out, first.Sub(at))
		}
	}
	slices.Sort(out)
	return out
}

// tally is the line that every run prints.
type tally struct {
	acked, visible, quarantined, lost, duplicate, outOfOrder int
	recovery                                                 []time.Duration
	notes                                                    []string
}

func (r tally) String() string {
	at := func(share float64) string {
		if len(r.recovery) == 0 {
			return "-"
		}
		return r.recovery[int(float64(len(r.recovery)-1)*share)].Round(time.Millisecond).String()
	}
	return fmt.Sprintf("acked %d, visible %d, quarantined %d, lost %d, duplicate %d, out-of-order %d, recovery p50/p99/max %s/%s/%s",
		r.acked, r.visible, r.quarantined, r.lost, r.duplicate, r.outOfOrder, at(0.5), at(0.99), at(1))
}

func (r *tally) note(format string, args ...any) {
	if len(r.notes) < 20 {
		r.notes = append(r.notes, fmt.Sprintf(format, args...))
	}
}

// judge compares what was sent with what arrived; flags is what the trust sees of each child at the end.
func (c *checker) judge(flags map[*child][]seen) tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := tally{recovery: c.recoveries(), outOfOrder: len(c.stale), duplicate: len(c.strange)}
	r.notes = append(append(r.notes, c.strange...), c.stale...)
	for _, u := range c.uploads {
		r.countUpload(u)
	}
	for _, k := range c.children {
		r.countFlags(k, flags[k])
		if k.due {
			r.acked++
			r.visible += min(k.told, 1)
		}
		switch {
		case k.due && k.told == 0:
			r.lost++
			r.note("an answered access was told to nobody")
		case k.told > 1, k.told == 1 && !k.due:
			r.duplicate++
			r.note("one access was told %d times (answered: %v)", k.told, k.due)
		}
	}
	return r
}

func (r *tally) countUpload(u *upload) {
	spoiled := 0
	for _, x := range u.records {
		if x.spoiled {
			spoiled++
		}
	}
	good := len(u.records) - spoiled
	r.acked += good
	r.quarantined += spoiled
	if len(u.acks) == 0 {
		r.lost += good
		r.note("upload %d was never acknowledged", u.number)
		return
	}
	if n := len(u.acks) - 1; n > 0 {
		r.duplicate += n
		r.note("upload %d was acknowledged %d times", u.number, n+1)
	}
	r.visible += u.acks[0].stand
	if a := u.acks[0]; a.stand != good || a.refused != spoiled {
		r.lost += max(good-a.stand, 0)
		r.duplicate += max(a.stand-good, 0)
		r.note("upload %d: %d records stand and %d are refused, want %d and %d", u.number, a.stand, a.refused, good, spoiled)
	}
}

func (r *tally) countFlags(k *child, flags []seen) {
	want := k.last.start().Format(time.DateOnly)
	switch {
	case len(flags) > 1:
		r.duplicate++
		r.note("a child has %d flags", len(flags))
	case k.last.ends && len(flags) == 0:
	case k.last.ends:
		r.outOfOrder++
		r.note("a flag that was withdrawn in state %d shows the plan of %s", k.last.state, flags[0].start)
	case len(flags) == 0:
		r.lost++
		r.note("a child of state %d has no flag", k.last.state)
	case flags[0].la != k.la || flags[0].start != want:
		r.outOfOrder++
		r.note("a child shows the plan of %s, want %s", flags[0].start, want)
	}
}
