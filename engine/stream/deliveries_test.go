package stream

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

// A message whose handler kills the process goes to the dead stream after MaxDeliveries. None of those that waited beside
// it does, although each crash finds them pending as well.
func TestCrashingMessageIsPutAsideAlone(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	const poison, others, limit = "poison", 40, 5
	writer := openRedis(t, quick(srv, "writer"))
	for i := range others {
		if i == others/4 {
			require.NoError(t, writer.Publish("topic", newMessage(poison, poison)))
		}
		require.NoError(t, writer.Publish("topic", newMessage(strconv.Itoa(i), "innocent")))
	}
	out, handled := 0, 0
	life := func() (crashed bool) {
		way := startProxy(t, srv.Addr())
		cfg := quick(srv, "c1")
		cfg.URLs, cfg.MaxDeliveries, cfg.CloseTimeout = []string{way.url()}, limit, 10*time.Millisecond
		r := openRedis(t, cfg)
		defer func() { _ = r.Close() }()
		_, messages := subscribe(t, r, "group", "topic")
		for handled < others {
			m := next(t, messages)
			if string(m.Payload) == poison {
				out++
				way.sever() // the process is gone: nothing is acknowledged or handed back
				return true
			}
			handled++
			m.Ack()
			eventually(t, "acknowledged", func() bool {
				return len(client.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: topicKey, Group: "group", Start: "-", End: "+", Count: 100}).Val()) <= others+1-handled
			})
		}
		eventually(t, "nothing is pending", func() bool { return pending(t, client, topicKey, "group") == 0 })
		return false
	}
	crashes := 0
	for life() {
		crashes++
		require.Less(t, crashes, 3*limit, "it is never put aside")
	}
	dead := client.XRange(ctx, topicKey+".dead", "-", "+").Val()
	require.Len(t, dead, 1)
	assert.Equal(t, poison, dead[0].Values["payload"])
	assert.Equal(t, "handed out 5 times and never answered", dead[0].Values["dead.reason"])
	assert.Equal(t, others, handled, "each of the others was handled once")
	assert.LessOrEqual(t, out, limit, "it had its chances and no more")
	assert.Greater(t, out, careful)
}

// Reading ahead, closing, and reading one's own pending entries again after a lost connection are no deliveries.
func TestOnlyHandingOutCounts(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	cfg := quick(srv, "c1")
	cfg.MaxDeliveries, cfg.Lanes, cfg.MaxInFlight = 3, 1, 10
	writer := openRedis(t, quick(srv, "writer"))
	require.NoError(t, writer.Publish("topic", newMessage("k", "first"), newMessage("k", "second")))
	both := func() bool { return pending(t, client, topicKey, "group") == 2 }
	for range 8 { // a clean stop, with both read and neither handled
		r := openRedis(t, cfg)
		subscribe(t, r, "group", "topic")
		eventually(t, "read", both)
		require.NoError(t, r.Close())
	}
	r := openRedis(t, cfg)
	_, messages := subscribe(t, r, "group", "topic")
	first := next(t, messages)
	for range 8 { // lost connections, while one is with its handler and one waits
		require.NoError(t, client.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
		eventually(t, "well again", func() bool { return r.Ready(ctx) == nil })
	}
	for _, p := range client.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: topicKey, Group: "group", Start: "-", End: "+", Count: 10}).Val() {
		assert.LessOrEqual(t, p.RetryCount, int64(careful)+1)
	}
	assert.Equal(t, "first", string(first.Payload))
	first.Ack()
	second := next(t, messages)
	assert.Equal(t, "second", string(second.Payload))
	second.Ack()
	eventually(t, "acknowledged", func() bool { return pending(t, client, topicKey, "group") == 0 })
	assert.Zero(t, client.Exists(ctx, topicKey+".dead").Val())
}

// Without a limit nothing is counted and nothing put aside.
func TestNoLimitOnDeliveries(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	require.NoError(t, client.XGroupCreateMkStream(ctx, topicKey, "group", "0").Err())
	id := client.XAdd(ctx, &redis.XAddArgs{Stream: topicKey, Values: []string{"id", "u", "payload", "p"}}).Val()
	require.NoError(t, client.Do(ctx, "XCLAIM", topicKey, "group", "c1", 0, id, "RETRYCOUNT", 1000, "FORCE", "JUSTID").Err())
	cfg := quick(srv, "c1")
	cfg.MaxDeliveries = 0
	_, messages := subscribe(t, openRedis(t, cfg), "group", "topic")
	next(t, messages).Ack()
	eventually(t, "acknowledged", func() bool { return pending(t, client, topicKey, "group") == 0 })
}

// A connection that breaks between the reading and the counting must not leave the subscription unwell for good: it is counted again, also when
// nothing is pending any more.
func TestCountingIsTriedAgain(t *testing.T) {
	for _, held := range []bool{true, false} {
		t.Run(map[bool]string{true: "held", false: "nothing pending"}[held], func(t *testing.T) {
			srv := redistest.Start(t)
			client, ctx := raw(t, srv), context.Background()
			require.NoError(t, client.XGroupCreateMkStream(ctx, topicKey, "group", "0").Err())
			r := openRedis(t, quick(srv, "c1"))
			require.NoError(t, r.Publish("topic", newMessage("k", "one")))
			require.NoError(t, client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "group", Consumer: "c1", Streams: []string{topicKey, ">"}}).Err())
			require.NoError(t, client.Do(ctx, "ACL", "SETUSER", "default", "-xpending").Err())
			_, messages := subscribe(t, r, "group", "topic")
			m := next(t, messages) // is handed out all the same
			eventually(t, "unwell", func() bool { return r.Ready(ctx) != nil })
			if !held {
				m.Ack() // before anybody can count it
				eventually(t, "well again, with nothing to count", func() bool { return r.Ready(ctx) == nil })
			}
			require.NoError(t, client.Do(ctx, "ACL", "SETUSER", "default", "+xpending").Err())
			eventually(t, "well again", func() bool { return r.Ready(ctx) == nil })
			m.Ack()
		})
	}
}
