package stream

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/engine/stream/redistest"
)

// Only what every group has acknowledged goes: the slowest group and the oldest pending entry hold the rest.
func TestTrimOnlyBelowAcknowledged(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	r := openRedis(t, quick(srv, "c1"))
	for i := range 10 {
		require.NoError(t, r.Publish("topic", newMessage("", strconv.Itoa(i))))
	}
	entries := client.XRange(ctx, topicKey, "-", "+").Val()
	length := func() int64 {
		_, err := r.Trim(ctx)
		require.NoError(t, err)
		return client.XLen(ctx, topicKey).Val()
	}
	deliver := func(group string, n int64) {
		require.NoError(t, client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: "x", Streams: []string{topicKey, ">"}, Count: n, Block: -1,
		}).Err())
	}
	acknowledge := func(group string, from, to int) {
		for _, e := range entries[from:to] {
			require.NoError(t, client.XAck(ctx, topicKey, group, e.ID).Err())
		}
	}
	assert.EqualValues(t, 10, length(), "no group: nothing goes")
	require.NoError(t, client.XGroupCreate(ctx, topicKey, "fast", "0").Err())
	require.NoError(t, client.XGroupCreate(ctx, topicKey, "slow", "0").Err())
	assert.EqualValues(t, 10, length(), "nothing delivered")
	deliver("fast", 10)
	acknowledge("fast", 0, 10)
	assert.EqualValues(t, 10, length(), "slow has read nothing")
	deliver("slow", 5)
	assert.EqualValues(t, 10, length(), "slow has acknowledged nothing")
	acknowledge("slow", 0, 2)
	acknowledge("slow", 3, 5)
	assert.EqualValues(t, 8, length(), "entry 2 is pending")
	assert.Equal(t, entries[2].ID, client.XRange(ctx, topicKey, "-", "+").Val()[0].ID)
	acknowledge("slow", 2, 3)
	assert.EqualValues(t, 6, length(), "from the last one delivered on")
	deliver("slow", 5)
	acknowledge("slow", 5, 10)
	assert.EqualValues(t, 1, length())
	client.Del(ctx, topicKey)
	assert.EqualValues(t, 0, length(), "a stream that is not there is no error")
	require.NoError(t, client.Set(ctx, topicKey, "in the way", 0).Err())
	_, err := r.Trim(ctx)
	require.ErrorIs(t, err, serverError("WRONGTYPE"))
}

// The job runs by itself, beside a subscription that goes on.
func TestTrimJob(t *testing.T) {
	srv := redistest.Start(t)
	client := raw(t, srv)
	cfg := quick(srv, "c1")
	cfg.TrimInterval = 10 * time.Millisecond
	r := openRedis(t, cfg)
	_, messages := subscribe(t, r, "group", "topic")
	for i := range 200 {
		require.NoError(t, r.Publish("topic", newMessage("k", strconv.Itoa(i))))
		m := next(t, messages)
		require.Equal(t, strconv.Itoa(i), string(m.Payload))
		m.Ack()
	}
	eventually(t, "trimmed", func() bool { return client.XLen(context.Background(), topicKey).Val() == 1 })
	require.Zero(t, client.XLen(context.Background(), topicKey+".dead").Val(), "nothing pending was removed")
}

// Whatever groups read and acknowledge, a trim never removes an entry that some group has not acknowledged.
func TestTrimProperty(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		stream := fmt.Sprintf("{signalbox:run-%d}", run)
		defer client.Del(ctx, stream)
		groups := []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "groups")]
		needed := make(map[string]int) // by entry: how many groups have not acknowledged it
		unread := make(map[string][]string)
		for _, g := range groups {
			require.NoError(t, client.XGroupCreateMkStream(ctx, stream, g, "0").Err())
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			g := rapid.SampledFrom(groups).Draw(t, "group")
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				id := client.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []string{"id", "u"}}).Val()
				needed[id] = len(groups)
			case 1:
				read, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{
					Group: g, Consumer: "x", Streams: []string{stream, ">"}, Count: 2, Block: -1,
				}).Result()
				if err == nil {
					for _, e := range read[0].Messages {
						unread[g] = append(unread[g], e.ID)
					}
				}
			case 2:
				if open := unread[g]; len(open) > 0 {
					i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
					require.EqualValues(t, 1, client.XAck(ctx, stream, g, open[i]).Val())
					needed[open[i]]--
					unread[g] = append(open[:i:i], open[i+1:]...)
				}
			case 3:
				_, err := trim(ctx, client, stream)
				require.NoError(t, err)
			}
		}
		_, err := trim(ctx, client, stream)
		require.NoError(t, err)
		there := make(map[string]bool)
		for _, e := range client.XRange(ctx, stream, "-", "+").Val() {
			there[e.ID] = true
		}
		for id, n := range needed {
			require.True(t, n == 0 || there[id], "entry is gone and %d groups need it", n)
		}
	})
}

func TestStreamIDs(t *testing.T) {
	ids := []string{"0-0", "0-1", "1-0", "2-10", "10-2", "18446744073709551615-18446744073709551615"}
	for i, a := range ids {
		for j, b := range ids {
			x, err := parseID(a)
			require.NoError(t, err)
			y, err := parseID(b)
			require.NoError(t, err)
			assert.Equal(t, ids[min(i, j)], x.lower(y).String())
		}
	}
	for _, bad := range []string{"", "-", "x-1", "1-x", "1-2-3", "-1-2"} {
		_, err := parseID(bad)
		require.Error(t, err, bad)
	}
	short, err := parseID("7")
	require.NoError(t, err)
	assert.Equal(t, streamID{7, 0}, short)
}

func TestBacklogs(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	r := openRedis(t, quick(srv, "c1"))
	none, err := r.Backlogs(ctx, "topic")
	require.NoError(t, err)
	require.Empty(t, none)
	for range 5 {
		require.NoError(t, r.Publish("topic", newMessage("", "x")))
	}
	for _, group := range []string{"second", "first"} {
		require.NoError(t, client.XGroupCreate(ctx, topicKey, group, "0").Err())
	}
	require.NoError(t, client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: "second", Consumer: "x", Streams: []string{topicKey, ">"}, Count: 2, Block: -1,
	}).Err())
	got, err := r.Backlogs(ctx, "topic")
	require.NoError(t, err)
	assert.Equal(t, []Backlog{{"first", 5, 0}, {"second", 3, 2}}, got)
	require.NoError(t, client.Set(ctx, "{signalbox:odd}", "in the way", 0).Err())
	_, err = r.Backlogs(ctx, "odd")
	require.ErrorIs(t, err, serverError("WRONGTYPE"))
	_, err = r.Backlogs(ctx, "{")
	require.ErrorIs(t, err, ErrConfig)
}
