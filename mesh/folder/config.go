package folder

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"signalbox/mesh"
)

// Config says where the folders are and how they are kept. Start from Default.
type Config struct {
	// Root holds the folders; missing ones are made. It must lie in one file system and belong to one process at a time.
	Root string
	// MinAge is how old a file's time stamp must be before it is read: a younger one may still be written to.
	MinAge time.Duration
	// Scan is how often the folder is looked at even when nothing was noticed; notifications get lost on network file systems.
	Scan time.Duration
	// Retry is the rest after a round in which something could not be sent.
	Retry time.Duration
	// Patience is how long a control file may wait for its payload before it has failed.
	Patience time.Duration
	// SaveSent keeps what was sent in SENT; else it is removed.
	SaveSent bool
	// MaxMessage bounds a message that is received, in bytes; 0 means the client's own bound.
	MaxMessage int64
	// NoNotify looks at the folder every Scan only.
	NoNotify bool

	Now func() time.Time
	// Log hears of what was sent, received and refused. File names of an application are not logged: they may name a person.
	Log *slog.Logger
}

// Default returns a configuration that lacks Root.
func Default() Config {
	return Config{
		MinAge: time.Second, Scan: 10 * time.Second, Retry: 30 * time.Second, Patience: time.Minute, SaveSent: true,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

// Validate reports everything that cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.Root == "" {
		errs = append(errs, errors.New("folder: config: Root: is missing"))
	}
	if c.MinAge < 0 || c.Scan <= 0 || c.Retry <= 0 || c.Patience < 0 || c.MaxMessage < 0 {
		errs = append(errs, errors.New("folder: config: MinAge, Scan, Retry, Patience, MaxMessage: are out of range"))
	}
	if c.Now == nil || c.Log == nil {
		errs = append(errs, errors.New("folder: config: Now, Log: are missing: start from Default"))
	}
	return errors.Join(errs...)
}

// Mailbox is what a Bridge asks of MESH. *mesh.Client is one.
type Mailbox interface {
	mesh.Inbox
	MailboxID() string
	Get(ctx context.Context, messageID string) (*mesh.Incoming, error)
	Head(ctx context.Context, messageID string) (mesh.Header, error)
	Acknowledge(ctx context.Context, messageID string) error
	SendOnce(ctx context.Context, m mesh.Outgoing) (string, error)
}
