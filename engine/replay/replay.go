// Package replay translates messages anew that were translated before, or for which there was no mapping, and brings the record to what it
// would be if the mapping had been there from the start: it shows first what would change, changes it once however often it is run, and tells
// nobody anything twice.
package replay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/store"
)

// Which is the mapping that a replay uses.
type Which string

// The mappings.
const (
	Pinned  Which = "pinned"  // the one that made the message's events, from the record
	Current Which = "current" // the one that is configured now
)

// Query says which messages are replayed, and how.
type Query struct {
	Since, Until time.Time        // of arrival, [Since, Until); zero: open
	Mailbox      string           // ours or the sender's, or a trust's name; empty: all
	Message      engine.MessageID // this one only
	Mapping      Which
	Table        string // only records that wait for a code of this table; everything else in their messages stays as it is
	DryRun       bool   // show what would change, and change nothing
}

// Validate reports what cannot work.
func (q Query) Validate() error {
	var errs []error
	if q.Mapping != Pinned && q.Mapping != Current {
		errs = append(errs, errors.New("mapping: is neither pinned nor current"))
	}
	if !q.Until.IsZero() && !q.Since.Before(q.Until) {
		errs = append(errs, errors.New("until: is not after since"))
	}
	if q.Table != "" && q.Mapping != Current {
		errs = append(errs, errors.New("table: only the current mapping can know a code that the pinned one does not"))
	}
	if q.Message == "" && q.Table == "" && q.Since.IsZero() {
		errs = append(errs, errors.New("since: is needed unless one message or one table is named"))
	}
	return errors.Join(errs...)
}

// Rooms are what a replay works with.
type Rooms struct {
	Store    *store.Store
	Register *register.Register
	Routes   *pipeline.Routes
	// Load makes a mapping of the archive that the record keeps under its digest.
	Load func(archive []byte) (pipeline.Mapping, error)
}

// Status is what became of a message.
type Status string

// The statuses.
const (
	Unchanged  Status = "unchanged"
	Changed    Status = "changed"
	Translated Status = "translated" // for the first time: there was no mapping before
	Waiting    Status = "waiting"    // it has not been translated yet; the engine will
	NoMapping  Status = "no-mapping" // none is configured, or none is pinned
	Removed    Status = "removed"    // retention has removed its bytes
)

// What is what a replay does to one event.
type What string

// The changes.
const (
	Added     What = "added"     // a record that made no event makes one
	Altered   What = "changed"   // the event says something else
	Gone      What = "withdrawn" // the mapping no longer makes it
	Kept      What = "kept"      // it would change, but it was told or given up: it stays, and a person should look
	Postponed What = "postponed" // it would change, but it is on its way under the same mapping: replay again later
)

// Change is one event that a replay changes. It names fields, never what is in them.
type Change struct {
	Position int
	Kind     engine.Kind
	Event    engine.EventID
	What     What
	Fields   []string // that differ, ordered
}

// Result is what a replay did, or would do, to one message.
type Result struct {
	Message  engine.MessageID
	Source   string
	Received time.Time
	Status   Status
	Mapping  string // digest
	Events   int    // that the mapping makes
	Changes  []Change
	Rows     int // of the register that come out different, as far as they do so at once
}

// Run replays the messages in the order of their arrival, each in one transaction, and calls report after each. It ends at the first error.
func Run(ctx context.Context, rooms Rooms, q Query, report func(Result) error) error {
	if err := q.Validate(); err != nil {
		return err
	}
	arrivals, err := rooms.Store.Arrivals(ctx, q.Since, q.Until)
	if err != nil {
		return err
	}
	waiting, err := rooms.waiting(ctx, q.Table)
	if err != nil {
		return err
	}
	found := false
	for _, m := range arrivals {
		if q.Table != "" && waiting[m.ID] == nil {
			continue
		}
		if q.Message != "" && m.ID != q.Message || q.Mailbox != "" && !of(m.Source, q.Mailbox) {
			continue
		}
		found = true
		result, err := rooms.one(ctx, q, m.ID, waiting[m.ID])
		if err != nil {
			return err
		}
		if err := report(result); err != nil {
			return err
		}
	}
	if q.Message != "" && !found {
		return &engine.Error{Op: "replay", Kind: engine.NotFound, Text: "no such message in that time and mailbox"}
	}
	return nil
}

// of reports whether a source names the mailbox: "mesh/<ours>/<sender>" or "fhir/<trust>".
func of(source, mailbox string) bool {
	return slices.Contains(strings.Split(source, "/")[1:], mailbox)
}

// errDryRun undoes a transaction that was only to show what it would do.
var errDryRun = errors.New("dry run")

// waiting finds the records that are parked because a table does not know their code, by message.
func (r Rooms) waiting(ctx context.Context, table string) (map[engine.MessageID]map[int]bool, error) {
	out := map[engine.MessageID]map[int]bool{}
	if table == "" {
		return out, nil
	}
	codes, err := r.Store.UnmappedCodes(ctx)
	for _, c := range codes {
		if c.Table != table || c.Outcome != engine.Parked {
			continue
		}
		if out[c.Message] == nil {
			out[c.Message] = map[int]bool{}
		}
		out[c.Message][c.Place.Record] = true
	}
	return out, err
}

// one replays a message: all of its records, or those in only.
func (r Rooms) one(ctx context.Context, q Query, id engine.MessageID, only map[int]bool) (Result, error) {
	a, err := r.Store.Arrival(ctx, id)
	result := Result{Message: id, Source: a.Message.Source, Received: a.Message.Received, Mapping: a.Mapping}
	switch {
	case engine.KindOf(err) == engine.NotFound && err != nil:
		result.Status = Removed
		return result, nil
	case err != nil:
		return result, err
	case a.State == store.Received:
		result.Status = Waiting
		return result, nil
	}
	mapping, err := r.mapping(ctx, q.Mapping, a)
	if err != nil || mapping == nil {
		result.Status = NoMapping
		return result, err
	}
	records, err := r.held(ctx, id, r.Routes.Translate(a.Message, mapping))
	if err != nil {
		return result, err
	}
	if q.Mapping == Current && !q.DryRun {
		if err := r.Store.KeepMapping(ctx, mapping.Digest(), r.Routes.Supplier(a.Message), mapping.Archive()); err != nil {
			return result, err
		}
	}
	err = r.Store.Write(ctx, func(tx *store.Tx) error {
		w := work{rooms: r, tx: tx, arrival: a, digest: mapping.Digest(), records: records, only: only}
		w.result = result
		if err := w.do(); err != nil {
			return err
		}
		result = w.result
		if q.DryRun {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return result, err
}

func (r Rooms) mapping(ctx context.Context, which Which, a store.Arrival) (pipeline.Mapping, error) {
	if which == Current {
		m, ok := r.Routes.Mapping(a.Message)
		if !ok {
			return nil, nil
		}
		return m, nil
	}
	if a.Mapping == "" {
		return nil, nil
	}
	archive, err := r.Store.Mapping(ctx, a.Mapping)
	if err != nil {
		return nil, err
	}
	return r.Load(archive)
}
