package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"signalbox/mesh/internal/durable"
)

// fetching is a line of what is kept of a download: how many chunks, and bytes of payload, are durable in the part.
type fetching struct {
	MessageID string `json:"message_id,omitempty"`
	Total     int    `json:"total,omitempty"`
	Chunks    int    `json:"chunks,omitempty"`
	Bytes     int64  `json:"bytes,omitempty"`
}

// DownloadOptions is how a download to a file is bounded and watched. The zero value is good.
type DownloadOptions struct {
	MaxBytes int64             // bound of the decompressed size; 0 means Config.MaxMessage
	Taken    func(bytes int64) // when set, is told how many bytes there are so far
}

// DownloadFile downloads a message into the file named path, which appears when it is whole and durable, and returns its header and
// size. A report has no payload and makes no file. What is not whole lies beside path under a name that begins with a dot: a
// process that takes the same message to the same path, after another was killed at whatever instant, goes on with the chunk after
// the last that was durable. Nothing is acknowledged.
//
// The error is ErrInUse while another process downloads the same to the same path.
func (c *Client) DownloadFile(ctx context.Context, messageID, path string, o DownloadOptions) (Header, int64, error) {
	if messageID == "" || path == "" {
		return Header{}, 0, invalid("get", "message id, path: are needed")
	}
	d := fileDownload{c: c, id: messageID, path: path, o: o}
	d.stem = filepath.Join(filepath.Dir(path), ".mesh-part-"+shortDigest([]byte(messageID+"\x00"+filepath.Base(path))))
	var err error
	if d.kept, err = openKept(d.stem+".state", func() any { return &d.at }); err != nil {
		return Header{}, 0, err
	}
	err = d.run(ctx)
	over := err == nil || hopeless(err)
	if over {
		if err2 := os.Remove(d.stem); err2 != nil && !errors.Is(err2, os.ErrNotExist) {
			err = errors.Join(err, durable.Nameless(err2))
		}
	}
	if err = errors.Join(err, d.kept.end(over)); err != nil {
		return Header{}, 0, err
	}
	return d.header, d.bytes, nil
}

// fileDownload is one download to a file.
type fileDownload struct {
	c      *Client
	id     string
	path   string
	stem   string // of the names of part and state
	o      DownloadOptions
	kept   *kept
	at     fetching
	header Header
	bytes  int64
}

func (d *fileDownload) run(ctx context.Context) error {
	part, err := os.OpenFile(d.stem, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("mesh: get: part: %w", durable.Nameless(err))
	}
	in, err := d.open(ctx, part)
	if err != nil {
		return errors.Join(err, part.Close())
	}
	d.header = in.Header
	if d.o.MaxBytes > 0 {
		in.SetLimit(d.o.MaxBytes)
	}
	err = d.copy(in, part)
	err = errors.Join(err, in.Close(), durable.Nameless(part.Close()))
	if err != nil || in.Header.IsReport() {
		return err
	}
	if err := os.Rename(d.stem, d.path); err != nil {
		return fmt.Errorf("mesh: get: %w", durable.Nameless(err))
	}
	return durable.Dir(filepath.Dir(d.path))
}

// open begins where the part ends, or anew where state, part and message do not go together.
func (d *fileDownload) open(ctx context.Context, part *os.File) (*Incoming, error) {
	info, err := part.Stat()
	if err != nil {
		return nil, durable.Nameless(err)
	}
	if d.at.Chunks > 0 && d.at.MessageID == d.id && info.Size() >= d.at.Bytes {
		in, err := d.c.getAfter(ctx, d.at)
		if err == nil || !errors.Is(err, ErrProtocol) {
			d.bytes = d.at.Bytes
			return in, errors.Join(err, durable.Nameless(part.Truncate(d.bytes)))
		}
	}
	d.at = fetching{MessageID: d.id}
	if err := errors.Join(d.kept.restart(), durable.Nameless(part.Truncate(0))); err != nil {
		return nil, err
	}
	return d.c.Get(ctx, d.id)
}

// getAfter starts to download behind the chunks that are there. The header is asked for by itself, for what that of a later chunk
// holds is not published.
func (c *Client) getAfter(ctx context.Context, at fetching) (*Incoming, error) {
	h, err := c.Head(ctx, at.MessageID)
	if err != nil {
		return nil, err
	}
	in := c.newIncoming(ctx, at.MessageID)
	in.Header, in.read = h, at.Bytes
	in.Header.TotalChunks = at.Total
	return in, in.again(in.open(at.Chunks + 1))
}

// copy writes the payload to the part, and notes each chunk when it is durable there, before the next is asked for.
func (d *fileDownload) copy(in *Incoming, part *os.File) error {
	in.ended = func() error {
		d.at = fetching{MessageID: d.id, Total: in.Header.TotalChunks, Chunks: in.chunk, Bytes: d.bytes}
		if err := errors.Join(durable.Nameless(part.Sync()), d.kept.add(d.at)); err != nil {
			return fmt.Errorf("mesh: get: progress: %w", err)
		}
		return nil
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := in.Read(buf)
		if _, err := part.WriteAt(buf[:n], d.bytes); err != nil {
			return fmt.Errorf("mesh: get: part: %w", durable.Nameless(err))
		}
		if d.bytes += int64(n); d.o.Taken != nil {
			d.o.Taken(d.bytes)
		}
		if err == io.EOF { //nolint:errorlint // a connection that broke may have io.EOF as its cause
			return durable.Nameless(part.Sync())
		}
		if err != nil {
			return err
		}
	}
}
