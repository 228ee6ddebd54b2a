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

// cells lists every line, the mildest first, so that a part of the list has a bit of everything.
func cells() []cell {
	var out []cell
	toxics, targets, directions := []string{"latency", "jitter", "bandwidth", "slicing", "reset", "blackhole"}, []string{"redis", "mesh"}, []string{"downstream", "upstream"}
	for strength := 1; strength <= 4; strength++ {
		for d := range directions {
			for i, toxic := range toxics {
				for j := range targets {
					out = append(out, cell{toxic, targets[(i+j)%2], directions[(d+j)%2], strength})
				}
			}
		}
	}
	return out
}

// Every line to Redis and MESH goes bad in every way while files and accesses flow; what needs it to be good again waits.
func TestBadLines(t *testing.T) {
	lines := map[string]*toxiproxy.Proxy{}
	w := newWorld(t, setup{redis: redistest.Durable(), around: func(t testing.TB, _ *world, to ways) ways {
		server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
		for name, upstream := range map[string]string{"redis": to.redis, "mesh": to.mesh} {
			p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)
			must(t, p.Start())
			t.Cleanup(p.Stop)
			lines[name] = p
		}
		return ways{redis: lines["redis"].Listen, mesh: lines["mesh"].Listen}
	}})
	f := w.traffic(t)
	all := cells()
	n := min(len(all), figure{8, len(all)}.size(t))
	for i := range n {
		c := all[i]
		if n == 8 { // a bit of everything: each fault, both targets, both directions
			c = all[i*5%24]
		}
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
