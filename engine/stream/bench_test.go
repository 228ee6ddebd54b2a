package stream

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

// The references are measured in the same run: one round of the subject, one of the reference, in turns, so that a busy
// machine slows both. x_ref is the subject's rate divided by the reference's.

const (
	benchPayload = 638    // bytes: a canonical event as JSON
	benchRound   = 20_000 // messages in one round
)

func benchMessage(i int) *message.Message {
	return newMessage("key-"+strconv.Itoa(i%997), strings.Repeat("x", benchPayload))
}

func benchMessages(n int) []*message.Message {
	all := make([]*message.Message, n)
	for i := range all {
		all[i] = benchMessage(i)
	}
	return all
}

// race times rounds of subject and reference in turns and reports both. before and after each, clean runs off the clock.
func race(b *testing.B, of string, perRound int, subject, reference, clean func()) {
	b.Helper()
	timed := func(f func()) time.Duration {
		clean()
		start := time.Now()
		f()
		return time.Since(start)
	}
	timed(subject)
	timed(reference) // connections, caches
	var ours, theirs time.Duration
	rounds := 0
	for b.Loop() {
		ours += timed(subject)
		theirs += timed(reference)
		rounds++
	}
	clean()
	total := float64(rounds * perRound)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(total/ours.Seconds(), "msg/s")
	b.ReportMetric(float64(theirs)/float64(ours), "x_ref:"+of)
}

// fill appends messages with a raw client's pipelines of 100.
func fill(b testing.TB, client *redis.Client, messages []*message.Message) {
	ctx := context.Background()
	for start := 0; start < len(messages); start += 100 {
		_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, m := range messages[start : start+100] {
				pipe.Do(ctx, encodeAdd(topicKey, m)...)
			}
			return nil
		})
		require.NoError(b, err)
	}
}

// BenchmarkRedisPublish: 64 goroutines, one message each at a time; beside a raw client's pipelines of 100.
func BenchmarkRedisPublish(b *testing.B) {
	srv := redistest.Start(b)
	client := raw(b, srv)
	r := openRedis(b, quick(srv, "c1"))
	messages := benchMessages(benchRound)
	race(b, "raw-pipeline-100", benchRound, func() {
		var next atomic.Int64
		var wait sync.WaitGroup
		for range 64 {
			wait.Go(func() {
				for i := next.Add(1) - 1; i < benchRound; i = next.Add(1) - 1 {
					if err := r.Publish("topic", messages[i]); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wait.Wait()
	}, func() { fill(b, client, messages) }, srv.Wipe)
}

// BenchmarkRedisPublishBatch: one goroutine, batches of 100 as the outbox's; beside a raw client's pipelines of 100.
func BenchmarkRedisPublishBatch(b *testing.B) {
	srv := redistest.Start(b)
	client := raw(b, srv)
	r := openRedis(b, quick(srv, "c1"))
	messages := benchMessages(benchRound)
	race(b, "raw-pipeline-100", benchRound, func() {
		for start := 0; start < benchRound; start += 100 {
			require.NoError(b, r.Publish("topic", messages[start:start+100]...))
		}
	}, func() { fill(b, client, messages) }, srv.Wipe)
}

// counted returns a Router handling every message of a topic by counting it, and a function that waits for a round of them.
func counted(b testing.TB, sub message.Subscriber) (wait, stop func()) {
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(b, err)
	var handled atomic.Int64
	round := make(chan struct{}, 1)
	router.AddConsumerHandler("count", "topic", sub, func(*message.Message) error {
		if handled.Add(1)%benchRound == 0 {
			round <- struct{}{}
		}
		return nil
	})
	done := make(chan error, 1)
	go func() { done <- router.Run(context.Background()) }()
	<-router.Running()
	return func() { <-round }, func() {
		require.NoError(b, router.Close())
		require.NoError(b, <-done)
	}
}

// BenchmarkRedisConsume: read a full stream, handle it under a Watermill Router and acknowledge, from Subscribe to the
// last XACK; beside a raw loop of XREADGROUP COUNT 100 and XACK. The stream is filled off the clock.
func BenchmarkRedisConsume(b *testing.B) {
	srv := redistest.Start(b)
	client, ctx := raw(b, srv), context.Background()
	r := openRedis(b, quick(srv, "c1"))
	messages := benchMessages(benchRound)
	stop := func() {}
	race(b, "raw-XREADGROUP-100", benchRound, func() {
		sub, err := r.Subscriber("group")
		require.NoError(b, err)
		var wait func()
		wait, stop = counted(b, sub)
		wait()
		for client.XPending(ctx, topicKey, "group").Val().Count > 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}, func() { rawConsume(b, client) }, func() {
		stop()
		stop = func() {}
		srv.Wipe()
		fill(b, client, messages)
		require.NoError(b, client.XGroupCreate(ctx, topicKey, "group", "0").Err())
		require.NoError(b, client.XGroupCreate(ctx, topicKey, "raw", "0").Err())
	})
}

func rawConsume(b testing.TB, client *redis.Client) {
	ctx := context.Background()
	for read := 0; read < benchRound; {
		streams, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "raw", Consumer: "c", Streams: []string{topicKey, ">"}, Count: 100, Block: time.Second,
		}).Result()
		require.NoError(b, err)
		ids := make([]string, len(streams[0].Messages))
		for i, m := range streams[0].Messages {
			ids[i] = m.ID
		}
		require.NoError(b, client.XAck(ctx, topicKey, "raw", ids...).Err())
		read += len(ids)
	}
}

// BenchmarkLocal: batches of 100 through lanes and a Router, acknowledged; beside a bare gochannel with the same blocking,
// its messages handled one after the other without a Router.
func BenchmarkLocal(b *testing.B) {
	l := openLocal(b, nil)
	sub, err := l.Subscriber("group")
	require.NoError(b, err)
	wait, stop := counted(b, sub)
	bare := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	in, err := bare.Subscribe(context.Background(), "topic")
	require.NoError(b, err)
	var reader sync.WaitGroup
	reader.Go(func() {
		for m := range in {
			m.Ack()
		}
	})
	messages := benchMessages(benchRound)
	race(b, "bare-gochannel", benchRound, func() {
		for start := 0; start < benchRound; start += 100 {
			require.NoError(b, l.Publish("topic", messages[start:start+100]...))
		}
		wait()
	}, func() {
		for start := 0; start < benchRound; start += 100 {
			require.NoError(b, bare.Publish("topic", messages[start:start+100]...))
		}
	}, func() {})
	stop()
	require.NoError(b, l.Close())
	require.NoError(b, bare.Close())
	reader.Wait()
}
