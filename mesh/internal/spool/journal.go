package spool

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// A frame is a line "crc json-length blob-length", the JSON, the blob and a line end. The crc is over the two lengths, the
// JSON and the blob, so neither can be exchanged for another's.
const (
	maxFrameJSON = 1 << 20
	maxFrameBlob = 1 << 20
	maxFrameHead = 64
	maxTail      = 256 << 20
)

// ErrCorrupt is returned by Open when the journal is damaged before its end. A torn end is no damage: nothing in it was
// ever answered for.
var ErrCorrupt = errors.New("spool: journal: is damaged before its end")

// errFrame says that no whole frame starts here.
var errFrame = errors.New("spool: journal: no frame")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journal is an append-only file of frames. Concurrent appends share one write and one fsync: whoever opens a batch
// waits for the flush before it, while others join, and then flushes for all.
type journal struct {
	file *sharedFile
	dir  *os.File // of the body files: synced before a frame that names one

	before  func() error // what is done before each batch, or nil
	buffers sync.Pool    // of batches that are written

	mu   sync.Mutex // guards open
	open *batch

	length atomic.Int64 // as size, for whoever does not hold flush
	flush  sync.Mutex   // guards size and err, and orders the batches
	size   int64
	err    error // sticky: after a failed fsync nothing that follows can be trusted
}

type batch struct {
	buf    *bytes.Buffer
	names  bool // a frame names a new body file
	applys []placed
	done   chan struct{}
	err    error
}

// placed is what is done once a frame is durable, and where its blob begins in the batch.
type placed struct {
	apply func(offset int64)
	at    int
}

// frame is one frame to append. apply is called with the offset of its blob once it is durable.
type frame struct {
	json, blob []byte
	names      bool // the JSON names a new body file
	apply      func(offset int64)
}

// append makes a frame durable and then calls apply with the offset of its blob. Applies run in the order of the file.
func (j *journal) append(json, blob []byte, names bool, apply func(offset int64)) error {
	return j.appendAll([]frame{{json, blob, names, apply}})
}

// appendAll makes frames durable, one after the other, with one fsync.
func (j *journal) appendAll(frames []frame) error {
	for _, f := range frames {
		if len(f.json) > maxFrameJSON || len(f.blob) > maxFrameBlob {
			return errors.New("spool: journal: frame is too long")
		}
	}
	j.mu.Lock()
	b := j.open
	lead := b == nil
	if lead {
		b = &batch{buf: j.buffer(), done: make(chan struct{})}
		j.open = b
	}
	for _, f := range frames {
		at := writeFrame(b.buf, f.json, f.blob)
		b.names = b.names || f.names
		b.applys = append(b.applys, placed{f.apply, at})
	}
	j.mu.Unlock()
	if lead {
		j.commit(b)
	}
	<-b.done
	return b.err
}

func (j *journal) commit(b *batch) {
	j.flush.Lock()
	defer j.flush.Unlock()
	defer close(b.done)
	runtime.Gosched() // whoever is about to join does: a batch of eight costs what a batch of one does
	j.mu.Lock()
	j.open = nil // from here on others make a batch of their own
	j.mu.Unlock()
	if j.before != nil && j.err == nil {
		if b.err = j.before(); b.err != nil { // nothing was written: the next batch may do better
			return
		}
	}
	if j.err == nil {
		j.err = j.write(b)
	}
	if b.err = j.err; b.err != nil {
		return
	}
	for _, p := range b.applys {
		p.apply(j.size + int64(p.at))
	}
	j.size += int64(b.buf.Len())
	j.length.Store(j.size)
	j.reuse(b)
}

// keptBuffer is the largest buffer of a batch that is kept for another, in bytes.
const keptBuffer = 1 << 20

// buffer returns an empty one.
func (j *journal) buffer() *bytes.Buffer {
	if buf, ok := j.buffers.Get().(*bytes.Buffer); ok {
		return buf
	}
	return new(bytes.Buffer)
}

// reuse keeps the buffer of a batch that is written.
func (j *journal) reuse(b *batch) {
	if b.buf.Cap() <= keptBuffer {
		b.buf.Reset()
		j.buffers.Put(b.buf)
	}
	b.buf = nil
}

func (j *journal) write(b *batch) error {
	if b.names {
		if err := j.dir.Sync(); err != nil {
			return fmt.Errorf("spool: bodies: %w", err)
		}
	}
	if _, err := j.file.WriteAt(b.buf.Bytes(), j.size); err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	return nil
}

// close waits for the flush in progress and refuses all later ones.
func (j *journal) close() error {
	j.flush.Lock()
	defer j.flush.Unlock()
	if j.err == nil {
		j.err = ErrClosed
	}
	return errors.Join(j.file.Close(), j.dir.Close())
}

// writeFrame appends a frame and returns where its blob begins.
func writeFrame(w *bytes.Buffer, json, blob []byte) (blobAt int) {
	lengths := frameLengths(len(json), len(blob))
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], checksum(lengths, json, blob))
	w.Grow(maxFrameHead + len(json) + len(blob) + 1)
	head := append(hex.AppendEncode(w.AvailableBuffer(), sum[:]), ' ')
	head = append(append(head, lengths...), '\n')
	w.Write(head)
	w.Write(json)
	blobAt = w.Len()
	w.Write(blob)
	w.WriteByte('\n')
	return blobAt
}

func frameLengths(json, blob int) []byte {
	raw := strconv.AppendInt(make([]byte, 0, maxFrameHead), int64(json), 10)
	return strconv.AppendInt(append(raw, ' '), int64(blob), 10)
}

func checksum(lengths, json, blob []byte) uint32 {
	c := crc32.Update(0, castagnoli, lengths)
	return crc32.Update(crc32.Update(c, castagnoli, json), castagnoli, blob)
}

// readFrame returns the next frame, io.EOF at the exact end, or errFrame when what follows is not a whole frame. size is
// the frame's length in the file, blobAt the place of the blob in it.
func readFrame(r *bufio.Reader) (json []byte, blobAt, size int64, err error) {
	head, err := readHead(r)
	if err != nil {
		return nil, 0, 0, err
	}
	var sum uint32
	var n, m int
	if k, err := fmt.Sscanf(head, "%08x %d %d", &sum, &n, &m); k != 3 || err != nil || n < 0 || m < 0 || n > maxFrameJSON || m > maxFrameBlob {
		return nil, 0, 0, errFrame
	}
	body := make([]byte, n+m+1)
	if _, err := io.ReadFull(r, body); err != nil || body[n+m] != '\n' {
		return nil, 0, 0, errFrame
	}
	if checksum(frameLengths(n, m), body[:n], body[n:n+m]) != sum {
		return nil, 0, 0, errFrame
	}
	blobAt = int64(len(head) + 1 + n)
	return body[:n], blobAt, blobAt + int64(m) + 1, nil
}

func readHead(r *bufio.Reader) (string, error) {
	var head []byte
	for len(head) < maxFrameHead {
		c, err := r.ReadByte()
		if err == io.EOF && len(head) == 0 {
			return "", io.EOF
		}
		if err != nil {
			return "", errFrame
		}
		if c == '\n' {
			return string(head), nil
		}
		head = append(head, c)
	}
	return "", errFrame
}

// replay calls apply for every frame, cuts off a torn end, and leaves the journal ready to append.
func (j *journal) replay(apply func(json []byte, blobAt int64) error) error {
	r := bufio.NewReaderSize(j.file, 1<<16)
	for {
		json, blobAt, size, err := readFrame(r)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return nil
		default:
			return j.cut()
		}
		if err := apply(json, j.size+blobAt); err != nil {
			return err
		}
		j.size += size
		j.length.Store(j.size)
	}
}

// cut truncates the journal after the last whole frame, unless a whole frame follows the damage: then something that was
// answered for may be lost, and an operator has to look.
func (j *journal) cut() error {
	tail, err := io.ReadAll(io.LimitReader(io.NewSectionReader(j.file, j.size, 1<<62), maxTail+1))
	if err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	if len(tail) > maxTail || frameFollows(tail) {
		return ErrCorrupt
	}
	if err := j.file.Truncate(j.size); err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	return j.file.Sync()
}

func frameFollows(tail []byte) bool {
	for {
		i := bytes.IndexByte(tail, '\n')
		if i < 0 {
			return false
		}
		tail = tail[i+1:]
		if _, _, _, err := readFrame(bufio.NewReader(bytes.NewReader(tail))); err == nil {
			return true
		}
	}
}
