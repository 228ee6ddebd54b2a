package meshserver

import (
	"errors"
	"strings"
	"time"

	"signalbox/mesh/internal/spool"
	"signalbox/mesh/internal/wire"
)

// How long the service keeps a message (NHS MESH API specification): in the inbox, and at all, from its delivery.
const (
	inboxTime = 5 * 24 * time.Hour
	keepTime  = 30 * 24 * time.Hour
)

// sweepBatch bounds how many messages one step of a sweep takes.
const sweepBatch = 512

// Sweep does what time asks for: a message that nobody has taken for five days becomes undeliverable and its sender gets a
// report with code 14; a message is deleted thirty days after its delivery; a journal that is mostly history is written
// anew, for which nobody waits. Every request does it first, so that nobody can see that it was not done; an owner calls it to free the disk of a
// server that nobody asks anything.
func (s *Server) Sweep(now time.Time) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	for s.spool.NextDue() <= now.UnixNano() {
		expired, old := s.spool.Due(now, sweepBatch)
		endings := make([]spool.Ending, len(expired))
		for i, m := range expired {
			endings[i] = s.undelivered(m, now)
		}
		if err := s.spool.End(now, endings...); err != nil && !errors.Is(err, spool.ErrState) && !errors.Is(err, spool.ErrNotFound) {
			return err
		}
		if err := s.spool.Delete(old...); err != nil && !errors.Is(err, spool.ErrNotFound) {
			return err
		}
	}
	return s.spool.Tidy()
}

// maintain sweeps when there is something to sweep.
func (x *exchange) maintain() {
	if now := x.s.now(); x.s.spool.NextDue() <= now.UnixNano() || x.s.spool.Wasteful() {
		if err := x.s.Sweep(now); err != nil {
			x.log("sweep", err, "")
		}
	}
}

// undelivered ends a message that was not collected. Its sender is told, unless it has none: a report.
func (s *Server) undelivered(m Meta, now time.Time) spool.Ending {
	f := faultNotCollected
	e := spool.Ending{ID: m.ID, Verdict: spool.Verdict{
		From: wire.StatusAccepted, Status: wire.StatusUndeliverable, Code: f.Code, Event: f.Event, Text: f.Text,
	}}
	if m.From != "" {
		r := s.reportOn(m, f, now)
		r.Subject = strings.TrimSuffix("NDR: "+m.Subject, ": ")
		e.Report = &r
	}
	return e
}

// reportOn makes the report to the sender of a message that failed.
func (s *Server) reportOn(m Meta, f wire.Fault, now time.Time) Meta {
	return Meta{
		ID: s.newID(now), To: m.From, WorkflowID: m.WorkflowID, Type: wire.TypeReport, LocalID: m.LocalID, Subject: m.Subject,
		LinkedID: m.ID, Total: 1, StatusCode: f.Code, StatusEvent: f.Event, StatusDescription: f.Text,
	}
}

func (s *Server) newID(now time.Time) string {
	if s.lax[laxIDs] {
		return strings.ToUpper(random(16))
	}
	return s.ids.message(now)
}
