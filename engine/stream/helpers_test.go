package stream

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/engine/stream/redistest"
)

// patience bounds waits that end at once when the code is right. No test measures it.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	MuteClient() // servers are killed on purpose here, before plain clients too
	// The universal suite's own multiplexer leaves its forwarders behind when messages come twice.
	const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe.func"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplier+"2"), goleak.IgnoreAnyFunction(multiplier+"3"))
}

// quick returns settings that make tests fast; the consumer's name is the caller's.
func quick(srv *redistest.Server, consumer string) RedisConfig {
	cfg := DefaultRedis()
	cfg.URLs, cfg.Consumer = []string{srv.URL()}, consumer
	cfg.Block, cfg.TrimInterval = 50*time.Millisecond, 0
	cfg.NackDelay, cfg.NackMaxDelay = 10*time.Millisecond, 50*time.Millisecond
	cfg.RetryDelay, cfg.RetryMaxDelay = 10*time.Millisecond, 100*time.Millisecond
	cfg.ClaimMinIdle, cfg.ClaimInterval = time.Hour, time.Hour
	cfg.CloseTimeout = 2 * time.Second
	return cfg
}

func openRedis(t testing.TB, cfg RedisConfig) *Redis {
	t.Helper()
	r, err := NewRedis(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func subscribe(t testing.TB, transport Transport, group, topic string) (message.Subscriber, <-chan *message.Message) {
	t.Helper()
	sub, err := transport.Subscriber(group)
	require.NoError(t, err)
	messages, err := sub.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	return sub, messages
}

// raw returns a plain client, for looking at Redis from outside.
func raw(t testing.TB, srv *redistest.Server) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newMessage(key, payload string) *message.Message {
	m := message.NewMessage(watermill.NewUUID(), []byte(payload))
	if key != "" {
		m.Metadata[KeyMetadata] = key
	}
	return m
}

// next waits for one message.
func next(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, open := <-messages:
		require.True(t, open, "the channel is closed")
		return m
	case <-time.After(patience):
		require.FailNow(t, "no message")
		return nil
	}
}

// nothing gives a message that must not come a fair chance to come.
func nothing(t testing.TB, messages <-chan *message.Message) {
	t.Helper()
	select {
	case m, open := <-messages:
		if open {
			require.Failf(t, "unexpected message", "payload %q", m.Payload)
		}
	case <-time.After(300 * time.Millisecond):
	}
}

// eventually polls a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond, what)
}

func pending(t testing.TB, client *redis.Client, stream, group string) int64 {
	t.Helper()
	summary, err := client.XPending(context.Background(), stream, group).Result()
	require.NoError(t, err)
	return summary.Count
}
