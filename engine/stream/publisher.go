package stream

import (
	"context"
	"runtime"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// publisher appends messages to streams. Single publishes of many goroutines share pipelines (group commit): while
// one is under way, the next one collects.
type publisher struct {
	cfg    RedisConfig
	client redis.UniversalClient

	mu     sync.Mutex
	closed bool
	open   []*commit     // not under way yet; the last one collects
	some   chan struct{} // one token: open is not empty

	under sync.WaitGroup // publishes under way
	work  sync.WaitGroup // the committing goroutine; a second one measured slower: it halves the pipelines
	stop  chan struct{}  // closed: it ends
}

// commit is a number of single publishes that share one pipeline and one wake-up.
type commit struct {
	args     [][]any
	outcomes []error       // of each; read after done
	done     chan struct{} // closed when outcomes is there
}

func newPublisher(cfg RedisConfig) (*publisher, error) {
	o, err := cfg.publisherOptions()
	if err != nil {
		return nil, err
	}
	p := &publisher{cfg: cfg, client: redis.NewUniversalClient(o), some: make(chan struct{}, 1), stop: make(chan struct{})}
	p.work.Go(p.commits)
	return p, nil
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

// join puts one command into the commit that collects and returns its outcome.
func (p *publisher) join(args []any) error {
	p.mu.Lock()
	var c *commit
	if n := len(p.open); n > 0 && len(p.open[n-1].args) < p.cfg.PublishBatch {
		c = p.open[n-1]
	} else {
		c = &commit{args: make([][]any, 0, 64), done: make(chan struct{})}
		p.open = append(p.open, c)
	}
	i := len(c.args)
	c.args = append(c.args, args)
	p.mu.Unlock()
	if i == 0 {
		signal(p.some)
	}
	<-c.done
	return c.outcomes[i]
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

// commits sends what collects, until the publisher stops.
func (p *publisher) commits() {
	for {
		select {
		case <-p.some:
		case <-p.stop:
			return
		}
		if c := p.next(); c != nil {
			c.outcomes = p.pipeline(c.args)
			close(c.done)
		}
	}
}

// next takes the oldest commit when nobody joins it any more: publishers that the last round trip released are about to,
// and a pipeline costs about the same with one command or with many.
func (p *publisher) next() *commit {
	for before := -1; ; {
		p.mu.Lock()
		n := 0
		if len(p.open) > 0 {
			n = len(p.open[0].args)
		}
		if n == before || n == 0 {
			var c *commit
			if n > 0 {
				c, p.open = p.open[0], p.open[1:]
			}
			if len(p.open) > 0 {
				signal(p.some)
			}
			p.mu.Unlock()
			return c
		}
		before = n
		p.mu.Unlock()
		runtime.Gosched()
	}
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
	close(p.stop)
	p.work.Wait()
	return p.client.Close()
}
