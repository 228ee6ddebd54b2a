package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"signalbox/internal/teeth"
)

// subscription reads one stream for one group and hands its entries to handlers, lane by lane. Its goroutines: a reader,
// one for each busy lane, one that acknowledges, one that keeps held entries alive, and one that ends all of these.
type subscription struct {
	redis  *Redis
	cfg    RedisConfig
	client redis.UniversalClient
	log    *slog.Logger
	topic  string
	stream string
	group  string

	ctx   context.Context // the parent of every message's context
	out   chan *message.Message
	stop  chan struct{} // closed: read and hand out nothing more
	kill  chan struct{} // closed: wait for no handler any more
	ended chan struct{} // closed: out is closed and no goroutine is left
	end   func()        // closes stop, once
	err   error         // what could not be flushed; read after ended

	held   *held
	lanes  []lane
	busy   sync.WaitGroup // busy lanes
	acks   *ackQueue
	health health

	mu     sync.Mutex
	unused []*entry // read but handed to nobody when the subscription stopped

	oneSuspect sync.Mutex // see careful
}

func newSubscription(r *Redis, topic, group string) *subscription {
	s := &subscription{
		redis: r, cfg: r.cfg, client: r.client, topic: topic, group: group, stream: streamKey(r.cfg.Prefix, topic),
		log: r.cfg.Logger.With("topic", topic, "group", group),
		// Each lane has at most one message out, so that the buffer always has room: lanes and readers do not wait for each other.
		out: make(chan *message.Message, r.cfg.Lanes), stop: make(chan struct{}), kill: make(chan struct{}), ended: make(chan struct{}),
		held: newHeld(r.cfg.MaxInFlight), lanes: make([]lane, r.cfg.Lanes),
		acks: newAckQueue(r.cfg.AckBatch),
	}
	for i := range s.lanes {
		s.lanes[i].kill = make(chan struct{})
	}
	s.end = sync.OnceFunc(func() { close(s.stop) })
	s.health.name = "stream: subscription of " + topic + " by " + group
	return s
}

func (s *subscription) name() string { return s.stream + " " + s.group }

// over reports whether the subscription has ended.
func (s *subscription) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func (s *subscription) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// start runs the subscription until ctx ends or end is called. The group is created before it returns, if Redis lets it.
func (s *subscription) start(ctx context.Context) {
	// The Router cancels a subscription's context at the moment it begins to close: handlers must not feel that.
	s.ctx = context.WithoutCancel(ctx)
	reader := &reader{subscription: s}
	_ = reader.prepare() // fails here as it would in the reader, which tries again
	stopAfter := context.AfterFunc(ctx, s.end)
	var reading, acking, beating sync.WaitGroup
	reading.Go(reader.run)
	handled, quiet := make(chan struct{}), make(chan struct{})
	acking.Go(func() { s.acknowledge(handled) })
	beating.Go(func() { s.heartbeat(quiet) })
	go func() {
		<-s.stop
		stopAfter()
		kill := time.AfterFunc(s.cfg.CloseTimeout, s.killAll)
		reading.Wait()
		s.takeBack()
		close(handled)
		acking.Wait()
		kill.Stop()
		s.handBack()
		close(quiet)
		beating.Wait()
		s.redis.leave(s)
		close(s.out)
		close(s.ended)
	}()
}

// lane is a queue of entries which are handled one after the other.
type lane struct {
	kill chan struct{} // closed with the subscription's; one each, or all lanes would queue for its lock

	mu    sync.Mutex
	queue []*entry
	busy  bool // a goroutine works on the queue
}

// push puts an entry into its lane and wakes the lane if it sleeps. Only the reader calls it.
func (s *subscription) push(e *entry) {
	l := &s.lanes[e.lane]
	l.mu.Lock()
	l.queue = append(l.queue, e)
	wake := !l.busy
	l.busy = true
	l.mu.Unlock()
	if wake {
		s.busy.Go(func() { s.work(l) })
	}
}

// work handles a lane's entries until none is left.
func (s *subscription) work(l *lane) {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.queue, l.busy = nil, false
			l.mu.Unlock()
			return
		}
		e := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		l.mu.Unlock()
		s.handle(e, l.kill)
	}
}

// handle hands an entry out until it is acknowledged. A nack is followed by a pause in which its lane waits: order by
// key holds, and nothing spins.
func (s *subscription) handle(e *entry, kill <-chan struct{}) {
	if teeth.Bite("acknowledge-before-handling") {
		s.acks.put(e.id)
	}
	delay := backoff{base: s.cfg.NackDelay, max: s.cfg.NackMaxDelay}
	offer := s.offer
	if s.suspect(e) {
		offer = s.alone
	}
	for {
		switch offer(e, kill) {
		case wasAcked:
			s.acks.put(e.id)
			return
		case wasNacked:
			if pause(s.ctx, s.stop, delay.next()) {
				continue
			}
			s.leaveUnused(e)
			return
		case wasKilled:
			return // its handler may still be at work: let it grow old
		default:
			s.leaveUnused(e)
			return
		}
	}
}

// offer puts the entry's message out, unless the subscription has stopped, and waits for the answer. The message's context
// has no parent that ends, which keeps it cheap: it ends with the answer, and kill is one.
func (s *subscription) offer(e *entry, kill <-chan struct{}) verdict {
	if s.stopped() {
		return notTaken
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	m := e.fields.message(ctx, e.uuid)
	s.out <- m
	select {
	case <-m.Acked():
		return wasAcked
	case <-m.Nacked():
		return wasNacked
	case <-kill:
		return wasKilled
	}
}

// takeBack takes from the channel what nobody has received, until no lane is at work; the lane that put it there is told
// by a nack. Whoever still receives, as the Router does until the channel is closed, handles what it gets.
func (s *subscription) takeBack() {
	idle := make(chan struct{})
	go func() { s.busy.Wait(); close(idle) }()
	for {
		select {
		case m := <-s.out:
			m.Nack()
		case <-idle:
			for len(s.out) > 0 { // what lanes left behind when they were killed
				<-s.out
			}
			return
		}
	}
}

// killAll ends the wait for handlers.
func (s *subscription) killAll() {
	close(s.kill)
	for i := range s.lanes {
		close(s.lanes[i].kill)
	}
}

func (s *subscription) leaveUnused(e *entry) {
	s.mu.Lock()
	s.unused = append(s.unused, e)
	s.mu.Unlock()
}

// heartbeat renews the idle time of held entries, so that no other consumer takes what is being handled slowly.
func (s *subscription) heartbeat(quiet <-chan struct{}) {
	third := s.cfg.ClaimMinIdle / 3
	if teeth.Bite("no-heartbeat") {
		third = time.Hour
	}
	for pause(context.Background(), quiet, third) {
		for ids := range chunks(s.held.older(third)) {
			err := s.claimJustID(ids)
			s.trouble("heartbeat", err)
			if err != nil {
				break
			}
		}
	}
}

// claimJustID claims entries for this consumer without reading them or counting a delivery.
func (s *subscription) claimJustID(ids []string, options ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	args := []any{"xclaim", s.stream, s.group, s.cfg.Consumer, 0}
	for _, id := range ids {
		args = append(args, id)
	}
	args = append(append(args, options...), "justid")
	err := clean(s.client.Do(ctx, args...).Err())
	if groupGone(err) {
		return nil // nothing is pending any more; the reader sees to the group
	}
	return err
}

// trouble notes the state of one part of the subscription for Ready, and logs when it changes.
func (s *subscription) trouble(part string, err error) {
	if !s.health.set(part, err) {
		return
	}
	if err != nil {
		s.log.Warn("stream trouble", "part", part, "error", err)
	} else {
		s.log.Info("stream trouble over", "part", part)
	}
}

// health collects what is wrong with the parts of a subscription.
type health struct {
	name string
	mu   sync.Mutex
	bad  map[string]error
}

// set notes err, or nil for well, and reports whether that is news.
func (h *health) set(part string, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.bad[part]
	if err == nil {
		delete(h.bad, part)
		return old != nil
	}
	if h.bad == nil {
		h.bad = make(map[string]error)
	}
	h.bad[part] = err
	return old == nil || old.Error() != err.Error()
}

func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	errs := make([]error, 0, len(h.bad))
	for part, err := range h.bad {
		errs = append(errs, fmt.Errorf("%s: %s: %w", h.name, part, err))
	}
	return errors.Join(errs...)
}
