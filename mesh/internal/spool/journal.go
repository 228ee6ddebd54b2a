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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// A frame is a line "crc json-length blob-length at", the JSON, the blob and a line end. The crc is over the three numbers, the
// JSON and the blob, so none can be exchanged for another's. at is how many bytes of the same batch lie before the frame: a loss
// of power may leave a later part of the last batch and not an earlier one, and what was never answered for is no damage. Journals
// of before have no at; each of their frames counts as a batch.
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

// journal is an append-only file of frames. Concurrent appends share one write and one fsync: those that come while a batch is
// written make up the next. One goroutine writes them all, so that a batch begins as soon as the one before has ended and not when
// the scheduler comes to somebody who waits for it.
type journal struct {
	file *sharedFile
	dir  *os.File // of the body files: synced before a frame that names one

	before  func() error // what is done before each batch, or nil
	buffers sync.Pool    // of batches that are written

	mu     sync.Mutex // guards open and closed
	open   *batch
	closed bool
	wake   chan struct{} // there is an open batch
	ended  chan struct{} // the writing goroutine

	length atomic.Int64 // as size, for whoever does not hold flush
	flush  sync.Mutex   // guards size, room and err, and orders the batches
	size   int64        // of the frames
	room   int64        // of the file, in which zeros follow the frames
	err    error        // sticky: after a failed fsync nothing that follows can be trusted
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
	b := j.join(frames)
	if b == nil {
		return ErrClosed
	}
	<-b.done
	return b.err
}

// join puts frames into the batch that is written next. It returns nil when the journal is closed.
func (j *journal) join(frames []frame) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	b := j.open
	if b == nil {
		b = &batch{buf: j.buffer(), done: make(chan struct{})}
		j.open = b
		select {
		case j.wake <- struct{}{}:
		default: // it is awake
		}
	}
	for _, f := range frames {
		at := writeFrame(b.buf, f.json, f.blob)
		b.names = b.names || f.names
		b.applys = append(b.applys, placed{f.apply, at})
	}
	return b
}

// start lets the journal be written to.
func (j *journal) start() {
	j.wake, j.ended = make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(j.ended)
		for range j.wake {
			j.commit()
		}
	}()
}

// commit writes the open batch.
func (j *journal) commit() {
	j.flush.Lock()
	defer j.flush.Unlock()
	j.mu.Lock()
	b := j.open
	j.open = nil // from here on others make a batch of their own
	j.mu.Unlock()
	defer close(b.done)
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
	if err := j.makeRoom(int64(b.buf.Len())); err != nil {
		return err
	}
	if _, err := j.file.WriteAt(b.buf.Bytes(), j.size); err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	if err := syncData(j.file.File); err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	return nil
}

// close waits for what is being written and refuses all that comes later.
func (j *journal) close() error {
	j.stop()
	j.flush.Lock()
	defer j.flush.Unlock()
	var err error
	if j.err == nil {
		err, j.err = j.giveBack(), ErrClosed
	}
	return errors.Join(err, j.file.Close(), j.dir.Close())
}

// stop ends the writing goroutine, once, when it was started.
func (j *journal) stop() {
	j.mu.Lock()
	last := !j.closed && j.wake != nil
	j.closed = true
	if last {
		close(j.wake)
	}
	j.mu.Unlock()
	if last {
		<-j.ended
	}
}

// writeFrame appends a frame to a batch and returns where its blob begins.
func writeFrame(batch *bytes.Buffer, json, blob []byte) (blobAt int) {
	numbers := head{json: len(json), blob: len(blob), at: batch.Len()}.numbers()
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], checksum(numbers, json, blob))
	batch.Grow(maxFrameHead + len(json) + len(blob) + 1)
	line := append(hex.AppendEncode(batch.AvailableBuffer(), sum[:]), ' ')
	batch.Write(append(append(line, numbers...), '\n'))
	batch.Write(json)
	blobAt = batch.Len()
	batch.Write(blob)
	batch.WriteByte('\n')
	return blobAt
}

// head is the first line of a frame: lengths and place in bytes.
type head struct {
	sum        uint32
	json, blob int
	at         int // in its batch; absent when it is not told
}

const absent = -1

func (h head) numbers() []byte {
	raw := strconv.AppendInt(make([]byte, 0, maxFrameHead), int64(h.json), 10)
	raw = strconv.AppendInt(append(raw, ' '), int64(h.blob), 10)
	if h.at == absent {
		return raw
	}
	return strconv.AppendInt(append(raw, ' '), int64(h.at), 10)
}

func checksum(numbers, json, blob []byte) uint32 {
	c := crc32.Update(0, castagnoli, numbers)
	return crc32.Update(crc32.Update(c, castagnoli, json), castagnoli, blob)
}

// parsed is a frame that was read: where its blob begins in it, its length, and how many bytes of its batch lie before it.
type parsed struct {
	json         []byte
	blobAt, size int64
	at           int64
}

// readFrame returns the next frame, io.EOF at the exact end, or errFrame when what follows is not a whole frame.
func readFrame(r *bufio.Reader) (parsed, error) {
	line, err := readHead(r)
	if err != nil {
		return parsed{}, err
	}
	h, ok := parseHead(line)
	if !ok {
		return parsed{}, errFrame
	}
	body := make([]byte, h.json+h.blob+1)
	if _, err := io.ReadFull(r, body); err != nil || body[h.json+h.blob] != '\n' {
		return parsed{}, errFrame
	}
	json, blob := body[:h.json], body[h.json:h.json+h.blob]
	if checksum(h.numbers(), json, blob) != h.sum {
		return parsed{}, errFrame
	}
	blobAt := int64(len(line) + 1 + h.json)
	return parsed{json: json, blobAt: blobAt, size: blobAt + int64(h.blob) + 1, at: int64(max(h.at, 0))}, nil
}

// parseHead reads the first line of a frame, with or without the place in the batch.
func parseHead(line string) (h head, ok bool) {
	sum, numbers, _ := strings.Cut(line, " ")
	crc, err := strconv.ParseUint(sum, 16, 32)
	if err != nil {
		return head{}, false
	}
	h = head{sum: uint32(crc), at: absent}
	fields := strings.Split(numbers, " ")
	if len(fields) < 2 || len(fields) > 3 {
		return head{}, false
	}
	for i, to := range []*int{&h.json, &h.blob, &h.at}[:len(fields)] {
		if *to, err = strconv.Atoi(fields[i]); err != nil || *to < 0 {
			return head{}, false
		}
	}
	return h, h.json <= maxFrameJSON && h.blob <= maxFrameBlob
}

func readHead(r *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxFrameHead {
		c, err := r.ReadByte()
		if err == io.EOF && len(line) == 0 {
			return "", io.EOF
		}
		if err != nil {
			return "", errFrame
		}
		if c == '\n' {
			return string(line), nil
		}
		line = append(line, c)
	}
	return "", errFrame
}

// replay calls apply for every frame, cuts off what follows the last, and leaves the journal ready to append.
func (j *journal) replay(apply func(json []byte, blobAt int64) error) error {
	r := bufio.NewReaderSize(j.file, 1<<16)
	for {
		f, err := readFrame(r)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			j.room = j.size
			return nil
		default:
			return j.cut()
		}
		if err := apply(f.json, j.size+f.blobAt); err != nil {
			return err
		}
		j.size += f.size
		j.length.Store(j.size)
	}
}

// cut truncates the journal after the last whole frame: of what was made ahead, and of a last batch that was not written whole.
// When a frame of a later batch follows the damage, something that was answered for may be lost, and an operator has to look.
func (j *journal) cut() error {
	tail, err := io.ReadAll(io.LimitReader(io.NewSectionReader(j.file, j.size, 1<<62), maxTail+1))
	if err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	if len(tail) > maxTail || laterBatch(tail) {
		return ErrCorrupt
	}
	if err := j.file.Truncate(j.size); err != nil {
		return fmt.Errorf("spool: journal: %w", err)
	}
	j.room = j.size
	return j.file.Sync()
}

// laterBatch reports whether a whole frame lies in what follows the last good one, of a batch that begins there as well: it was
// written when all before it was durable.
func laterBatch(tail []byte) bool {
	for place := 0; ; {
		i := bytes.IndexByte(tail[place:], '\n')
		if i < 0 {
			return false
		}
		place += i + 1
		f, err := readFrame(bufio.NewReader(bytes.NewReader(tail[place:])))
		if err == nil && int64(place) > f.at {
			return true
		}
	}
}
