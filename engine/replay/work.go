package replay

import (
	"encoding/json"
	"reflect"
	"slices"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/engine/store"
)

// work is one message's replay within one transaction.
type work struct {
	rooms   Rooms
	tx      *store.Tx
	arrival store.Arrival
	digest  string
	records []engine.Translated
	only    map[int]bool // records; nil: all
	result  Result
	rows    []register.Row // of the register that may be different now
}

func (w *work) do() error {
	w.result.Mapping, w.result.Status = w.digest, Unchanged
	state, err := w.tx.Hold(w.arrival.Message.ID)
	if err != nil {
		return err
	}
	wait := engine.NewEnvelope(engine.KindMessage, engine.Origin{
		Source: w.arrival.Message.Source, Message: w.arrival.Message.ID, Received: w.arrival.Message.Received})
	t := store.Translation{Wait: wait, Mapping: w.digest, Records: slices.Values(w.records)}
	made := w.made()
	w.result.Events = len(made)
	stored, err := w.tx.EventsOf(w.arrival.Message.ID)
	if err != nil {
		return err
	}
	for _, s := range stored {
		if !w.about(s.Envelope.Origin.Position) {
			continue
		}
		if err := w.compare(s, made); err != nil {
			return err
		}
		delete(made, s.Envelope.ID)
	}
	for _, r := range w.records {
		if r.Event != nil && has(made, r.Event.ID) {
			w.change(*r.Event, Added, nil)
			if err := w.tx.AddEvent(*r.Event); err != nil {
				return err
			}
		}
	}
	first := state == store.Quarantined
	if first {
		w.result.Status = Translated
	} else if w.changed() {
		w.result.Status = Changed
	}
	// Faults may differ though events do not; the pinned mapping's are what is there already.
	if w.only != nil && !first {
		err = w.release(t)
	} else if first || w.digest != w.arrival.Mapping || w.result.Status == Changed {
		err = w.tx.Retranslated(t)
	}
	if err != nil {
		return err
	}
	rows, err := w.rooms.Register.Rebuild(w.tx, w.rows)
	w.result.Rows += rows
	return err
}

// about reports whether the replay is about a record.
func (w *work) about(position int) bool { return w.only == nil || w.only[position] }

// release notes the new outcome of the records that the replay is about, and of no other. Those that still wait keep their faults.
func (w *work) release(t store.Translation) error {
	if !w.changed() {
		return nil
	}
	released := map[int]bool{}
	for _, c := range w.result.Changes {
		released[c.Position] = true
	}
	return w.tx.Released(t, released)
}

func has(made map[engine.EventID]engine.Envelope, id engine.EventID) bool {
	_, ok := made[id]
	return ok
}

// made are the events that the mapping makes now, by id.
func (w *work) made() map[engine.EventID]engine.Envelope {
	out := map[engine.EventID]engine.Envelope{}
	for _, r := range w.records {
		if r.Event != nil && w.about(r.Event.Origin.Position) {
			out[r.Event.ID] = *r.Event
		}
	}
	return out
}

func (w *work) change(e engine.Envelope, what What, fields []string) {
	w.result.Changes = append(w.result.Changes, Change{Position: e.Origin.Position, Kind: e.Kind, Event: e.ID, What: what, Fields: fields})
}

// changed reports whether any event is different now.
func (w *work) changed() bool {
	return slices.ContainsFunc(w.result.Changes, func(c Change) bool { return c.What != Kept && c.What != Postponed })
}

// touch notes the register row of a flag event that had its outcome.
func (w *work) touch(e engine.Envelope) {
	if e.Flag != nil {
		w.rows = append(w.rows, register.RowOf(*e.Flag))
	}
}

// compare brings one stored event to what the mapping makes now.
func (w *work) compare(s store.Stored, made map[engine.EventID]engine.Envelope) error {
	old := s.Envelope
	now, again := made[old.ID]
	if !again {
		return w.gone(s)
	}
	fields, err := differences(old, now)
	if err != nil {
		return err
	}
	same := len(fields) == 0
	told := old.Access != nil && !s.Open
	switch {
	case same && !s.Withdrawn:
		return w.restore(s)
	case s.Dropped || told && !s.Withdrawn:
		if !same {
			w.change(old, Kept, fields)
		}
		return nil
	case s.Open && old.Origin.Mapping == w.digest:
		// Copies that are about could not be told from the new one.
		w.change(old, Postponed, fields)
		return nil
	}
	w.change(old, Altered, fields)
	w.touch(old)
	w.touch(now)
	return w.tx.Supersede(now)
}

// restore brings back the register row of a flag that had its outcome, should it have been lost.
func (w *work) restore(s store.Stored) error {
	if s.Open || s.Envelope.Flag == nil {
		return nil
	}
	changed, err := w.rooms.Register.Restore(w.tx, s.Envelope)
	if changed {
		w.result.Rows++
	}
	return err
}

// gone withdraws an event that the mapping no longer makes. What was told stays told.
func (w *work) gone(s store.Stored) error {
	switch {
	case s.Withdrawn:
		return nil
	case s.Envelope.Access != nil && !s.Open:
		w.change(s.Envelope, Kept, nil)
		return nil
	}
	w.change(s.Envelope, Gone, nil)
	w.touch(s.Envelope)
	return w.tx.Withdraw(s.Envelope)
}

// differences names the fields in which two events differ, whichever mapping made them.
func differences(a, b engine.Envelope) ([]string, error) {
	before, err := fieldsOf(a)
	if err != nil {
		return nil, err
	}
	after, err := fieldsOf(b)
	if err != nil {
		return nil, err
	}
	var out []string
	for name, value := range before {
		if other, ok := after[name]; !ok || !reflect.DeepEqual(value, other) {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// fieldsOf flattens an event's data to its leaves by path.
func fieldsOf(e engine.Envelope) (map[string]any, error) {
	raw, err := e.Encode()
	if err != nil {
		return nil, err
	}
	var event struct {
		Data map[string]any `json:"data"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return nil, &engine.Error{Op: "replay", Kind: engine.Internal, Text: "an event of ours is no JSON"}
	}
	out := map[string]any{}
	flatten("", event.Data, out)
	return out, nil
}

func flatten(path string, in map[string]any, out map[string]any) {
	for name, value := range in {
		if inner, ok := value.(map[string]any); ok {
			flatten(path+name+".", inner, out)
			continue
		}
		out[path+name] = value
	}
}
