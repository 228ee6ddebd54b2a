//go:build unix

package faults

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signalbox/engine/stream/redistest"
)

// The engine is frozen past its deadlines (a read that blocks, the reconciler, once the publish timeout too) and thawed. Meanwhile a stranger
// of the same group takes what it held, and acknowledges half of it without doing anything.
func TestFrozen(t *testing.T) {
	t.Parallel() // it sleeps most of the time
	w := newWorld(t, setup{redis: redistest.Durable()})
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	defer client.Close()
	f := w.traffic(t)
	for n := range (figure{3, 100}).size(t) {
		f.feed(t, 500)
		time.Sleep(between(w.rng, 0, 150*time.Millisecond))
		w.checker.hurt()
		w.seats[0].engine.signal(syscall.SIGSTOP)
		for _, key := range streams() {
			steal(t, client, key)
		}
		frozen := 3 * time.Second
		if n%3 == 2 {
			frozen = 12 * time.Second
		}
		time.Sleep(frozen)
		w.seats[0].engine.signal(syscall.SIGCONT)
		f.keepUp(t, 20)
	}
	f.finish(t)
}

func steal(t testing.TB, client *redis.Client, key string) {
	t.Helper()
	ctx := context.Background()
	taken, _, err := client.XAutoClaim(ctx, &redis.XAutoClaimArgs{Stream: key, Group: "signalbox", Consumer: "stranger", Start: "0-0", Count: 1000}).Result()
	must(t, err)
	for i, x := range taken {
		if i%2 == 0 {
			must(t, client.XAck(ctx, key, "signalbox", x.ID).Err())
		}
	}
}

// The disk under the record fills up and is emptied again. It is a small file system of its own (tmpfs), which needs the right to mount.
func TestDiskFull(t *testing.T) {
	t.Parallel() // it sleeps most of the time
	disk := filepath.Join(t.TempDir(), "disk")
	must(t, os.MkdirAll(disk, 0o700))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("NOT RUN: a full disk needs the right to mount a small file system: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(disk, 0)) })
	w := newWorld(t, setup{record: disk})
	f := w.traffic(t)
	ballast := filepath.Join(disk, "ballast")
	for range (figure{3, 50}).size(t) {
		f.feed(t, 4*perFile)
		w.checker.hurt()
		fill(t, ballast)
		f.feed(t, 4*perFile)
		time.Sleep(between(w.rng, 2*time.Second, 4*time.Second))
		must(t, os.Remove(ballast))
		f.keepUp(t, 10)
	}
	f.finish(t)
}

// fill writes until the disk is full.
func fill(t testing.TB, path string) {
	t.Helper()
	file, err := os.Create(path)
	must(t, err)
	defer file.Close()
	for block := make([]byte, 1<<16); len(block) > 0; {
		if _, err := file.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}
