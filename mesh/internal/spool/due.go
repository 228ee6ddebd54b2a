package spool

import (
	"container/heap"
	"math"
	"os"
	"path/filepath"
	"time"

	"signalbox/mesh/internal/wire"
)

// dueHeap orders messages by the time at which something is due. Entries may be out of date: whoever takes one asks the
// message again.
type dueHeap []dueItem

type dueItem struct {
	at int64 // nanoseconds
	e  *entry
}

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for package heap.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(dueItem)) }

// Pop is for package heap.
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = dueItem{}
	*h = old[:len(old)-1]
	return last
}

// deletion returns when a message is to be deleted: some time after its delivery, or after its beginning if it never came
// so far.
func (s *Spool) deletion(e *entry) (at time.Time, ever bool) {
	base := e.Accepted
	if base.IsZero() {
		base = e.Created
	}
	return base.Add(s.o.KeepFor), s.o.KeepFor > 0 && !e.dead
}

func (s *Spool) expiry(e *entry) (at time.Time, ever bool) {
	return e.Accepted.Add(s.o.WaitFor), s.o.WaitFor > 0 && e.waits() && !e.dead
}

// plan notes when the message is next due.
func (s *Spool) plan(e *entry) {
	at, ever := s.expiry(e)
	if gone, always := s.deletion(e); always && (!ever || gone.Before(at)) {
		at, ever = gone, true
	}
	if ever {
		heap.Push(&s.due, dueItem{at.UnixNano(), e})
	}
	s.setNext()
}

// planAll plans all messages anew: what replay noted is mostly out of date.
func (s *Spool) planAll() {
	s.due = nil
	for _, e := range s.order.entries {
		if !e.dead {
			s.plan(e)
		}
	}
	s.setNext()
}

func (s *Spool) setNext() {
	if len(s.due) == 0 {
		s.next.Store(math.MaxInt64)
		return
	}
	s.next.Store(s.due[0].at)
}

// NextDue returns when Due will have something to say, in nanoseconds since 1970. It costs next to nothing.
func (s *Spool) NextDue() int64 { return s.next.Load() }

// Due takes up to limit messages that have waited too long or were kept long enough. Each is named once, until the spool is
// opened again: the caller ends or deletes it.
func (s *Spool) Due(now time.Time, limit int) (expired []Meta, old []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.due) > 0 && s.due[0].at <= now.UnixNano() && len(expired)+len(old) < limit {
		e := heap.Pop(&s.due).(dueItem).e
		if at, ever := s.deletion(e); ever && !at.After(now) {
			if e.doomed {
				continue
			}
			e.doomed = true
			old = append(old, e.ID)
		} else if at, ever := s.expiry(e); ever && !at.After(now) && !e.late {
			e.late = true
			expired = append(expired, e.Meta)
		}
	}
	s.setNext()
	return expired, old
}

// Verdict is another status for a message.
type Verdict struct {
	From   string `json:"from,omitempty"` // the status that it must have; empty is any
	Status string `json:"status"`
	Code   string `json:"code,omitempty"`
	Event  string `json:"event,omitempty"`
	Text   string `json:"text,omitempty"`
	// LinkedID is kept when it is not empty.
	LinkedID string `json:"linked,omitempty"`
}

// Ending is a verdict on one message, with the report about it.
type Ending struct {
	ID      string
	Verdict Verdict
	Report  *Meta // nil is none
}

// End gives messages other statuses and puts the reports, each together with its verdict or not at all. Messages that do
// not exist or have another status than the verdict asks for are left alone; with one ending, the error says so.
func (s *Spool) End(at time.Time, endings ...Ending) error {
	records := make([]record, len(endings))
	for i, e := range endings {
		records[i] = record{Op: "end", At: at, ID: e.ID, Verdict: &e.Verdict, Report: e.Report}
	}
	err := s.changeAll(records)
	for _, e := range endings {
		if e.Verdict.Status == wire.StatusAcknowledged {
			s.drop(e.ID)
		}
	}
	return err
}

// Fail records a message that was refused: it has a status of error and no body. The report about it, if there is one, is
// put together with it.
func (s *Spool) Fail(m Meta, at time.Time, report *Meta) error {
	if m.ID == "" {
		return ErrState
	}
	m.Total = max(m.Total, 1)
	return s.changeAll([]record{{Op: "fail", At: at, ID: m.ID, Meta: &m, Report: report}})
}

// Delete forgets messages and removes their bodies. What does not exist is left alone.
func (s *Spool) Delete(ids ...string) error {
	var files []string
	records := make([]record, 0, len(ids))
	s.mu.RLock()
	for _, id := range ids {
		if e := s.byID[id]; e != nil {
			records = append(records, record{Op: "del", ID: id})
			files = append(files, e.files()...)
		}
	}
	s.mu.RUnlock()
	if err := s.changeAll(records); err != nil {
		return err
	}
	for _, f := range files {
		_ = os.Remove(filepath.Join(s.dir, f))
	}
	return nil
}

// Belonging returns the ids of the messages to a mailbox, and of those from it that wait in no other's inbox; of all
// messages when mailbox is empty.
func (s *Spool) Belonging(mailbox string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for id, e := range s.byID {
		if mailbox == "" || e.To == mailbox || e.From == mailbox && !e.waits() {
			out = append(out, id)
		}
	}
	return out
}

func (e *entry) files() []string {
	var out []string
	for _, c := range e.chunks {
		if c.File != "" {
			out = append(out, c.File)
		}
	}
	return out
}
