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
}

// pack compresses a body where that saves at least an eighth of it. It is done by the caller of Write, not by the writer.
func pack(body []byte) packed {
	p := packed{digest: engine.Digest(body), body: body}
	if body == nil {
		p.body = []byte{}
	}
	if len(body) < smallest {
		return p
	}
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestSpeed)
	if err != nil {
		return p
	}
	if _, err = w.Write(body); err == nil {
		err = w.Close()
	}
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
		body, err := io.ReadAll(r)
		if err != nil {
			return nil, &engine.Error{Op: "store read", Kind: engine.Internal, Text: "a body in the record is damaged", Err: err}
		}
		return body, r.Close()
	case removed:
		return nil, &engine.Error{Op: "store read", Kind: engine.NotFound, Text: "retention has removed the body"}
	}
	return nil, &engine.Error{Op: "store read", Kind: engine.Internal, Text: "a body in the record has an encoding that this version does not know"}
}

// keepRaw writes a body once. One that retention had removed comes back. The row is locked until the commit either way, so that retention
// cannot remove it beneath the message that refers to it.
func (tx *Tx) keepRaw(p packed) error {
	return tx.exec(`INSERT INTO raw (digest, body, encoding, created) VALUES (?,?,?,?)
		ON CONFLICT (digest) DO UPDATE SET body = excluded.body, encoding = excluded.encoding, created = excluded.created
		WHERE raw.encoding = 'removed'`, p.digest, p.body, p.encoding, micros(tx.now))
}

// Raw returns the bytes kept under a digest. The error is of kind NotFound when there are none, or none any more.
func (s *Store) Raw(ctx context.Context, digest string) ([]byte, error) {
	var p packed
	if err := s.row(ctx, `SELECT body, encoding FROM raw WHERE digest = ?`, digest).Scan(&p.body, &p.encoding); err != nil {
		return nil, found("raw message", err)
	}
	return p.unpack()
}
