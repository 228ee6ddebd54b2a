package notify

import (
	"context"
	"slices"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/internal/teeth"
)

// Acknowledge makes the acknowledgement of a file whose every record has its outcome, in the party's dialect. It is the same for the same
// file however often it is made.
func Acknowledge(ctx context.Context, s *store.Store, p Party, a store.Arrival) ([]byte, error) {
	r, err := outcomes(ctx, s, a.Message.ID)
	if err != nil {
		return nil, err
	}
	if err := r.addOrder(ctx, s, p, a); err != nil {
		return nil, err
	}
	if p.Dialect == CSV {
		return acknowledgeCSV(r)
	}
	return acknowledgeXML(p, a.Message, r)
}

// report is what became of each record of a file.
type report struct {
	file    []store.Fault         // faults of the whole file
	records map[int][]store.Fault // by position; Skipped records have one entry too
	stands  map[int]bool
	order   []int // every position, ascending
}

func outcomes(ctx context.Context, s *store.Store, id engine.MessageID) (report, error) {
	r := report{records: map[int][]store.Fault{}, stands: map[int]bool{}}
	faults, err := s.Faults(ctx, id)
	if err != nil {
		return r, err
	}
	accepted, err := s.AcceptedPositions(ctx, id)
	if err != nil {
		return r, err
	}
	for _, f := range faults {
		if at := f.Error.Place.Record; at > 0 {
			r.records[at] = append(r.records[at], f)
		} else {
			r.file = append(r.file, f)
		}
	}
	for _, at := range accepted {
		r.stands[at] = true
	}
	for at := range r.records {
		if !r.stands[at] && !teeth.Bite("refused-rows-left-out") {
			r.order = append(r.order, at)
		}
	}
	r.order = append(r.order, accepted...)
	slices.Sort(r.order)
	return r, nil
}
