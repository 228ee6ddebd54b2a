package stream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

// Local is the in-process transport: a Watermill gochannel for each group of a topic, divided into lanes. Publish returns when every
// message was acknowledged, which is the back-pressure. Nothing is kept: a message that nobody subscribes to is refused.
type Local struct {
	cfg LocalConfig

	mu      sync.Mutex
	closed  bool
	subs    []*localSubscriber
	topics  map[string]localTopic
	publish sync.WaitGroup // publishing goroutines
	stop    chan struct{}  // closed: send nothing more
	done    chan struct{}  // closed: Close has finished
	err     error          // what Close reports
}

// localTopic holds the gochannels of a topic's groups. Each group has its own, because a gochannel that waits for an
// acknowledgement holds a lock which a new subscription to any of its topics needs. In persistent mode there is one for
// all groups, which stays.
type localTopic map[string]*gochannel.GoChannel

// NewLocal returns a transport within this process. The error unwraps to ErrConfig.
func NewLocal(cfg LocalConfig) (*Local, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Logger = loggerOrSilent(cfg.Logger)
	return &Local{
		cfg: cfg, topics: make(map[string]localTopic), stop: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// open returns a gochannel for a group of a topic, made if it is not there. The caller holds the lock.
func (l *Local) open(topic, group string) *gochannel.GoChannel {
	if l.cfg.Persistent {
		group = ""
	}
	t := l.topics[topic]
	if t == nil {
		t = make(localTopic)
		l.topics[topic] = t
	}
	if t[group] == nil {
		t[group] = gochannel.NewGoChannel(gochannel.Config{
			Persistent:                     l.cfg.Persistent,
			BlockPublishUntilSubscriberAck: !l.cfg.Persistent,
			PreserveContext:                true, // carries the delivery; the subscription sets the handler's context
		}, watermill.NopLogger{})
	}
	return t[group]
}

// The states of one message on its way through Publish.
const (
	waiting   int32 = iota // not handed to a lane yet
	offered                // in a lane, not acknowledged
	acked                  // acknowledged by every group's handler
	cancelled              // given up before it was offered
)

// delivery follows one message from Publish to its handlers' acknowledgements; it travels in the message's context.
type delivery struct {
	state atomic.Int32
	acks  atomic.Int32 // groups which have acknowledged
}

type deliveryKey struct{}

func deliveryOf(m *message.Message) *delivery {
	d, _ := m.Context().Value(deliveryKey{}).(*delivery)
	return d
}

// Publish hands messages to the topic's groups, one after the other, and returns when each was acknowledged by all. It ends early when the
// first message's context ends or the transport closes: messages then with a handler are ErrUnsure, the others
// ErrRefused. A topic without subscription is ErrNoSubscriber at once.
func (l *Local) Publish(topic string, messages ...*message.Message) error {
	if err := checkName("topic", topic); err != nil {
		return err
	}
	if len(messages) == 0 {
		return nil
	}
	channels, err := l.begin(topic)
	if err != nil {
		return err
	}
	defer l.publish.Done()
	deliveries := make([]delivery, len(messages))
	ctx := messages[0].Context()
	if len(messages) == 1 && ctx.Done() == nil {
		l.send(channels, laneOf(messages[0].UUID, messages[0].Metadata[KeyMetadata], l.cfg.Lanes), messages[0], &deliveries[0])
	} else {
		l.sendAll(ctx, channels, messages, deliveries)
	}
	if l.cfg.Persistent {
		return nil
	}
	return l.outcome(ctx, deliveries)
}

// begin counts a publish in, unless the transport is closed or nobody listens.
func (l *Local) begin(topic string) ([]*gochannel.GoChannel, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fault(ErrRefused, "publish", ErrClosed)
	}
	if l.topics[topic] == nil && !l.cfg.Persistent {
		return nil, fault(ErrRefused, "publish to topic "+topic, ErrNoSubscriber)
	}
	if l.cfg.Persistent {
		l.open(topic, "")
	}
	l.publish.Add(1)
	return slices.Collect(maps.Values(l.topics[topic])), nil
}

// sendAll publishes each lane's messages in order, lanes beside each other, and returns when all are sent or ctx ends.
// Goroutines which then still wait for a handler end with it, at the latest with Close.
func (l *Local) sendAll(ctx context.Context, channels []*gochannel.GoChannel, messages []*message.Message, deliveries []delivery) {
	lanes := make(map[int][]int)
	var order []int
	for i, m := range messages {
		lane := laneOf(m.UUID, m.Metadata[KeyMetadata], l.cfg.Lanes)
		if lanes[lane] == nil {
			order = append(order, lane)
		}
		lanes[lane] = append(lanes[lane], i)
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(len(order), l.cfg.Workers) {
		l.publish.Add(1)
		workers.Go(func() {
			defer l.publish.Done()
			for n := int(next.Add(1)) - 1; n < len(order); n = int(next.Add(1)) - 1 {
				for _, i := range lanes[order[n]] {
					l.send(channels, order[n], messages[i], &deliveries[i])
				}
			}
		})
	}
	if ctx.Done() == nil {
		workers.Wait()
		return
	}
	finished := make(chan struct{})
	l.publish.Add(1)
	go func() {
		defer l.publish.Done()
		workers.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
	}
}

// send passes one message through its lane of each group; in the default mode it returns when all have acknowledged it,
// or at the first that has not.
func (l *Local) send(channels []*gochannel.GoChannel, lane int, m *message.Message, d *delivery) {
	select {
	case <-l.stop:
		return
	default:
	}
	if !d.state.CompareAndSwap(waiting, offered) {
		return // Publish has given it up
	}
	carrier := m.Copy()
	carrier.SetContext(context.WithValue(context.Background(), deliveryKey{}, d))
	for i, channel := range channels {
		// The error says that the channel is closed, and the lack of one says nothing: a gochannel that closes reports
		// success for what it throws away. The handler's side counts.
		_ = channel.Publish(strconv.Itoa(lane), carrier)
		if int(d.acks.Load()) <= i {
			return
		}
	}
	d.state.Store(acked)
}

// outcome turns the deliveries' states into Publish's answer.
func (l *Local) outcome(ctx context.Context, deliveries []delivery) error {
	var failures []Failure
	for i := range deliveries {
		d := &deliveries[i]
		if d.state.Load() == acked {
			continue
		}
		cause := context.Cause(ctx)
		if cause == nil {
			cause = errors.New("subscription or transport closed meanwhile")
		}
		kind := ErrUnsure
		if d.state.CompareAndSwap(waiting, cancelled) {
			kind = ErrRefused
		} else if d.state.Load() == acked {
			continue
		}
		failures = append(failures, Failure{Index: i, Err: fault(kind, "publish", cause)})
	}
	return batchError(len(deliveries), failures)
}

// Subscriber returns a subscriber in the consumer group.
func (l *Local) Subscriber(group string) (message.Subscriber, error) {
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fault(ErrClosed, "subscriber", nil)
	}
	s := &localSubscriber{local: l, group: group}
	l.subs = append(l.subs, s)
	return s, nil
}

// InProcess reports that Publish returns when the handlers are done, and that nobody outside this process reads what is published.
func (l *Local) InProcess() bool { return !l.cfg.Persistent }

// Ready reports ErrClosed after Close, and nil before.
func (l *Local) Ready(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fault(ErrClosed, "ready", nil)
	}
	return nil
}

// Close takes no more messages, waits up to CloseTimeout for handlers that hold one, and ends all subscriptions. It
// waits for publishing goroutines to end; calls after the first wait for the first and return the same.
func (l *Local) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		<-l.done
		return l.err
	}
	l.closed = true
	subs := l.subs
	l.mu.Unlock()
	defer close(l.done)
	close(l.stop)
	l.err = closeAll(subs)
	for _, channel := range l.leftover() {
		l.err = errors.Join(l.err, channel.Close())
	}
	l.publish.Wait()
	return l.err
}

// leftover returns the channels which no subscription has closed: those of the persistent mode.
func (l *Local) leftover() []*gochannel.GoChannel {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*gochannel.GoChannel
	for _, t := range l.topics {
		all = slices.AppendSeq(all, maps.Values(t))
	}
	return all
}

// closeAll closes subscribers beside each other: each may wait for its handlers.
func closeAll[S message.Subscriber](subs []S) error {
	errs := make([]error, len(subs))
	var wait sync.WaitGroup
	for i, s := range subs {
		wait.Go(func() { errs[i] = s.Close() })
	}
	wait.Wait()
	return errors.Join(errs...)
}
