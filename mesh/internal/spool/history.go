package spool

import (
	"sort"
	"time"
)

// HistoryQuery asks for a part of what a mailbox ever received or sent, newest first.
type HistoryQuery struct {
	Mailbox string
	Sent    bool
	Since   time.Time
	Before  uint64 // Num to go on before; 0 begins with the newest
	Max     int
}

// Entry is a message with its place in the history.
type Entry struct {
	Meta
	Num uint64
}

// History returns a page of the history and whether there is more. Its cost follows the page.
func (s *Spool) History(q HistoryQuery) (page []Entry, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	lines := s.in
	if q.Sent {
		lines = s.out
	}
	b := lines[q.Mailbox]
	if b == nil {
		return nil, false
	}
	last := len(b.entries)
	if q.Before > 0 {
		last = sort.Search(len(b.entries), func(i int) bool { return b.entries[i].num >= q.Before })
	}
	for i := last - 1; i >= 0; i-- {
		e := b.entries[i]
		if e.dead {
			continue
		}
		if !e.Created.After(q.Since) {
			return page, false
		}
		if len(page) == q.Max {
			return page, true
		}
		page = append(page, Entry{e.Meta, e.num})
	}
	return page, false
}

// Waits reports whether the message accepted under seq still waits in the mailbox.
func (s *Spool) Waits(mailbox string, seq uint64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.boxes[mailbox]
	if b == nil || seq == 0 {
		return false
	}
	rest := b.after(seq - 1)
	return len(rest) > 0 && rest[0].Seq == seq && rest[0].waits()
}

// Missing returns the number of the first chunk that has not come.
func (s *Spool) Missing(id string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.byID[id]
	if e == nil {
		return 0
	}
	n := 1
	for ; n <= e.Total; n++ {
		if _, there := e.chunks[n]; !there {
			break
		}
	}
	return n
}

// Size returns how many messages are known.
func (s *Spool) Size() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byID)
}
