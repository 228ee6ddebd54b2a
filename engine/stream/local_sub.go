package stream

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// localSubscriber is the subscriber side of Local.
type localSubscriber struct {
	local *Local
	group string

	mu     sync.Mutex
	closed bool
	subs   []*localSubscription
}

// Subscribe returns a channel with the messages of all the topic's lanes, closed when ctx ends or the subscriber is
// closed, after handlers that hold a message were waited for. A message's context has ctx's values and ends with the
// acknowledgement, or when CloseTimeout has passed. One topic and group have one subscription at a time: ErrSubscribed.
func (s *localSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := checkName("topic", topic); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault(ErrClosed, "subscribe", nil)
	}
	sub, err := s.local.subscribe(ctx, topic, s.group)
	if err != nil {
		return nil, err
	}
	s.subs = append(s.subs, sub)
	return sub.out, nil
}

// Close ends the subscriptions and waits for them.
func (s *localSubscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	subs := s.subs
	s.mu.Unlock()
	for _, sub := range subs {
		sub.end()
	}
	for _, sub := range subs {
		<-sub.ended
	}
	return nil
}

// localSubscription merges one topic's lanes into one channel.
type localSubscription struct {
	cfg   LocalConfig
	ctx   context.Context // the parent of every message's context
	out   chan *message.Message
	stop  chan struct{} // closed: hand out nothing more
	kill  chan struct{} // closed: wait for no handler any more
	ended chan struct{} // closed: out is closed and no goroutine is left
	end   func()        // closes stop, once
}

// subscribe opens the topic's lanes. All of them stand before the topic can be published to.
func (l *Local) subscribe(ctx context.Context, topic, group string) (*localSubscription, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fault(ErrClosed, "subscribe", nil)
	}
	if l.topics[topic][group] != nil {
		return nil, fault(ErrSubscribed, "subscribe to topic "+topic, nil)
	}
	channel := l.open(topic, group)
	// The Router cancels a subscription's context at the moment it begins to close: handlers must not feel that.
	messageCtx, cancelMessages := context.WithCancel(context.WithoutCancel(ctx))
	channelCtx, cancelChannel := context.WithCancel(context.WithoutCancel(ctx))
	sub := &localSubscription{
		cfg: l.cfg, ctx: messageCtx, out: make(chan *message.Message),
		stop: make(chan struct{}), kill: make(chan struct{}), ended: make(chan struct{}),
	}
	sub.end = sync.OnceFunc(func() { close(sub.stop) })
	var lanes sync.WaitGroup
	var err error
	for i := range l.cfg.Lanes {
		in, cause := channel.Subscribe(channelCtx, strconv.Itoa(i))
		if cause != nil {
			err = errors.Join(err, cause)
			continue
		}
		lanes.Go(func() { sub.lane(in) })
	}
	stopAfter := context.AfterFunc(ctx, sub.end)
	go func() {
		<-sub.stop
		stopAfter()
		kill := time.AfterFunc(l.cfg.CloseTimeout, func() { cancelMessages(); close(sub.kill) })
		lanes.Wait()
		kill.Stop()
		cancelMessages()
		cancelChannel()
		l.forget(topic, group)
		close(sub.out)
		close(sub.ended)
	}()
	if err != nil {
		sub.end()
		return nil, fault(ErrClosed, "subscribe", err)
	}
	return sub, nil
}

// forget closes the group's channel, and with its last group the topic is gone. A persistent one stays for others.
func (l *Local) forget(topic, group string) {
	l.mu.Lock()
	channel := l.topics[topic][group]
	delete(l.topics[topic], group)
	if len(l.topics[topic]) == 0 {
		delete(l.topics, topic)
	}
	l.mu.Unlock()
	if channel != nil {
		_ = channel.Close()
	}
}

// lane hands out one lane's messages one after the other.
func (s *localSubscription) lane(in <-chan *message.Message) {
	for {
		select {
		case <-s.stop:
			return
		case m, open := <-in:
			if !open || !s.handle(m) {
				return
			}
		}
	}
}

// handle hands out a copy of the message until a handler acknowledges it. A nack is followed by a pause, never by the
// next try at once. It reports whether the lane goes on.
func (s *localSubscription) handle(m *message.Message) bool {
	delay := backoff{base: s.cfg.NackDelay, max: s.cfg.NackMaxDelay}
	for {
		verdict := s.offer(m)
		switch verdict {
		case wasAcked:
			if d := deliveryOf(m); d != nil {
				d.acks.Add(1)
			}
			m.Ack()
			return true
		case wasNacked:
			if pause(s.ctx, s.stop, delay.next()) {
				continue
			}
		}
		return false
	}
}

// What became of a message handed out.
type verdict int

const (
	notTaken  verdict = iota // the subscription stopped before anyone took it
	wasAcked                 // handled
	wasNacked                // taken and given back
	wasKilled                // taken, and not answered within CloseTimeout
)

func (s *localSubscription) offer(m *message.Message) verdict {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	handed := m.Copy()
	handed.SetContext(ctx)
	return offer(handed, s.out, s.stop, s.kill)
}

// offer gives a message to whoever reads out, unless stop closes first, and waits for the answer: after stop too, but not
// once kill is closed.
func offer(m *message.Message, out chan<- *message.Message, stop, kill <-chan struct{}) verdict {
	select {
	case <-stop:
		return notTaken
	default:
	}
	select {
	case out <- m:
	case <-stop:
		return notTaken
	}
	select {
	case <-m.Acked():
		return wasAcked
	case <-m.Nacked():
		return wasNacked
	case <-kill:
		return wasKilled
	}
}
