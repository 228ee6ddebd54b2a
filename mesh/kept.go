package mesh

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"signalbox/mesh/internal/durable"
	"signalbox/mesh/internal/lock"
)

// ErrInUse says that another process sends or downloads the same, by the file in which both would keep how far they have come.
var ErrInUse = errors.New("mesh: another process is at the same message")

// kept is a file of JSON lines, each of which says more than the one before and is durable before what follows from it is done.
// Its lock keeps a second process out.
type kept struct{ lock *lock.Lock }

// maxKept bounds what is read of such a file: 100 GB in chunks of 5 MB make 20,000 lines.
const maxKept = 8 << 20

// openKept opens the file, makes it when it is missing, and reads its lines into what line returns. A last line that was not
// written to its end counts as never written.
func openKept(name string, line func() any) (*kept, error) {
	l, err := lock.Take(name)
	if errors.Is(err, lock.ErrHeld) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("mesh: progress: %w", err)
	}
	k := &kept{l}
	whole := int64(0)
	in := bufio.NewReader(io.LimitReader(l.File(), maxKept))
	for {
		raw, err := in.ReadBytes('\n')
		if err != nil || json.Unmarshal(raw, line()) != nil {
			break
		}
		whole += int64(len(raw))
	}
	_, err = l.File().Seek(whole, io.SeekStart)
	if err = errors.Join(err, l.File().Truncate(whole), durable.Dir(filepath.Dir(name))); err != nil {
		return nil, fmt.Errorf("mesh: progress: %w", errors.Join(durable.Nameless(err), l.Release()))
	}
	return k, nil
}

// add makes a line durable.
func (k *kept) add(line any) error {
	raw, err := json.Marshal(line)
	if err == nil {
		_, err = k.lock.File().Write(append(raw, '\n'))
	}
	return durable.Nameless(errors.Join(err, k.lock.File().Sync()))
}

// restart forgets everything.
func (k *kept) restart() error {
	_, err := k.lock.File().Seek(0, io.SeekStart)
	return durable.Nameless(errors.Join(err, k.lock.File().Truncate(0)))
}

// end takes the file away when the matter is at its end, and else leaves it for another process.
func (k *kept) end(over bool) error {
	if over {
		return k.lock.Remove()
	}
	return k.lock.Release()
}

// sending is a line of what is kept of a message that is sent: first its local id and since when, then how far it came.
type sending struct {
	LocalID   string    `json:"local_id,omitempty"`
	Began     time.Time `json:"began,omitzero"`
	MessageID string    `json:"message_id,omitempty"`
	Chunks    int       `json:"chunks,omitempty"`
	Total     int       `json:"total,omitempty"`
}

// Sent names a message that was sent: by the service's id, and by ours.
type Sent struct{ MessageID, LocalID string }

// SendKept sends as SendOnce does, and keeps how far it has come in a file in the folder dir: a process that sends the same message
// with the same folder, after another was killed at whatever instant, goes on with the chunk that is missing. A request that creates
// a message is on record before it is made, and is looked up by its local id before it is made again.
//
// A message is the same when its fields are and its body has the same name, size and time of change, as far as it has them. An empty
// LocalID gets one that is kept. The file is gone when the message is sent, or when it is certain that nothing of it was taken or ever
// will be; after other errors it stays. The error is ErrInUse while another process sends the same.
func (c *Client) SendKept(ctx context.Context, m Outgoing, dir string) (Sent, error) {
	same, err := identity(m)
	if err != nil {
		return Sent{}, &Error{Op: "send", Kind: ErrInvalid, Err: err}
	}
	var at sending
	k, err := openKept(filepath.Join(dir, ".mesh-send-"+same+".state"), func() any { return &at })
	if err != nil {
		return Sent{}, err
	}
	if at.LocalID != "" {
		m.Tried, m.Known = at.Began, Known{at.MessageID, at.Chunks, at.Total}
	} else {
		if at = (sending{LocalID: m.LocalID, Began: c.cfg.Now()}); at.LocalID == "" {
			at.LocalID = "signalbox-" + uuid.NewString()
		}
		if err := k.add(at); err != nil {
			return Sent{}, errors.Join(fmt.Errorf("mesh: progress: %w", err), k.end(true))
		}
	}
	m.LocalID, m.Keep = at.LocalID, func(now Known) error {
		at.MessageID = now.MessageID
		return k.add(sending{MessageID: now.MessageID, Chunks: now.Chunks, Total: now.Total})
	}
	id, err := c.SendOnce(ctx, m)
	return Sent{id, at.LocalID}, errors.Join(err, k.end(err == nil || hopeless(err) || at.MessageID == "" && untaken(err)))
}

// untaken reports whether it is certain that the service has nothing of a message.
func untaken(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind != ErrOutcomeUnknown && e.MessageID == ""
}

// hopeless reports whether another attempt at the same message cannot get on from where this one came.
func hopeless(err error) bool {
	return slices.ContainsFunc([]Kind{ErrInvalid, ErrRejected, ErrNotFound, ErrGone, ErrTooLarge}, func(k Kind) bool { return errors.Is(err, k) }) &&
		!errors.Is(err, ErrOutcomeUnknown)
}

// identity is a digest of what makes a message this one.
func identity(m Outgoing) (string, error) {
	parts := []any{m.fields(), m.ChunkSize, m.Compress, m.Size}
	if f, ok := m.Body.(interface {
		Name() string
		Stat() (fs.FileInfo, error)
	}); ok {
		info, err1 := f.Stat()
		name, err2 := filepath.Abs(f.Name())
		if err := errors.Join(err1, err2); err != nil {
			return "", durable.Nameless(err)
		}
		parts = append(parts, name, info.Size(), info.ModTime().UTC())
	} else if f, ok := m.Body.(interface{ Size() int64 }); ok {
		parts = append(parts, f.Size())
	}
	raw, err := json.Marshal(parts)
	return shortDigest(raw), err
}

func shortDigest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:12])
}
