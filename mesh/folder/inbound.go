package folder

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"signalbox/mesh"
	"signalbox/mesh/internal/durable"
)

// Receive brings one message from the inbox to IN and acknowledges it. The file names are the message id; the sender's own file
// name goes nowhere, for it may name a person.
//
// The mark is what makes a repetition harmless: it is durable before the control file appears in IN. When the mark is there and
// the control file is no longer ours to rename, the application has been shown the message, whatever it did with it since.
func (b *Bridge) Receive(ctx context.Context, messageID string) error {
	name := safeName(messageID)
	mark, draft := filepath.Join(b.dir.receiving, name+".mark"), filepath.Join(b.dir.receiving, name+".ctl")
	if !exists(mark) {
		if err := b.fetch(ctx, messageID, name, draft); err != nil {
			return err
		}
		if err := b.disk.publish(mark+".tmp", mark, []byte(messageID)); err != nil {
			return err
		}
	}
	if exists(draft) {
		if err := b.disk.rename(draft, filepath.Join(b.dir.in, name+".ctl")); err != nil {
			return err
		}
	}
	if err := b.disk.ask("acknowledge"); err != nil {
		return err
	}
	// Gone means that it was acknowledged before and the answer was lost.
	if err := b.box.Acknowledge(ctx, messageID); err != nil && !errors.Is(err, mesh.ErrGone) {
		return err
	}
	b.cfg.Log.Info("message received", "mesh", messageID)
	return b.disk.remove(mark)
}

// finishReceived does what is left to do for messages that the application has been shown, when a process before this one was killed:
// the inbox may no longer name them.
func (b *Bridge) finishReceived(ctx context.Context) error {
	work, err := os.ReadDir(b.dir.receiving)
	if err != nil {
		return durable.Nameless(err)
	}
	var failed error
	for _, e := range work {
		if filepath.Ext(e.Name()) != ".mark" {
			continue
		}
		id, err := os.ReadFile(filepath.Join(b.dir.receiving, e.Name()))
		if len(id) == 0 { // written before marks held it
			id = []byte(strings.TrimSuffix(e.Name(), ".mark"))
		}
		if err == nil {
			err = b.Receive(ctx, string(id))
		}
		failed = errors.Join(failed, durable.Nameless(err))
	}
	return failed
}

// fetch makes payload and control file durable: the payload in IN, the control file beside it where nobody looks.
func (b *Bridge) fetch(ctx context.Context, id, name, draft string) error {
	in, err := b.box.Get(ctx, id)
	if err != nil {
		return err
	}
	defer in.Close()
	if b.cfg.MaxMessage > 0 {
		in.SetLimit(b.cfg.MaxMessage)
	}
	gzipped := in.Gzipped()
	if !in.Header.IsReport() {
		temp := filepath.Join(b.dir.receiving, name+".dat")
		if err := b.payload(ctx, id, in, temp); err != nil {
			return err
		}
		if err := b.disk.rename(temp, filepath.Join(b.dir.in, name+".dat")); err != nil {
			return err
		}
	}
	compressed := in.Header.Compressed
	if compressed && gzipped {
		// The header may speak of the transfer, which is undone. The header alone, without a transfer, tells.
		h, err := b.box.Head(ctx, id)
		if err != nil {
			return err
		}
		compressed = h.Compressed
	}
	return b.disk.write(draft, bytes.NewReader(received(in.Header, compressed).Bytes()))
}

// resuming is a mailbox whose downloads outlive the process. *mesh.Client is one.
type resuming interface {
	DownloadFile(ctx context.Context, messageID, path string, o mesh.DownloadOptions) (mesh.Header, int64, error)
}

// payload makes the payload durable. One in chunks may take hours: killed, it is gone on with where it was.
func (b *Bridge) payload(ctx context.Context, id string, in *mesh.Incoming, temp string) error {
	box, resumes := b.box.(resuming)
	if !resumes || in.Header.TotalChunks < 2 {
		return b.disk.write(temp, in)
	}
	if err := b.disk.ask("download"); err != nil {
		return err
	}
	_, _, err := box.DownloadFile(ctx, id, temp, mesh.DownloadOptions{MaxBytes: b.cfg.MaxMessage})
	return err
}
