package stream

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

const stressVariable = "SIGNALBOX_STRESS"

// The universal suite closes publisher and subscriber one by one, and twice. These views of a transport let it.
type (
	publisherOf struct {
		message.Publisher
		close func() error
	}
	subscriberOf struct {
		message.Subscriber
		transport Transport
	}
	initializer interface{ SubscribeInitialize(string) error }
)

func (p publisherOf) Close() error  { return p.close() }
func (s subscriberOf) Close() error { return s.transport.Close() }
func (s subscriberOf) SubscribeInitialize(topic string) error {
	if i, can := s.Subscriber.(initializer); can {
		return i.SubscribeInitialize(topic)
	}
	return nil
}

// localPubSub runs in the persistent mode: the suite publishes before it subscribes.
func localPubSub(t *testing.T) (message.Publisher, message.Subscriber) {
	cfg := DefaultLocal()
	cfg.Persistent, cfg.CloseTimeout = true, 2*time.Second
	cfg.NackDelay, cfg.NackMaxDelay = 10*time.Millisecond, 50*time.Millisecond
	cfg.Lanes = 8
	local, err := NewLocal(cfg)
	require.NoError(t, err)
	sub, err := local.Subscriber("suite")
	require.NoError(t, err)
	return publisherOf{local, func() error { return nil }}, subscriberOf{sub, local}
}

var localFeatures = tests.Features{ExactlyOnceDelivery: true, RequireSingleInstance: true}

func TestLocalUniversalSuite(t *testing.T) {
	tests.TestPubSub(t, localFeatures, localPubSub, nil)
}

// redisPubSub makes each pair a consumer of its own, as each process of a fleet is.
func redisPubSub(srv *redistest.Server, lanes int) tests.ConsumerGroupPubSubConstructor {
	var consumers atomic.Int64
	return func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		cfg := quick(srv, fmt.Sprintf("consumer-%d", consumers.Add(1)))
		cfg.ClaimMinIdle, cfg.ClaimInterval = time.Second, 200*time.Millisecond
		cfg.Lanes = lanes
		cfg.CloseTimeout = time.Second
		r, err := NewRedis(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = r.Close() }) // the suite's order test closes its subscriber before it makes it
		sub, err := r.Subscriber(group)
		require.NoError(t, err)
		return publisherOf{r, r.pub.close}, subscriberOf{sub, r}
	}
}

func inGroup(construct tests.ConsumerGroupPubSubConstructor) tests.PubSubConstructor {
	return func(t *testing.T) (message.Publisher, message.Subscriber) { return construct(t, "suite") }
}

var redisFeatures = tests.Features{ConsumerGroups: true, Persistent: true}

// No RestartServiceCommand: the suite's TestReconnect notes a message as published after Publish has returned and without
// a lock, so a subscriber that is fast enough fails it. TestRedisRestartUnderLoad does the same with its own bookkeeping.
func TestRedisUniversalSuite(t *testing.T) {
	construct := redisPubSub(redistest.Start(t), 64)
	tests.TestPubSub(t, redisFeatures, inGroup(construct), construct)
}

// One lane and one subscriber keep the order of a whole topic, which the suite can test only then: its messages have no
// keys.
func TestRedisUniversalSuiteInOrder(t *testing.T) {
	srv := redistest.Start(t)
	features := redisFeatures
	features.GuaranteedOrder, features.GuaranteedOrderWithSingleSubscriber = true, true
	for name, test := range map[string]func(*testing.T, tests.TestContext, tests.PubSubConstructor){
		"InOrder": tests.TestPublishSubscribeInOrder,
		"NoAck":   tests.TestNoAck,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, inGroup(redisPubSub(srv, 1)))
		})
	}
}

// The stress form runs the suite ten times beside each other (STRESS_TEST_COUNT): minutes, so only when asked for.
func TestUniversalStress(t *testing.T) {
	if os.Getenv(stressVariable) == "" {
		t.Skipf("NOT RUN: the universal suite's stress form takes minutes; set %s=1 to run it", stressVariable)
	}
	t.Run("Local", func(t *testing.T) { tests.TestPubSubStressTest(t, localFeatures, localPubSub, nil) })
	t.Run("Redis", func(t *testing.T) {
		srv := redistest.Start(t)
		construct := redisPubSub(srv, 64)
		tests.TestPubSubStressTest(t, redisFeatures, inGroup(construct), construct)
	})
}
