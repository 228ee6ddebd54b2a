//go:build unix

package faults

import (
	"testing"
	"time"

	"signalbox/engine/stream/redistest"
)

// everysec is what Redis recommends, and what loses acknowledged entries in a crash.
func everysec() []string { return []string{"--appendonly", "yes", "--appendfsync", "everysec"} }

// The engine is killed at random instants, on each store.
func TestKillEngine(t *testing.T) {
	for name, postgres := range map[string]bool{"sqlite": false, "postgres": true} { // the figures are of both together
		t.Run(name, func(t *testing.T) {
			kills, events := figure{20, 500}.size(t), figure{10_000, 500_000}.size(t)
			w := newWorld(t, setup{postgres: postgres})
			f := w.traffic(t)
			for range kills {
				f.feed(t, events/kills)
				time.Sleep(between(w.rng, 0, 300*time.Millisecond))
				w.checker.hurt()
				w.crash(t)
				f.keepUp(t, 60)
			}
			f.finish(t)
		})
	}
}

// Redis is killed at random instants, with both ways of keeping its file.
func TestKillRedis(t *testing.T) {
	for name, args := range map[string][]string{"always": redistest.Durable(), "everysec": everysec()} {
		t.Run(name, func(t *testing.T) {
			kills := figure{10, 300}.size(t)
			w := newWorld(t, setup{redis: args})
			f := w.traffic(t)
			for range kills {
				f.feed(t, 500)
				time.Sleep(between(w.rng, 0, 200*time.Millisecond))
				w.checker.hurt()
				w.redis.Kill()
				time.Sleep(between(w.rng, 0, 300*time.Millisecond))
				w.redis.Restart()
				f.keepUp(t, 40)
			}
			f.finish(t)
		})
	}
}

// Both are killed, and both again while they recover.
func TestKillBoth(t *testing.T) {
	w := newWorld(t, setup{redis: everysec()})
	f := w.traffic(t)
	for range (figure{5, 100}).size(t) {
		f.feed(t, 500)
		time.Sleep(between(w.rng, 0, 200*time.Millisecond))
		w.checker.hurt()
		for range 2 { // the second time strikes the recovery from the first
			w.redis.Kill()
			w.kill()
			w.redis.Restart()
			w.start(t)
			time.Sleep(between(w.rng, 0, 150*time.Millisecond))
		}
		f.keepUp(t, 40)
	}
	f.finish(t)
}

// streams are the keys of the topics that carry the most.
func streams() []string {
	return []string{"{signalbox:signalbox.message}", "{signalbox:signalbox.flag}", "{signalbox:signalbox.access}", "{signalbox:signalbox.file-done}"}
}

// Redis is emptied under the running engine, in every way that it can be, in random order.
func TestWipeRedis(t *testing.T) {
	w := newWorld(t, setup{redis: redistest.Durable()})
	ways := []func(){
		w.redis.Wipe,
		func() { w.redisDo(t, "DEL") },
		func() { w.redisDo(t, "XGROUP", "DESTROY") },
		func() { w.wrongType(t) },
	}
	each := figure{3, 100}.size(t)
	wipes := w.rng.Perm(len(ways) * each)
	f := w.traffic(t)
	for _, n := range wipes {
		f.feed(t, 500)
		time.Sleep(between(w.rng, 0, 200*time.Millisecond))
		w.checker.hurt()
		ways[n%len(ways)]()
		f.feed(t, 100)
		f.keepUp(t, 20)
	}
	f.finish(t)
}

// redisDo runs a command on every stream.
func (w *world) redisDo(t *testing.T, words ...string) {
	t.Helper()
	for _, key := range streams() {
		line := append(append([]string{}, words...), key)
		if words[0] == "XGROUP" {
			line = append(line, "signalbox")
		}
		if _, err := w.redis.Do(line...); err != nil && words[0] == "DEL" {
			t.Error(err)
		}
	}
}

// wrongType puts a string where each stream was, and takes it away after a while.
func (w *world) wrongType(t *testing.T) {
	t.Helper()
	for _, key := range streams() {
		if _, err := w.redis.Do("SET", key, "1"); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(between(w.rng, 200*time.Millisecond, 800*time.Millisecond))
	for _, key := range streams() {
		if _, err := w.redis.Do("DEL", key); err != nil {
			t.Error(err)
		}
	}
}
