package mesh

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/http"
	"strings"

	"signalbox/internal/teeth"
	"signalbox/mesh/internal/wire"
)

// Incoming is a message being downloaded. Read returns the payload, fetching further chunks as it goes and undoing the
// gzip of the transfer, chunk by chunk. It works under the context that was given to Get. Close it in any case. It is not
// safe for concurrent use.
//
// When the connection breaks within a chunk, Read fetches that chunk again, up to Config.Attempts times in all, passes over
// what it has given out and makes sure that it is the same. A Read that fails leaves the message as it was on the server:
// nothing here acknowledges.
type Incoming struct {
	Header Header

	c     *Client
	ctx   context.Context
	body  io.ReadCloser
	from  io.Reader // body, or the decompressor above it
	zip   *gzip.Reader
	chunk int
	last  bool
	read  int64
	limit int64
	err   error
	late  error        // what ended the last read of from, after bytes that are given out first
	ended func() error // told, when set, that all of a chunk but the last was given out, before the next is asked for

	given  int64         // bytes of this chunk that were given out
	digest *maphash.Hash // of those bytes
	broken int           // times that this chunk was lost half-way
}

// NewIncoming makes a message of a header and a payload that came another way than from a Client, as package folder does. Its
// limit is 1 GiB until SetLimit.
func NewIncoming(h Header, body io.ReadCloser) *Incoming {
	return &Incoming{Header: h, body: body, from: body, last: true, chunk: 1, limit: Default().MaxMessage}
}

// Get starts to download a message: its header and its first chunk.
func (c *Client) Get(ctx context.Context, messageID string) (*Incoming, error) {
	if messageID == "" {
		return nil, invalid("get", "message id: is missing")
	}
	in := c.newIncoming(ctx, messageID)
	if err := in.again(in.open(1)); err != nil {
		return nil, err
	}
	return in, nil
}

func (c *Client) newIncoming(ctx context.Context, messageID string) *Incoming {
	in := &Incoming{c: c, ctx: ctx, limit: c.cfg.MaxMessage, digest: new(maphash.Hash)}
	in.Header.MessageID = messageID
	return in
}

// Head fetches the header of a message without its body.
func (c *Client) Head(ctx context.Context, messageID string) (Header, error) {
	if messageID == "" {
		return Header{}, invalid("head", "message id: is missing")
	}
	resp, err := c.do(ctx, call{op: "head", method: http.MethodHead, path: []string{"inbox", messageID}}, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return Header{}, err
	}
	discard(resp)
	return parseHeader(messageID, resp.Header), nil
}

// SetLimit bounds the decompressed size, in bytes, of the whole message; Read returns ErrTooLarge beyond it. It replaces
// Config.MaxMessage for this message.
func (in *Incoming) SetLimit(bytes int64) { in.limit = bytes }

// Read reads the payload.
func (in *Incoming) Read(p []byte) (int, error) {
	for in.err == nil {
		if len(p) == 0 {
			return 0, nil
		}
		if late := in.late; late != nil {
			in.late = nil
			in.err = in.advance(late)
			continue
		}
		room := in.limit - in.read
		if int64(len(p)) > room+1 {
			p = p[:room+1] // one more than allowed, to see whether there is more
		}
		n, err := in.from.Read(p)
		in.read += int64(n)
		if in.read > in.limit {
			in.err = &Error{Op: "get", Kind: ErrTooLarge, MessageID: in.Header.MessageID}
			return 0, in.err
		}
		in.note(p[:n])
		in.late = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, in.err
}

// note remembers what was given out of this chunk.
func (in *Incoming) note(p []byte) {
	if in.digest != nil {
		in.given += int64(len(p))
		_, _ = in.digest.Write(p)
	}
}

// advance goes to the next chunk at the end of this one, begins this one anew when it was lost half-way, and otherwise says
// what went wrong.
func (in *Incoming) advance(err error) error {
	if err != io.EOF { //nolint:errorlint // a connection that broke may have io.EOF as its cause
		if in.c == nil {
			return &Error{Op: "get", Kind: ErrTransport, Err: err}
		}
		return in.again(bodyError(err))
	}
	if in.last || teeth.Bite("last-chunk-lost") && in.chunk > 1 {
		return io.EOF
	}
	_ = in.body.Close()
	if in.ended != nil {
		if err := in.ended(); err != nil {
			return err
		}
	}
	in.broken, in.given = 0, 0
	in.digest.Reset()
	in.chunk++
	return in.again(in.open(in.chunk))
}

// again goes on fetching a chunk that was lost half-way: it passes over what was given out of it and makes sure that it is
// the same.
func (in *Incoming) again(cause error) error {
	for halfway(cause) && in.ctx.Err() == nil {
		if in.broken++; in.broken >= in.c.cfg.Attempts || in.c.sleep(in.ctx, in.broken, 0) != nil {
			return cause
		}
		_ = in.body.Close()
		if cause = in.open(in.chunk); cause != nil {
			continue
		}
		var fresh maphash.Hash
		fresh.SetSeed(in.digest.Seed())
		_, err := io.CopyN(&fresh, in.from, in.given)
		switch {
		case err == nil && fresh.Sum64() == in.digest.Sum64():
			return nil
		case err == nil || err == io.EOF: //nolint:errorlint // as in advance
			return protocol("get", http.StatusOK, "a chunk that was fetched again is another one")
		}
		cause = bodyError(err)
	}
	return cause
}

// halfway tells a body that broke from a call that was never answered, which has been repeated already.
func halfway(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == ErrTransport && e.Status != 0
}

// open asks for chunk n and checks that the answer is that chunk. The header of the first one is the message's.
func (in *Incoming) open(n int) error {
	resp, err := in.c.do(in.ctx, call{
		op: "get", method: http.MethodGet, path: chunkPath(in.Header.MessageID, n), header: http.Header{"Accept-Encoding": {wire.Gzip}},
	}, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return err
	}
	in.body, in.chunk, in.last = resp.Body, n, resp.StatusCode == http.StatusOK
	h := parseHeader(in.Header.MessageID, resp.Header)
	err = in.check(resp, h)
	if err == nil {
		err = in.decode(resp)
	}
	if err != nil {
		_ = resp.Body.Close()
		return err
	}
	if n == 1 {
		in.Header = h
	}
	return nil
}

// check compares the status, which says whether more is to come, with the chunk range where there is one: a message cut
// short or put together in another order must not look whole. A message of one chunk may carry any range that ends: the
// specification's own samples show 2:2.
func (in *Incoming) check(resp *http.Response, h Header) error {
	if !strings.EqualFold(h.MessageID, in.Header.MessageID) {
		return protocol("get", resp.StatusCode, "answer is another message than was asked for")
	}
	value := resp.Header.Get(wire.HeaderChunkRange)
	if value == "" {
		return nil
	}
	r, err := wire.ParseChunkRange(value)
	switch {
	case err != nil:
		return protocol("get", resp.StatusCode, "chunk range is not readable")
	case in.last != r.Last():
		return protocol("get", resp.StatusCode, "status and chunk range disagree on whether this is the last chunk")
	case r.Number != in.chunk && !(in.chunk == 1 && in.last):
		return protocol("get", resp.StatusCode, "answer is another chunk than was asked for")
	case in.chunk > 1 && in.Header.TotalChunks > 1 && r.Total != in.Header.TotalChunks:
		return protocol("get", resp.StatusCode, "number of chunks differs from that of the first one")
	}
	return nil
}

func (in *Incoming) decode(resp *http.Response) error {
	switch strings.ToLower(resp.Header.Get("Content-Encoding")) {
	case "", "identity":
		in.from = resp.Body
		return nil
	case wire.Gzip:
	default:
		return protocol("get", resp.StatusCode, "content encoding is neither gzip nor identity")
	}
	buf := bufio.NewReaderSize(resp.Body, 32<<10)
	if _, err := buf.Peek(1); err == io.EOF {
		in.from = buf // an empty body is empty, whatever its encoding
		return nil
	}
	if in.zip == nil {
		in.zip = in.c.unzips.Get().(*gzip.Reader)
	}
	in.from = in.zip
	if err := in.zip.Reset(buf); err != nil {
		return bodyError(err)
	}
	return nil
}

// bodyError tells a broken encoding from a broken connection.
func bodyError(err error) *Error {
	kind := ErrTransport
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		kind = ErrProtocol
	}
	return &Error{Op: "get", Kind: kind, Status: http.StatusOK, Err: err}
}

// Gzipped reports whether the transfer of the current chunk was compressed. Header.Compressed then says nothing of the payload: some
// servers set it for such a transfer too.
func (in *Incoming) Gzipped() bool { return in.zip != nil && in.from == in.zip }

// whole reports whether the payload was read to its end. A report has none.
// A connection that broke may have io.EOF as the cause of its error: that is no end.
func (in *Incoming) whole() bool {
	return in.err == io.EOF || in.Header.IsReport() //nolint:errorlint // see above
}

// Close ends the download, finished or not.
func (in *Incoming) Close() error {
	if in.err == nil {
		in.err = &Error{Op: "get", Kind: ErrInvalid, Err: errors.New("read after close")}
	}
	if in.zip != nil && in.c != nil {
		in.c.unzips.Put(in.zip)
		in.zip, in.from = nil, nil
	}
	return in.body.Close()
}
