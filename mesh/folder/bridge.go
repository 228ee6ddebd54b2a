package folder

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"signalbox/mesh"
	"signalbox/mesh/internal/lock"
)

// ErrInUse says that another bridge serves the same folders: two would each send what is in OUT.
var ErrInUse = errors.New("folder: is served by another process: one client a folder")

// Bridge serves the folders from a mailbox, as the Java MESH client does. Run is its whole work and keeps a second Bridge out; who
// calls SendReady and Receive instead sees to that.
type Bridge struct {
	cfg  Config
	box  Mailbox
	disk disk
	dir  layout
}

// layout holds the paths.
type layout struct{ in, out, sent, failed, sending, receiving string }

func newLayout(root string) layout {
	at := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
	return layout{in: at(inName), out: at(outName), sent: at(sentName), failed: at(failedName), sending: at(workName, "sending"), receiving: at(workName, "receiving")}
}

// NewBridge makes the folders that are missing.
func NewBridge(cfg Config, box Mailbox) (*Bridge, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Bridge{cfg: cfg, box: box, dir: newLayout(cfg.Root)}
	d := b.dir
	return b, makeDirs(d.in, d.out, d.sent, d.failed, d.sending, d.receiving)
}

// lockName is the file in workName whose lock the bridge that runs has.
const lockName = "bridge.lock"

// Run serves both directions until ctx ends. The poller's Box and Take are set here. The error is ErrInUse while another Bridge, in
// whatever process, runs on the same folders; the lock is advisory and ends with the process that has it.
func (b *Bridge) Run(ctx context.Context, poller mesh.Poller) (err error) {
	held, err := lock.Take(filepath.Join(b.cfg.Root, workName, lockName))
	if errors.Is(err, lock.ErrHeld) {
		return ErrInUse
	}
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	poller.Box, poller.Take = b.box, b.Receive
	if poller.Failed == nil {
		poller.Failed = func(op, id string, err error) {
			b.cfg.Log.Error("mailbox: will try again", "op", op, "mesh", id, "error", err)
		}
	}
	if err := poller.Validate(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var polled error
	var both sync.WaitGroup
	both.Go(func() {
		if err := b.finishReceived(ctx); err != nil && ctx.Err() == nil {
			b.cfg.Log.Error("what was received before is not finished, the next start will try again", "error", err)
		}
		polled = poller.Run(ctx)
	})
	err = b.serveOut(ctx)
	stop()
	both.Wait()
	return errors.Join(err, polled)
}

// serveOut sends what appears in OUT until ctx ends.
func (b *Bridge) serveOut(ctx context.Context) error {
	w := watch(b.dir.out, b.cfg)
	defer w.close()
	for ctx.Err() == nil {
		_, young, err := b.SendReady(ctx)
		wait, wake := b.cfg.Scan, w.wake
		switch {
		case err != nil && ctx.Err() == nil:
			b.cfg.Log.Error("not everything was sent, will try again", "error", err)
			wait, wake = b.cfg.Retry, nil
		case young:
			wait = min(b.cfg.Scan, b.cfg.MinAge)
		}
		rest(ctx, wait, wake)
	}
	return nil
}
