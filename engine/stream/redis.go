package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// Redis is the transport over Redis Streams. It creates groups and streams as needed and deletes neither; a group that
// vanished is made again from the stream's beginning.
type Redis struct {
	cfg    RedisConfig
	pub    *publisher
	client redis.UniversalClient // the subscriber side's

	mu       sync.Mutex
	closed   bool
	subs     []*redisSubscriber
	standing map[string]*subscription // by stream and group
	topics   sync.Map                 // topic to its stream's name; seen by this process: what the trim job looks at
	stop     chan struct{}
	done     chan struct{}
	err      error
	jobs     sync.WaitGroup
}

// NewRedis returns a transport over the configured servers. It does not wait for them: see Ready. The error unwraps to
// ErrConfig.
func NewRedis(cfg RedisConfig) (*Redis, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Logger = loggerOrSilent(cfg.Logger)
	o, err := cfg.subscriberOptions()
	if err != nil {
		return nil, err
	}
	pub, err := newPublisher(cfg)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		cfg: cfg, pub: pub, client: redis.NewUniversalClient(o),
		standing: make(map[string]*subscription),
		stop:     make(chan struct{}), done: make(chan struct{}),
	}
	if cfg.TrimInterval > 0 {
		r.jobs.Go(r.trimJob)
	}
	return r, nil
}

// Publish appends messages to the topic's stream and returns when Redis has answered for each. Nothing is sent twice: a
// lost reply is ErrUnsure.
func (r *Redis) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	stream, known := r.topics.Load(topic)
	if !known {
		if err := checkName("topic", topic); err != nil {
			return err
		}
		stream, _ = r.topics.LoadOrStore(topic, streamKey(r.cfg.Prefix, topic))
	}
	return r.pub.publish(stream.(string), messages)
}

// Subscriber returns a subscriber in the consumer group. Groups start at the stream's beginning.
func (r *Redis) Subscriber(group string) (message.Subscriber, error) {
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fault(ErrClosed, "subscriber", nil)
	}
	s := &redisSubscriber{redis: r, group: group}
	r.subs = append(r.subs, s)
	return s, nil
}

// Ready reports whether both sides reach Redis and no subscription is in trouble: nil, or every reason.
func (r *Redis) Ready(ctx context.Context) error {
	r.mu.Lock()
	closed := r.closed
	errs := make([]error, 0, len(r.standing)+2)
	for _, s := range r.standing {
		errs = append(errs, s.health.err())
	}
	r.mu.Unlock()
	if closed {
		return fault(ErrClosed, "ready", nil)
	}
	errs = append(errs,
		wrapName("stream: publisher", clean(r.pub.client.Ping(ctx).Err())),
		wrapName("stream: subscriber", clean(r.client.Ping(ctx).Err())))
	return errors.Join(errs...)
}

// Close ends the subscriptions (handlers that hold a message are waited for up to CloseTimeout, acknowledgements are
// flushed), then the publisher, then the connections. Calls after the first wait for it and return the same.
func (r *Redis) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		<-r.done
		return r.err
	}
	r.closed = true
	subs := r.subs
	r.mu.Unlock()
	defer close(r.done)
	r.err = closeAll(subs)
	close(r.stop)
	r.jobs.Wait()
	r.err = errors.Join(r.err, r.pub.close(), r.client.Close())
	return r.err
}

// enter makes a subscription the one of its stream and group.
func (r *Redis) enter(s *subscription) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return fault(ErrClosed, "subscribe", nil)
	case r.standing[s.name()] != nil:
		return fault(ErrSubscribed, "subscribe to topic "+s.topic, nil)
	case 2*(len(r.standing)+1) > r.cfg.PoolSize:
		return fault(ErrConfig, "subscribe", fmt.Errorf("PoolSize %d is too small: each subscription needs 2", r.cfg.PoolSize))
	}
	r.standing[s.name()] = s
	r.topics.Store(s.topic, s.stream)
	return nil
}

func (r *Redis) leave(s *subscription) {
	r.mu.Lock()
	delete(r.standing, s.name())
	r.mu.Unlock()
}

// ensureGroup creates the group, and the stream if there is none, at the stream's beginning.
func ensureGroup(ctx context.Context, client redis.UniversalClient, stream, group string) error {
	err := clean(client.XGroupCreateMkStream(ctx, stream, group, "0").Err())
	if errors.Is(err, codeBusyGroup) {
		return nil
	}
	return err
}

// redisSubscriber is the subscriber of one group.
type redisSubscriber struct {
	redis *Redis
	group string

	mu     sync.Mutex
	closed bool
	subs   []*subscription
}

// Subscribe returns the topic's messages for this group. The channel closes when ctx ends or the subscriber is closed,
// after handlers that hold a message were waited for; Redis being away or refusing does not close it (see Ready). A
// message's context has ctx's values and ends with the acknowledgement, or when CloseTimeout has passed. One topic and
// group have one subscription in a transport at a time: ErrSubscribed.
func (s *redisSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := checkName("topic", topic); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault(ErrClosed, "subscribe", nil)
	}
	sub := newSubscription(s.redis, topic, s.group)
	if err := s.redis.enter(sub); err != nil {
		return nil, err
	}
	s.subs = slices.DeleteFunc(s.subs, (*subscription).over)
	s.subs = append(s.subs, sub)
	sub.start(ctx)
	return sub.out, nil
}

// SubscribeInitialize creates the group, so that nothing published from now on can be trimmed before the group has it.
func (s *redisSubscriber) SubscribeInitialize(topic string) error {
	if err := checkName("topic", topic); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return wrapName("stream: create group", ensureGroup(ctx, s.redis.client, streamKey(s.redis.cfg.Prefix, topic), s.group))
}

// Close ends the subscriptions and waits for them. The error says that acknowledgements could not be sent: those
// messages will be delivered again.
func (s *redisSubscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	subs := slices.Clone(s.subs)
	s.mu.Unlock()
	errs := make([]error, len(subs))
	for _, sub := range subs {
		sub.end()
	}
	for i, sub := range subs {
		<-sub.ended
		errs[i] = sub.err
	}
	return errors.Join(errs...)
}

// commandTimeout bounds every command of the subscriber side that does not block by intent.
const commandTimeout = 10 * time.Second
