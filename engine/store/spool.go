package store

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"
	"time"

	"signalbox/engine"
	"signalbox/internal/teeth"
)

// How much of a body is held in memory while it is written: up to heldBytes as it came, and beyond that up to partBytes compressed, which then
// become a part in the record.
const (
	heldBytes = 1 << 20
	partBytes = 256 << 10
)

// spoolLife is how long a spool may be at work. Parts that are older and that no body names are of work that was given up.
const spoolLife = 24 * time.Hour

// Spool takes a body piece by piece and holds no more of it than about a mebibyte: the rest lies in the record, compressed, and belongs to
// nothing until Keep or PackSpool is given it. It is not safe for concurrent use.
type Spool struct {
	s     *Store
	ctx   context.Context
	name  string
	head  *bytes.Buffer // the body, while all of it fits
	ended *packed       // what became of a body all of which fitted
	deep  *flate.Writer // compresses what came after
	out   bytes.Buffer  // what has been compressed and is no part yet
	hash  hash.Hash
	size  int64
	part  int // parts written
}

// NewSpool begins a body. ctx bounds the writing and the reading of it.
func (s *Store) NewSpool(ctx context.Context) *Spool {
	return &Spool{s: s, ctx: ctx, hash: sha256.New(), head: s.heads.take()}
}

// Size is how many bytes were written.
func (p *Spool) Size() int64 { return p.size }

// Write takes more of the body. The error is of kind Unavailable when the record cannot be written.
func (p *Spool) Write(b []byte) (int, error) {
	p.size += int64(len(b))
	if p.deep == nil {
		if p.head.Len()+len(b) <= heldBytes {
			return p.head.Write(b)
		}
		p.begin()
		if err := p.compress(p.head.Bytes()); err != nil {
			return 0, err
		}
		p.s.heads.give(p.head)
		p.head = nil
	}
	return len(b), p.compress(b)
}

// heads lends out the memory of bodies that are being taken, so that a load does not grow it for each from nothing.
type heads struct{ pool sync.Pool } // of *bytes.Buffer

func (h *heads) take() *bytes.Buffer {
	if b, pooled := h.pool.Get().(*bytes.Buffer); pooled {
		return b
	}
	return &bytes.Buffer{}
}

// give takes memory back that nobody looks at any more. Small ones are not worth keeping.
func (h *heads) give(b *bytes.Buffer) {
	if b.Cap() < heldBytes/16 {
		return
	}
	b.Reset()
	h.pool.Put(b)
}

func (p *Spool) begin() {
	var id [16]byte
	rand.Read(id[:]) // never fails (crypto/rand)
	p.name, p.deep = hex.EncodeToString(id[:]), p.s.deflater(&p.out)
}

func (p *Spool) compress(b []byte) error {
	p.hash.Write(b)
	for len(b) > 0 {
		n := min(len(b), partBytes)
		if _, err := p.deep.Write(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; p.out.Len() >= partBytes {
			if err := p.keep(); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep makes what has been compressed a part.
func (p *Spool) keep() error {
	if p.out.Len() == 0 {
		return nil
	}
	err := p.s.addPart(p.ctx, p.name, p.part+1, p.out.Bytes())
	if err == nil {
		p.part++
		p.out.Reset()
	}
	return err
}

func (s *Store) addPart(ctx context.Context, spool string, number int, body []byte) error {
	return s.Write(ctx, func(tx *Tx) error {
		return tx.exec(`INSERT INTO part (spool, number, body, created) VALUES (?,?,?,?) ON CONFLICT (spool, number) DO NOTHING`,
			spool, number, body, micros(tx.now))
	})
}

// pack ends the body.
func (p *Spool) pack() (packed, error) {
	if p.deep == nil {
		if p.ended == nil {
			out := p.s.pack(p.head.Bytes())
			if out.encoding != identity { // it is in other memory now
				p.s.heads.give(p.head)
				p.head = nil
			}
			p.ended = &out
		}
		return *p.ended, nil
	}
	err := p.deep.Close()
	p.s.deflaters.Put(p.deep)
	out := packed{digest: hex.EncodeToString(p.hash.Sum(nil)), encoding: deflated, size: p.size, body: p.out.Bytes()}
	if err == nil && p.part > 0 {
		err = p.keep()
		out.body, out.spool = []byte{}, p.name
	}
	return out, err
}

// Reader ends the body and gives it back from its start. Nothing can be written any more.
func (p *Spool) Reader() (io.ReadCloser, error) {
	raw, err := p.pack()
	if err != nil {
		return nil, err
	}
	return p.s.reader(p.ctx, raw)
}

// Discard removes what a body that is not kept has left in the record. What cannot be removed now is found by SweepParts.
func (p *Spool) Discard() {
	if p.part > 0 {
		_ = p.s.dropParts(context.WithoutCancel(p.ctx), p.name) // the sweep is the second try
	}
}

func (s *Store) dropParts(ctx context.Context, spool string) error {
	return s.Write(ctx, func(tx *Tx) error { return tx.dropParts(spool) })
}

func (tx *Tx) dropParts(spool string) error {
	return tx.exec(`DELETE FROM part WHERE spool = ?`, spool)
}

// SweepParts removes the parts of bodies that were begun more than a day ago and never kept, and returns how many.
func (s *Store) SweepParts(ctx context.Context) (n int64, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		n, err = tx.changed(`DELETE FROM part WHERE created < ? AND NOT EXISTS (SELECT 1 FROM raw r WHERE r.spool = part.spool AND r.spool <> '')`,
			micros(tx.now.Add(-spoolLife)))
		return err
	})
	return n, err
}

// parts reads a spool one part after the other.
type parts struct {
	s      *Store
	ctx    context.Context
	spool  string
	number int
	left   []byte
}

// Read gives what is left of a part, or of the next.
func (p *parts) Read(into []byte) (int, error) {
	for len(p.left) == 0 {
		p.number++
		body, err := p.s.onePart(p.ctx, p.spool, p.number)
		if err != nil {
			return 0, err
		}
		if body == nil || teeth.Bite("last-part-lost") && p.number > 1 {
			return 0, io.EOF
		}
		p.left = body
	}
	n := copy(into, p.left)
	p.left = p.left[n:]
	return n, nil
}

// onePart returns a part, or nil behind the last.
func (s *Store) onePart(ctx context.Context, spool string, number int) (body []byte, err error) {
	rows, err := s.rows(ctx, `SELECT body FROM part WHERE spool = ? AND number = ?`, spool, number)
	if err != nil {
		return nil, unavailable("store read", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&body); err != nil {
			return nil, unavailable("store read", err)
		}
	}
	return body, unavailable("store read", rows.Err())
}

// reader gives a kept body from its start.
func (s *Store) reader(ctx context.Context, p packed) (io.ReadCloser, error) {
	var from io.Reader = bytes.NewReader(p.body)
	if p.spool != "" {
		from = &parts{s: s, ctx: ctx, spool: p.spool}
	}
	switch p.encoding {
	case identity:
		return io.NopCloser(from), nil
	case deflated:
		return &inflating{ReadCloser: flate.NewReader(from)}, nil
	case removed:
		return nil, &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "retention has removed the body"}
	}
	return nil, &engine.Error{Op: "store read", Kind: engine.Internal, Text: "a body in the record has an encoding that this version does not know"}
}

// inflating tells damage in the engine's words.
type inflating struct{ io.ReadCloser }

// Read gives more of the body.
func (f *inflating) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	if err == nil || err == io.EOF { //nolint:errorlint // the reader's own end, as io.Reader asks for it
		return n, err
	}
	if engine.KindOf(err) == engine.Unavailable {
		return n, err
	}
	return n, &engine.Error{Op: "store read", Kind: engine.Internal, Text: "a body in the record is damaged", Err: err}
}
