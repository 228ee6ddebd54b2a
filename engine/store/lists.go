package store

import "signalbox/engine"

// mostInList is how many values one statement compares a column with.
const mostInList = 256

// list returns the size of a list that n values fit into: PostgreSQL takes an array of any, for SQLite there are few sizes.
func (d *dialect) list(n int) int {
	if d.numbered {
		return 1
	}
	for _, size := range []int{1, 8, 64} {
		if n <= size {
			return size
		}
	}
	return mostInList
}

// in compares with a list.
func (d *dialect) in(size int) string {
	if d.numbered {
		return "= ANY (?)"
	}
	return "IN " + values(1, size)
}

// many adds the arguments of a list; what is left of its room is filled with copies.
func (d *dialect) many(args []any, list []int64, size int) []any {
	if d.numbered {
		return append(args, list)
	}
	for _, n := range list {
		args = append(args, n)
	}
	for range size - len(list) {
		args = append(args, list[0])
	}
	return args
}

// group is what events have in common that are resolved by one statement. On PostgreSQL it is the kind alone: all the rest comes in arrays.
type group struct {
	kind    engine.Kind
	message engine.MessageID
	mapping string
}

func (d *dialect) group(e engine.Envelope) group {
	if d.numbered {
		return group{kind: e.Kind}
	}
	return group{e.Kind, e.Origin.Message, e.Origin.Mapping}
}

// resolve is the statement that takes events of a group out of the outbox, unless they are in quarantine or a replay has overtaken the copy
// that is resolved. It returns row, message and position of those that were there.
func (d *dialect) resolve(g group, events []engine.Envelope) (query string, args []any) {
	positions := make([]int64, len(events))
	for i, e := range events {
		positions[i] = int64(e.Origin.Position)
	}
	if !d.numbered {
		size := d.list(len(positions))
		args = d.many([]any{string(g.message), string(g.kind)}, positions, size)
		return `DELETE FROM outbox WHERE seq IN (SELECT e.seq FROM event e WHERE e.message = ? AND e.kind = ? AND e.position ` + d.in(size) + `)
			AND state <> ? AND NOT EXISTS (SELECT 1 FROM superseded s WHERE s.event = outbox.seq AND s.mapping = ?)
			RETURNING seq, ?, (SELECT e.position FROM event e WHERE e.seq = outbox.seq)`,
			append(args, quarantined, g.mapping, string(g.message))
	}
	messages, mappings := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		messages[i], mappings[i] = string(e.Origin.Message), e.Origin.Mapping
	}
	return `DELETE FROM outbox USING unnest(CAST(? AS TEXT[]), CAST(? AS BIGINT[]), CAST(? AS TEXT[])) AS u (message, position, mapping)
		JOIN event e ON e.message = u.message AND e.position = u.position AND e.kind = ?
		WHERE outbox.seq = e.seq AND outbox.state <> ? AND NOT EXISTS (SELECT 1 FROM superseded s WHERE s.event = e.seq AND s.mapping = u.mapping)
		RETURNING outbox.seq, e.message, e.position`, []any{messages, positions, mappings, string(g.kind), quarantined}
}
