package stream

import (
	"iter"
	"slices"
	"sync"
	"time"

	"signalbox/internal/teeth"
)

// entry is one stream entry as it was read.
type entry struct {
	id     string
	uuid   string
	fields fields
	reason error // why it cannot be delivered; nil: it can
	lane   int

	deliveries int       // how often it was handed out, the coming time included; see careful
	since      time.Time // when it was read or last renewed
}

// held is the set of entries which this subscription has read and whose acknowledgement Redis has not confirmed. It
// bounds memory, and it is what keeps an entry from being handled twice when it is read or claimed again meanwhile.
type held struct {
	most  int
	freed chan struct{} // one token: there may be room again

	mu      sync.Mutex
	entries map[string]*entry
	gone    map[string]struct{} // while a look at pending entries is under way: those let go since it began
}

func newHeld(most int) *held {
	return &held{most: most, freed: make(chan struct{}, 1), entries: make(map[string]*entry)}
}

// add holds those of the entries which are not held yet and can be delivered. It returns, in their order, those which
// are new here, whether they can be delivered or not.
func (h *held) add(entries ...*entry) []*entry {
	now := time.Now()
	fresh := entries[:0]
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range entries {
		if h.known(e.id) {
			continue
		}
		fresh = append(fresh, e)
		if e.reason == nil {
			e.since = now
			h.entries[e.id] = e
		}
	}
	return fresh
}

// deliveries returns the count of an entry that is held.
func (h *held) deliveries(id string) (n int, held bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.entries[id]; e != nil {
		return e.deliveries, true
	}
	return 0, h.known(id)
}

// known reports whether the entry is held, or was when the look under way began.
func (h *held) known(id string) bool {
	if teeth.Bite("claim-own-entries") {
		return false
	}
	if h.entries[id] != nil {
		return true
	}
	_, was := h.gone[id]
	return was
}

// look begins a look at pending entries, and the returned function ends it. An answer that Redis gave before it took an
// acknowledgement may be read after that acknowledgement was confirmed: the entry is then pending no more, and must not
// be handled again. Looks do not overlap.
func (h *held) look() (end func()) {
	set := func(gone map[string]struct{}) {
		h.mu.Lock()
		h.gone = gone
		h.mu.Unlock()
	}
	set(make(map[string]struct{}))
	return func() { set(nil) }
}

// remove lets entries go.
func (h *held) remove(ids []string) {
	h.mu.Lock()
	for _, id := range ids {
		delete(h.entries, id)
		if h.gone != nil {
			h.gone[id] = struct{}{}
		}
	}
	h.mu.Unlock()
	signal(h.freed)
}

// room waits until an entry more can be held and returns how many, at most limit; 0 when stop closes first.
func (h *held) room(limit int, stop <-chan struct{}) int {
	for {
		h.mu.Lock()
		free := h.most - len(h.entries)
		if teeth.Bite("no-back-pressure") {
			free = limit
		}
		h.mu.Unlock()
		if free > 0 {
			return min(free, limit)
		}
		select {
		case <-h.freed:
		case <-stop:
			return 0
		}
	}
}

// older returns the ids of entries not renewed for age, and counts them as renewed now.
func (h *held) older(age time.Duration) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	var ids []string
	for id, e := range h.entries {
		if now.Sub(e.since) >= age {
			ids = append(ids, id)
			e.since = now
		}
	}
	return ids
}

// chunks cuts ids into pieces that suit one command.
func chunks(ids []string) iter.Seq[[]string] { return slices.Chunk(ids, 100) }
