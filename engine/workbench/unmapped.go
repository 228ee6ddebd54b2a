package workbench

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
)

// Code is one code that a table does not know, with the records that wait for it. The code itself is shown, because it is what has to be mapped;
// no other value of a record is.
type Code struct {
	Supplier string           `json:"supplier"`
	Table    string           `json:"table"`
	Code     string           `json:"code"`
	Targets  []string         `json:"targets"`  // fields of the event that look it up
	Parked   int              `json:"parked"`   // records that wait for a person because of it
	Other    int              `json:"other"`    // records that were rejected, or lost the field, because of it
	Messages int              `json:"messages"` // in which it stands
	Message  engine.MessageID `json:"message"`  // the first of them
	Place    engine.Place     `json:"place"`    // where it stands there first
}

// codeKey names a code of a table of a supplier.
type codeKey struct{ supplier, table, code string }

// Unmapped counts the failed look-ups of every message whose bytes are still there, in order of supplier, table, number and code. gone counts those
// whose bytes retention has removed, so that nobody can say what the code was.
func (b *Bench) Unmapped(ctx context.Context) (codes []Code, gone int, err error) {
	all, err := b.Store.UnmappedCodes(ctx)
	if err != nil {
		return nil, 0, err
	}
	found := map[codeKey]*Code{}
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Message == all[0].Message {
			n++
		}
		lost, err := b.codesOf(ctx, all[:n], found)
		if err != nil {
			return nil, 0, err
		}
		gone += lost
		all = all[n:]
	}
	for _, c := range found {
		slices.Sort(c.Targets)
		codes = append(codes, *c)
	}
	slices.SortFunc(codes, func(a, b Code) int {
		return cmp.Or(strings.Compare(a.Supplier, b.Supplier), strings.Compare(a.Table, b.Table), cmp.Compare(b.Parked+b.Other, a.Parked+a.Other),
			strings.Compare(a.Code, b.Code))
	})
	return codes, gone, nil
}

// codesOf reads the codes of one message back from its bytes, with the mapping that failed to look them up.
func (b *Bench) codesOf(ctx context.Context, failed []store.Unmapped, found map[codeKey]*Code) (lost int, err error) {
	arrival, err := b.Store.Arrival(ctx, failed[0].Message)
	switch {
	case err != nil && engine.KindOf(err) == engine.NotFound, err == nil && arrival.Mapping == "":
		return len(failed), nil
	case err != nil:
		return 0, err
	}
	m, err := b.mapping(ctx, arrival.Mapping)
	if err != nil {
		return 0, err
	}
	at := map[int]map[string]store.Unmapped{} // record -> target
	for _, f := range failed {
		if at[f.Place.Record] == nil {
			at[f.Place.Record] = map[string]store.Unmapped{}
		}
		at[f.Place.Record][f.Target] = f
	}
	rules := m.Rules()
	here := map[codeKey]bool{}
	for t := range m.Trace(arrival.Message, slices.Collect(maps.Keys(at))...) {
		for _, s := range t.Steps {
			r := rules[s.Rule]
			f, ok := at[t.Place.Record][r.Target]
			if !ok || s.Code == "" || f.Table != r.Table {
				continue
			}
			k := codeKey{m.Supplier(), r.Table, s.Code}
			found[k] = count(found[k], k, f, r.Target, !here[k])
			here[k] = true
		}
	}
	return 0, nil
}

func count(c *Code, k codeKey, f store.Unmapped, target string, first bool) *Code {
	if c == nil {
		c = &Code{Supplier: k.supplier, Table: k.table, Code: k.code, Message: f.Message, Place: f.Place}
	}
	if first {
		c.Messages++
	}
	if !slices.Contains(c.Targets, target) {
		c.Targets = append(c.Targets, target)
	}
	if f.Outcome == engine.Parked {
		c.Parked++
	} else {
		c.Other++
	}
	return c
}
