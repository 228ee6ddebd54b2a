package spool

import (
	"time"

	"signalbox/mesh/internal/wire"
)

// applyOne moves the state by one record. It must depend on the state and the record alone.
func (s *Spool) applyOne(r record, offset int64) error {
	e := s.byID[r.ID]
	switch {
	case r.Op == "mark" && r.State != nil:
		s.seq, s.num = max(s.seq, r.State.Seq), max(s.num, r.State.Num)
		return nil
	case (r.Op == "new" || r.Op == "keep" || r.Op == "fail") && e != nil:
		return ErrExists
	case r.Op == "keep":
		return s.restore(r)
	case r.Op == "new" && r.Meta != nil:
		e = s.insert(r)
		return s.place(e, r, offset)
	case r.Op == "fail" && r.Meta != nil:
		s.insert(r).Status = wire.StatusError
		s.report(r)
		return nil
	case e == nil:
		return ErrNotFound
	}
	s.packing.keepBefore(e)
	return s.applyTo(e, r, offset)
}

// applyTo moves one message by one record.
func (s *Spool) applyTo(e *entry, r record, offset int64) error {
	switch {
	case r.Op == "chunk":
		if e.Status != wire.StatusUploading {
			return ErrState
		}
		return s.place(e, r, offset)
	case r.Op == "put" && r.Chunk != nil:
		e.chunks[r.N] = chunk{Size: r.Chunk.Size, File: r.Chunk.File, Offset: offset}
		return nil
	case r.Op == "ack":
		return s.acknowledge(e, r.At)
	case r.Op == "end" && r.Verdict != nil:
		return s.end(e, r)
	case r.Op == "del":
		s.forget(e)
		return nil
	}
	return ErrCorrupt
}

func (s *Spool) insert(r record) *entry {
	e := &entry{Meta: *r.Meta, chunks: map[int]chunk{}}
	e.Status, e.Created, e.Changed = wire.StatusUploading, r.At, r.At
	s.num++
	e.num = s.num
	s.file(e)
	return e
}

// file puts a message into all indexes but its inbox.
func (s *Spool) file(e *entry) {
	s.byID[e.ID] = e
	s.order.add(e)
	lineOf(s.in, e.To, known).add(e)
	if e.From != "" {
		lineOf(s.out, e.From, known).add(e)
	}
	if e.LocalID != "" && e.From != "" {
		k := localKey{e.From, e.LocalID}
		s.local[k] = append(s.local[k], e)
	}
	s.plan(e)
}

// place stores a chunk, and accepts the message when it was the last one missing.
func (s *Spool) place(e *entry, r record, offset int64) error {
	if r.Chunk == nil {
		return ErrCorrupt
	}
	if r.N < 1 || r.N > e.Total {
		return ErrState
	}
	c := *r.Chunk
	c.Offset = offset
	e.Size += c.Size - e.chunks[r.N].Size
	e.chunks[r.N] = c
	s.packing.keepPlace(e, r.N)
	if len(e.chunks) == e.Total || r.Last {
		s.accept(e, r.At)
	}
	return nil
}

func (s *Spool) accept(e *entry, at time.Time) {
	if b := lineOf(s.boxes, e.To, waits); e.Seq > 0 { // it comes back: its old place must not count twice
		before := len(b.entries)
		b.entries = without(b.entries, e)
		b.gone -= before - len(b.entries)
	}
	s.seq++
	e.Seq, e.Status, e.Accepted, e.Changed = s.seq, wire.StatusAccepted, at, at
	e.late = false
	lineOf(s.boxes, e.To, waits).add(e)
	s.plan(e)
}

func (s *Spool) acknowledge(e *entry, at time.Time) error {
	switch e.Status {
	case wire.StatusAcknowledged:
		return nil
	case wire.StatusAccepted:
		e.Status, e.Acknowledged, e.Changed = wire.StatusAcknowledged, at, at
		lineOf(s.boxes, e.To, waits).remove()
		return nil
	}
	return ErrState
}

// end gives a message another status and puts the report about it, if there is one.
func (s *Spool) end(e *entry, r record) error {
	v := r.Verdict
	if v.From != "" && e.Status != v.From {
		return ErrState
	}
	if v.Status == wire.StatusAcknowledged {
		if !e.waits() { // acknowledge knows how it ends for one that waits
			e.Status, e.Acknowledged, e.Changed = v.Status, r.At, r.At
		} else if err := s.acknowledge(e, r.At); err != nil {
			return err
		}
	}
	if v.Status == wire.StatusAccepted && !e.waits() {
		if !s.kept(e) { // its bodies went with the acknowledgement, so a replay must not look for them
			s.discount(e, 0)
			e.chunks = nil
		}
		e.Acknowledged = time.Time{}
		s.accept(e, r.At)
	}
	waited := e.waits()
	e.Status, e.Changed = v.Status, r.At
	e.StatusCode, e.StatusEvent, e.StatusDescription = v.Code, v.Event, v.Text
	if v.LinkedID != "" {
		e.LinkedID = v.LinkedID
	}
	if waited && !e.waits() {
		lineOf(s.boxes, e.To, waits).remove()
	}
	s.plan(e)
	s.report(r)
	return nil
}

// report puts the record's report into its inbox. A report has no body.
func (s *Spool) report(r record) {
	if r.Report == nil || s.byID[r.Report.ID] != nil {
		return
	}
	e := s.insert(record{At: r.At, Meta: r.Report})
	e.chunks[1] = chunk{}
	s.accept(e, r.At)
}

// forget takes a message out of every index.
func (s *Spool) forget(e *entry) {
	waited := e.waits()
	e.dead = true
	if waited {
		e.Status = ""
		lineOf(s.boxes, e.To, waits).remove()
	}
	delete(s.byID, e.ID)
	s.order.remove()
	shrink(s.in, e.To)
	if e.From != "" {
		shrink(s.out, e.From)
	}
	k := localKey{e.From, e.LocalID}
	if same := without(s.local[k], e); len(same) > 0 {
		s.local[k] = same
	} else {
		delete(s.local, k)
	}
	s.discount(e, deadFrame)
}
