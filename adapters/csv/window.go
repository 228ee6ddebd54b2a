package csv

import (
	"errors"
	"io"
	"strings"

	"signalbox/adapters/internal/chars"
	"signalbox/engine"
)

// windowBytes is how much of a file is in memory at least.
const windowBytes = 4 * MaxRowBytes

// window is the part of a file that is in memory: all of it, or some rows. It does not change; records keep theirs.
type window struct {
	text  string
	base  int64 // offset in the file of the first byte; not for UTF-16, which is read whole
	clean bool  // all of it is legible, so that no row needs a look
	ascii bool  // characters and bytes are the same
}

// bodyOf opens a file. The first piece is returned, and what there is more of it, if there is.
func bodyOf(msg engine.Message, whole bool) (text string, rest io.ReadCloser, err error) {
	if msg.Open == nil {
		return string(msg.Body), nil, nil
	}
	body, err := msg.Open()
	if err != nil {
		return "", nil, err
	}
	most := int64(2 * windowBytes)
	if whole {
		most = MaxFileBytes
	}
	var b strings.Builder
	if _, err := io.CopyN(&b, body, most); err != nil || whole {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return b.String(), nil, errors.Join(err, body.Close())
	}
	return b.String(), body, nil
}

// look makes text the window.
func (d *decoding) look(text string, base int64) {
	d.window = &window{text: text, base: base, ascii: chars.IsASCII(text), clean: d.charset.BadAt(text) < 0}
	d.scan.text = text
}

// ready moves the window on until it holds the next row whole, and reports whether there is one.
func (d *decoding) ready() bool {
	for {
		d.scan.skipEmpty()
		if d.scan.pos < len(d.scan.text) || d.rest == nil {
			d.reach()
			return d.scan.pos < len(d.scan.text)
		}
		d.reach()
	}
}

// reach moves the window on until it holds what begins where the scanner stands: a row ends with a line, and where quotes hold line breaks it
// is bounded.
func (d *decoding) reach() {
	far := 2 * MaxRowBytes
	for d.rest != nil && (len(d.scan.text)-d.scan.pos <= far || strings.IndexByte(d.scan.text[d.scan.pos+far:], '\n') < 0) {
		if d.failed = d.readOn(); d.failed != nil {
			_ = d.close() // the first failure is told
		}
	}
}

func (d *decoding) readOn() error {
	left := d.scan.text[d.scan.pos:]
	var b strings.Builder
	more := max(windowBytes, len(left))
	b.Grow(len(left) + more)
	b.WriteString(left)
	_, err := io.CopyN(&b, d.rest, int64(more))
	if errors.Is(err, io.EOF) {
		err = d.close()
	}
	base := d.window.base + int64(d.scan.pos)
	d.scan.pos = 0
	d.look(b.String(), base)
	return err
}

// close lets go of the file.
func (d *decoding) close() error {
	if d.rest == nil {
		return nil
	}
	rest := d.rest
	d.rest = nil
	return rest.Close()
}
