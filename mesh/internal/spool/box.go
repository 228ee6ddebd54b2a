package spool

import (
	"slices"
	"sort"

	"signalbox/mesh/internal/wire"
)

// line is messages in an order of theirs, of which some no longer count. Those are swept out when they lead or make up half
// of it, so that its length follows what counts and not what ever did.
type line struct {
	entries []*entry
	gone    int
	counts  func(*entry) bool
}

func newLine(counts func(*entry) bool) *line { return &line{counts: counts} }

func (e *entry) waits() bool { return e.Status == wire.StatusAccepted }

func waits(e *entry) bool { return e.waits() }
func known(e *entry) bool { return !e.dead }

func (b *line) add(e *entry) { b.entries = append(b.entries, e) }

// remove accounts for one entry that has stopped counting.
func (b *line) remove() {
	b.gone++
	for len(b.entries) > 0 && !b.counts(b.entries[0]) {
		b.entries[0] = nil
		b.entries = b.entries[1:]
		b.gone--
	}
	if b.gone <= len(b.entries)/2 {
		return
	}
	kept := make([]*entry, 0, len(b.entries)-b.gone)
	for _, e := range b.entries {
		if b.counts(e) {
			kept = append(kept, e)
		}
	}
	b.entries, b.gone = kept, 0
}

func (b *line) count() int { return len(b.entries) - b.gone }

// after returns the entries accepted after seq, removed ones among them.
func (b *line) after(seq uint64) []*entry {
	return b.entries[sort.Search(len(b.entries), func(i int) bool { return b.entries[i].Seq > seq }):]
}

func lineOf(lines map[string]*line, mailbox string, counts func(*entry) bool) *line {
	b := lines[mailbox]
	if b == nil {
		b = newLine(counts)
		lines[mailbox] = b
	}
	return b
}

// shrink accounts for one that has left a line, and drops the line with its last.
func shrink(lines map[string]*line, mailbox string) {
	b := lines[mailbox]
	if b.remove(); len(b.entries) == 0 {
		delete(lines, mailbox)
	}
}

func without(list []*entry, e *entry) []*entry {
	return slices.DeleteFunc(list, func(x *entry) bool { return x == e })
}

// Page is a part of an inbox.
type Page struct {
	IDs  []string
	Last uint64 // Seq of the last message looked at: where the next page goes on
	More bool
}

// Query asks for a page of an inbox.
type Query struct {
	Mailbox string
	After   uint64 // Seq to go on after
	Max     int
	Match   func(workflowID string) bool // nil matches all
	// CutFirst counts messages towards Max before they are matched, so that the work of a page is bounded and a page may be
	// empty with more to come.
	CutFirst bool
}

// List returns a page.
func (s *Spool) List(q Query) Page {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := Page{IDs: []string{}, Last: q.After}
	b := s.boxes[q.Mailbox]
	if b == nil {
		return p
	}
	looked := 0
	rest := b.after(q.After)
	if q.Match == nil {
		p.IDs = make([]string, 0, min(len(rest), max(q.Max, 0)))
	}
	for _, e := range rest {
		if !e.waits() {
			continue
		}
		match := q.Match == nil || q.Match(e.WorkflowID)
		if looked == q.Max {
			if match || q.CutFirst {
				p.More = true
				return p
			}
			continue
		}
		p.Last = e.Seq
		if match {
			p.IDs = append(p.IDs, e.ID)
		}
		if match || q.CutFirst {
			looked++
		}
	}
	return p
}

// Count returns how many messages wait in an inbox.
func (s *Spool) Count(mailbox string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.boxes[mailbox]; b != nil {
		return b.count()
	}
	return 0
}

// Inbox returns what waits in an inbox, oldest first.
func (s *Spool) Inbox(mailbox string) []Meta {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Meta
	if b := s.boxes[mailbox]; b != nil {
		for _, e := range b.entries {
			if e.waits() {
				out = append(out, e.Meta)
			}
		}
	}
	return out
}

// Get returns a message, waiting or not.
func (s *Spool) Get(id string) (Meta, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.byID[id]
	if e == nil {
		return Meta{}, false
	}
	return e.Meta, true
}

// ByLocalID returns the messages that a sender gave this local id.
func (s *Spool) ByLocalID(sender, localID string) []Meta {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Meta
	for _, e := range s.local[localKey{sender, localID}] {
		out = append(out, e.Meta)
	}
	return out
}
