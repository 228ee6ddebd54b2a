package mesh

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
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
// A Read that fails leaves the message as it was on the server: get it again.
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
}

// Get starts to download a message: its header and its first chunk.
func (c *Client) Get(ctx context.Context, messageID string) (*Incoming, error) {
	if messageID == "" {
		return nil, invalid("get", "message id: is missing")
	}
	in := &Incoming{c: c, ctx: ctx, limit: c.cfg.MaxMessage}
	in.Header.MessageID = messageID
	resp, err := in.open(1)
	if err != nil {
		return nil, err
	}
	in.Header = parseHeader(messageID, resp.Header)
	if !strings.EqualFold(in.Header.MessageID, messageID) {
		_ = in.Close()
		return nil, protocol("get", resp.StatusCode, "answer is another message than was asked for")
	}
	return in, nil
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
		if err != nil {
			in.err = in.advance(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, in.err
}

// advance goes to the next chunk at the end of this one, and otherwise says what went wrong.
func (in *Incoming) advance(err error) error {
	if err != io.EOF {
		return bodyError(err)
	}
	if in.last || teeth.Bite("last-chunk-lost") && in.chunk > 1 {
		return io.EOF
	}
	_ = in.body.Close()
	_, err = in.open(in.chunk + 1)
	return err
}

// open asks for chunk n and checks that the answer is that chunk.
func (in *Incoming) open(n int) (*http.Response, error) {
	resp, err := in.c.do(in.ctx, call{
		op: "get", method: http.MethodGet, path: chunkPath(in.Header.MessageID, n), header: http.Header{"Accept-Encoding": {wire.Gzip}},
	}, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return nil, err
	}
	in.body, in.chunk, in.last = resp.Body, n, resp.StatusCode == http.StatusOK
	if err := in.check(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	if err := in.decode(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// check compares the status, which says whether more is to come, with the chunk range where there is one: a message cut
// short must not look whole.
func (in *Incoming) check(resp *http.Response) error {
	value := resp.Header.Get(wire.HeaderChunkRange)
	if value == "" {
		return nil
	}
	r, err := wire.ParseChunkRange(value)
	if err != nil {
		return protocol("get", resp.StatusCode, "chunk range is not readable")
	}
	if in.last != r.Last() {
		return protocol("get", resp.StatusCode, "status and chunk range disagree on whether this is the last chunk")
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
	buf := bufio.NewReader(resp.Body)
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
func bodyError(err error) error {
	kind := ErrTransport
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		kind = ErrProtocol
	}
	return &Error{Op: "get", Kind: kind, Err: err}
}

// Close ends the download, finished or not.
func (in *Incoming) Close() error {
	if in.err == nil {
		in.err = &Error{Op: "get", Kind: ErrInvalid, Err: errors.New("read after close")}
	}
	if in.zip != nil {
		in.c.unzips.Put(in.zip)
		in.zip, in.from = nil, nil
	}
	return in.body.Close()
}
