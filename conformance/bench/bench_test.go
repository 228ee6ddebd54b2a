package bench

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"signalbox/engine/stream"
	"signalbox/engine/stream/redistest"
)

// The two drivers take turns on one server, each on a topic of its own, so that a busy machine slows both. A driver's round has as many
// messages as it handles in a fraction of a second; rates are compared.
const (
	topic      = "topic"
	group      = "group"
	stockOf    = "x_ref:watermill-redisstream"
	ourRound   = 20_000
	stockRound = 2_000
	publishers = 64
)

// driver is a publisher and a subscriber, either ours or the stock one.
type driver struct {
	pub message.Publisher
	sub message.Subscriber
}

func client(b *testing.B, srv *redistest.Server) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// ours is the engine's driver as it is configured by default.
func ours(b *testing.B, srv *redistest.Server) driver {
	b.Helper()
	cfg := stream.DefaultRedis()
	cfg.URLs, cfg.Consumer = []string{srv.URL()}, "ours"
	cfg.Block = 50 * time.Millisecond // closing waits for a read to end; reads wake at once for an entry
	t, err := stream.NewRedis(cfg)
	must(b, err)
	b.Cleanup(func() { _ = t.Close() })
	sub, err := t.Subscriber(group)
	must(b, err)
	return driver{t, sub}
}

// stock is the other driver as it is configured by default.
func stock(b *testing.B, srv *redistest.Server) driver {
	b.Helper()
	log := watermill.NopLogger{}
	pub, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client(b, srv)}, log)
	must(b, err)
	b.Cleanup(func() { _ = pub.Close() })
	sub, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: client(b, srv), ConsumerGroup: group, Consumer: "stock", OldestId: "0"}, log)
	must(b, err)
	b.Cleanup(func() { _ = sub.Close() })
	return driver{pub, sub}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// messages makes events of the size of a flag: 638 bytes.
func messages(n int) []*message.Message {
	payload := []byte(strings.Repeat("x", 638))
	all := make([]*message.Message, n)
	for i := range all {
		all[i] = message.NewMessage(watermill.NewUUID(), payload)
		all[i].Metadata[stream.KeyMetadata] = "key-" + strconv.Itoa(i%997)
	}
	return all
}

// publish sends messages one at a time from many goroutines.
func publish(b *testing.B, pub message.Publisher, all []*message.Message) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range publishers {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				if err := pub.Publish(topic, all[i]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

// route runs a Router over the subscription until stop is called.
func route(b *testing.B, sub message.Subscriber, handle func(*message.Message)) (stop func()) {
	b.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NewSlogLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	must(b, err)
	router.AddConsumerHandler("bench", topic, sub, func(m *message.Message) error { handle(m); return nil })
	done := make(chan error, 1)
	go func() { done <- router.Run(context.Background()) }()
	<-router.Running()
	return func() {
		must(b, router.Close())
		must(b, <-done)
	}
}

// durabilities are the servers that the figures are taken on.
func durabilities(b *testing.B, run func(b *testing.B, srv *redistest.Server)) {
	b.Run("NoAOF", func(b *testing.B) { run(b, redistest.Start(b)) })
	b.Run("AOFAlways", func(b *testing.B) { run(b, redistest.Start(b, redistest.Durable()...)) })
}

// compare reports our rate, and its ratio to the stock driver's.
func compare(b *testing.B, our, their func() time.Duration) {
	var ours, theirs time.Duration
	rounds := 0
	for b.Loop() {
		ours += our()
		theirs += their()
		rounds++
	}
	rate, reference := float64(rounds*ourRound)/ours.Seconds(), float64(rounds*stockRound)/theirs.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate, "msg/s")
	b.ReportMetric(rate/reference, stockOf)
}

// BenchmarkConsume: handle a full stream under a Router, from the subscription to the last handled message.
func BenchmarkConsume(b *testing.B) {
	durabilities(b, func(b *testing.B, srv *redistest.Server) {
		round := func(open func(*testing.B, *redistest.Server) driver, all []*message.Message) func() time.Duration {
			return func() time.Duration {
				d := open(b, srv)
				publish(b, d.pub, all)
				var handled atomic.Int64
				done := make(chan struct{})
				start := time.Now()
				stop := route(b, d.sub, func(*message.Message) {
					if handled.Add(1) == int64(len(all)) {
						close(done)
					}
				})
				<-done
				took := time.Since(start)
				stop()
				must(b, d.pub.Close())
				srv.Wipe()
				return took
			}
		}
		compare(b, round(ours, messages(ourRound)), round(stock, messages(stockRound)))
	})
}

// BenchmarkPublish: 64 goroutines, one message each at a time.
func BenchmarkPublish(b *testing.B) {
	durabilities(b, func(b *testing.B, srv *redistest.Server) {
		round := func(d driver, all []*message.Message) func() time.Duration {
			return func() time.Duration {
				start := time.Now()
				publish(b, d.pub, all)
				took := time.Since(start)
				srv.Wipe()
				return took
			}
		}
		compare(b, round(ours(b, srv), messages(ourRound)), round(stock(b, srv), messages(stockRound)))
	})
}
