package spool

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
)

// packer writes a compacted journal while the spool goes on: first what every message was at one instant, then the frames that the
// journal has got since. A message that changes before its turn has come leaves a copy of what it was, so the two fit together
// exactly.
type packer struct {
	s    *Spool
	file *os.File
	w    *bufio.Writer
	size int64 // of the new journal
	from int64 // where in the old journal the frames since begin
	tail int64 // where in the new one
	done int64 // up to where the old one is copied

	mark    state
	entries []*entry // at the instant, as they came
	moves   []moved

	// Guarded by the spool's mu.
	reached uint64           // num of the last message whose turn has come
	before  map[*entry]entry // what those were that changed before their turn
	placed  map[placedChunk]struct{}
}

type placedChunk struct {
	e *entry
	n int
}

// moved says where a body in the journal has gone.
type moved struct {
	placedChunk
	old, new int64
}

// Of a packer: how many messages it looks at while it holds the lock, and how many bytes of the old journal may be left when it asks
// changes to wait.
const (
	packBatch = 128
	packRest  = 128 << 10
)

// beginPacking fixes the instant.
func (s *Spool) beginPacking(name string) (*packer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	p := &packer{s: s, file: f, w: bufio.NewWriterSize(f, 1<<16), before: map[*entry]entry{}, placed: map[placedChunk]struct{}{}}
	s.log.flush.Lock()
	defer s.log.flush.Unlock()
	if err := s.log.err; err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.from, p.done, p.mark = s.log.size, s.log.size, state{Seq: s.seq, Num: s.num}
	p.entries = append(p.entries, s.order.entries...)
	s.packing = p
	return p, nil
}

func (s *Spool) endPacking() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packing = nil
}

// keepBefore is told of a message that is about to change.
func (p *packer) keepBefore(e *entry) {
	if p == nil || e.dead || e.num > p.mark.Num || e.num <= p.reached {
		return
	}
	if _, there := p.before[e]; !there {
		p.before[e] = e.clone()
	}
}

// keepPlace is told of a body that was put into the old journal since.
func (p *packer) keepPlace(e *entry, n int) {
	if p != nil {
		p.placed[placedChunk{e, n}] = struct{}{}
	}
}

func (e *entry) clone() entry {
	c := *e
	c.chunks = maps.Clone(e.chunks)
	return c
}

// write writes all but what is added while it does so.
func (p *packer) write() error {
	if _, err := p.emit(record{Op: "mark", State: &p.mark}, nil); err != nil {
		return err
	}
	for more := true; more; {
		var err error
		if more, err = p.some(packBatch); err != nil {
			return err
		}
	}
	if err := p.catchUp(); err != nil {
		return err
	}
	return errors.Join(p.w.Flush(), p.file.Sync())
}

// some writes what up to n messages were at the instant.
func (p *packer) some(n int) (more bool, err error) {
	turn := p.entries[:min(len(p.entries), n)]
	was, err := p.look(turn)
	for i := range was {
		if err == nil {
			err = p.keep(turn[i], &was[i])
		}
	}
	p.entries, p.tail = p.entries[len(turn):], p.size
	return len(p.entries) > 0, err
}

// catchUp copies what the old journal has got since, until little is left.
func (p *packer) catchUp() error {
	for {
		upTo := p.s.log.length.Load()
		if upTo-p.done <= packRest {
			return nil
		}
		if err := p.copy(upTo); err != nil {
			return err
		}
	}
}

// look returns what messages were at the instant.
func (p *packer) look(turn []*entry) ([]entry, error) {
	p.s.mu.RLock()
	defer p.s.mu.RUnlock()
	if p.s.closed {
		return nil, ErrClosed
	}
	was := make([]entry, len(turn))
	for i, e := range turn {
		if old, changed := p.before[e]; changed {
			was[i] = old
			delete(p.before, e)
		} else {
			was[i] = e.clone()
		}
		p.reached = e.num
	}
	return was, nil
}

// keep writes one frame for a message as it was and one for each chunk that was still wanted.
func (p *packer) keep(e *entry, was *entry) error {
	if was.dead {
		return nil
	}
	_, err := p.emit(record{Op: "keep", ID: was.ID, Meta: &was.Meta, State: &state{
		Status: was.Status, Seq: was.Seq, Size: was.Size, Created: was.Created, Accepted: was.Accepted,
		Acknowledged: was.Acknowledged, Changed: was.Changed, Num: was.num,
	}}, nil)
	if err != nil || !p.s.kept(was) {
		return err
	}
	for n, c := range was.chunks {
		var blob []byte
		if c.File == "" {
			blob = make([]byte, c.Size)
			if _, err := p.s.log.file.ReadAt(blob, c.Offset); err != nil {
				return err
			}
		}
		at, err := p.emit(record{Op: "put", ID: was.ID, N: n, Chunk: &c}, blob)
		if err != nil {
			return err
		}
		if c.File == "" {
			p.moves = append(p.moves, moved{placedChunk{e, n}, c.Offset, at})
		}
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

// copy takes over what the old journal holds up to a place, whole batches as they are.
func (p *packer) copy(upTo int64) error {
	n, err := io.Copy(p.w, io.NewSectionReader(p.s.log.file, p.done, upTo-p.done))
	p.size += n
	p.done += n
	if err == nil && p.done != upTo {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// finish takes over the rest, while changes wait.
func (p *packer) finish(upTo int64) error {
	return errors.Join(p.copy(upTo), p.w.Flush(), p.file.Sync())
}

// relocate says where bodies are now. One that was replaced since is known by its place.
func (p *packer) relocate() {
	for _, m := range p.moves {
		if c, there := m.e.chunks[m.n]; there && c.File == "" && c.Offset == m.old {
			c.Offset = m.new
			m.e.chunks[m.n] = c
		}
	}
	for at := range p.placed {
		if c, there := at.e.chunks[at.n]; there && c.File == "" {
			c.Offset += p.tail - p.from
			at.e.chunks[at.n] = c
		}
	}
}
