//go:build unix

package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"signalbox/engine/stream/redistest"
)

// cell is one bad line: what is wrong with it, between the engine and whom, which way, and how badly.
type cell struct {
	toxic, target, direction string
	strength                 int // 1 to 4
}

// toxics are the attributes of each fault of a line at strength 1; the figures grow, or shrink for bandwidth, with the strength.
func (c cell) attributes() string {
	k := c.strength
	switch c.toxic {
	case "latency":
		return fmt.Sprintf(`"type":"latency","attributes":{"latency":%d}`, 20*k)
	case "jitter":
		return fmt.Sprintf(`"type":"latency","attributes":{"latency":%d,"jitter":%d}`, 20*k, 20*k)
	case "bandwidth":
		return fmt.Sprintf(`"type":"bandwidth","attributes":{"rate":%d}`, 512/k)
	case "slicing":
		return fmt.Sprintf(`"type":"slicer","attributes":{"average_size":%d,"size_variation":16,"delay":%d}`, 512/k, 50*k)
	case "reset":
		return fmt.Sprintf(`"type":"reset_peer","attributes":{"timeout":%d}`, 400/k)
	default: // a line that swallows what it is given, and is cut after a while
		return fmt.Sprintf(`"type":"timeout","attributes":{"timeout":%d}`, 500*k)
	}
}

// cells lists every line, the mildest first, each part of the list with a bit of everything: a part of six has each fault, a part of three
// each target, and neighbours differ in their direction.
func cells() []cell {
	toxics, targets, directions := []string{"latency", "jitter", "bandwidth", "slicing", "reset", "blackhole"}, []string{"redis", "mesh", "postgres"}, []string{"downstream", "upstream"}
	var out []cell
	for i := range len(toxics) * len(targets) * len(directions) * 4 {
		out = append(out, cell{toxics[i%6], targets[(i+i/6)%3], directions[(i+i/18)%2], 1 + i/36})
	}
	return out
}

func TestCellsAreAllDifferent(t *testing.T) {
	seen := map[cell]bool{}
	for _, c := range cells() {
		seen[c] = true
	}
	if len(seen) != 144 {
		t.Errorf("%d different cells, want 144", len(seen))
	}
	for _, c := range cells()[:8] {
		for _, part := range []string{c.toxic, c.target, c.direction} {
			seen[cell{toxic: part}] = true
		}
	}
	if len(seen) != 144+6+3+2 {
		t.Error("the first eight have not a bit of everything")
	}
}

// Every line to Redis, MESH and PostgreSQL goes bad in every way while files and accesses flow; what needs it to be good again waits.
func TestBadLines(t *testing.T) {
	lines := map[string]*toxiproxy.Proxy{}
	w := newWorld(t, setup{redis: redistest.Durable(), postgres: true, around: func(t testing.TB, _ *world, to ways) ways {
		server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
		for name, upstream := range map[string]*string{"redis": &to.redis, "mesh": &to.mesh, "postgres": &to.postgres} {
			p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", *upstream)
			must(t, p.Start())
			t.Cleanup(p.Stop)
			lines[name], *upstream = p, p.Listen
		}
		return to
	}})
	f := w.traffic(t)
	all := cells()
	for _, c := range all[:min(len(all), figure{8, len(all)}.size(t))] {
		t.Logf("%s on the way to %s, %s, strength %d", c.toxic, c.target, c.direction, c.strength)
		w.checker.hurt()
		_, err := lines[c.target].Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":"bad","stream":%q,"toxicity":1,%s}`, c.direction, c.attributes())))
		must(t, err)
		f.feed(t, 4*perFile)
		time.Sleep(between(w.rng, 500*time.Millisecond, 1500*time.Millisecond))
		must(t, lines[c.target].Toxics.RemoveToxic(context.Background(), "bad"))
		f.feed(t, 2*perFile)
		f.keepUp(t, 10)
	}
	f.finish(t)
}
