package meshserver

import (
	"fmt"
	"io"
	"strings"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// Meta is all that the server keeps of a message but its body.
type Meta = spool.Meta

// Inbox returns what waits in a mailbox, oldest first.
func (s *Server) Inbox(mailbox string) []Meta { return s.spool.Inbox(strings.ToUpper(mailbox)) }

// Message returns a message whatever its status.
func (s *Server) Message(id string) (Meta, bool) { return s.spool.Get(strings.ToUpper(id)) }

// Body returns the stored bytes of all chunks of a message that is not yet acknowledged, as they were sent: each chunk
// is a gzip member of its own when Meta.Encoding says so.
func (s *Server) Body(id string) ([]byte, error) {
	m, ok := s.Message(id)
	if !ok {
		return nil, fmt.Errorf("meshserver: body: %w", spool.ErrNotFound)
	}
	var out []byte
	for n := 1; n <= m.Total; n++ {
		chunk, _, err := s.spool.OpenChunk(m.ID, n)
		if err != nil {
			return nil, fmt.Errorf("meshserver: body: %w", err)
		}
		raw, err := io.ReadAll(chunk)
		_ = chunk.Close()
		if err != nil {
			return nil, fmt.Errorf("meshserver: body: %w", err)
		}
		out = append(out, raw...)
	}
	return out, nil
}

// Report tells a mailbox that a message which it sent has failed.
type Report struct {
	To              string // mailbox that is told
	Code            string // such as 14
	Event           string // such as SEND
	Description     string
	LinkedMessageID string // the message that failed
	WorkflowID      string
	LocalID         string
	Subject         string
	FileName        string
}

// PutReport puts a report into an inbox and returns its message id once it is durable. Reports have an empty body.
func (s *Server) PutReport(r Report) (messageID string, err error) {
	to := strings.ToUpper(r.To)
	if _, ok := s.mailboxes[to]; !ok {
		return "", fmt.Errorf("meshserver: report: no such mailbox")
	}
	now := s.now()
	m := Meta{
		ID: s.newID(now), To: to, FileName: r.FileName, WorkflowID: r.WorkflowID, Type: wire.TypeReport, LocalID: r.LocalID, Subject: r.Subject,
		LinkedID: r.LinkedMessageID, Total: 1, StatusCode: r.Code, StatusEvent: r.Event, StatusDescription: r.Description,
	}
	body, err := s.spool.Stage(m.ID, 1, strings.NewReader(""), 0)
	if err != nil {
		return "", fmt.Errorf("meshserver: report: %w", err)
	}
	if err := s.spool.Create(m, now, body); err != nil {
		return "", fmt.Errorf("meshserver: report: %w", err)
	}
	return m.ID, nil
}
