package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func openLocal(t testing.TB, change func(*LocalConfig)) *Local {
	t.Helper()
	cfg := DefaultLocal()
	if change != nil {
		change(&cfg)
	}
	l, err := NewLocal(cfg)
	require.NoError(t, err)
	return l
}

func TestLocalPublishReturnsAfterAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLocal(t, nil)
		_, messages := subscribe(t, l, "group", "topic")
		returned := make(chan error, 1)
		go func() { returned <- l.Publish("topic", newMessage("a", "one")) }()
		m := <-messages
		synctest.Wait()
		select {
		case <-returned:
			t.Fatal("Publish returned before the message was acknowledged")
		default:
		}
		assert.Equal(t, "one", string(m.Payload))
		m.Ack()
		require.NoError(t, <-returned)
		synctest.Wait()
		assert.Error(t, m.Context().Err(), "the message's context ends with its acknowledgement")
		require.NoError(t, l.Close())
	})
}

func TestLocalRefusesWithoutSubscriber(t *testing.T) {
	l := openLocal(t, nil)
	err := l.Publish("topic", newMessage("", "x"))
	require.ErrorIs(t, err, ErrNoSubscriber)
	require.ErrorIs(t, err, ErrRefused)
	require.NotErrorIs(t, err, ErrUnsure)
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Publish("topic", newMessage("", "x")), ErrClosed)
	require.ErrorIs(t, l.Ready(context.Background()), ErrClosed)
	_, err = l.Subscriber("group")
	require.ErrorIs(t, err, ErrClosed)
}

func TestLocalOneSubscriptionATopic(t *testing.T) {
	l := openLocal(t, nil)
	defer func() { require.NoError(t, l.Close()) }()
	sub, messages := subscribe(t, l, "group", "topic")
	_, err := sub.Subscribe(context.Background(), "topic")
	require.ErrorIs(t, err, ErrSubscribed)

	ctx, cancel := context.WithCancel(context.Background())
	others, err := sub.Subscribe(ctx, "other")
	require.NoError(t, err)
	cancel()
	_, open := <-others
	require.False(t, open, "the channel closes when the subscription's context ends")
	_, err = sub.Subscribe(context.Background(), "other")
	require.NoError(t, err, "the topic is free again")

	require.NoError(t, sub.Close())
	_, open = <-messages
	require.False(t, open)
	_, err = sub.Subscribe(context.Background(), "topic")
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, l.Publish("topic", newMessage("", "x")), ErrNoSubscriber)
}

// A message that is nacked comes again after a growing pause, in its place: the next of the same key waits.
func TestLocalNackWaitsAndKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLocal(t, nil)
		_, messages := subscribe(t, l, "group", "topic")
		returned := make(chan error, 1)
		go func() { returned <- l.Publish("topic", newMessage("a", "one"), newMessage("a", "two")) }()
		var at []time.Time
		for range 6 {
			m := <-messages
			require.Equal(t, "one", string(m.Payload))
			at = append(at, time.Now())
			m.Nack()
		}
		for i := 1; i < len(at); i++ {
			least := (100 * time.Millisecond << (i - 1)) * 3 / 4
			assert.GreaterOrEqual(t, at[i].Sub(at[i-1]), least, "pause %d", i)
		}
		for _, want := range []string{"one", "two"} {
			m := <-messages
			require.Equal(t, want, string(m.Payload))
			m.Ack()
		}
		require.NoError(t, <-returned)
		require.NoError(t, l.Close())
	})
}

func TestLocalCloseWaitsForHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLocal(t, nil)
		_, messages := subscribe(t, l, "group", "topic")
		returned := make(chan error, 1)
		go func() {
			returned <- l.Publish("topic", newMessage("a", "held"), newMessage("a", "behind"))
		}()
		m := <-messages
		closed := make(chan error, 1)
		go func() { closed <- l.Close() }()
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, closed, "a handler holds a message")
		require.NoError(t, m.Context().Err(), "its context stands")
		m.Ack()
		require.NoError(t, <-closed)
		require.NoError(t, l.Close(), "again")
		var batch *BatchError
		require.ErrorAs(t, <-returned, &batch)
		require.Len(t, batch.Failures, 1)
		assert.Equal(t, 1, batch.Failures[0].Index)
		assert.ErrorIs(t, batch, ErrRefused, "the second one reached nobody")
		assert.NotErrorIs(t, batch, ErrUnsure)
	})
}

func TestLocalCloseGivesUpOnAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLocal(t, func(c *LocalConfig) { c.CloseTimeout = time.Minute })
		_, messages := subscribe(t, l, "group", "topic")
		returned := make(chan error, 1)
		go func() { returned <- l.Publish("topic", newMessage("a", "x")) }()
		m := <-messages
		start := time.Now()
		require.NoError(t, l.Close())
		assert.Equal(t, time.Minute, time.Since(start))
		assert.Error(t, m.Context().Err())
		err := <-returned
		require.ErrorIs(t, err, ErrUnsure)
		require.NotErrorIs(t, err, ErrRefused)
	})
}

func TestLocalPublishEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLocal(t, nil)
		_, messages := subscribe(t, l, "group", "topic")
		ctx, cancel := context.WithCancel(context.Background())
		batch := []*message.Message{newMessage("a", "1"), newMessage("a", "2"), newMessage("a", "3")}
		batch[0].SetContext(ctx)
		returned := make(chan error, 1)
		go func() { returned <- l.Publish("topic", batch...) }()
		(<-messages).Ack()
		held := <-messages
		cancel()
		var failed *BatchError
		require.ErrorAs(t, <-returned, &failed)
		require.Len(t, failed.Failures, 2)
		assert.ErrorIs(t, failed.Failures[0].Err, ErrUnsure)
		assert.ErrorIs(t, failed.Failures[1].Err, ErrRefused)
		assert.ErrorIs(t, failed, context.Canceled)
		held.Ack()
		synctest.Wait()
		require.NoError(t, l.Close())
	})
}

// Whatever the keys and however many publish at once: each key's messages are handled in order and one at a time, every
// message exactly once, and no more at once than there are lanes.
func TestLocalOrderByKeyProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.IntRange(1, 9).Draw(t, "lanes")
		keys := rapid.IntRange(1, 12).Draw(t, "keys")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 40), 1, 4).Draw(t, "batches")
		cfg := DefaultLocal()
		cfg.Lanes = lanes
		cfg.Workers = rapid.IntRange(1, 8).Draw(t, "workers")
		l, err := NewLocal(cfg)
		require.NoError(t, err)
		sub, err := l.Subscriber("group")
		require.NoError(t, err)
		messages, err := sub.Subscribe(context.Background(), "topic")
		require.NoError(t, err)

		check := newOrderCheck()
		handled := check.consume(messages)
		for n, size := range sizes {
			batch := make([]*message.Message, size)
			for i := range batch {
				key := fmt.Sprintf("key-%d", i%keys)
				batch[i] = newMessage(key, strconv.Itoa(n*1000+i))
			}
			require.NoError(t, l.Publish("topic", batch...))
		}
		require.NoError(t, l.Close())
		<-handled
		require.NoError(t, check.err())
		total := 0
		for _, size := range sizes {
			total += size
		}
		require.Equal(t, total, check.count)
		require.LessOrEqual(t, check.most, lanes)
	})
}

// orderCheck handles messages whose payload is a number that grows within each key.
type orderCheck struct {
	mu     sync.Mutex
	last   map[string]int
	busy   map[string]bool
	atOnce int
	most   int
	count  int
	bad    error
}

func newOrderCheck() *orderCheck {
	return &orderCheck{last: make(map[string]int), busy: make(map[string]bool)}
}

// consume handles each message in a goroutine of its own, as Watermill's Router does; the returned channel closes when
// all are handled.
func (c *orderCheck) consume(messages <-chan *message.Message) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		var handlers sync.WaitGroup
		for m := range messages {
			handlers.Go(func() { c.handle(m) })
		}
		handlers.Wait()
		close(done)
	}()
	return done
}

func (c *orderCheck) handle(m *message.Message) {
	key := m.Metadata[KeyMetadata]
	n, err := strconv.Atoi(string(m.Payload))
	c.mu.Lock()
	c.atOnce++
	c.most = max(c.most, c.atOnce)
	if last, seen := c.last[key]; err != nil || c.busy[key] || (seen && n <= last) {
		c.bad = errors.Join(c.bad, fmt.Errorf("key %s: %d after %d, busy %v: %w", key, n, last, c.busy[key], err))
	}
	c.busy[key] = true
	c.mu.Unlock()
	time.Sleep(10 * time.Microsecond)
	c.mu.Lock()
	c.last[key] = n
	c.count++
	c.atOnce--
	c.busy[key] = false
	c.mu.Unlock()
	m.Ack()
}

func (c *orderCheck) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bad
}

func (c *orderCheck) handled() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// A handler that publishes to another topic, while further topics are being subscribed to, gets through.
func TestLocalTopicsDoNotBlockEachOther(t *testing.T) {
	l := openLocal(t, nil)
	sub, first := subscribe(t, l, "group", "first")
	_, second := subscribe(t, l, "group", "second")
	var passed atomic.Int32
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for m := range first {
			if _, err := sub.Subscribe(context.Background(), "new-"+m.UUID); err == nil {
				if err := l.Publish("second", newMessage("", "nested")); err == nil {
					passed.Add(1)
				}
			}
			m.Ack()
		}
	})
	handlers.Go(func() {
		for m := range second {
			m.Ack()
		}
	})
	for range 3 {
		require.NoError(t, l.Publish("first", newMessage("", "outer")))
	}
	require.NoError(t, l.Close())
	handlers.Wait()
	assert.EqualValues(t, 3, passed.Load())
}

// The Router cancels its subscriptions' contexts when it begins to close; handlers finish all the same.
func TestLocalRouterStopsWithoutLoss(t *testing.T) {
	l := openLocal(t, nil)
	sub, err := l.Subscriber("group")
	require.NoError(t, err)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	started, release := make(chan struct{}), make(chan struct{})
	router.AddConsumerHandler("handler", "topic", sub, func(m *message.Message) error {
		close(started)
		<-release
		return m.Context().Err()
	})
	ran, published, closed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { ran <- router.Run(context.Background()) }()
	<-router.Running()
	go func() { published <- l.Publish("topic", newMessage("a", "x")) }()
	<-started
	go func() { closed <- router.Close() }()
	s := sub.(*localSubscriber)
	eventually(t, "the subscriber is asked to stop", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.closed
	})
	close(release)
	require.NoError(t, <-published, "handled, and said so")
	require.NoError(t, <-closed)
	require.NoError(t, <-ran)
	require.NoError(t, l.Close())
}

// Each group gets every message; Publish waits for all of them, and is unsure if one has not answered.
func TestLocalGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLocal(t, nil)
		_, first := subscribe(t, l, "first", "topic")
		second, others := subscribe(t, l, "second", "topic")
		got := make(chan *message.Message)
		var forwarding sync.WaitGroup
		for _, in := range []<-chan *message.Message{first, others} {
			forwarding.Go(func() {
				for m := range in {
					got <- m
				}
			})
		}
		returned := make(chan error, 1)
		publish := func() { returned <- l.Publish("topic", newMessage("a", "x"), newMessage("b", "y")) }
		go publish()
		for range 3 {
			(<-got).Ack()
		}
		last := <-got
		synctest.Wait()
		require.Empty(t, returned, "one group has not acknowledged one message")
		last.Ack()
		require.NoError(t, <-returned)

		go publish()
		for range 3 {
			(<-got).Ack()
		}
		<-got
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-returned, ErrUnsure)
		forwarding.Wait()
		require.NoError(t, second.Close())
	})
}
