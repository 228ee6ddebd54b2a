package stream

import (
	"context"
	"runtime"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// publisher appends messages to streams. Single publishes of many goroutines share pipelines (group commit): while one
// pipeline is under way, the next one collects.
type publisher struct {
	cfg    RedisConfig
	client redis.UniversalClient

	requests chan request
	mu       sync.RWMutex
	closed   bool
	under    sync.WaitGroup // publishes under way
	commits  sync.WaitGroup // the committing goroutine
}

type request struct {
	args []any
	done chan error
}

func newPublisher(cfg RedisConfig) (*publisher, error) {
	o, err := cfg.publisherOptions()
	if err != nil {
		return nil, err
	}
	p := &publisher{cfg: cfg, client: redis.NewUniversalClient(o), requests: make(chan request, cfg.PublishBatch)}
	p.commits.Go(p.commit)
	return p, nil
}

// publish appends messages to a stream, in order, and reports each that is not known to be appended. A batch goes in
// pipelines of PublishBatch; after one that failed, the later ones are not sent.
func (p *publisher) publish(stream string, messages []*message.Message) error {
	p.mu.RLock()
	if p.closed {
		p.mu.RUnlock()
		return fault(ErrRefused, "publish", ErrClosed)
	}
	p.under.Add(1)
	p.mu.RUnlock()
	defer p.under.Done()
	if err := messages[0].Context().Err(); err != nil {
		return fault(ErrRefused, "publish", err)
	}
	if len(messages) == 1 {
		r := request{args: encodeAdd(stream, messages[0]), done: make(chan error, 1)}
		p.requests <- r
		if err := <-r.done; err != nil {
			return batchError(1, []Failure{{Err: err}})
		}
		return nil
	}
	return p.publishBatch(stream, messages)
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

// commit sends single publishes, as many at once as are waiting.
func (p *publisher) commit() {
	var batch []request
	var args [][]any
	for first := range p.requests {
		runtime.Gosched() // lets publishers that the last round trip released join this one
		batch = append(batch[:0], first)
		for more := true; more && len(batch) < p.cfg.PublishBatch; {
			select {
			case r, open := <-p.requests:
				if more = open; open {
					batch = append(batch, r)
				}
			default:
				more = false
			}
		}
		args = args[:0]
		for _, r := range batch {
			args = append(args, r.args)
		}
		for i, err := range p.pipeline(args) {
			batch[i].done <- err
		}
		clear(batch)
		clear(args)
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
	close(p.requests)
	p.commits.Wait()
	return p.client.Close()
}
