package store

import (
	"bytes"
	"compress/flate"
	"context"

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
	size     int64 // bytes of the body as it came; 0: not known, in records of earlier versions
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
	w, pooled := s.deflaters.Get().(*flate.Writer)
	if pooled {
		w.Reset(&buf)
	} else {
		w, _ = flate.NewWriter(&buf, flate.BestSpeed) // the only error is a level that does not exist
	}
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

func (p packed) unpack() ([]byte, error) {
	switch p.encoding {
	case identity:
		return p.body, nil
	case deflated:
		r := flate.NewReader(bytes.NewReader(p.body))
		var out bytes.Buffer
		out.Grow(int(p.size) + bytes.MinRead) // ReadFrom asks for so much room before it sees the end
		if _, err := out.ReadFrom(r); err != nil {
			return nil, &engine.Error{Op: "store read", Kind: engine.Internal, Text: "a body in the record is damaged", Err: err}
		}
		return out.Bytes(), r.Close()
	case removed:
		return nil, &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "retention has removed the body"}
	}
	return nil, &engine.Error{Op: "store read", Kind: engine.Internal, Text: "a body in the record has an encoding that this version does not know"}
}

// keepRaw writes a body once. One that retention had removed comes back. The row is locked until the commit either way, so that retention
// cannot remove it beneath the message that refers to it.
func (tx *Tx) keepRaw(p packed) error {
	return tx.exec(`INSERT INTO raw (digest, body, encoding, size, created) VALUES (?,?,?,?,?)
		ON CONFLICT (digest) DO UPDATE SET body = excluded.body, encoding = excluded.encoding, size = excluded.size, created = excluded.created
		WHERE raw.encoding = 'removed'`, p.digest, p.body, p.encoding, p.size, micros(tx.now))
}

// Raw returns the bytes kept under a digest. The error is of kind NotFound when there are none, or none any more.
func (s *Store) Raw(ctx context.Context, digest string) ([]byte, error) {
	var p packed
	if err := s.row(ctx, `SELECT body, encoding, size FROM raw WHERE digest = ?`, digest).Scan(&p.body, &p.encoding, &p.size); err != nil {
		return nil, found("raw message", err)
	}
	return p.unpack()
}
