package folder

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"

	"signalbox/mesh"
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
		if err := b.disk.publish(mark+".tmp", mark, nil); err != nil {
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
		if err := b.disk.write(temp, in); err != nil {
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
