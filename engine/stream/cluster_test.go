package stream

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

// exercise goes through everything a transport does with Redis.
func exercise(t *testing.T, r *Redis, client redis.UniversalClient) {
	t.Helper()
	ctx := context.Background()
	_, messages := subscribe(t, r, "group", "topic")
	_, others := subscribe(t, r, "group", "other")
	require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: topicKey, Values: []string{"foreign", "entry"}}).Err())
	require.NoError(t, r.Publish("topic", newMessage("a", "1"), newMessage("b", "2")))
	require.NoError(t, r.Publish("other", newMessage("c", "3")))
	one, two := next(t, messages), next(t, messages)
	next(t, others).Ack()
	nothing(t, messages) // time for heartbeats and claims
	one.Ack()
	two.Ack()
	eventually(t, "put aside", func() bool { return client.XLen(ctx, topicKey+".dead").Val() == 1 })
	eventually(t, "acknowledged", func() bool {
		p, err := client.XPending(ctx, topicKey, "group").Result()
		return err == nil && p.Count == 0
	})
	removed, err := r.Trim(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 2, removed)
	require.NoError(t, r.Ready(ctx))
}

// clusterRules is what README.md says that a cluster needs besides.
const clusterRules = "+cluster|slots +command"

// A cluster of one node: key slots, hash tags and key positions are checked as in a larger one.
func TestCluster(t *testing.T) {
	srv := redistest.Start(t, "--cluster-enabled", "yes")
	_, err := srv.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	require.NoError(t, err)
	eventually(t, "the cluster is up", func() bool {
		_, err := srv.Do("XLEN", "key")
		return err == nil
	})
	rules := append(aclRules(t), strings.Fields(clusterRules)...)
	_, err = srv.Do(append([]string{"ACL", "SETUSER", "signalbox"}, rules...)...)
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), clusterRules)

	cfg := quick(srv, "c1")
	cfg.Cluster, cfg.Username, cfg.Password.Value = true, "signalbox", "hunter2"
	cfg.ClaimMinIdle, cfg.ClaimInterval = 30*time.Millisecond, 20*time.Millisecond
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{srv.Addr()}})
	defer func() { _ = client.Close() }()
	exercise(t, openRedis(t, cfg), client)
}

// A cluster of three nodes: topics spread over them, and each is published to, read, put aside from and trimmed where it is.
func TestClusterOfThree(t *testing.T) {
	ctx := context.Background()
	nodes := make([]*redistest.Server, 3)
	for i := range nodes {
		nodes[i] = redistest.Start(t, "--cluster-enabled", "yes")
		first, last := i*16384/len(nodes), (i+1)*16384/len(nodes)-1
		_, err := nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		require.NoError(t, err)
		host, port, _ := strings.Cut(nodes[0].Addr(), ":")
		_, err = nodes[i].Do("CLUSTER", "MEET", host, port)
		require.NoError(t, err)
	}
	for _, node := range nodes {
		client := raw(t, node)
		eventually(t, "the node knows of all slots and nodes", func() bool {
			info := client.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	cfg := quick(nodes[0], "c1")
	cfg.URLs = []string{nodes[0].URL(), nodes[2].URL()} // the rest is found
	r := openRedis(t, cfg)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[1].Addr()}})
	defer func() { _ = client.Close() }()
	exercise(t, r, client)
	for i := range 12 {
		topic := fmt.Sprintf("topic-%d", i)
		_, messages := subscribe(t, r, "group", topic)
		require.NoError(t, r.Publish(topic, newMessage("a", "1"), newMessage("b", "2")))
		next(t, messages).Ack()
		next(t, messages).Ack()
		eventually(t, "acknowledged", func() bool {
			backlogs, err := r.Backlogs(ctx, topic)
			return err == nil && len(backlogs) == 1 && backlogs[0] == Backlog{Group: "group"}
		})
	}
	removed, err := r.Trim(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 12, removed, "all but the last entry of each topic")
	for i, node := range nodes {
		assert.NotZero(t, raw(t, node).DBSize(ctx).Val(), "node %d holds no topic", i)
	}
}

// Sentinel: after its master died, the transport finds the promoted replica, makes its group there if it must, and goes on.
func TestSentinelFailover(t *testing.T) {
	master := redistest.Start(t)
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	eventually(t, "the replica follows", func() bool {
		_, err := master.Do("WAIT", "1", "10")
		answer, _ := replica.Do("ROLE")
		return err == nil && answer == "5" // a replica's answer has five parts
	})
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil,
		"sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 2000\nsentinel failover-timeout main 3000\n", host, port), 0o600))
	sentinel := redistest.StartSentinel(t, file)
	eventually(t, "Sentinel knows the replica", func() bool {
		answer, err := sentinel.Do("SENTINEL", "replicas", "main")
		n, _ := strconv.Atoi(answer)
		return err == nil && n == 1
	})

	cfg := quick(sentinel, "c1")
	cfg.MasterName = "main"
	cfg.ClaimMinIdle, cfg.ClaimInterval = time.Second, 200*time.Millisecond
	r := openRedis(t, cfg)
	exercise(t, r, raw(t, master))
	require.NoError(t, r.Close())

	r = openRedis(t, cfg)
	_, messages := subscribe(t, r, "later", "later")
	require.NoError(t, r.Publish("later", newMessage("", "before")))
	next(t, messages).Ack()
	master.Kill()
	eventually(t, "published to the new master", func() bool { return r.Publish("later", newMessage("", "after")) == nil })
	for m := next(t, messages); string(m.Payload) != "after"; m = next(t, messages) {
		m.Ack() // what the new master had not heard to be acknowledged
	}
	eventually(t, "ready", func() bool { return r.Ready(context.Background()) == nil })
	answer, err := replica.Do("ROLE")
	require.NoError(t, err)
	assert.Equal(t, "3", answer, "a master's answer has three parts")
}
