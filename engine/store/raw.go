package store

import (
	"bytes"
	"compress/flate"
	"context"
	"io"

	"signalbox/engine"
)

// How a body is kept.
const (
	identity = ""        // as it came
	deflated = "deflate" // RFC 1951
	removed  = "removed" // not any more: only its digest is left
)

// smallest is the size in bytes from which compression is tried: below it a row is a row.
const smallest = 512

// packed is a body as it lies in the record.
type packed struct {
	digest   string // of the body as it came
	body     []byte
	encoding string
	size     int64  // bytes of the body as it came; 0: not known, in records of earlier versions
	spool    string // holds the body in parts; empty: it is in body
}

// pack compresses a body where that saves at least an eighth of it. It is done by the caller of Write, not by the writer.
func (s *Store) pack(body []byte) packed {
	p := packed{digest: engine.Digest(body), body: body, size: int64(len(body))}
	if body == nil {
		p.body = []byte{}
	}
	if len(body) < smallest {
		return p
	}
	var buf bytes.Buffer
	buf.Grow(len(body) / 8)
	w := s.deflater(&buf)
	_, err := w.Write(body)
	if err == nil {
		err = w.Close()
	}
	s.deflaters.Put(w)
	if err == nil && buf.Len() < len(body)-len(body)/8 {
		p.body, p.encoding = buf.Bytes(), deflated
	}
	return p
}

// deflater takes a compressor out of the pool.
func (s *Store) deflater(to io.Writer) *flate.Writer {
	w, pooled := s.deflaters.Get().(*flate.Writer)
	if pooled {
		w.Reset(to)
	} else {
		w, _ = flate.NewWriter(to, flate.BestSpeed) // the only error is a level that does not exist
	}
	return w
}

// unpack returns the whole body.
func (s *Store) unpack(ctx context.Context, p packed) ([]byte, error) {
	if p.encoding == identity && p.spool == "" {
		return p.body, nil
	}
	r, err := s.reader(ctx, p)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(int(p.size) + bytes.MinRead) // ReadFrom asks for so much room before it sees the end
	if _, err := out.ReadFrom(r); err != nil {
		return nil, err
	}
	return out.Bytes(), r.Close()
}

// keepRaw writes a body once. One that retention had removed comes back. The row is locked until the commit either way, so that retention
// cannot remove it beneath the message that refers to it.
func (tx *Tx) keepRaw(p packed) error {
	n, err := tx.changed(`INSERT INTO raw (digest, body, encoding, size, spool, created) VALUES (?,?,?,?,?,?)
		ON CONFLICT (digest) DO UPDATE SET body = excluded.body, encoding = excluded.encoding, size = excluded.size, spool = excluded.spool,
		created = excluded.created WHERE raw.encoding = 'removed'`, p.digest, p.body, p.encoding, p.size, p.spool, micros(tx.now))
	if err != nil || n > 0 || p.spool == "" {
		return err
	}
	// The same bytes are there already, and these parts are nobody's: unless it is this very body, whose commit had its answer lost.
	return tx.exec(`DELETE FROM part WHERE spool = ? AND NOT EXISTS (SELECT 1 FROM raw r WHERE r.spool = part.spool AND r.spool <> '')`, p.spool)
}

// Raw returns the bytes kept under a digest. The error is of kind NotFound when there are none, or none any more.
func (s *Store) Raw(ctx context.Context, digest string) ([]byte, error) {
	p, err := s.raw(ctx, digest)
	if err != nil {
		return nil, err
	}
	return s.unpack(ctx, p)
}

func (s *Store) openRaw(ctx context.Context, digest string) (io.ReadCloser, error) {
	p, err := s.raw(ctx, digest)
	if err != nil {
		return nil, err
	}
	return s.reader(ctx, p)
}

func (s *Store) raw(ctx context.Context, digest string) (p packed, err error) {
	err = s.row(ctx, `SELECT body, encoding, size, spool FROM raw WHERE digest = ?`, digest).Scan(&p.body, &p.encoding, &p.size, &p.spool)
	return p, found("raw message", err)
}
