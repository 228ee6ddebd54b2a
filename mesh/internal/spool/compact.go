package spool

import (
	"bufio"
	"bytes"
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
	return waste > compactAt && waste > s.log.length.Load()/2
}

// Compact writes the journal anew without what nobody wants any more, if that is much. Changes wait meanwhile; bodies that
// are being read stay readable.
func (s *Spool) Compact() error {
	s.packed.Lock()
	defer s.packed.Unlock()
	if !s.Wasteful() {
		return nil
	}
	return s.pack()
}

func (s *Spool) pack() error {
	s.log.flush.Lock()
	defer s.log.flush.Unlock()
	if s.log.err != nil {
		return s.log.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := filepath.Join(s.root, compacted)
	fresh, moves, size, err := s.writeCompact(name)
	if err == nil {
		err = os.Rename(name, filepath.Join(s.root, "journal"))
	}
	if err != nil {
		if fresh != nil {
			_ = fresh.Close()
		}
		return fmt.Errorf("spool: compact: %w", err)
	}
	// From here on the new journal is the journal: if its name is not safe, nothing that follows is.
	if err := durable.Dir(s.root); err != nil {
		s.log.err = err
		return err
	}
	_ = s.log.file.Close()
	s.log.file, s.log.size = newShared(fresh), size
	s.log.length.Store(size)
	for _, m := range moves {
		c := m.e.chunks[m.n]
		c.Offset = m.offset
		m.e.chunks[m.n] = c
	}
	s.waste.Store(0)
	return nil
}

// moved says where a body in the journal has gone.
type moved struct {
	e      *entry
	n      int
	offset int64
}

func (s *Spool) writeCompact(name string) (f *os.File, moves []moved, size int64, err error) {
	if f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, nil, 0, err
	}
	p := &packer{s: s, w: bufio.NewWriterSize(f, 1<<16)}
	_, err = p.emit(record{Op: "mark", State: &state{Seq: s.seq, Num: s.num}}, nil)
	for _, e := range s.order.entries {
		if err == nil && !e.dead {
			err = p.keep(e)
		}
	}
	if err == nil {
		err = errors.Join(p.w.Flush(), f.Sync())
	}
	return f, p.moves, p.size, err
}

// packer writes a compacted journal.
type packer struct {
	s     *Spool
	w     *bufio.Writer
	size  int64
	moves []moved
}

// keep writes one frame for the message and one for each chunk that is still wanted.
func (p *packer) keep(e *entry) error {
	_, err := p.emit(record{Op: "keep", ID: e.ID, Meta: &e.Meta, State: &state{
		Status: e.Status, Seq: e.Seq, Size: e.Size, Created: e.Created, Accepted: e.Accepted, Acknowledged: e.Acknowledged,
		Changed: e.Changed, Num: e.num,
	}}, nil)
	if err != nil || !p.s.kept(e) {
		return err
	}
	for n, c := range e.chunks {
		var blob []byte
		if c.File == "" {
			blob = make([]byte, c.Size)
			if _, err := p.s.log.file.ReadAt(blob, c.Offset); err != nil {
				return err
			}
		}
		at, err := p.emit(record{Op: "put", ID: e.ID, N: n, Chunk: &c}, blob)
		if err != nil {
			return err
		}
		p.moves = append(p.moves, moved{e, n, at})
	}
	return nil
}

// emit writes a frame and returns where its blob begins.
func (p *packer) emit(r record, blob []byte) (blobAt int64, err error) {
	raw, err := r.encode()
	if err != nil {
		return 0, err
	}
	var frame bytes.Buffer
	blobAt = p.size + int64(writeFrame(&frame, raw, blob))
	p.size += int64(frame.Len())
	_, err = p.w.Write(frame.Bytes())
	return blobAt, err
}
