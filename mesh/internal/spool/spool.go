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
	"sync/atomic"
	"time"

	"signalbox/mesh/internal/durable"
	"signalbox/mesh/internal/lock"
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
	Changed      time.Time `json:"-"` // of the status, the last time
}

// Options says how a Spool keeps what it is given.
type Options struct {
	// Inline is the size, in bytes, up to which bodies are kept in the journal; 0 keeps every body in a file.
	Inline int64
	// KeepAcknowledged keeps the bodies of acknowledged messages until the messages are deleted.
	KeepAcknowledged bool
	// WaitFor is how long a message waits in an inbox before Due names it; 0 is for ever.
	WaitFor time.Duration
	// KeepFor is how long a message is known after its delivery before Due names it; 0 is for ever.
	KeepFor time.Duration
	// Before is called before changes are written, once for all that are written together; nil is nothing. When it fails, they fail.
	Before func() error
}

// Spool is a directory of messages. It is safe for concurrent use.
type Spool struct {
	root string
	dir  string // of the bodies
	o    Options
	lock *lock.Lock
	log  *journal

	mu     sync.RWMutex
	byID   map[string]*entry
	boxes  map[string]*line // what waits, by recipient
	in     map[string]*line // what ever came and is not deleted, by recipient
	out    map[string]*line // the same by sender
	local  map[localKey][]*entry
	order  *line // as they came
	seq    uint64
	num    uint64
	due    dueHeap
	next   atomic.Int64 // when Due has something to say, in nanoseconds
	waste  atomic.Int64 // bytes in the journal that nobody wants any more, about
	closed bool

	packed   sync.Mutex   // one compaction at a time
	packing  *packer      // while one goes on; guarded by mu
	patience atomic.Int64 // so much must be wasted before the next, after one that failed
	tidying  sync.WaitGroup
	tidied   atomic.Pointer[error] // of the last that Tidy began, when it failed

	buffers sync.Pool // for Stage
}

type localKey struct{ sender, id string }

type entry struct {
	Meta
	num    uint64 // order of arrival
	dead   bool   // deleted
	late   bool   // named by Due as expired
	doomed bool   // named by Due for deletion
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
	Op      string    `json:"op"` // new, fail, chunk, ack, end, del; mark, keep, put in a compacted journal
	At      time.Time `json:"at,omitzero"`
	ID      string    `json:"id,omitempty"`
	Meta    *Meta     `json:"meta,omitempty"`
	N       int       `json:"n,omitempty"`
	Last    bool      `json:"last,omitempty"` // this chunk completes the message, whatever is missing
	Chunk   *chunk    `json:"chunk,omitempty"`
	State   *state    `json:"state,omitempty"`
	Verdict *Verdict  `json:"verdict,omitempty"`
	Report  *Meta     `json:"report,omitempty"` // put into the inbox of its To together with the rest
}

// Open reads the directory, which is created when it is missing, and holds it until Close.
func Open(dir string, o Options) (*Spool, error) {
	if o.Inline < 0 || o.Inline > maxFrameBlob {
		return nil, fmt.Errorf("spool: inline: want 0 to %d", maxFrameBlob)
	}
	bodies := filepath.Join(dir, "bodies")
	if err := os.MkdirAll(bodies, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{root: dir, dir: bodies, o: o}
	s.buffers.New = func() any {
		buf := make([]byte, max(stageBuffer, o.Inline+1))
		return &buf
	}
	var err error
	if s.lock, err = lock.Take(filepath.Join(dir, "lock")); errors.Is(err, lock.ErrHeld) {
		return nil, fmt.Errorf("spool: directory is in use: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err = s.load(dir); err == nil {
		if err = s.Compact(); err != nil {
			_ = s.log.close()
		}
	}
	if err != nil {
		_ = s.lock.Release()
		return nil, err
	}
	return s, nil
}

// load makes the state from the journal alone.
func (s *Spool) load(dir string) error {
	s.byID, s.local = map[string]*entry{}, map[localKey][]*entry{}
	s.boxes, s.in, s.out, s.order = map[string]*line{}, map[string]*line{}, map[string]*line{}, newLine(known)
	file, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	bodies, err := os.Open(s.dir)
	if err != nil {
		_ = file.Close()
		return fmt.Errorf("spool: bodies: %w", err)
	}
	s.log = &journal{file: newShared(file), dir: bodies, before: s.o.Before}
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
		err = errors.Join(s.sweep(), durable.Dir(dir), durable.Dir(filepath.Dir(dir)))
		s.planAll()
		s.log.start()
	}
	if err != nil {
		_ = s.log.close()
	}
	return err
}

// Close ends all changes. Bodies that are being read stay readable when they are in files.
func (s *Spool) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.tidying.Wait()
	return errors.Join(s.log.close(), s.lock.Release())
}

// Create adds a message with its first chunk. With one chunk it is in the recipient's inbox when Create returns.
func (s *Spool) Create(m Meta, at time.Time, b *Body) error {
	if m.ID == "" || m.Total < 1 {
		return ErrState
	}
	return s.change(record{Op: "new", At: at, ID: m.ID, Meta: &m, N: 1}, b)
}

// Added is a chunk to add.
type Added struct {
	ID   string
	N    int
	Body *Body
	// Completes says that the message is whole with this chunk, whatever is missing.
	Completes bool
}

// AddChunk adds or replaces a chunk. The message is in the inbox as soon as all its chunks are there. It returns
// ErrState when they already are.
func (s *Spool) AddChunk(a Added, at time.Time) error {
	old := s.chunkFile(a.ID, a.N)
	err := s.change(record{Op: "chunk", At: at, ID: a.ID, N: a.N, Last: a.Completes}, a.Body)
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
	raw, err := r.encode()
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

// frameBatch bounds how many frames one append carries.
const frameBatch = 512

// changeAll writes records without bodies and applies them. With one record, the error says why it was refused.
func (s *Spool) changeAll(records []record) error {
	alone := len(records) == 1
	for len(records) > 0 {
		part := records[:min(len(records), frameBatch)]
		records = records[len(part):]
		var refused error
		frames := make([]frame, len(part))
		for i, r := range part {
			raw, err := r.encode()
			if err != nil {
				return fmt.Errorf("spool: record: %w", err)
			}
			frames[i] = frame{json: raw, apply: func(offset int64) {
				s.mu.Lock()
				defer s.mu.Unlock()
				refused = s.applyOne(r, offset)
			}}
		}
		if err := s.log.appendAll(frames); err != nil {
			return err
		}
		if refused != nil && alone {
			return refused
		}
	}
	return nil
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
