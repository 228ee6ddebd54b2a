// Package workbench answers a mapping author's questions from the record: where a field came from, what a new version of a mapping would have
// changed, and which codes nobody has mapped. It reads and changes nothing.
package workbench

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"signalbox/engine"
	"signalbox/engine/pipeline"
	"signalbox/engine/store"
	"signalbox/mappings"
	"signalbox/mappings/lineage"
)

// Bench is what the questions are asked of.
type Bench struct {
	Store   *store.Store
	Routes  *pipeline.Routes
	Formats mappings.Formats
	loaded  map[string]*mappings.Mapping // by digest
}

// Explanation is where an event came from, with the proof: it was derived again from the stored bytes with the mapping that made it.
type Explanation struct {
	Event     engine.EventID   `json:"event"`
	Kind      engine.Kind      `json:"kind"`
	Message   engine.MessageID `json:"message"`
	Source    string           `json:"source"`
	Received  time.Time        `json:"received"`
	Digest    string           `json:"digest"` // SHA-256 of the raw message
	Bytes     int              `json:"bytes"`  // of the raw message
	Supplier  string           `json:"supplier"`
	Mapping   string           `json:"mapping"` // digest of the mapping that made it
	Record    lineage.Place    `json:"record"`
	Position  int              `json:"position"`
	Withdrawn bool             `json:"withdrawn,omitempty"` // it counts for nothing any more
	Fields    []lineage.Field  `json:"fields"`
	Identical bool             `json:"identical"`
	Differs   []string         `json:"differs,omitempty"` // fields that come out different, where it is not identical
	Why       string           `json:"why,omitempty"`     // there is nothing to derive, or nothing came out
}

// mapping loads a version of a mapping from the record, once.
func (b *Bench) mapping(ctx context.Context, digest string) (*mappings.Mapping, error) {
	if m, ok := b.loaded[digest]; ok {
		return m, nil
	}
	archive, err := b.Store.Mapping(ctx, digest)
	if err != nil {
		return nil, err
	}
	m, err := mappings.LoadArchive(archive, b.Formats)
	if err != nil {
		return nil, errors.Join(errors.New("a mapping of the record cannot be loaded by this version"), err)
	}
	if b.loaded == nil {
		b.loaded = map[string]*mappings.Mapping{}
	}
	b.loaded[digest] = m
	return m, nil
}

// Translate runs a message through a version of a mapping by the rules of the road that it came by.
func (b *Bench) Translate(m engine.Message, with *mappings.Mapping) []engine.Translated {
	return b.Routes.Translate(m, with)
}

// one shows a mapping that makes of a message what was already made of it.
type one struct {
	*mappings.Mapping
	made []engine.Translated
}

func (o one) Translate(engine.Message) iter.Seq[engine.Translated] { return slices.Values(o.made) }

// Explain says where an event came from and derives it again. id is the event's, or its first 8 digits or more. The error is of kind NotFound when
// there is no such event, or when retention has removed the bytes that it was made of.
func (b *Bench) Explain(ctx context.Context, id string) (Explanation, error) {
	found, err := b.Store.FindEvent(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	e := found.Envelope
	x := Explanation{Event: e.ID, Kind: e.Kind, Message: e.Origin.Message, Source: e.Origin.Source, Received: e.Origin.Received,
		Mapping: e.Origin.Mapping, Position: e.Origin.Position, Withdrawn: found.Withdrawn, Fields: []lineage.Field{}}
	if e.Origin.Mapping == "" {
		x.Identical, x.Why = true, "the engine made this event itself: no mapping had a part in it"
		return x, nil
	}
	arrival, err := b.Store.Arrival(ctx, e.Origin.Message)
	if err != nil {
		return x, err
	}
	m, err := b.mapping(ctx, e.Origin.Mapping)
	if err != nil {
		return x, err
	}
	x.Digest, x.Bytes, x.Supplier = arrival.Digest, len(arrival.Message.Body), m.Supplier()
	x.Why = "the mapping makes nothing of this record now"
	for t := range m.Trace(arrival.Message, e.Origin.Position) {
		b.derive(&x, arrival.Message, m, t, e)
	}
	return x, nil
}

// ExplainMessage explains every event of a message, each derived again, in one reading of its bytes.
func (b *Bench) ExplainMessage(ctx context.Context, id engine.MessageID, yield func(Explanation, engine.Envelope) error) error {
	arrival, err := b.Store.Arrival(ctx, id)
	if err != nil {
		return err
	}
	stored, err := b.Store.Events(ctx, id)
	if err != nil {
		return err
	}
	byMapping := map[string]map[int]store.Stored{}
	for _, s := range stored {
		digest := s.Envelope.Origin.Mapping
		if byMapping[digest] == nil {
			byMapping[digest] = map[int]store.Stored{}
		}
		byMapping[digest][s.Envelope.Origin.Position] = s
	}
	for digest, events := range byMapping {
		m, err := b.mapping(ctx, digest)
		if err != nil {
			return err
		}
		for t := range m.Trace(arrival.Message) {
			s, ok := events[t.Place.Record]
			if !ok {
				continue
			}
			e := s.Envelope
			x := Explanation{Event: e.ID, Kind: e.Kind, Message: id, Source: e.Origin.Source, Received: e.Origin.Received, Mapping: digest,
				Digest: arrival.Digest, Bytes: len(arrival.Message.Body), Supplier: m.Supplier(), Position: t.Place.Record, Withdrawn: s.Withdrawn}
			b.derive(&x, arrival.Message, m, t, e)
			if err := yield(x, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// derive holds what a traced record makes against the event in the record.
func (b *Bench) derive(x *Explanation, m engine.Message, with *mappings.Mapping, t mappings.Traced, stored engine.Envelope) {
	x.Fields = lineage.Of(with, t)
	x.Record = lineage.Place{Line: t.Place.Line, Column: t.Place.Column, Path: t.Place.Path, Start: t.Place.Start, End: t.Place.End}
	made := b.Routes.Translate(m, one{with, []engine.Translated{t.Translated}})[0]
	x.Why = ""
	if made.Event == nil {
		x.Why = "the record is " + string(made.Outcome) + " now"
		for _, f := range made.Faults {
			x.Why += ": " + f.Rule
		}
		return
	}
	before, err := stored.Encode()
	after, err2 := made.Event.Encode()
	x.Identical = err == nil && err2 == nil && string(before) == string(after)
	if x.Identical {
		return
	}
	x.Differs = differing(stored, *made.Event)
	if len(x.Differs) == 0 {
		x.Differs = []string{"where it came from or when"}
	}
}

// differing names the fields in which two events differ.
func differing(a, b engine.Envelope) []string {
	join := func(e engine.Envelope) map[string]string {
		out := map[string]string{}
		for _, pair := range mappings.Describe(e) {
			out[pair[0]] += pair[1] + "\n"
		}
		return out
	}
	before, after := join(a), join(b)
	var out []string
	for name, value := range before {
		if after[name] != value {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, had := before[name]; !had {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Stored is one message of the record with the mapping that made its events.
type Stored struct {
	Message engine.Message
	Mapping *mappings.Mapping // nil where none has translated it
	Gone    bool              // retention has removed its bytes
}

// Messages yields the messages that arrived at since or later and that a supplier's mapping has translated, or would, in the order of their arrival.
// total is their number, for who shows how far it has come.
func (b *Bench) Messages(ctx context.Context, supplier string, since time.Time) (all iter.Seq2[Stored, error], total int, err error) {
	arrivals, err := b.Store.Arrivals(ctx, since, time.Time{})
	if err != nil {
		return nil, 0, err
	}
	return func(yield func(Stored, error) bool) {
		for _, a := range arrivals {
			s, ours, err := b.message(ctx, supplier, a.ID)
			if err != nil {
				yield(s, err)
				return
			}
			if ours && !yield(s, nil) {
				return
			}
		}
	}, len(arrivals), nil
}

func (b *Bench) message(ctx context.Context, supplier string, id engine.MessageID) (s Stored, ours bool, err error) {
	arrival, err := b.Store.Arrival(ctx, id)
	s.Message = arrival.Message
	if err != nil {
		if s.Gone = engine.KindOf(err) == engine.NotFound; !s.Gone {
			return s, false, err
		}
	}
	if arrival.Mapping != "" {
		if s.Mapping, err = b.mapping(ctx, arrival.Mapping); err != nil {
			return s, false, err
		}
	}
	ours = b.Routes.Supplier(arrival.Message) == supplier || s.Mapping != nil && s.Mapping.Supplier() == supplier
	return s, ours, nil
}
