package mesh

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// inMemory is the size, in bytes, up to which a chunk is held in memory: it is then compressed once, not once an attempt,
// and its length can be told.
const inMemory = 1 << 20

var (
	errEmptyBody   = errors.New("body: is empty")
	errUnsized     = errors.New("body: is larger than a chunk and its size is not known: set Size")
	errSizeDiffers = errors.New("body: holds not as many bytes as Size says")
)

// source yields the chunks of a body in order, cut first and then compressed, so that each can be decompressed alone. It
// holds at most inMemory bytes whatever the size: a body that can be read at any place is read anew for each attempt, any
// other goes through a temporary file of one chunk.
type source struct {
	c     *Client
	body  io.Reader
	at    io.ReaderAt // nil when body can be read only once
	base  int64       // where in at the body begins
	size  int64       // of the whole body
	chunk int64
	total int
	zip   bool

	next int // the chunk that body, when it can be read only once, comes to next
	temp *os.File
}

// newSource finds how many chunks there will be: the first request must say so.
func (c *Client) newSource(m Outgoing) (*source, error) {
	s := &source{c: c, body: m.Body, chunk: m.ChunkSize, zip: m.Compress, next: 1}
	size, known, err := s.measure(m)
	if err != nil {
		return nil, err
	}
	if !known {
		if size, err = s.gather(); err != nil {
			return nil, err
		}
	}
	if size == 0 {
		return nil, errEmptyBody
	}
	s.size = size
	s.total = int((size + s.chunk - 1) / s.chunk)
	return s, nil
}

// measure finds the size of the body, and whether it can be read at any place.
func (s *source) measure(m Outgoing) (size int64, known bool, err error) {
	seeker, seeks := m.Body.(io.Seeker)
	if seeks {
		at, err1 := seeker.Seek(0, io.SeekCurrent)
		end, err2 := seeker.Seek(0, io.SeekEnd)
		if err := errors.Join(err1, err2); err == nil { // a pipe is a file that cannot seek
			if _, err := seeker.Seek(at, io.SeekStart); err != nil {
				return 0, false, fmt.Errorf("body: %w", err)
			}
			if m.Size > 0 && m.Size != end-at {
				return 0, false, errSizeDiffers
			}
			if reader, ok := m.Body.(io.ReaderAt); ok {
				s.at, s.base = reader, at
			}
			return end - at, true, nil
		}
	}
	if m.Size > 0 {
		return m.Size, true, nil
	}
	if b, ok := m.Body.(interface{ Len() int }); ok {
		return int64(b.Len()), true, nil
	}
	return 0, false, nil
}

// gather reads a body of unknown size that must fit one chunk.
func (s *source) gather() (int64, error) {
	limited := io.LimitReader(s.body, s.chunk+1)
	head, err := io.ReadAll(io.LimitReader(limited, inMemory+1))
	if err != nil {
		return 0, fmt.Errorf("body: %w", err)
	}
	size := int64(len(head))
	if size <= inMemory {
		r := bytes.NewReader(head)
		s.body, s.at = r, r
	} else {
		if size, err = s.spool(io.MultiReader(bytes.NewReader(head), limited), false); err != nil {
			return 0, err
		}
		s.at = s.temp
	}
	if size > s.chunk {
		return 0, errUnsized
	}
	return size, nil
}

// piece returns what opens chunk n for an attempt. Chunks of a body that can be read only once are asked for in order.
func (s *source) piece(n int) (opener, error) {
	from := int64(n-1) * s.chunk
	length := min(s.chunk, s.size-from)
	if s.at == nil {
		if n != s.next {
			return nil, errors.New("body: cannot be read again")
		}
		s.next++
		return s.readOnce(length, n == s.total)
	}
	open := func() io.Reader { return io.NewSectionReader(s.at, s.base+from, length) }
	if length <= inMemory {
		return s.small(open(), length)
	}
	return func() (attempt, error) {
		plain := &exact{r: open(), left: length}
		if !s.zip {
			return attempt{r: plain, size: length}, nil
		}
		// The compressed length is not known before the end, so the request goes in HTTP's own chunks, as NHS Digital's
		// client sends them too.
		z := newZipper(s.c, plain)
		return attempt{r: z, size: -1, end: z.release}, nil
	}, nil
}

// readOnce takes the next chunk out of the body. Before the last chunk is let go it makes sure that the body ends there: a
// message that is complete cannot be called back.
func (s *source) readOnce(length int64, last bool) (opener, error) {
	if length <= inMemory {
		p, err := s.small(s.body, length)
		return p, errors.Join(err, s.atEnd(last && err == nil))
	}
	size, err := s.spool(&exact{r: s.body, left: length}, s.zip)
	if err = errors.Join(err, s.atEnd(last && err == nil)); err != nil {
		return nil, err
	}
	temp := s.temp
	return func() (attempt, error) {
		return attempt{r: &exact{r: io.NewSectionReader(temp, 0, size), left: size}, size: size}, nil
	}, nil
}

func (s *source) atEnd(ask bool) error {
	if !ask {
		return nil
	}
	if k, err := io.ReadFull(s.body, make([]byte, 1)); k != 0 || err != io.EOF {
		return short(err)
	}
	return nil
}

// small reads a chunk into memory and compresses it there.
func (s *source) small(r io.Reader, length int64) (opener, error) {
	raw := make([]byte, length)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, short(err)
	}
	if s.zip {
		var out bytes.Buffer
		zip := s.c.zips.Get().(*gzip.Writer)
		zip.Reset(&out)
		_, err1 := zip.Write(raw)
		err2 := zip.Close()
		s.c.zips.Put(zip)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		raw = out.Bytes()
	}
	return func() (attempt, error) { return attempt{r: bytes.NewReader(raw), size: int64(len(raw))}, nil }, nil
}

// spool fills the temporary file with r, compressed or not, and returns how long it is.
func (s *source) spool(r io.Reader, zip bool) (int64, error) {
	if s.temp == nil {
		f, err := os.CreateTemp(s.c.cfg.TempDir, "mesh-chunk-")
		if err != nil {
			return 0, fmt.Errorf("body: temporary file: %w", err)
		}
		s.temp = f
	}
	if err := s.temp.Truncate(0); err != nil {
		return 0, fmt.Errorf("body: temporary file: %w", err)
	}
	if zip {
		z := newZipper(s.c, r)
		defer z.release()
		r = z
	}
	n, err := io.Copy(io.NewOffsetWriter(s.temp, 0), r)
	if err != nil {
		return 0, short(err)
	}
	return n, nil
}

// close removes the temporary file.
func (s *source) close() {
	if s.temp != nil {
		_ = s.temp.Close()
		_ = os.Remove(s.temp.Name())
	}
}

func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errSizeDiffers) {
		return errSizeDiffers
	}
	return fmt.Errorf("body: %w", err)
}
