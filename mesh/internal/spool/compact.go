package spool

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// compacted is the name of a journal that is being compacted.
const compacted = "journal.new"

// compactAt is how many bytes of acknowledged bodies a journal may carry before Open writes it anew, when they are also
// half of it.
const compactAt = 4 << 20

// state is what a compacted journal tells of a message in one frame, instead of how it came about.
type state struct {
	Status       string    `json:"status"`
	Seq          uint64    `json:"seq,omitempty"`
	Size         int64     `json:"size"`
	Created      time.Time `json:"created"`
	Accepted     time.Time `json:"accepted,omitzero"`
	Acknowledged time.Time `json:"acknowledged,omitzero"`
}

// restore is the other side of keep.
func (s *Spool) restore(r record) error {
	if r.Meta == nil || r.State == nil {
		return ErrCorrupt
	}
	e := s.insert(r)
	e.Status, e.Seq, e.Size = r.State.Status, r.State.Seq, r.State.Size
	e.Created, e.Accepted, e.Acknowledged = r.State.Created, r.State.Accepted, r.State.Acknowledged
	s.seq = max(s.seq, e.Seq)
	if e.waits() {
		s.box(e.To).add(e)
	}
	return nil
}

// sortBoxes puts the inboxes in the order of acceptance: a compacted journal tells of messages in the order in which they
// began.
func (s *Spool) sortBoxes() {
	for _, b := range s.boxes {
		sort.Slice(b.entries, func(i, j int) bool { return b.entries[i].Seq < b.entries[j].Seq })
	}
}

// compact writes a journal that says the same and holds no body of an acknowledged message, and puts it in the place of
// the old one. The spool has to be loaded again after it.
func (s *Spool) compact(dir string) error {
	fresh := filepath.Join(dir, compacted)
	if err := s.writeCompact(fresh); err != nil {
		return fmt.Errorf("spool: compact: %w", err)
	}
	if err := os.Rename(fresh, filepath.Join(dir, "journal")); err != nil {
		return fmt.Errorf("spool: compact: %w", err)
	}
	return syncDir(dir)
}

func (s *Spool) writeCompact(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	for _, e := range s.order {
		if err = s.keep(w, e); err != nil {
			break
		}
	}
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	return errors.Join(err, f.Close())
}

// keep writes one frame for the message and one for each chunk that is still wanted.
func (s *Spool) keep(w *bufio.Writer, e *entry) error {
	err := emit(w, record{Op: "keep", ID: e.ID, Meta: &e.Meta, State: &state{
		Status: e.Status, Seq: e.Seq, Size: e.Size, Created: e.Created, Accepted: e.Accepted, Acknowledged: e.Acknowledged,
	}}, nil)
	for n, c := range e.chunks {
		if err != nil {
			return err
		}
		var blob []byte
		if c.File == "" {
			blob = make([]byte, c.Size)
			if _, err := s.log.file.ReadAt(blob, c.Offset); err != nil {
				return err
			}
		}
		err = emit(w, record{Op: "put", ID: e.ID, N: n, Chunk: &c}, blob)
	}
	return err
}

func emit(w *bufio.Writer, r record, blob []byte) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var frame bytes.Buffer
	writeFrame(&frame, raw, blob)
	_, err = w.Write(frame.Bytes())
	return err
}
