package mesh

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"signalbox/mesh/internal/wire"
)

// Outgoing is a message to send.
type Outgoing struct {
	To         string // recipient mailbox id, required
	WorkflowID string // required

	// FileName, LocalID and Subject are shown to operators on both sides and kept in logs: no personal data may be in them.
	FileName string
	LocalID  string // the sender's reference; the service does not keep it unique
	Subject  string

	ContentType string // of the whole message; empty means application/octet-stream
	Checksum    string // opaque to the service; letters, digits, space and : - / alone
	Encrypted   bool   // statement of the sender's application, passed through
	Compressed  bool   // statement of the sender's application that the payload itself is compressed, passed through

	// Compress asks for gzip on the wire, each chunk on its own. The service undoes it for receivers that do not take gzip.
	Compress bool

	// Body is the payload, at least one byte.
	Body io.Reader
	// Size is the number of bytes in Body. It may be 0 when Body has a Len method or is an io.Seeker, or fits one chunk.
	Size int64
}

// Send puts a message into the outbox and returns the message id that the service gave it. A body larger than
// Config.ChunkSize goes in chunks.
//
// The request that creates the message is never repeated once it may have been received. If its answer is lost the
// error is ErrOutcomeUnknown. Later chunks are repeated. When a chunk fails for good Send returns the message id with the
// error: the message is not delivered then, unless the error is ErrOutcomeUnknown.
func (c *Client) Send(ctx context.Context, m Outgoing) (messageID string, err error) {
	const op = "send"
	if err := m.validate(); err != nil {
		return "", &Error{Op: op, Kind: ErrInvalid, Err: err}
	}
	cut, err := newCutter(m, c.cfg.ChunkSize)
	if err != nil {
		return "", &Error{Op: op, Kind: ErrInvalid, Err: err}
	}
	body, err := cut.next()
	if err != nil {
		return "", &Error{Op: op, Kind: ErrInvalid, Err: err}
	}
	resp, err := c.do(ctx, call{
		op: op, method: http.MethodPost, path: []string{"outbox"}, header: m.header(cut.total), body: body, once: true,
	}, http.StatusAccepted, http.StatusOK)
	if err != nil {
		return "", err
	}
	id, err := sentID(resp)
	if err != nil {
		return "", &Error{Op: op, Kind: ErrOutcomeUnknown, Status: resp.StatusCode, Err: err}
	}
	for n := 2; n <= cut.total; n++ {
		if err := c.sendChunk(ctx, id, n, m, cut); err != nil {
			return id, err
		}
	}
	return id, nil
}

// sendChunk sends chunk n >= 2. An answer that the message is already complete is good news when it follows a lost
// answer to the last chunk.
func (c *Client) sendChunk(ctx context.Context, id string, n int, m Outgoing, cut *cutter) error {
	const op = "send chunk"
	body, err := cut.next()
	if err != nil {
		return &Error{Op: op, Kind: ErrInvalid, MessageID: id, Err: err}
	}
	r := wire.ChunkRange{Number: n, Total: cut.total}
	h := http.Header{"Content-Type": {wire.MediaBinary}}
	h.Set(wire.HeaderChunkRange, r.String())
	if m.Compress {
		h.Set("Content-Encoding", wire.Gzip)
	}
	resp, err := c.do(ctx, call{op: op, method: http.MethodPost, path: []string{"outbox", id, fmt.Sprint(n)}, header: h, body: body},
		http.StatusAccepted, http.StatusOK)
	if err == nil {
		discard(resp)
		return nil
	}
	e := err.(*Error) // do returns nothing else
	e.MessageID = id
	switch {
	case r.Last() && e.Kind == ErrComplete:
		return nil
	case r.Last() && lost(e):
		e.Kind = ErrOutcomeUnknown
	}
	return e
}

func sentID(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	var b struct {
		V2 string `json:"message_id"`
		V1 string `json:"messageID"`
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	if json.Unmarshal(raw, &b) != nil || b.V1+b.V2 == "" {
		return "", errors.New("answer names no message id")
	}
	if b.V2 != "" {
		return b.V2, nil
	}
	return b.V1, nil
}

func (m Outgoing) fields() map[string]string {
	flag := map[bool]string{true: "Y"}
	return map[string]string{
		wire.HeaderTo: m.To, wire.HeaderWorkflowID: m.WorkflowID, wire.HeaderFileName: m.FileName, wire.HeaderLocalID: m.LocalID,
		wire.HeaderSubject: m.Subject, wire.HeaderContentType: m.ContentType, wire.HeaderChecksum: m.Checksum,
		wire.HeaderEncrypted: flag[m.Encrypted], wire.HeaderCompressed: flag[m.Compressed],
	}
}

func (m Outgoing) header(total int) http.Header {
	h := http.Header{}
	for k, v := range m.fields() {
		if v != "" {
			h.Set(k, v)
		}
	}
	h.Set("Content-Type", wire.MediaBinary)
	if m.ContentType != "" && total == 1 {
		h.Set("Content-Type", m.ContentType)
	}
	if total > 1 {
		h.Set(wire.HeaderChunkRange, wire.ChunkRange{Number: 1, Total: total}.String())
	}
	if m.Compress {
		h.Set("Content-Encoding", wire.Gzip)
	}
	return h
}

// validate applies the limits of the send table of the specification, so that a message which cannot be accepted is
// refused before it leaves. Errors name the header, never the value.
func (m Outgoing) validate() error {
	var errs []error
	limits := wire.Limits()
	for k, v := range m.fields() {
		switch {
		case len(v) > limits[k]:
			errs = append(errs, fmt.Errorf("%s: longer than %d bytes", k, limits[k]))
		case strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r >= 0x7f }):
			errs = append(errs, fmt.Errorf("%s: want printable ASCII: the API documents no other encoding", k))
		}
	}
	for _, k := range []string{wire.HeaderTo, wire.HeaderWorkflowID} {
		if strings.TrimSpace(m.fields()[k]) == "" {
			errs = append(errs, fmt.Errorf("%s: is missing", k))
		}
	}
	for _, k := range []string{wire.HeaderTo, wire.HeaderWorkflowID, wire.HeaderChecksum} {
		if v := m.fields()[k]; strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://") {
			errs = append(errs, fmt.Errorf("%s: must not be an address", k))
		}
	}
	if !wire.ChecksumText(m.Checksum) {
		errs = append(errs, fmt.Errorf("%s: want letters, digits, white space and : - / alone", wire.HeaderChecksum))
	}
	if m.Body == nil || m.Size < 0 {
		errs = append(errs, errors.New("body: is missing"))
	}
	return errors.Join(errs...)
}

// cutter yields the chunks of a body, cut first and then compressed, so that each can be decompressed alone.
type cutter struct {
	body  io.Reader
	left  int64 // bytes of body not yet read
	size  int64 // bytes in a chunk
	total int
	zip   *gzip.Writer
	raw   []byte
	out   bytes.Buffer
}

var (
	errEmptyBody   = errors.New("body: is empty")
	errUnsized     = errors.New("body: is larger than a chunk and its size is not known: set Size")
	errSizeDiffers = errors.New("body: holds not as many bytes as Size says")
)

// newCutter finds how many chunks there will be: the first request must say so.
func newCutter(m Outgoing, chunk int64) (*cutter, error) {
	c := &cutter{body: m.Body, size: chunk}
	if m.Compress {
		c.zip = gzip.NewWriter(&c.out)
	}
	size, known, err := bodySize(m)
	if err != nil {
		return nil, err
	}
	if !known {
		first, err := io.ReadAll(io.LimitReader(m.Body, chunk+1))
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		if size = int64(len(first)); size > chunk {
			return nil, errUnsized
		}
		c.body = bytes.NewReader(first)
	}
	if size == 0 {
		return nil, errEmptyBody
	}
	c.left = size
	c.total = int((size + chunk - 1) / chunk)
	return c, nil
}

func bodySize(m Outgoing) (size int64, known bool, err error) {
	if m.Size > 0 {
		return m.Size, true, nil
	}
	switch b := m.Body.(type) {
	case interface{ Len() int }:
		return int64(b.Len()), true, nil
	case io.Seeker:
		at, err1 := b.Seek(0, io.SeekCurrent)
		end, err2 := b.Seek(0, io.SeekEnd)
		_, err3 := b.Seek(at, io.SeekStart)
		if err := errors.Join(err1, err2, err3); err != nil {
			return 0, false, fmt.Errorf("body: %w", err)
		}
		return end - at, true, nil
	}
	return 0, false, nil
}

// next reads and, where asked, compresses the next chunk. The bytes are good until the next call. Before the last chunk is
// let go it makes sure that the body ends there: a message that is complete cannot be called back.
func (c *cutter) next() ([]byte, error) {
	n := min(c.left, c.size)
	if int64(cap(c.raw)) < n {
		c.raw = make([]byte, n)
	}
	c.raw = c.raw[:n]
	if _, err := io.ReadFull(c.body, c.raw); err != nil {
		return nil, short(err)
	}
	if c.left -= n; c.left == 0 {
		if k, err := io.ReadFull(c.body, make([]byte, 1)); k != 0 || err != io.EOF {
			return nil, short(err)
		}
	}
	if c.zip == nil {
		return c.raw, nil
	}
	c.out.Reset()
	c.zip.Reset(&c.out)
	_, err1 := c.zip.Write(c.raw)
	err2 := c.zip.Close()
	return c.out.Bytes(), errors.Join(err1, err2)
}

func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errSizeDiffers
	}
	return fmt.Errorf("body: %w", err)
}
