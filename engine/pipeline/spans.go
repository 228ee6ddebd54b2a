package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"signalbox/engine"
)

// spans reads pieces of one message's bytes, which come in their order as a rule: the message is read through once.
type spans struct {
	message engine.Message
	body    io.ReadCloser
	at      int64
}

// mark is a digest of a record's bytes, by which the same record is known when it is sent again; empty where they cannot be had.
func (s *spans) mark(at engine.Place) string {
	piece, ok := s.read(at.Start, at.End)
	if !ok {
		return ""
	}
	sum := sha256.Sum256(bytes.TrimSpace(piece))
	return hex.EncodeToString(sum[:16])
}

func (s *spans) read(start, end int64) ([]byte, bool) {
	if start >= end || end-start > longestRecord {
		return nil, false
	}
	if s.body != nil && start < s.at {
		s.close()
	}
	if s.body == nil {
		body, err := s.message.Reader()
		if err != nil {
			return nil, false
		}
		s.body, s.at = body, 0
	}
	if _, err := io.CopyN(io.Discard, s.body, start-s.at); err != nil {
		s.close()
		return nil, false
	}
	piece := make([]byte, end-start)
	if _, err := io.ReadFull(s.body, piece); err != nil {
		s.close()
		return nil, false
	}
	s.at = end
	return piece, true
}

func (s *spans) close() {
	if s.body != nil {
		_ = s.body.Close() // nothing was written
		s.body = nil
	}
}

// longestRecord bounds what is read of a record that nobody could read: no real one comes near it.
const longestRecord = 1 << 20
