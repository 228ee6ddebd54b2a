package stream

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

func TestRedisCarriesAMessageUnchanged(t *testing.T) {
	srv := redistest.Start(t)
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	sent := newMessage("key", "\x00\xff\r\n bytes")
	sent.Metadata["a name"], sent.Metadata[""] = "välue\n", "empty name"
	require.NoError(t, r.Publish("topic", sent))
	got := next(t, messages)
	assert.True(t, sent.Equals(got))
	require.NoError(t, got.Context().Err())
	got.Ack()
	<-got.Context().Done()

	entry := raw(t, srv).XRange(context.Background(), topicKey, "-", "+").Val()[0]
	assert.Equal(t, map[string]any{
		"id": sent.UUID, "payload": "\x00\xff\r\n bytes",
		"h.signalbox_key": "key", "h.a name": "välue\n", "h.": "empty name",
	}, entry.Values)
}

// W1: one malformed entry ended the stock subscriber for good.
func TestPoisonIsPutAsideAndTheRestGoesOn(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	poison := []map[string]any{{"foreign": "entry"}, {"id": "no payload"}, {"payload": "no id", "x": "y"}}
	for i := range 10 {
		if i < len(poison) {
			require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: topicKey, Values: poison[i]}).Err())
		}
		require.NoError(t, r.Publish("topic", newMessage("", strconv.Itoa(i))))
	}
	got := make(map[string]bool)
	for range 10 {
		m := next(t, messages)
		got[string(m.Payload)] = true
		m.Ack()
	}
	require.Len(t, got, 10)
	eventually(t, "nothing pending", func() bool { return pending(t, client, topicKey, "group") == 0 })
	dead := client.XRange(ctx, topicKey+".dead", "-", "+").Val()
	require.Len(t, dead, 3)
	assert.Equal(t, "field id is missing", dead[0].Values["dead.reason"])
	assert.Equal(t, "entry", dead[0].Values["foreign"], "what it held is kept")
	assert.Equal(t, "group", dead[0].Values["dead.group"])
	assert.NotEmpty(t, dead[0].Values["dead.entry"])
	assert.Equal(t, "field payload is missing", dead[1].Values["dead.reason"])
	require.NoError(t, r.Ready(ctx))
}

// A dead stream that cannot be written must not lose the entry: within a transaction the XACK would happen all the same.
func TestPoisonStaysPendingWhileItCannotBePutAside(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	require.NoError(t, client.Set(ctx, topicKey+".dead", "in the way", 0).Err())
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: topicKey, Values: []string{"foreign", "entry"}}).Err())
	eventually(t, "Ready tells", func() bool { return r.Ready(ctx) != nil })
	require.ErrorIs(t, r.Ready(ctx), serverError("WRONGTYPE"))
	require.EqualValues(t, 1, pending(t, client, topicKey, "group"))
	require.NoError(t, client.Del(ctx, topicKey+".dead").Err())
	eventually(t, "put aside", func() bool { return client.XLen(ctx, topicKey+".dead").Val() == 1 })
	require.NoError(t, r.Publish("topic", newMessage("", "good")))
	next(t, messages).Ack()
	eventually(t, "well again", func() bool { return r.Ready(ctx) == nil })
}

// W2: a nack was a hot loop that blocked everything behind it.
func TestNackPausesAndOthersGoOn(t *testing.T) {
	srv := redistest.Start(t)
	cfg := quick(srv, "c1")
	cfg.NackDelay, cfg.NackMaxDelay = 100*time.Millisecond, time.Hour
	r := openRedis(t, cfg)
	_, messages := subscribe(t, r, "group", "topic")
	bad := newMessage("bad", "bad")
	require.NoError(t, r.Publish("topic", bad))
	const others = 500
	for i := range others {
		require.NoError(t, r.Publish("topic", newMessage("good-"+strconv.Itoa(i%20), strconv.Itoa(i))))
	}
	nacks, good := 0, 0
	var first time.Time
	for good < others || nacks < 4 {
		m := next(t, messages)
		if m.UUID == bad.UUID {
			if nacks++; nacks == 1 {
				first = time.Now()
			}
			m.Nack()
			continue
		}
		good++
		m.Ack()
	}
	// Pauses of at least three quarters of 100, 200 and 400 ms lie between four nacks.
	assert.GreaterOrEqual(t, time.Since(first), 525*time.Millisecond)
	assert.Equal(t, 4, nacks)
}

// W3: a consumer claimed what it was itself still handling; and others did, when it was slow.
// Until its handler is done a message is pending in Redis: that is what brings it back after a crash.
func TestAMessageIsPendingUntilItsHandlerIsDone(t *testing.T) {
	srv := redistest.Start(t)
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	require.NoError(t, r.Publish("topic", newMessage("", "x")))
	m := next(t, messages)
	nothing(t, messages) // an acknowledgement that is under way has its chance to arrive
	require.EqualValues(t, 1, pending(t, raw(t, srv), topicKey, "group"))
	m.Ack()
	eventually(t, "acknowledged", func() bool { return pending(t, raw(t, srv), topicKey, "group") == 0 })
}

func TestSlowHandlerKeepsItsMessage(t *testing.T) {
	srv := redistest.Start(t)
	claiming := func(name string, every time.Duration) (*Redis, <-chan *message.Message) {
		cfg := quick(srv, name)
		cfg.ClaimMinIdle, cfg.ClaimInterval = 900*time.Millisecond, every
		r := openRedis(t, cfg)
		_, messages := subscribe(t, r, "group", "topic")
		return r, messages
	}
	r, mine := claiming("slow", time.Hour) // its heartbeat alone keeps the message
	require.NoError(t, r.Publish("topic", newMessage("", "x")))
	m := next(t, mine)
	_, theirs := claiming("other", 20*time.Millisecond)
	for range 4 { // twice the idle time and more, with a heartbeat every third of it
		nothing(t, mine)
		nothing(t, theirs)
	}
	m.Ack()
	eventually(t, "acknowledged", func() bool { return pending(t, raw(t, srv), topicKey, "group") == 0 })
}

// Claiming finds what another consumer left behind, and leaves out what this one holds even if it has grown old.
func TestClaimTakesFromTheDeadOnly(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	cfg := quick(srv, "alive")
	cfg.ClaimMinIdle, cfg.ClaimInterval = time.Minute, 20*time.Millisecond
	r := openRedis(t, cfg)
	_, messages := subscribe(t, r, "group", "topic")
	require.NoError(t, r.Publish("topic", newMessage("a", "held")))
	held := next(t, messages)
	entry := client.XRange(ctx, topicKey, "-", "+").Val()[0]
	// As after a pause of the whole process: the held entry looks idle for an hour.
	age := func(consumer, id string) {
		require.NoError(t, client.Do(ctx, "XCLAIM", topicKey, "group", consumer, 0, id, "IDLE", 3_600_000, "FORCE", "JUSTID").Err())
	}
	age("alive", entry.ID)
	nothing(t, messages)
	// A dead consumer's entry: appended and delivered to it in one transaction, so that nobody else reads it first.
	_, err := client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.XAdd(ctx, &redis.XAddArgs{Stream: topicKey, Values: []string{
			"id", "u", "payload", "left behind", "h." + KeyMetadata, "b", // another lane than the held one
		}})
		tx.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "group", Consumer: "dead", Streams: []string{topicKey, ">"}, Block: -1})
		return nil
	})
	require.NoError(t, err)
	nothing(t, messages)
	age("dead", client.XRevRangeN(ctx, topicKey, "+", "-", 1).Val()[0].ID)
	m := next(t, messages)
	assert.Equal(t, "left behind", string(m.Payload))
	m.Ack()
	held.Ack()
	eventually(t, "acknowledged", func() bool { return pending(t, client, topicKey, "group") == 0 })
	consumers := client.XInfoConsumers(ctx, topicKey, "group").Val()
	assert.Len(t, consumers, 2, "W5: no consumer is ever deleted")
}

// Looks for idle entries all the time, while acknowledgements are under way: an answer that is older than an
// acknowledgement must not bring its entry back.
func TestClaimingBesideAcknowledgingRepeatsNothing(t *testing.T) {
	srv := redistest.Start(t)
	cfg := quick(srv, "c1")
	cfg.ClaimMinIdle, cfg.ClaimInterval, cfg.Block = 10*time.Millisecond, 10*time.Millisecond, time.Millisecond
	r := openRedis(t, cfg)
	_, messages := subscribe(t, r, "group", "topic")
	check := newOrderCheck()
	done := check.consume(messages)
	const total = 20_000
	var batch []*message.Message
	for i := range total {
		batch = append(batch, newMessage(strconv.Itoa(i%500), strconv.Itoa(i)))
	}
	require.NoError(t, r.Publish("topic", batch...))
	eventually(t, "all acknowledged", func() bool { return lagAndPending(t, srv) == 0 })
	require.NoError(t, r.Close())
	<-done
	require.NoError(t, check.err(), "each key in order, so nothing twice")
	require.Equal(t, total, check.count)
}

// W4: after a flush or failover the group was never made again.
func TestVanishedStreamOrGroupComesBack(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	for name, vanish := range map[string]func(){
		"flush":  srv.Wipe,
		"stream": func() { client.Del(ctx, topicKey) },
		"group":  func() { client.XGroupDestroy(ctx, topicKey, "group") },
	} {
		t.Run(name, func(t *testing.T) {
			client.Del(ctx, topicKey)
			vanish()
			for i := range 5 {
				require.NoError(t, r.Publish("topic", newMessage("k", strconv.Itoa(i))))
			}
			for i := range 5 {
				m := next(t, messages)
				assert.Equal(t, strconv.Itoa(i), string(m.Payload))
				m.Ack()
			}
			eventually(t, "ready", func() bool { return r.Ready(ctx) == nil })
		})
	}
}

func TestWrongTypeIsToldAndSurvived(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	require.NoError(t, client.Set(ctx, topicKey, "in the way", 0).Err())
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	eventually(t, "Ready tells", func() bool { return r.Ready(ctx) != nil })
	require.ErrorIs(t, r.Ready(ctx), serverError("WRONGTYPE"))
	require.NoError(t, client.Del(ctx, topicKey).Err())
	require.NoError(t, r.Publish("topic", newMessage("", "x")))
	next(t, messages).Ack()
	eventually(t, "well again", func() bool { return r.Ready(ctx) == nil })
}

// W6: an entry that is removed while pending was acknowledged in silence. It cannot be delivered any more, but it is told.
func TestRemovedWhilePendingIsTold(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	require.NoError(t, client.XGroupCreateMkStream(ctx, topicKey, "group", "0").Err())
	id := client.XAdd(ctx, &redis.XAddArgs{Stream: topicKey, Values: []string{"id", "u", "payload", "p"}}).Val()
	require.NoError(t, client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: "group", Consumer: "c1", Streams: []string{topicKey, ">"},
	}).Err())
	require.NoError(t, client.XTrimMaxLen(ctx, topicKey, 0).Err())
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	eventually(t, "told", func() bool { return client.XLen(ctx, topicKey+".dead").Val() == 1 })
	dead := client.XRange(ctx, topicKey+".dead", "-", "+").Val()[0]
	assert.Equal(t, "entry was removed while pending", dead.Values["dead.reason"])
	assert.Equal(t, id, dead.Values["dead.entry"])
	nothing(t, messages)
	require.Zero(t, pending(t, client, topicKey, "group"))
}

// W11, and the order of keys over many messages with handlers beside each other.
func TestOrderByKeyOverFiveThousand(t *testing.T) {
	srv := redistest.Start(t)
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	check := newOrderCheck()
	done := check.consume(messages)
	const total, keys = 5000, 97
	batch := make([]*message.Message, 0, 250)
	for i := range total {
		batch = append(batch, newMessage(fmt.Sprintf("key-%d", i%keys), strconv.Itoa(i)))
		if len(batch) == cap(batch) {
			require.NoError(t, r.Publish("topic", batch...))
			batch = batch[:0]
		}
	}
	eventually(t, "all handled", func() bool { return check.handled() == total })
	require.NoError(t, r.Close())
	<-done
	require.NoError(t, check.err())
	assert.LessOrEqual(t, check.most, 64)
	require.Zero(t, pending(t, raw(t, srv), topicKey, "group"), "Close flushes acknowledgements")
}

// No more entries are taken from Redis than MaxInFlight, however slow the handlers.
func TestBackPressure(t *testing.T) {
	srv := redistest.Start(t)
	client := raw(t, srv)
	cfg := quick(srv, "c1")
	cfg.Lanes, cfg.MaxInFlight, cfg.ReadCount = 4, 20, 7
	r := openRedis(t, cfg)
	_, messages := subscribe(t, r, "group", "topic")
	var all []*message.Message
	for i := range 100 {
		all = append(all, newMessage(strconv.Itoa(i), "x"))
	}
	require.NoError(t, r.Publish("topic", all...))
	eventually(t, "full", func() bool { return pending(t, client, topicKey, "group") == 20 })
	most := int64(0)
	for range 100 {
		most = max(most, pending(t, client, topicKey, "group"))
		next(t, messages).Ack()
	}
	assert.LessOrEqual(t, most, int64(20))
}
