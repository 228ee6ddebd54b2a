// Package spool keeps the messages of MESH mailboxes on disk: a journal of what happened, which also carries small bodies,
// and a file for each larger body.
//
// A call that changes something returns when the change is durable; concurrent calls share the fsync. The state in memory is
// only ever what the journal says, made by the same code live and after a restart. File names hold message ids and nothing
// else.
package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"signalbox/mesh/internal/wire"
)

// Errors of the spool.
var (
	ErrClosed   = errors.New("spool: is closed")
	ErrNotFound = errors.New("spool: message: does not exist")
	ErrExists   = errors.New("spool: message: exists already")
	ErrState    = errors.New("spool: message: is not in a state for this")
	ErrGone     = errors.New("spool: body: is no longer kept")
)

// Meta is all that is kept of a message but its body.
type Meta struct {
	ID          string `json:"id"`
	From        string `json:"from,omitempty"`
	To          string `json:"to"`
	WorkflowID  string `json:"workflow,omitempty"`
	Type        string `json:"type"`
	FileName    string `json:"file,omitempty"`
	LocalID     string `json:"local,omitempty"`
	Subject     string `json:"subject,omitempty"`
	PartnerID   string `json:"partner,omitempty"`
	Checksum    string `json:"checksum,omitempty"`
	ContentType string `json:"ctype,omitempty"`
	Encoding    string `json:"encoding,omitempty"` // of each chunk as stored: gzip or empty
	Encrypted   bool   `json:"encrypted,omitempty"`
	Compressed  bool   `json:"compressed,omitempty"`
	LinkedID    string `json:"linked,omitempty"`
	Total       int    `json:"total"` // chunks

	StatusCode        string `json:"code,omitempty"`
	StatusEvent       string `json:"event,omitempty"`
	StatusDescription string `json:"text,omitempty"`

	// Kept up by the spool.
	Status       string    `json:"-"`
	Seq          uint64    `json:"-"` // order of acceptance, from 1; 0 until accepted
	Size         int64     `json:"-"` // bytes as stored, of all chunks
	Created      time.Time `json:"-"`
	Accepted     time.Time `json:"-"`
	Acknowledged time.Time `json:"-"`
}

// Spool is a directory of messages. It is safe for concurrent use.
type Spool struct {
	dir    string
	inline int64
	lock   *os.File
	log    *journal

	mu    sync.RWMutex
	byID  map[string]*entry
	boxes map[string]*box
	local map[localKey][]*entry
	order []*entry // as they came
	seq   uint64
	waste int64 // bytes in the journal that nobody wants any more; counted by Open
}

type localKey struct{ sender, id string }

type entry struct {
	Meta
	chunks map[int]chunk
}

// chunk says where a stored chunk is: in a file of its own, or in the journal at an offset.
type chunk struct {
	Size   int64  `json:"size"`
	File   string `json:"file,omitempty"`
	Offset int64  `json:"-"`
}

// record is one thing that happened.
type record struct {
	Op    string    `json:"op"` // new, chunk, ack; keep, put in a compacted journal
	At    time.Time `json:"at,omitzero"`
	ID    string    `json:"id,omitempty"`
	Meta  *Meta     `json:"meta,omitempty"`
	N     int       `json:"n,omitempty"`
	Chunk *chunk    `json:"chunk,omitempty"`
	State *state    `json:"state,omitempty"`
}

// Open reads the directory, which is created when it is missing, and holds it until Close. Bodies up to inline bytes are
// kept in the journal; 0 keeps every body in a file.
func Open(dir string, inline int64) (*Spool, error) {
	if inline < 0 || inline > maxFrameBlob {
		return nil, fmt.Errorf("spool: inline: want 0 to %d", maxFrameBlob)
	}
	bodies := filepath.Join(dir, "bodies")
	if err := os.MkdirAll(bodies, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{dir: bodies, inline: inline}
	var err error
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err = s.load(dir); err == nil && s.waste > compactAt && s.waste > s.log.size/2 {
		if err = errors.Join(s.compact(dir), s.log.close()); err == nil {
			err = s.load(dir)
		}
	}
	if err != nil {
		_ = s.lock.Close()
		return nil, err
	}
	return s, nil
}

// load makes the state from the journal alone.
func (s *Spool) load(dir string) error {
	s.byID, s.boxes, s.local = map[string]*entry{}, map[string]*box{}, map[localKey][]*entry{}
	s.order, s.seq, s.waste = nil, 0, 0
	file, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	bodies, err := os.Open(s.dir)
	if err != nil {
		_ = file.Close()
		return fmt.Errorf("spool: bodies: %w", err)
	}
	s.log = &journal{file: file, dir: bodies}
	err = s.log.replay(func(raw []byte, blobAt int64) error {
		var r record
		if err := json.Unmarshal(raw, &r); err != nil {
			return ErrCorrupt
		}
		return s.apply(r, blobAt)
	})
	if err == nil {
		s.sortBoxes()
		_ = os.Remove(filepath.Join(dir, compacted)) // of a compaction that did not come to its end
		err = errors.Join(s.sweep(), syncDir(dir), syncDir(filepath.Dir(dir)))
	}
	if err != nil {
		_ = s.log.close()
	}
	return err
}

// Close ends all changes. Bodies that are being read stay readable when they are in files.
func (s *Spool) Close() error { return errors.Join(s.log.close(), s.lock.Close()) }

// Create adds a message with its first chunk. With one chunk it is in the recipient's inbox when Create returns.
func (s *Spool) Create(m Meta, at time.Time, b *Body) error {
	if m.ID == "" || m.Total < 1 {
		return ErrState
	}
	return s.change(record{Op: "new", At: at, ID: m.ID, Meta: &m, N: 1}, b)
}

// AddChunk adds or replaces chunk n. The message is in the inbox as soon as all its chunks are there. It returns
// ErrState when they already are.
func (s *Spool) AddChunk(id string, n int, at time.Time, b *Body) error {
	old := s.chunkFile(id, n)
	err := s.change(record{Op: "chunk", At: at, ID: id, N: n}, b)
	if err == nil && old != "" {
		_ = os.Remove(filepath.Join(s.dir, old)) // replaced
	}
	return err
}

// chunkFile returns the name of the file of a stored chunk, if it has one.
func (s *Spool) chunkFile(id string, n int) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.byID[id]; e != nil && e.Status == wire.StatusUploading {
		return e.chunks[n].File
	}
	return ""
}

// Acknowledge takes a message out of its inbox and drops its body. A second time does nothing.
func (s *Spool) Acknowledge(id string, at time.Time) error {
	m, ok := s.Get(id)
	switch {
	case !ok:
		return ErrNotFound
	case m.Status == wire.StatusAcknowledged:
		return nil
	}
	if err := s.change(record{Op: "ack", At: at, ID: id}, nil); err != nil {
		return err
	}
	s.drop(id)
	return nil
}

// change writes the record and applies it. A record that no longer fits when its turn comes, for another came first, is
// left in the journal, where it is refused again at each replay.
func (s *Spool) change(r record, b *Body) error {
	var blob []byte
	names := false
	if b != nil {
		r.Chunk = &chunk{Size: b.size, File: b.file}
		blob, names = b.blob, b.file != ""
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("spool: record: %w", err)
	}
	var refused error
	err = s.log.append(raw, blob, names, func(offset int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		refused = s.applyOne(r, offset)
	})
	if err == nil && refused != nil && b != nil {
		b.Discard()
	}
	return errors.Join(err, refused)
}

// apply is for replay: refusals were answered in their time.
func (s *Spool) apply(r record, offset int64) error {
	err := s.applyOne(r, offset)
	switch {
	case err == nil, errors.Is(err, ErrExists), errors.Is(err, ErrNotFound), errors.Is(err, ErrState):
		return nil
	}
	return err
}

// applyOne moves the state by one record. It must depend on the state and the record alone.
func (s *Spool) applyOne(r record, offset int64) error {
	e := s.byID[r.ID]
	switch {
	case (r.Op == "new" || r.Op == "keep") && e != nil:
		return ErrExists
	case r.Op == "keep":
		return s.restore(r)
	case r.Op == "new" && r.Meta != nil:
		e = s.insert(r)
		return s.place(e, r, offset)
	case e == nil:
		return ErrNotFound
	case r.Op == "chunk":
		if e.Status != wire.StatusUploading {
			return ErrState
		}
		return s.place(e, r, offset)
	case r.Op == "put" && r.Chunk != nil:
		e.chunks[r.N] = chunk{Size: r.Chunk.Size, File: r.Chunk.File, Offset: offset}
		return nil
	case r.Op == "ack":
		return s.acknowledge(e, r.At)
	}
	return ErrCorrupt
}

func (s *Spool) insert(r record) *entry {
	e := &entry{Meta: *r.Meta, chunks: map[int]chunk{}}
	e.Status, e.Created = wire.StatusUploading, r.At
	s.byID[e.ID] = e
	s.order = append(s.order, e)
	if e.LocalID != "" {
		k := localKey{e.From, e.LocalID}
		s.local[k] = append(s.local[k], e)
	}
	return e
}

// place stores a chunk, and accepts the message when it was the last one missing.
func (s *Spool) place(e *entry, r record, offset int64) error {
	if r.Chunk == nil {
		return ErrCorrupt
	}
	if r.N < 1 || r.N > e.Total {
		return ErrState
	}
	c := *r.Chunk
	c.Offset = offset
	e.Size += c.Size - e.chunks[r.N].Size
	e.chunks[r.N] = c
	if len(e.chunks) < e.Total {
		return nil
	}
	s.seq++
	e.Seq, e.Status, e.Accepted = s.seq, wire.StatusAccepted, r.At
	s.box(e.To).add(e)
	return nil
}

func (s *Spool) acknowledge(e *entry, at time.Time) error {
	switch e.Status {
	case wire.StatusAcknowledged:
		return nil
	case wire.StatusAccepted:
		e.Status, e.Acknowledged = wire.StatusAcknowledged, at
		s.box(e.To).remove()
		return nil
	}
	return ErrState
}
