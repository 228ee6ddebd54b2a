package stream

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

// A restarted consumer finds what it held, in order and before anything new.
func TestRestartReadsOwnPendingFirst(t *testing.T) {
	srv := redistest.Start(t)
	client := raw(t, srv)
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	var batch []*message.Message
	for i := range 300 {
		batch = append(batch, newMessage("one key", strconv.Itoa(i)))
	}
	require.NoError(t, r.Publish("topic", batch...))
	eventually(t, "all read", func() bool { return pending(t, client, topicKey, "group") == 300 })
	next(t, messages).Ack()
	require.NoError(t, r.Close())
	require.EqualValues(t, 299, pending(t, client, topicKey, "group"), "only what was handled is acknowledged")

	r = openRedis(t, quick(srv, "c1"))
	require.NoError(t, r.Publish("topic", newMessage("one key", "300")))
	_, messages = subscribe(t, r, "group", "topic")
	for i := 1; i <= 300; i++ {
		m := next(t, messages)
		require.Equal(t, strconv.Itoa(i), string(m.Payload))
		m.Ack()
	}
	require.NoError(t, r.Close())
	require.Zero(t, pending(t, client, topicKey, "group"))
}

// After a crash nothing was handed back, and the entries are young: the consumer's own name is what finds them.
func TestCrashedConsumerReadsOwnPendingFirst(t *testing.T) {
	srv := redistest.Start(t)
	client, ctx := raw(t, srv), context.Background()
	r := openRedis(t, quick(srv, "c1"))
	var batch []*message.Message
	for i := range 250 {
		batch = append(batch, newMessage("one key", strconv.Itoa(i)))
	}
	require.NoError(t, r.Publish("topic", batch...))
	require.NoError(t, client.XGroupCreate(ctx, topicKey, "group", "0").Err())
	require.NoError(t, client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: "group", Consumer: "c1", Streams: []string{topicKey, ">"}, Count: 240, Block: -1,
	}).Err())
	_, messages := subscribe(t, r, "group", "topic")
	for i := range 250 {
		m := next(t, messages)
		require.Equal(t, strconv.Itoa(i), string(m.Payload))
		m.Ack()
	}
}

// What a closed consumer had read but not handled goes to another one at its next look, not after ClaimMinIdle.
func TestCloseHandsEntriesBack(t *testing.T) {
	srv := redistest.Start(t)
	client := raw(t, srv)
	r := openRedis(t, quick(srv, "leaves")) // ClaimMinIdle: an hour
	_, messages := subscribe(t, r, "group", "topic")
	var batch []*message.Message
	for i := range 150 {
		batch = append(batch, newMessage("k", strconv.Itoa(i)))
	}
	require.NoError(t, r.Publish("topic", batch...))
	eventually(t, "all read", func() bool { return pending(t, client, topicKey, "group") == 150 })
	next(t, messages).Ack()
	require.NoError(t, r.Close())
	_, messages = subscribe(t, openRedis(t, quick(srv, "stays")), "group", "topic")
	for i := 1; i < 150; i++ {
		m := next(t, messages)
		require.Equal(t, strconv.Itoa(i), string(m.Payload))
		m.Ack()
	}
}

// W8: the last message was handled again after a restart, because connections closed before its handler was done. Here
// the whole Router stops while handlers run.
func TestRouterStopsWithoutRepeats(t *testing.T) {
	srv := redistest.Start(t)
	r := openRedis(t, quick(srv, "c1"))
	sub, err := r.Subscriber("group")
	require.NoError(t, err)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	started, release := make(chan struct{}, 10), make(chan struct{})
	var mu sync.Mutex
	handled := make(map[string]int)
	router.AddConsumerHandler("handler", "topic", sub, func(m *message.Message) error {
		started <- struct{}{}
		<-release
		mu.Lock()
		defer mu.Unlock()
		handled[m.UUID]++
		return m.Context().Err()
	})
	ran := make(chan error, 1)
	go func() { ran <- router.Run(context.Background()) }()
	<-router.Running()
	for i := range 10 {
		require.NoError(t, r.Publish("topic", newMessage(strconv.Itoa(i), "x")))
	}
	// Ten keys fall into at most ten lanes; wait for those which are being handled at once.
	<-started
	closed := make(chan error, 1)
	go func() { closed <- router.Close() }()
	eventually(t, "the subscriber is asked to stop", func() bool {
		s := sub.(*redisSubscriber)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.closed
	})
	close(release)
	require.NoError(t, <-closed)
	require.NoError(t, <-ran)
	require.NoError(t, r.Publish("topic", newMessage("", "the publisher stands: W10")))
	require.NoError(t, r.Close())

	mu.Lock()
	defer mu.Unlock()
	for id, n := range handled {
		assert.Equal(t, 1, n, id)
	}
	assert.EqualValues(t, 11-len(handled), lagAndPending(t, srv), "what was handled is acknowledged, and nothing else")
}

// lagAndPending counts what the group has not acknowledged.
func lagAndPending(t *testing.T, srv *redistest.Server) int64 {
	groups, err := raw(t, srv).XInfoGroups(context.Background(), topicKey).Result()
	require.NoError(t, err)
	return groups[0].Lag + groups[0].Pending
}

// Servers die under load: whatever Publish took is handled, and the subscription outlives it all.
func TestRedisRestartUnderLoad(t *testing.T) {
	srv := redistest.Start(t, redistest.Durable()...)
	r := openRedis(t, quick(srv, "c1"))
	_, messages := subscribe(t, r, "group", "topic")
	var mu sync.Mutex
	got, sent := make(map[string]int), make(map[string]bool)
	var consumer, publishers sync.WaitGroup
	consumer.Go(func() {
		for m := range messages {
			mu.Lock()
			got[m.UUID]++
			mu.Unlock()
			m.Ack()
		}
	})
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	const total, workers = 3000, 20
	for w := range workers {
		publishers.Go(func() {
			for i := range total / workers {
				m := newMessage(strconv.Itoa(w), strconv.Itoa(i))
				mu.Lock()
				sent[m.UUID] = true
				mu.Unlock()
				for r.Publish("topic", m) != nil { // as the outbox does: again, with the same UUID
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	for _, at := range []int{total / 4, total / 2} {
		eventually(t, "load", func() bool { return count() >= at })
		srv.Restart()
	}
	publishers.Wait()
	eventually(t, "all handled", func() bool { return count() == total })
	eventually(t, "all acknowledged", func() bool { return lagAndPending(t, srv) == 0 })
	require.NoError(t, r.Ready(context.Background()))
	require.NoError(t, r.Close())
	consumer.Wait()
	for id := range got {
		require.True(t, sent[id])
	}
}

// Close does not hang when Redis is gone, and says what that means.
func TestCloseWhileRedisIsAway(t *testing.T) {
	srv := redistest.Start(t)
	cfg := quick(srv, "c1")
	cfg.CloseTimeout = 200 * time.Millisecond
	r := openRedis(t, cfg)
	_, messages := subscribe(t, r, "group", "topic")
	require.NoError(t, r.Publish("topic", newMessage("", "x")))
	m := next(t, messages)
	srv.Kill()
	m.Ack()
	err := r.Close()
	require.ErrorContains(t, err, "1 acknowledgements of topic not sent")
	require.Equal(t, err, r.Close(), "again, the same")
	_, open := <-messages
	require.False(t, open)
	require.ErrorIs(t, r.Publish("topic", newMessage("", "x")), ErrClosed)
	require.ErrorIs(t, r.Ready(context.Background()), ErrClosed)
	_, err = r.Subscriber("group")
	require.ErrorIs(t, err, ErrClosed)
}

func TestSubscriptionRules(t *testing.T) {
	srv := redistest.Start(t)
	cfg := quick(srv, "c1")
	cfg.PoolSize = 6
	r := openRedis(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	sub, err := r.Subscriber("group")
	require.NoError(t, err)
	first, err := sub.Subscribe(ctx, "topic")
	require.NoError(t, err)
	_, err = sub.Subscribe(context.Background(), "topic")
	require.ErrorIs(t, err, ErrSubscribed)
	_, _ = subscribe(t, r, "another", "topic")
	_, _ = subscribe(t, r, "another", "topic-2")
	_, err = sub.Subscribe(context.Background(), "topic-3")
	require.ErrorIs(t, err, ErrConfig, "more subscriptions than connections for them")
	cancel()
	_, open := <-first
	require.False(t, open)
	_, err = sub.Subscribe(context.Background(), "topic")
	require.NoError(t, err, "free again")
	require.NoError(t, sub.Close())
	_, err = sub.Subscribe(context.Background(), "topic")
	require.ErrorIs(t, err, ErrClosed)
}

// Two consumers of one group share its messages: each goes to one of them.
func TestConsumersShareAGroup(t *testing.T) {
	srv := redistest.Start(t)
	var mu sync.Mutex
	got := make(map[string]int)
	by := make(map[string]int)
	var consumers sync.WaitGroup
	var transports []*Redis
	for _, name := range []string{"c1", "c2"} {
		cfg := quick(srv, name)
		cfg.ReadCount, cfg.MaxInFlight = 5, 64
		r := openRedis(t, cfg)
		transports = append(transports, r)
		_, messages := subscribe(t, r, "group", "topic")
		consumers.Go(func() {
			for m := range messages {
				mu.Lock()
				got[m.UUID]++
				by[name]++
				mu.Unlock()
				time.Sleep(100 * time.Microsecond)
				m.Ack()
			}
		})
	}
	var batch []*message.Message
	for i := range 1000 {
		batch = append(batch, newMessage(fmt.Sprint(i), "x"))
	}
	require.NoError(t, transports[0].Publish("topic", batch...))
	eventually(t, "all acknowledged", func() bool { return lagAndPending(t, srv) == 0 })
	for _, r := range transports {
		require.NoError(t, r.Close())
	}
	consumers.Wait()
	require.Len(t, got, 1000)
	for id, n := range got {
		require.Equal(t, 1, n, id)
	}
	assert.Len(t, by, 2, "both had work")
}
