package stream

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"signalbox/internal/teeth"
)

// reader takes a subscription's entries from Redis: first those pending in its own name, then those that others left
// behind, then new ones. It survives whatever Redis answers.
type reader struct {
	*subscription
	grouped   bool      // the group is known to exist
	ownRead   bool      // nothing can be pending in our name that we do not hold
	uncounted bool      // Redis did not tell how often pending entries were delivered, or did not put a count back
	nextClaim time.Time // when to look for what others left behind
}

// run reads until the subscription stops. After any failure it starts again at the group's creation and at its own
// pending entries: a reply that was lost may have assigned entries to us.
func (r *reader) run() {
	delay := backoff{base: r.cfg.RetryDelay, max: r.cfg.RetryMaxDelay}
	for !r.stopped() {
		err := r.cycle()
		r.trouble("read", err)
		if err == nil && !r.uncounted {
			delay.reset()
			continue
		}
		if err == nil { // what is pending in our name is looked at again, until its counts are known: nothing else would
			r.uncounted, r.ownRead = false, teeth.Bite("counts-not-asked-again")
			pause(context.Background(), r.stop, delay.next())
			continue
		}
		if teeth.Bite("vanished-group-forgotten") && groupGone(err) {
			continue
		}
		r.ownRead, r.grouped = false, false
		pause(context.Background(), r.stop, delay.next())
	}
}

// cycle does one round; each step returns early when the subscription stops.
func (r *reader) cycle() error {
	if !r.grouped {
		if err := r.prepare(); err != nil {
			return err
		}
	}
	if !r.ownRead {
		if err := r.readOwn(); err != nil {
			return err
		}
	}
	if !time.Now().Before(r.nextClaim) {
		if err := r.claim(); err != nil {
			return err
		}
		r.nextClaim = time.Now().Add(r.cfg.ClaimInterval)
	}
	return r.readNew()
}

func (r *reader) prepare() error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	err := ensureGroup(ctx, r.client, r.stream, r.group)
	r.grouped = err == nil
	return err
}

// readOwn reads what is pending in this consumer's name, in order: what it held when it last stopped.
func (r *reader) readOwn() error {
	if r.ownRead = teeth.Bite("own-pending-forgotten"); r.ownRead {
		return nil
	}
	for last := "0"; last != ""; {
		n := r.held.room(r.cfg.ReadCount, r.stop)
		if n == 0 {
			return nil
		}
		var err error
		if last, err = r.readOwnAfter(last, n); err != nil {
			return err
		}
	}
	r.ownRead = true
	return nil
}

// readOwnAfter takes the next pending entries and returns the last one's id; empty when there are none left.
func (r *reader) readOwnAfter(last string, count int) (string, error) {
	defer r.held.look()()
	entries, err := r.read(last, count, -1)
	if err == nil && len(entries) == 0 && last == "0" { // nothing is pending: there is nothing to count
		r.countTrouble(nil, nil)
	}
	if err != nil || len(entries) == 0 {
		return "", err
	}
	last = entries[len(entries)-1].id // take reuses the slice
	r.count(entries)
	return last, r.take(entries)
}

// readNew waits for new entries.
func (r *reader) readNew() error {
	n := r.held.room(r.cfg.ReadCount, r.stop)
	if n == 0 || r.stopped() {
		return nil
	}
	entries, err := r.read(">", n, r.cfg.Block)
	if err != nil {
		return err
	}
	return r.take(entries)
}

// read is one XREADGROUP; block below 0 does not wait. The client's read timeout allows for Block. The answer is taken
// as the flat list that Redis sends: the client's own type makes a map of each entry, which costs more than the rest.
func (r *reader) read(from string, count int, block time.Duration) ([]*entry, error) {
	args := []any{"xreadgroup", "group", r.group, r.cfg.Consumer, "count", count}
	if block >= 0 {
		args = append(args, "block", block.Milliseconds())
	}
	args = append(args, "streams", r.stream, from)
	answer, err := r.client.Do(context.Background(), args...).Slice()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, clean(err)
	}
	return entriesOf(answer)
}

// entriesOf reads the answer of XREADGROUP for one stream: [[stream, [[id, [name, value, ...]], ...]]].
func entriesOf(answer []any) ([]*entry, error) {
	if len(answer) == 0 {
		return nil, nil
	}
	stream, _ := answer[0].([]any)
	if len(stream) != 2 {
		return nil, errAnswer
	}
	rows, ok := stream[1].([]any)
	if !ok {
		return nil, errAnswer
	}
	slab, entries := make([]entry, len(rows)), make([]*entry, len(rows))
	for i, row := range rows {
		pair, _ := row.([]any)
		if len(pair) != 2 {
			return nil, errAnswer
		}
		e := &slab[i]
		if e.id, ok = pair[0].(string); !ok {
			return nil, errAnswer
		}
		list, _ := pair[1].([]any) // nil: the entry was removed
		e.fields, entries[i] = list, e
	}
	return entries, nil
}

// errAnswer: Redis answered something else than its documentation says.
var errAnswer = errors.New("redis answered in an unknown form")

// claim takes over entries which have been idle for ClaimMinIdle: other consumers', or our own if a reply was lost. Held
// ones among them are left out by take.
func (r *reader) claim() error {
	const begin = "0-0"
	for cursor, first := begin, true; first || (cursor != begin && cursor != ""); first = false {
		n := r.held.room(r.cfg.ReadCount, r.stop)
		if n == 0 {
			return nil
		}
		var err error
		if cursor, err = r.claimFrom(cursor, n); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) claimFrom(cursor string, count int) (string, error) {
	defer r.held.look()()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	entries, next, deleted, err := r.client.XAutoClaimWithDeleted(ctx, &redis.XAutoClaimArgs{
		Stream: r.stream, Group: r.group, Consumer: r.cfg.Consumer, MinIdle: r.cfg.ClaimMinIdle,
		Start: cursor, Count: int64(count),
	}).Result()
	if err != nil {
		return "", clean(err)
	}
	claimed := make([]*entry, 0, len(entries)+len(deleted))
	for _, x := range entries {
		e := &entry{id: x.ID}
		for name, value := range x.Values {
			e.fields = append(e.fields, name, value)
		}
		claimed = append(claimed, e)
	}
	r.count(claimed)
	for _, id := range deleted { // Redis has dropped these from the pending list by itself
		claimed = append(claimed, &entry{id: id})
	}
	return next, r.take(claimed)
}

// take puts entries into their lanes, except those already held, and puts aside those that cannot be delivered.
func (r *reader) take(entries []*entry) error {
	var key string
	for _, e := range entries {
		e.deliveries = max(e.deliveries, 1)
		if e.uuid, key, e.reason = e.fields.check(); e.reason == nil {
			e.reason = r.overdue(e)
			e.lane = laneOf(e.uuid, key, len(r.lanes))
		}
	}
	var dead []*entry
	for _, e := range r.held.add(entries...) {
		if e.reason != nil {
			dead = append(dead, e)
		} else {
			r.push(e)
		}
	}
	if teeth.Bite("undecodable-ends-reader") && len(dead) > 0 {
		return errors.New("undecodable entry")
	}
	if len(dead) > 0 {
		return r.bury(dead)
	}
	return nil
}

// bury moves entries that cannot be delivered to the dead stream and acknowledges them in one transaction. Should it fail, they stay
// pending and are met again. The dead key's type is asked first: within a transaction a refused XADD would not keep the
// XACK from happening.
func (r *reader) bury(entries []*entry) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	if err := r.client.XLen(ctx, deadKey(r.stream)).Err(); err != nil {
		return wrapName("dead stream", clean(err))
	}
	_, err := r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		ids := make([]string, len(entries))
		for i, e := range entries {
			tx.Do(ctx, encodeDead(r.stream, r.group, e.id, e.reason.Error(), e.fields)...)
			ids[i] = e.id
		}
		tx.XAck(ctx, r.stream, r.group, ids...)
		return nil
	})
	if err != nil {
		return wrapName("dead stream", clean(err))
	}
	r.log.Error("entries that cannot be delivered put aside", "count", len(entries), "stream", deadKey(r.stream))
	return nil
}
