package meshserver

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// putCanned puts the messages of the sandbox's canned store there, under its ids: a plain one and one that was not collected
// for X26ABC1, and one of two chunks in gzip for X26ABC2. Their text is this project's own. Mailboxes that are not configured
// get none.
func (s *Server) putCanned() error {
	if !s.cfg.Canned {
		return nil
	}
	for _, m := range []Meta{
		{ID: "SIMPLE_MESSAGE", From: "X26ABC2", To: "X26ABC1", Total: 1},
		{ID: "UNDELIVERED_MESSAGE", From: "X26ABC2", To: "X26ABC1", Total: 1},
		{ID: "CHUNKED_MESSAGE_GZ", From: "X26ABC1", To: "X26ABC2", Total: 2, Encoding: wire.Gzip, Compressed: true},
	} {
		if _, known := s.mailboxes[m.To]; !known {
			continue
		}
		m.WorkflowID, m.Type, m.FileName = "TEST_WORKFLOW", wire.TypeData, m.ID+".dat"
		m.StatusCode, m.StatusEvent, m.StatusDescription = "00", "TRANSFER", "Transferred to recipient mailbox"
		if err := s.putOne(m); err != nil && !errors.Is(err, spool.ErrExists) {
			return fmt.Errorf("meshserver: canned: %w", err)
		}
	}
	err := s.spool.End(s.now(), spool.Ending{ID: "UNDELIVERED_MESSAGE", Verdict: spool.Verdict{From: wire.StatusAccepted, Status: wire.StatusUndeliverable}})
	if errors.Is(err, spool.ErrState) || errors.Is(err, spool.ErrNotFound) { // it was before, or there is no such mailbox
		return nil
	}
	return err
}

func (s *Server) putOne(m Meta) error {
	if _, exists := s.spool.Get(m.ID); exists {
		return spool.ErrExists
	}
	for n := 1; n <= m.Total; n++ {
		text := []byte(strings.Repeat(fmt.Sprintf("Synthetic text, part %d of %d. ", n, m.Total), 20))
		if m.Encoding == wire.Gzip {
			text = zipped(text)
		}
		body, err := s.spool.Stage(m.ID, n, bytes.NewReader(text), int64(len(text)))
		if err != nil {
			return err
		}
		if n == 1 {
			err = s.spool.Create(m, s.now(), body)
		} else {
			err = s.spool.AddChunk(spool.Added{ID: m.ID, N: n, Body: body}, s.now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func zipped(text []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text) // to memory: cannot fail
	_ = w.Close()
	return out.Bytes()
}

// change does what changes something, unless nothing does: the canned store answers as if.
func (x *exchange) change(do func() error) error {
	if x.s.cfg.Canned {
		return nil
	}
	return do()
}
