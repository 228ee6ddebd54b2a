package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

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
	PartnerID   string // obsolete, passed through
	Checksum    string // opaque to the service; letters, digits, space and : - / alone
	Encrypted   bool   // statement of the sender's application, passed through
	Compressed  bool   // statement of the sender's application that the payload itself is compressed, passed through

	// Compress asks for gzip on the wire, each chunk on its own. The service undoes it for receivers that do not take gzip.
	Compress bool

	// Body is the payload, at least one byte. No chunk of it is held in memory. A body that is an io.Seeker and io.ReaderAt, as a
	// file or a bytes.Reader is, is read where it lies, from its current position, and anew for each attempt: it must not
	// change meanwhile. Any other body goes through a temporary file of one chunk (Config.TempDir).
	Body io.Reader
	// Size is the number of bytes in Body. It may be 0 when Body has a Len method or is an io.Seeker, or fits one chunk.
	Size int64
	// ChunkSize, when not 0, takes the place of Config.ChunkSize for this message.
	ChunkSize int64
	// Tried, when not zero, is when an earlier attempt at this very message began, whose end is not known: SendOnce looks for it
	// before it sends. ChunkSize must be what it was then.
	Tried time.Time
	// LocalIDShared says that other messages may carry the same LocalID: SendOnce then takes a message that was uploaded before
	// its own attempt began for another one.
	LocalIDShared bool
	// Known is, after Tried, what that attempt knew of the message: SendOnce goes on with the chunk after those that were taken.
	Known Known
	// Keep, when set, is told of each answer that a process killed later should know; an error of it ends
	// the sending of a message that is not whole. See SendKept.
	Keep func(Known) error
	// Proceed, when set, is asked whenever a piece of a body is about to be written to the network, and an error stops the message there: a
	// request whose body is cut short is not taken. It is for a sender that may have lost its right to send while it was held up. The error
	// of Send wraps it.
	Proceed func() error
	// Sent, when set, is told after each chunk how many bytes of Body the service has taken so far.
	Sent func(bytes int64)
}

// Known is how far the sending of a message has come.
type Known struct {
	MessageID string // empty: nothing was answered
	Chunks    int    // that the service has taken, from the first, without a gap
	Total     int    // that the message has
}

// Send puts a message into the outbox and returns the message id that the service gave it. A body larger than
// Config.ChunkSize goes in chunks.
//
// The request that creates the message is never repeated once it may have been received. If its answer is lost the
// error is ErrOutcomeUnknown: SendOnce settles that. Later chunks are repeated. When a chunk fails for good Send returns the
// message id with the error: the message is not delivered then, unless the error is ErrOutcomeUnknown.
func (c *Client) Send(ctx context.Context, m Outgoing) (messageID string, err error) {
	u, err := c.newUpload(m)
	if err != nil {
		return "", err
	}
	defer u.source.close()
	id, err := u.begin(ctx)
	if err != nil {
		return "", err
	}
	return id, u.finish(ctx, id)
}

// upload is one message on its way.
type upload struct {
	c      *Client
	m      Outgoing
	source *source
}

func (c *Client) newUpload(m Outgoing) (*upload, error) {
	if err := m.validate(); err != nil {
		return nil, &Error{Op: "send", Kind: ErrInvalid, Err: err}
	}
	if m.ChunkSize == 0 {
		m.ChunkSize = c.cfg.ChunkSize
	}
	source, err := c.newSource(m)
	if err != nil {
		return nil, &Error{Op: "send", Kind: ErrInvalid, Err: err}
	}
	return &upload{c: c, m: m, source: source}, nil
}

// begin sends the request that creates the message: all of it, or chunk 1.
func (u *upload) begin(ctx context.Context) (id string, err error) {
	const op = "send"
	body, err := u.source.piece(1)
	if err != nil {
		return "", &Error{Op: op, Kind: ErrInvalid, Err: err}
	}
	resp, err := u.c.do(ctx, call{
		op: op, method: http.MethodPost, path: []string{"outbox"}, header: u.m.header(u.source.total), body: body, proceed: u.m.Proceed, once: true,
	}, http.StatusAccepted, http.StatusOK)
	if err != nil {
		return "", err
	}
	if id, err = sentID(resp); err != nil {
		return "", &Error{Op: op, Kind: ErrOutcomeUnknown, Status: resp.StatusCode, Err: err}
	}
	return id, u.tell(id, 1)
}

// finish sends what follows the chunks that were taken, in order.
func (u *upload) finish(ctx context.Context, id string) error {
	for n := max(2, u.m.Known.Chunks+1); n <= u.source.total; n++ {
		if err := u.chunk(ctx, id, n); err != nil {
			return err
		}
		if err := u.tell(id, n); err != nil {
			return err
		}
	}
	return nil
}

// tell notes that the service has taken n chunks.
func (u *upload) tell(id string, n int) error {
	u.m.Known = Known{MessageID: id, Chunks: n, Total: u.source.total}
	if u.m.Sent != nil {
		u.m.Sent(min(int64(n)*u.source.chunk, u.source.size))
	}
	if u.m.Keep == nil {
		return nil
	}
	if err := u.m.Keep(u.m.Known); err != nil && n < u.source.total { // what is whole is sent, whoever remembers it
		return fmt.Errorf("mesh: send: progress cannot be kept: %w", err)
	}
	return nil
}

// chunk sends chunk n >= 2. An answer that the message is already complete is good news when it follows a lost answer to
// the last chunk.
func (u *upload) chunk(ctx context.Context, id string, n int) error {
	const op = "send chunk"
	body, err := u.source.piece(n)
	if err != nil {
		return &Error{Op: op, Kind: ErrInvalid, MessageID: id, Err: err}
	}
	r := wire.ChunkRange{Number: n, Total: u.source.total}
	h := http.Header{"Content-Type": {wire.MediaBinary}}
	h.Set(wire.HeaderChunkRange, r.String())
	if u.m.Compress {
		h.Set("Content-Encoding", wire.Gzip)
	}
	resp, err := u.c.do(ctx, call{op: op, method: http.MethodPost, path: []string{"outbox", id, fmt.Sprint(n)}, header: h, body: body, proceed: u.m.Proceed},
		http.StatusAccepted, http.StatusOK)
	if err == nil {
		discard(resp)
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok { // do returns nothing else
		return err
	}
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
		wire.HeaderSubject: m.Subject, wire.HeaderPartnerID: m.PartnerID, wire.HeaderContentType: m.ContentType, wire.HeaderChecksum: m.Checksum,
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
	if m.ChunkSize < 0 || m.ChunkSize > MaxRequest-gzipSlack {
		errs = append(errs, fmt.Errorf("chunk size: want 0 to %d", MaxRequest-gzipSlack))
	}
	return errors.Join(errs...)
}
