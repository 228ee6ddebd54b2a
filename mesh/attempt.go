package mesh

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"sync"
)

// opener opens a request body for one attempt.
type opener func() (attempt, error)

// attempt is the body of one attempt: size is -1 when it is not known, end gives back what it holds.
type attempt struct {
	r    io.Reader
	size int64
	end  func()
}

// sourceError says that a body could not be read, so that the request was not sent to its end.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// attemptBody is a body that its owner can take back: a transport may go on reading after RoundTrip has returned.
type attemptBody struct {
	size    int64
	proceed func() error // nil: always

	mu   sync.Mutex
	a    attempt
	over bool
	err  error
}

func newAttemptBody(open opener, proceed func() error) (*attemptBody, error) {
	a, err := open()
	if err != nil {
		return nil, err
	}
	return &attemptBody{a: a, size: a.size, proceed: proceed}, nil
}

// Read reads the body until end is called.
func (b *attemptBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.a.r.Read(p)
	if n > 0 && b.proceed != nil { // at the end there is nothing left to stop
		if refused := b.proceed(); refused != nil {
			n, err = 0, refused
		}
	}
	if err != nil && err != io.EOF && b.err == nil { //nolint:errorlint // a source that broke may have io.EOF as its cause
		b.err = &sourceError{err}
	}
	return n, err
}

// Close does nothing: the owner calls end.
func (b *attemptBody) Close() error { return nil }

// end waits for a Read that is under way, lets no other begin, and returns what the source itself failed with.
func (b *attemptBody) end() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over && b.a.end != nil {
		b.a.end()
	}
	b.over = true
	return b.err
}

// exact reads so many bytes and fails when there are fewer: a file that shrinks while it is sent must not look whole.
type exact struct {
	r    io.Reader
	left int64
}

// Read reads up to the number of bytes that are left.
func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = errSizeDiffers
	}
	return n, err
}

// zipper compresses what it reads, a piece at a time and without a goroutine.
type zipper struct {
	c    *Client
	from io.Reader
	zip  *gzip.Writer
	in   []byte
	out  bytes.Buffer
	done bool
}

func newZipper(c *Client, from io.Reader) *zipper {
	z := &zipper{c: c, from: from, zip: c.zips.Get().(*gzip.Writer), in: make([]byte, 64<<10)}
	z.zip.Reset(&z.out)
	return z
}

// Read returns compressed bytes. A source that fails gives no end to the stream, so nothing short decompresses whole.
func (z *zipper) Read(p []byte) (int, error) {
	for z.out.Len() == 0 {
		if z.done {
			return 0, io.EOF
		}
		z.out.Reset()
		n, err := z.from.Read(z.in)
		if n > 0 {
			if _, err := z.zip.Write(z.in[:n]); err != nil {
				return 0, err
			}
		}
		if err == io.EOF { //nolint:errorlint // a source that broke may have io.EOF as its cause, and must not look whole
			z.done, err = true, z.zip.Close()
		}
		if err != nil {
			return 0, err
		}
	}
	return z.out.Read(p)
}

// release gives the compressor back.
func (z *zipper) release() {
	if z.zip != nil {
		z.c.zips.Put(z.zip)
		z.zip, z.from = nil, nil
	}
}
