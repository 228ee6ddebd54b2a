package spool

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"signalbox/mesh/internal/wire"
)

// Body is a chunk that has been received whole and is durable or will be with the journal frame that carries it. It
// belongs to the next Create or AddChunk; a Body that is not used is given back by Discard.
type Body struct {
	size int64
	blob []byte
	file string
	dir  string
}

// Size returns the number of bytes.
func (b *Body) Size() int64 { return b.size }

// Discard removes the file, if there is one.
func (b *Body) Discard() {
	if b.file != "" {
		_ = os.Remove(filepath.Join(b.dir, b.file))
	}
}

// stageBuffer is how much of a body is read before it is written, in bytes.
const stageBuffer = 256 << 10

// Stage receives chunk n of a message: a small one into memory, a larger one straight into a synced file whose name no
// journal frame knows yet. Files that none ever names are removed at the next Open. size is how long the body is said to be,
// below 0 when nobody said; it saves work and nothing is believed of it.
func (s *Spool) Stage(id string, n int, r io.Reader, size int64) (*Body, error) {
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	var first []byte
	if size <= s.o.Inline {
		var err error
		if first, err = readUpTo(r, (*buf)[:s.o.Inline+1]); err != nil {
			return nil, err
		}
		if int64(len(first)) <= s.o.Inline {
			return &Body{size: int64(len(first)), blob: bytes.Clone(first)}, nil
		}
	}
	b := &Body{dir: s.dir, file: fmt.Sprintf("%s.%d.%s", id, n, strings.ToLower(rand.Text()[:8]))}
	f, err := os.OpenFile(filepath.Join(s.dir, b.file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: body: %w", err)
	}
	if err := b.fill(f, first, r, *buf); err != nil {
		b.Discard()
		return nil, err
	}
	return b, nil
}

// readUpTo fills p as far as there is something to read. It is not io.ReadFull, which speaks of an end as a broken body does.
func readUpTo(r io.Reader, p []byte) ([]byte, error) {
	n := 0
	for n < len(p) {
		m, err := r.Read(p[n:])
		n += m
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return p[:n], nil
}

// fill writes what was read first, and the rest through a buffer in which the former may lie.
func (b *Body) fill(f *os.File, first []byte, rest io.Reader, buf []byte) error {
	if _, err := f.Write(first); err != nil {
		return errors.Join(err, f.Close())
	}
	// The file's own way of reading is hidden: it takes no buffer and makes eight times the calls.
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, rest, buf)
	b.size = int64(len(first)) + n
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// OpenChunk opens a stored chunk. It returns ErrNotFound for a chunk that never came and ErrGone for one of an
// acknowledged message.
func (s *Spool) OpenChunk(id string, n int) (io.ReadCloser, int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.byID[id]
	if e == nil {
		return nil, 0, ErrNotFound
	}
	if !s.kept(e) || e.Status == wire.StatusError {
		return nil, 0, ErrGone
	}
	c, ok := e.chunks[n]
	if !ok {
		return nil, 0, ErrNotFound
	}
	if c.File == "" {
		return s.log.file.section(c.Offset, c.Size), c.Size, nil
	}
	f, err := os.Open(filepath.Join(s.dir, c.File))
	if err != nil {
		return nil, 0, fmt.Errorf("spool: body: %w", err)
	}
	return f, c.Size, nil
}

// kept reports whether the bodies are still wanted.
func (s *Spool) kept(e *entry) bool { return s.o.KeepAcknowledged || e.Acknowledged.IsZero() }

// drop removes the bodies of an acknowledged message. The acknowledgement is durable by now, so a crash in between leaves
// files for the next sweep and no more.
func (s *Spool) drop(id string) {
	s.mu.Lock()
	var files []string
	if e := s.byID[id]; e != nil && !s.kept(e) {
		files = e.files()
		s.discount(e, 0)
		e.chunks = nil
	}
	s.mu.Unlock()
	for _, f := range files {
		_ = os.Remove(filepath.Join(s.dir, f))
	}
}

// deadFrame is about what the frames of a message take in the journal, in bytes, without bodies.
const deadFrame = 600

// discount counts the message's bodies in the journal, and extra bytes, as wanted no more.
func (s *Spool) discount(e *entry, extra int64) {
	for _, c := range e.chunks {
		if c.File == "" {
			extra += c.Size
		}
	}
	s.waste.Add(extra)
}

// sweep removes the body files that no message wants, and makes sure that the others are there.
func (s *Spool) sweep() error {
	wanted := map[string]bool{}
	for _, e := range s.byID {
		if !s.kept(e) {
			s.discount(e, 0)
			e.chunks = nil
		}
		for _, c := range e.chunks {
			if c.File != "" {
				wanted[c.File] = true
			}
		}
	}
	found, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("spool: bodies: %w", err)
	}
	for _, f := range found {
		if wanted[f.Name()] {
			delete(wanted, f.Name())
		} else if err := os.Remove(filepath.Join(s.dir, f.Name())); err != nil {
			return fmt.Errorf("spool: bodies: %w", err)
		}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("spool: bodies: %d files are missing", len(wanted))
	}
	return nil
}
