package mesh

import (
	"context"
	"errors"
	"io"
	"time"
)

// errLocalID and errOneRead are why SendOnce refuses a message.
var (
	errLocalID = errors.New("Mex-LocalID: is needed, to find the message by when its sending is in doubt")
	errOneRead = errors.New("body: must be an io.Seeker and io.ReaderAt, for it may have to be sent again")
)

// SendOnce sends a message and settles the doubt when an answer is lost: it looks the message up by its local id, goes on
// with the chunks that are missing, and sends it again only when the service, for as long as Config.Settle, knows nothing
// of it. LocalID must be this message's alone among those of the mailbox, and Body must be readable again.
//
// It still returns ErrOutcomeUnknown when tracking cannot tell either: the service cannot be reached, or knows more than one
// message of that local id. The caller may call it again only after Settle has said ErrNotFound.
func (c *Client) SendOnce(ctx context.Context, m Outgoing) (messageID string, err error) {
	const op = "send"
	if m.LocalID == "" {
		return "", &Error{Op: op, Kind: ErrInvalid, Err: errLocalID}
	}
	u, err := c.newUpload(m)
	if err != nil {
		return "", err
	}
	defer u.source.close()
	if u.source.at == nil {
		return "", &Error{Op: op, Kind: ErrInvalid, Err: errOneRead}
	}
	if m.Known.MessageID != "" && !m.Tried.IsZero() {
		return m.Known.MessageID, u.complete(ctx, m.Known.MessageID)
	}
	u.m.Known = Known{}
	since := time.Time{}
	if m.LocalIDShared {
		if since = m.Tried; since.IsZero() {
			since = c.cfg.Now()
		}
	}
	doubt := error(&Error{Op: op, Kind: ErrOutcomeUnknown})
	for try := 1; ; try++ {
		if try > 1 || m.Tried.IsZero() {
			var id string
			u.m.Known = Known{}
			if id, doubt = u.begin(ctx); doubt == nil {
				return id, u.complete(ctx, id)
			}
			if !errors.Is(doubt, ErrOutcomeUnknown) {
				return "", doubt
			}
		}
		known, err := c.Settle(ctx, m.LocalID, since)
		switch {
		case err == nil:
			return known.MessageID, u.resume(ctx, known)
		case !errors.Is(err, ErrNotFound) || try > c.cfg.Attempts:
			return "", unsettled(op, "", doubt, err)
		}
	}
}

// complete sends the further chunks and settles a doubt about the last.
func (u *upload) complete(ctx context.Context, id string) error {
	err := u.finish(ctx, id)
	for try := 1; errors.Is(err, ErrOutcomeUnknown) && try <= u.c.cfg.Attempts; try++ {
		known, settled := u.c.Track(ctx, id)
		if settled != nil {
			return unsettled("send chunk", id, err, settled)
		}
		if known.Status != Uploading {
			return u.resume(ctx, known)
		}
		err = u.chunk(ctx, id, u.source.total)
	}
	return err
}

// resume brings a message that the service knows to its end.
func (u *upload) resume(ctx context.Context, known Tracking) error {
	switch known.Status {
	case Uploading:
		return u.complete(ctx, known.MessageID)
	case Failed:
		return &Error{Op: "send", Kind: ErrRejected, Code: known.StatusCode, Event: known.StatusEvent, Text: known.StatusDescription, MessageID: known.MessageID}
	}
	return u.tell(known.MessageID, u.source.total)
}

// unsettled says that the outcome is still not known, and why it could not be found.
func unsettled(op, id string, sending, settling error) error {
	return &Error{Op: op, Kind: ErrOutcomeUnknown, MessageID: id, Err: errors.Join(sending, settling)}
}

// Settle finds out what became of a message whose sending ended in doubt: it tracks the local id until the service knows it, or
// for as long as Config.Settle. ErrNotFound then means that the message was never taken. ErrNotUnique means that more than
// one message has this local id, so that nothing can be said.
//
// since, when not zero, is when the sending began by our clock. It serves callers whose local ids may repeat: a single message
// that was uploaded earlier is another one, so ours is not there.
func (c *Client) Settle(ctx context.Context, localID string, since time.Time) (Tracking, error) {
	start := c.cfg.Now()
	for attempt := 1; ; attempt++ {
		t, err := c.TrackByLocalID(ctx, localID)
		if err == nil && !since.IsZero() && c.earlier(t, since) {
			t, err = Tracking{}, &Error{Op: "track", Kind: ErrNotFound}
		}
		if !errors.Is(err, ErrNotFound) || c.cfg.Now().Sub(start) >= c.cfg.Settle {
			return t, err
		}
		if c.sleep(ctx, attempt, 0) != nil {
			return Tracking{}, &Error{Op: "track", Kind: ErrOutcomeUnknown, Err: ctx.Err()}
		}
	}
}

// earlier reports whether a message was uploaded before a sending began. A minute is left for clocks that we cannot compare
// better.
func (c *Client) earlier(t Tracking, since time.Time) bool {
	skew, _ := c.Skew()
	return !t.Uploaded.IsZero() && t.Uploaded.Add(-skew).Before(since.Add(-time.Minute))
}

// Download writes the payload of a message to w and returns its header and how many bytes it wrote. A chunk that is lost
// half-way is fetched again from where it broke. Nothing is acknowledged: call Acknowledge when w holds it for good. After an
// error what was written is a part at best.
func (c *Client) Download(ctx context.Context, messageID string, w io.Writer) (Header, int64, error) {
	in, err := c.Get(ctx, messageID)
	if err != nil {
		return Header{}, 0, err
	}
	n, err := io.Copy(w, in)
	return in.Header, n, errors.Join(err, in.Close())
}
