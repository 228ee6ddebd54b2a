package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/redis/go-redis/v9"

	"signalbox/engine/stream/redistest"
)

// Latencies are taken at a steady rate, in turns of a second each. A turn's figure is its own percentile, and what is reported is the
// median of the turns: a neighbour that wakes up spoils a turn, not the run.
const (
	latencyRate  = 1_000 // messages a second
	latencyTurns = 9
	paceOf       = "x_ref:watermill-redisstream"
)

// arrivals is when calls are due, from the beginning of a turn, and how many messages each publishes.
type arrivals struct {
	name  string
	batch int
	due   []time.Duration
}

// everyArrival is the ways in which a thousand messages a second come: evenly (which no crowd of callers does), as callers who do not
// know of each other (exponential gaps, the same in every turn and for every driver), and in batches.
func everyArrival() []arrivals {
	return []arrivals{
		{"Evenly", 1, evenly(latencyRate)},
		{"Independently", 1, independently(latencyRate)},
		{"Batches", 100, evenly(latencyRate / 100)},
	}
}

// evenly divides a second.
func evenly(calls int) []time.Duration {
	due := make([]time.Duration, calls)
	for i := range due {
		due[i] = time.Duration(i) * time.Second / time.Duration(calls)
	}
	return due
}

// independently is a Poisson process of so many calls in about a second.
func independently(calls int) []time.Duration {
	due, at, chance := make([]time.Duration, calls), 0.0, rand.New(rand.NewPCG(1, 2))
	for i := range due {
		at += chance.ExpFloat64() * float64(time.Second) / float64(calls)
		due[i] = time.Duration(at)
	}
	return due
}

// BenchmarkLatency: from the instant at which a message was due to be published, whether or not the publisher was in time, to its handler.
// The floor is Watermill's in-process channel, driven alike in the same turns: what this machine's scheduler costs by itself. Raw is the least
// that any driver on this client can do.
func BenchmarkLatency(b *testing.B) {
	pace := startPacer(b)
	for _, a := range everyArrival() {
		b.Run(a.name, func(b *testing.B) {
			durabilities(b, func(b *testing.B, srv *redistest.Server) {
				for b.Loop() {
					var floor, wire, our, their turns
					for range latencyTurns {
						floor.add(paced(b, pace, bare(b), a))
						wire.add(paced(b, pace, raw(b, srv), a))
						our.add(paced(b, pace, ours(b, srv), a))
						their.add(paced(b, pace, stock(b, srv), a))
						srv.Wipe()
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(milliseconds(floor.at(50)), "floor-p50-ms")
					b.ReportMetric(milliseconds(floor.at(99)), "floor-p99-ms")
					b.ReportMetric(milliseconds(wire.at(50)), "raw-p50-ms")
					b.ReportMetric(milliseconds(wire.at(99)), "raw-p99-ms")
					b.ReportMetric(milliseconds(our.at(50)), "p50-ms")
					b.ReportMetric(milliseconds(our.at(99)), "p99-ms")
					b.ReportMetric(milliseconds(their.at(50)), "stock-p50-ms")
					b.ReportMetric(milliseconds(their.at(99)), "stock-p99-ms")
					b.ReportMetric(float64(their.at(50))/float64(our.at(50)), paceOf+"-p50")
					b.ReportMetric(float64(their.at(99))/float64(our.at(99)), paceOf+"-p99")
				}
			})
		})
	}
}

// turns holds the sorted latencies of each turn.
type turns [][]time.Duration

func (t *turns) add(latencies []time.Duration) {
	slices.Sort(latencies)
	*t = append(*t, latencies)
}

// at is the median, over the turns, of each turn's percentile.
func (t turns) at(percent int) time.Duration {
	each := make([]time.Duration, len(t))
	for i, turn := range t {
		each[i] = turn[len(turn)*percent/100]
	}
	slices.Sort(each)
	return each[len(each)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// bare is Watermill's channel within a process.
func bare(b *testing.B) driver {
	b.Helper()
	c := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	b.Cleanup(func() { _ = c.Close() })
	return driver{c, c}
}

// wire is nothing but XADD and a loop of XREADGROUP that acknowledges by reading.
type wire struct {
	client *redis.Client
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func raw(b *testing.B, srv *redistest.Server) driver {
	b.Helper()
	w := &wire{client: client(b, srv), stop: func() {}}
	must(b, w.client.XGroupCreateMkStream(context.Background(), "raw", group, "0").Err())
	return driver{w, w}
}

// Publish is one pipeline.
func (w *wire) Publish(_ string, all ...*message.Message) error {
	ctx := context.Background()
	_, err := w.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, m := range all {
			p.XAdd(ctx, &redis.XAddArgs{Stream: "raw", Values: []any{"id", m.UUID, "payload", []byte(m.Payload)}})
		}
		return nil
	})
	return err
}

// Subscribe reads until Close.
func (w *wire) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	ctx, stop := context.WithCancel(context.Background())
	out := make(chan *message.Message)
	w.stop = stop
	w.done.Go(func() {
		defer close(out)
		for ctx.Err() == nil {
			read, err := w.client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: group, Consumer: "c", Streams: []string{"raw", ">"}, Count: 100, Block: 50 * time.Millisecond, NoAck: true}).Result()
			if err != nil {
				continue
			}
			for _, e := range read[0].Messages {
				out <- message.NewMessage(e.Values["id"].(string), []byte(e.Values["payload"].(string)))
			}
		}
	})
	return out, nil
}

// Close ends the reading.
func (w *wire) Close() error {
	w.stop()
	w.done.Wait()
	return nil
}

// paced publishes for a second at the rate, as the arrivals say, and returns each message's latency.
func paced(b *testing.B, pace *pacer, d driver, a arrivals) []time.Duration {
	b.Helper()
	all := messages(latencyRate)
	due := make(map[string]time.Time, len(all))
	latencies := make(chan time.Duration, len(all))
	start := time.Now().Add(50 * time.Millisecond)
	pace.begin(b, order{start, a.due})
	for i, m := range all {
		due[m.UUID] = start.Add(a.due[i/a.batch])
	}
	stop := route(b, d.sub, func(m *message.Message) { latencies <- time.Since(due[m.UUID]) })
	var wait sync.WaitGroup
	for part := range slices.Chunk(all, a.batch) {
		pace.wait(b)
		wait.Go(func() {
			if err := d.pub.Publish(topic, part...); err != nil {
				b.Error(err)
			}
		})
	}
	wait.Wait()
	out := make([]time.Duration, len(all))
	for i := range out {
		out[i] = <-latencies
	}
	stop()
	must(b, d.pub.Close())
	return out
}
