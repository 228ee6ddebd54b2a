package stream

import (
	"context"
	"runtime"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// publisher appends messages to streams. Single publishes of many goroutines share pipelines (group commit): while some are under
// way, the next one collects. There is no committing goroutine: whoever begins a commit sends it, so that a lone publish is handed to
// nobody and costs one round trip.
type publisher struct {
	cfg    RedisConfig
	client redis.UniversalClient

	mu     sync.Mutex
	closed bool
	open   []*commit // not under way yet; the last one collects
	flying int       // commits under way
	active int       // single publishes that wait for their outcome
	expect int       // how many there were lately; see share

	under sync.WaitGroup // publishes under way
}

// commit is a number of single publishes that share one pipeline and one wake-up.
type commit struct {
	args     [][]any
	started  bool          // it has been given its turn
	turn     chan struct{} // one token: its turn
	outcomes []error       // of each; read after done
	done     chan struct{} // closed when outcomes is there
}

// Redis works on some pipelines while the client makes the next one and wakes who waited: on two processors three, of a third of the
// publishers each, are a third faster than one of all of them, because neither side then waits for the other to wake up. A fourth takes
// processor time that Redis needs.
const (
	mostFlying = 3
	worthwhile = 8 // a smaller pipeline costs nearly as much: it goes alone or waits for more
)

func newPublisher(cfg RedisConfig) (*publisher, error) {
	o, err := cfg.publisherOptions()
	if err != nil {
		return nil, err
	}
	return &publisher{cfg: cfg, client: redis.NewUniversalClient(o)}, nil
}

// publish appends messages to a stream, in order, and reports each that is not known to be appended. A batch goes in
// pipelines of PublishBatch; after one that failed, the later ones are not sent.
func (p *publisher) publish(stream string, messages []*message.Message) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return fault(ErrRefused, "publish", ErrClosed)
	}
	p.under.Add(1)
	p.mu.Unlock()
	defer p.under.Done()
	if err := messages[0].Context().Err(); err != nil {
		return fault(ErrRefused, "publish", err)
	}
	if len(messages) == 1 {
		if err := p.join(encodeAdd(stream, messages[0])); err != nil {
			return batchError(1, []Failure{{Err: err}})
		}
		return nil
	}
	return p.publishBatch(stream, messages)
}

// join puts one command into the commit that collects and returns its outcome. The first to join a commit sends it.
func (p *publisher) join(args []any) error {
	p.mu.Lock()
	p.active++
	p.expect = max(p.expect, p.active)
	var c *commit
	if n := len(p.open); n > 0 && len(p.open[n-1].args) < p.share() {
		c = p.open[n-1]
	} else {
		c = &commit{args: make([][]any, 0, p.share()), turn: make(chan struct{}, 1), done: make(chan struct{})}
		p.open = append(p.open, c)
	}
	i := len(c.args)
	c.args = append(c.args, args)
	p.start()
	p.mu.Unlock()
	if i == 0 {
		p.send(c)
	} else {
		<-c.done
	}
	return c.outcomes[i]
}

// share is how many publishes make a commit full: those that are to be expected, spread over the pipelines.
func (p *publisher) share() int {
	return min(p.cfg.PublishBatch, max(worthwhile, (p.expect+mostFlying-1)/mostFlying))
}

// start gives the oldest commit its turn if nothing is under way, or if it is full and not too much is. The caller holds the lock.
func (p *publisher) start() {
	if len(p.open) == 0 || p.open[0].started {
		return
	}
	if c := p.open[0]; p.flying == 0 || p.flying < mostFlying && len(c.args) >= p.share() {
		p.flying++
		c.started = true
		c.turn <- struct{}{}
	}
}

// send waits for the commit's turn, sends it and wakes whoever joined it.
func (p *publisher) send(c *commit) {
	<-c.turn
	p.settle(c)
	c.outcomes = p.pipeline(c.args)
	p.mu.Lock()
	p.flying--
	p.active -= len(c.args)
	p.expect -= (p.expect - p.active) / 8 // slowly: who is woken now is about to publish again
	p.start()
	p.mu.Unlock()
	close(c.done)
}

// settle closes a commit when it is full or nobody joins it any more: publishers that the last round trip released are about to.
func (p *publisher) settle(c *commit) {
	for before := -1; ; {
		p.mu.Lock()
		n := len(c.args)
		if n == before || n >= p.share() {
			p.open = p.open[1:]
			p.start()
			p.mu.Unlock()
			return
		}
		before = n
		p.mu.Unlock()
		runtime.Gosched()
	}
}

func (p *publisher) publishBatch(stream string, messages []*message.Message) error {
	var failures []Failure
	for start := 0; start < len(messages); start += p.cfg.PublishBatch {
		chunk := messages[start:min(start+p.cfg.PublishBatch, len(messages))]
		if len(failures) > 0 {
			for i := range chunk {
				failures = append(failures, Failure{start + i, fault(ErrRefused, "publish", failures[0].Err)})
			}
			continue
		}
		args := make([][]any, len(chunk))
		for i, m := range chunk {
			args[i] = encodeAdd(stream, m)
		}
		for i, err := range p.pipeline(args) {
			if err != nil {
				failures = append(failures, Failure{start + i, err})
			}
		}
	}
	return batchError(len(messages), failures)
}

// pipeline sends commands in one round trip and returns the outcome of each.
func (p *publisher) pipeline(args [][]any) []error {
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.PublishTimeout)
	defer cancel()
	pipe := p.client.Pipeline()
	commands := make([]*redis.StringCmd, len(args))
	for i, a := range args {
		commands[i] = redis.NewStringCmd(ctx, a...)
		_ = pipe.Process(ctx, commands[i]) // queues only
	}
	_, _ = pipe.Exec(ctx) // each command holds its own outcome
	outcomes := make([]error, len(args))
	for i, command := range commands {
		outcomes[i] = published(command.Result())
	}
	return outcomes
}

// close takes no more publishes, waits for those under way and closes the connections.
func (p *publisher) close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	p.under.Wait()
	return p.client.Close()
}
