package stream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

const topicKey = "{signalbox:topic}"

// W7: a client that repeats a publish whose reply was lost leaves several entries and reports success.
func TestPublishReplyLostIsUnsureAndSentOnce(t *testing.T) {
	srv := redistest.Start(t)
	lossy := startProxy(t, srv.Addr())
	cfg := quick(srv, "c1")
	cfg.URLs = []string{lossy.url()}
	r := openRedis(t, cfg)
	client := raw(t, srv)
	require.NoError(t, r.Publish("topic", newMessage("", "warm up")))

	lossy.cut.Store(true)
	err := r.Publish("topic", newMessage("", "unsure"))
	lossy.cut.Store(false)
	require.ErrorIs(t, err, ErrUnsure)
	require.NotErrorIs(t, err, ErrRefused)
	require.EqualValues(t, 1, lossy.cuts.Load())
	require.EqualValues(t, 2, client.XLen(context.Background(), topicKey).Val(), "one entry for each publish")

	require.NoError(t, r.Publish("topic", newMessage("", "on a new connection")))
	lossy.cut.Store(true)
	err = r.Publish("topic", newMessage("", "a"), newMessage("", "b"), newMessage("", "c"))
	lossy.cut.Store(false)
	var batch *BatchError
	require.ErrorAs(t, err, &batch)
	require.Len(t, batch.Failures, 3)
	require.ErrorIs(t, err, ErrUnsure)
	require.EqualValues(t, 6, client.XLen(context.Background(), topicKey).Val())
	require.NoError(t, r.Publish("topic", newMessage("", "after")), "the publisher goes on")
}

func TestPublishServerAwayIsRefused(t *testing.T) {
	srv := redistest.Start(t)
	r := openRedis(t, quick(srv, "c1"))
	srv.Kill()
	err := r.Publish("topic", newMessage("", "x"))
	require.ErrorIs(t, err, ErrRefused)
	require.NotErrorIs(t, err, ErrUnsure, "nothing can have been taken")
	require.Error(t, r.Ready(context.Background()))
	srv.Restart()
	eventually(t, "ready again", func() bool { return r.Ready(context.Background()) == nil })
	require.NoError(t, r.Publish("topic", newMessage("", "x")))
}

// An error reply can repeat the command's arguments; none of them may come out.
func TestPublishErrorsHoldNoPayload(t *testing.T) {
	srv := redistest.Start(t, "--rename-command", "XADD", "SECRETLY")
	r := openRedis(t, quick(srv, "c1"))
	err := r.Publish("topic", newMessage("", "9990000018"))
	require.ErrorIs(t, err, ErrRefused)
	assert.NotContains(t, err.Error(), "9990000018")
	assert.Contains(t, err.Error(), "redis answered ERR")
	for _, f := range []error{clean(fmt.Errorf("plain")), clean(nil)} {
		if f != nil {
			assert.Equal(t, "plain", f.Error())
		}
	}
}

func TestPublishBatchReportsWhatFailed(t *testing.T) {
	srv := redistest.Start(t)
	cfg := quick(srv, "c1")
	cfg.PublishBatch = 2
	r := openRedis(t, cfg)
	client := raw(t, srv)
	require.NoError(t, client.Set(context.Background(), topicKey, "a string", 0).Err())
	batch := []*message.Message{newMessage("", "1"), newMessage("", "2"), newMessage("", "3")}
	err := r.Publish("topic", batch...)
	var failed *BatchError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 3, failed.Size)
	for i, f := range failed.Failures {
		assert.Equal(t, i, f.Index)
		assert.ErrorIs(t, f.Err, ErrRefused)
		assert.ErrorIs(t, f.Err, serverError("WRONGTYPE"))
	}
	assert.Equal(t, "stream: publish: 3 of 3 messages not confirmed (0 unsure), first: "+
		"stream: publish: not taken: redis answered WRONGTYPE", err.Error())

	require.NoError(t, client.Del(context.Background(), topicKey).Err())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	batch[0].SetContext(ctx)
	err = r.Publish("topic", batch...)
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, client.Exists(context.Background(), topicKey).Val())
}

// Many goroutines, single publishes and batches: all arrive once, and each goroutine's in its order.
func TestPublishConcurrently(t *testing.T) {
	srv := redistest.Start(t)
	r := openRedis(t, quick(srv, "c1"))
	const publishers, each = 16, 50
	var wait sync.WaitGroup
	for p := range publishers {
		wait.Go(func() {
			for i := 0; i < each; i += 5 {
				assert.NoError(t, r.Publish("topic", newMessage("", fmt.Sprintf("%d %d", p, i))))
				rest := make([]*message.Message, 4)
				for j := range rest {
					rest[j] = newMessage("", fmt.Sprintf("%d %d", p, i+1+j))
				}
				assert.NoError(t, r.Publish("topic", rest...))
			}
		})
	}
	wait.Wait()
	entries, err := raw(t, srv).XRange(context.Background(), topicKey, "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, publishers*each)
	last := make(map[int]int)
	for _, e := range entries {
		var p, i int
		_, err := fmt.Sscan(e.Values["payload"].(string), &p, &i)
		require.NoError(t, err)
		require.Equal(t, last[p], i)
		last[p] = i + 1
	}
}

// Single publishes share pipelines whatever their number and the pipelines' size: each arrives once, and none waits for others to come.
func TestSinglePublishesShareAnyPipeline(t *testing.T) {
	srv := redistest.Start(t)
	client := raw(t, srv)
	for _, size := range []int{1, 3, 512} {
		cfg := quick(srv, "c1")
		cfg.PublishBatch = size
		r := openRedis(t, cfg)
		for _, publishers := range []int{1, 2, mostFlying*worthwhile + 1, 64} {
			srv.Wipe()
			var wait sync.WaitGroup
			for p := range publishers {
				wait.Go(func() {
					for i := range 20 {
						assert.NoError(t, r.Publish("topic", newMessage("", fmt.Sprintf("%d %d", p, i))))
					}
				})
			}
			wait.Wait()
			entries, err := client.XRange(context.Background(), topicKey, "-", "+").Result()
			require.NoError(t, err)
			seen := map[string]bool{}
			for _, e := range entries {
				seen[e.Values["payload"].(string)] = true
			}
			require.Len(t, entries, publishers*20)
			require.Len(t, seen, publishers*20)
		}
		require.Zero(t, r.pub.flying)
		require.Zero(t, r.pub.active)
		require.Empty(t, r.pub.open)
		require.NoError(t, r.Close())
	}
}

// Standard error is the engine's log: the client library writes nothing there of its own.
func TestClientLibraryIsMute(t *testing.T) {
	var lines recorder
	redis.SetLogger(&lines)
	defer MuteClient()
	srv := redistest.Start(t)
	client := raw(t, srv)
	srv.Kill()
	require.Error(t, client.Ping(context.Background()).Err())
	require.NotZero(t, lines.n.Load(), "it would write of a dial that failed")
	lines.n.Store(0)
	MuteClient()
	r := openRedis(t, quick(srv, "c1"))
	require.Error(t, r.Publish("topic", newMessage("", "x")))
	require.Zero(t, lines.n.Load())
}

// recorder counts what a client library writes.
type recorder struct{ n atomic.Int64 }

func (r *recorder) Printf(context.Context, string, ...any) { r.n.Add(1) }

func TestNamesThatBreakKeysAreRefused(t *testing.T) {
	srv := redistest.Start(t)
	r := openRedis(t, quick(srv, "c1"))
	sub, err := r.Subscriber("group")
	require.NoError(t, err)
	for _, name := range []string{"", "with space", "brace{", "brace}", "new\nline", strings.Repeat("x", 201)} {
		require.ErrorIs(t, r.Publish(name, newMessage("", "x")), ErrConfig)
		_, err := sub.Subscribe(context.Background(), name)
		require.ErrorIs(t, err, ErrConfig)
		_, err = r.Subscriber(name)
		require.ErrorIs(t, err, ErrConfig)
	}
	require.NoError(t, r.Publish("topic"), "an empty batch is nothing to do")
}

// Close waits for publishes under way: what they report is true, and later ones are refused.
func TestPublishWhileClosing(t *testing.T) {
	srv := redistest.Start(t)
	for range 20 {
		srv.Wipe()
		r := openRedis(t, quick(srv, "c1"))
		var taken, refused atomic.Int64
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				for {
					err := r.Publish("topic", newMessage("", "x"))
					if err != nil {
						assert.ErrorIs(t, err, ErrRefused)
						assert.ErrorIs(t, err, ErrClosed)
						refused.Add(1)
						return
					}
					taken.Add(1)
				}
			})
		}
		eventually(t, "under way", func() bool { return taken.Load() > 20 })
		require.NoError(t, r.Close())
		wait.Wait()
		require.EqualValues(t, 8, refused.Load())
		require.Equal(t, taken.Load(), raw(t, srv).XLen(context.Background(), topicKey).Val())
	}
}
