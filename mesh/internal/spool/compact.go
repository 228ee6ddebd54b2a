package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"signalbox/mesh/internal/durable"
)

// compacted is the name of a journal that is being compacted.
const compacted = "journal.new"

// compactAt is how many bytes that nobody wants a journal may carry before it is written anew, when they are also half of it.
const compactAt = 4 << 20

// state is what a compacted journal tells of a message in one frame, instead of how it came about.
type state struct {
	Status       string    `json:"status"`
	Seq          uint64    `json:"seq,omitempty"`
	Size         int64     `json:"size"`
	Created      time.Time `json:"created"`
	Accepted     time.Time `json:"accepted,omitzero"`
	Acknowledged time.Time `json:"acknowledged,omitzero"`
	Changed      time.Time `json:"changed,omitzero"`
	Num          uint64    `json:"num,omitempty"`
}

// restore is the other side of keep.
func (s *Spool) restore(r record) error {
	if r.Meta == nil || r.State == nil {
		return ErrCorrupt
	}
	st := r.State
	e := &entry{Meta: *r.Meta, chunks: map[int]chunk{}, num: st.Num}
	e.Status, e.Seq, e.Size, e.Changed = st.Status, st.Seq, st.Size, st.Changed
	e.Created, e.Accepted, e.Acknowledged = st.Created, st.Accepted, st.Acknowledged
	s.seq, s.num = max(s.seq, e.Seq), max(s.num, e.num)
	if e.waits() {
		lineOf(s.boxes, e.To, waits).add(e)
	}
	s.file(e)
	return nil
}

// sortBoxes puts the inboxes in the order of acceptance: a compacted journal tells of messages in the order in which they
// began.
func (s *Spool) sortBoxes() {
	for _, b := range s.boxes {
		sort.Slice(b.entries, func(i, j int) bool { return b.entries[i].Seq < b.entries[j].Seq })
	}
}

// Wasteful reports whether Compact has something to do. It costs next to nothing.
func (s *Spool) Wasteful() bool {
	waste := s.waste.Load()
	return waste > max(compactAt, s.patience.Load()) && waste > s.log.length.Load()/2
}

// Compact writes the journal anew without what nobody wants any more, if that is much. Changes go on meanwhile, and bodies that
// are being read stay readable.
func (s *Spool) Compact() error {
	s.packed.Lock()
	defer s.packed.Unlock()
	if !s.Wasteful() {
		return nil
	}
	return s.pack()
}

// Tidy begins a Compact that nobody has to wait for, unless one is going on. It returns what became of the last that it began.
func (s *Spool) Tidy() error {
	if !s.Wasteful() || !s.packed.TryLock() {
		return s.takeTidied()
	}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.tidying.Add(1)
	}
	s.mu.Unlock()
	if closed {
		s.packed.Unlock()
		return ErrClosed
	}
	go func() {
		defer s.tidying.Done()
		defer s.packed.Unlock()
		if err := s.pack(); err != nil && !errors.Is(err, ErrClosed) {
			s.tidied.Store(&err)
		}
	}()
	return s.takeTidied()
}

func (s *Spool) takeTidied() error {
	if err := s.tidied.Swap(nil); err != nil {
		return *err
	}
	return nil
}

// pack writes the journal anew beside the old one, and puts it in its place. After a failure it is not wanted again before as
// much more has been wasted.
func (s *Spool) pack() error {
	wasted := s.waste.Load()
	s.patience.Store(wasted + compactAt)
	p, err := s.beginPacking(filepath.Join(s.root, compacted))
	if err == nil {
		defer s.endPacking()
		if err = p.write(); err == nil {
			err = s.swap(p)
		}
		if err != nil {
			_ = p.file.Close()
			_ = os.Remove(p.file.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("spool: compact: %w", err)
	}
	s.waste.Add(-wasted)
	s.patience.Store(0)
	return nil
}

// swap makes the new journal the journal. Changes wait for what they have added last, and for the two names.
func (s *Spool) swap(p *packer) error {
	s.log.flush.Lock()
	defer s.log.flush.Unlock()
	if s.log.err != nil {
		return s.log.err
	}
	if err := p.finish(s.log.size); err != nil {
		return err
	}
	if err := os.Rename(p.file.Name(), filepath.Join(s.root, "journal")); err != nil {
		return durable.Nameless(err)
	}
	// From here on the new journal is the journal: if its name is not safe, nothing that follows is.
	if s.log.err = durable.Dir(s.root); s.log.err != nil {
		return s.log.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.log.file
	s.log.file, s.log.size, s.log.room = newShared(p.file), p.size, p.size
	s.log.length.Store(p.size)
	p.relocate()
	_ = old.Close() // nothing in it is wanted: those who still read it have let it go last
	return nil
}
