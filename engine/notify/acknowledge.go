package notify

import (
	"context"
	"io"
	"iter"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
)

// Acknowledge writes the acknowledgement of a file whose every record has its outcome, in the party's dialect. It is the same for the same
// file however often it is written. What it says is read from the record, and the records that it gives back from the file, both a piece at a
// time; a failure of the file's reading is left to be found in Arrival.Broken.
func Acknowledge(ctx context.Context, w io.Writer, s *store.Store, p Party, a store.Arrival) error {
	r, err := outcomes(ctx, s, a.Message.ID)
	defer r.close()
	if err != nil {
		return err
	}
	if err := r.addOrder(ctx, s, p, a); err != nil {
		return err
	}
	if p.Dialect == CSV {
		return acknowledgeCSV(w, r)
	}
	return acknowledgeXML(w, p, a.Message, r, func() scratch { return s.NewSpool(ctx) })
}

// scratch is where a part of an acknowledgement waits that is known before what stands ahead of it.
type scratch interface {
	io.Writer
	Reader() (io.ReadCloser, error)
	Discard()
}

// report is what became of the records of a file. It is gone through once, in the order of the records.
type report struct {
	file   []store.Fault // faults of the whole file
	faults *cursor[store.Fault]
	stands *cursor[int]
}

func outcomes(ctx context.Context, s *store.Store, id engine.MessageID) (*report, error) {
	r := &report{faults: newCursor(s.EachFault(ctx, id, 0)), stands: newCursor(s.AcceptedPositions(ctx, id))}
	for r.faults.ok && r.faults.head.Error.Place.Record == 0 {
		r.file = append(r.file, r.faults.head)
		r.faults.advance()
	}
	return r, r.err()
}

func (r *report) close() {
	for _, c := range []interface{ close() }{r.faults, r.stands} {
		c.close()
	}
}

// err is why the record could not be read to its end.
func (r *report) err() error {
	if r.faults.err != nil {
		return r.faults.err
	}
	return r.stands.err
}

// standing reports whether the record at a position made an event. Positions MUST be asked for in ascending order, each as often as wanted until the next.
func (r *report) standing(at int) bool {
	for r.stands.ok && r.stands.head < at {
		r.stands.advance()
	}
	return r.stands.ok && r.stands.head == at
}

// at returns the faults of the record at a position, and passes them. Positions MUST be asked for in ascending order.
func (r *report) at(position int) (out []store.Fault) {
	for ; r.faults.ok && r.faults.head.Error.Place.Record <= position; r.faults.advance() {
		if r.faults.head.Error.Place.Record == position {
			out = append(out, r.faults.head)
		}
	}
	return out
}

// each yields every position that the record knows of, ascending, with the faults of its record and whether it stands.
func (r *report) each() iter.Seq2[int, outcome] {
	return func(yield func(int, outcome) bool) {
		for r.faults.ok || r.stands.ok {
			at := r.stands.head
			if !r.stands.ok || r.faults.ok && r.faults.head.Error.Place.Record < at {
				at = r.faults.head.Error.Place.Record
			}
			became := outcome{stands: r.standing(at), faults: r.at(at)}
			if became.stands {
				r.stands.advance()
			} else if teeth.Bite("refused-rows-left-out") {
				continue
			}
			if !yield(at, became) {
				return
			}
		}
	}
}

// outcome is what became of one record.
type outcome struct {
	stands bool
	faults []store.Fault // a skipped record has one too
}

// cursor looks one row ahead in a list.
type cursor[T any] struct {
	head T
	ok   bool // there is a head
	err  error
	next func() (T, error, bool)
	stop func()
}

func newCursor[T any](list iter.Seq2[T, error]) *cursor[T] {
	c := &cursor[T]{}
	c.next, c.stop = iter.Pull2(list)
	c.advance()
	return c
}

func (c *cursor[T]) advance() {
	var err error
	if c.head, err, c.ok = c.next(); err != nil {
		c.err, c.ok = err, false
	}
}

func (c *cursor[T]) close() { c.stop() }
