package stream

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"signalbox/internal/teeth"
)

// reader takes a subscription's entries from Redis: first those pending in its own name, then those that others left
// behind, then new ones. It survives whatever Redis answers.
type reader struct {
	*subscription
	grouped   bool      // the group is known to exist
	ownRead   bool      // nothing can be pending in our name that we do not hold
	nextClaim time.Time // when to look for what others left behind
}

// run reads until the subscription stops. After any failure it starts again at the group's creation and at its own
// pending entries: a reply that was lost may have assigned entries to us.
func (r *reader) run() {
	delay := backoff{base: r.cfg.RetryDelay, max: r.cfg.RetryMaxDelay}
	for !r.stopped() {
		err := r.cycle()
		r.trouble("read", err)
		if err == nil {
			delay.reset()
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
	if err != nil || len(entries) == 0 {
		return "", err
	}
	return entries[len(entries)-1].ID, r.take(entries)
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

// read is one XREADGROUP; block below 0 does not wait.
func (r *reader) read(from string, count int, block time.Duration) ([]redis.XMessage, error) {
	streams, err := r.client.XReadGroup(context.Background(), &redis.XReadGroupArgs{
		Group: r.group, Consumer: r.cfg.Consumer, Streams: []string{r.stream, from}, Count: int64(count), Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) || (err == nil && len(streams) == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, clean(err)
	}
	return streams[0].Messages, nil
}

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
	for _, id := range deleted { // Redis has dropped these from the pending list by itself
		entries = append(entries, redis.XMessage{ID: id})
	}
	return next, r.take(entries)
}

// take puts entries into their lanes, except those already held, and puts undecodable ones aside.
func (r *reader) take(entries []redis.XMessage) error {
	var dead []redis.XMessage
	for _, x := range entries {
		if r.held.has(x.ID) {
			continue
		}
		uuid, payload, meta, err := decode(x.Values)
		if err != nil {
			dead = append(dead, x)
			continue
		}
		e := &entry{id: x.ID, uuid: uuid, payload: payload, meta: meta}
		e.lane = laneOf(&message.Message{UUID: uuid, Metadata: meta}, len(r.lanes))
		if r.held.add(e) {
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

// bury moves undecodable entries to the dead stream and acknowledges them in one transaction. Should it fail, they stay
// pending and are met again. The dead key's type is asked first: within a transaction a refused XADD would not keep the
// XACK from happening.
func (r *reader) bury(entries []redis.XMessage) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	if err := r.client.XLen(ctx, deadKey(r.stream)).Err(); err != nil {
		return wrapName("dead stream", clean(err))
	}
	_, err := r.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		ids := make([]string, len(entries))
		for i, x := range entries {
			_, _, _, reason := decode(x.Values)
			tx.Do(ctx, encodeDead(r.stream, r.group, x.ID, reason.Error(), x.Values)...)
			ids[i] = x.ID
		}
		tx.XAck(ctx, r.stream, r.group, ids...)
		return nil
	})
	if err != nil {
		return wrapName("dead stream", clean(err))
	}
	r.log.Error("undecodable entries put aside", "count", len(entries), "stream", deadKey(r.stream))
	return nil
}
