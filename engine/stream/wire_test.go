package stream

import (
	"bytes"
	"hash/fnv"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fieldsOf turns the arguments of an XADD into fields as Redis gives them back.
func fieldsOf(args []any) map[string]any {
	fields := make(map[string]any)
	for i := 3; i < len(args); i += 2 {
		value := args[i+1]
		if b, is := value.([]byte); is {
			value = string(b)
		}
		fields[args[i].(string)] = value
	}
	return fields
}

func TestWireRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := message.NewMessage(rapid.String().Draw(t, "uuid"), rapid.SliceOf(rapid.Byte()).Draw(t, "payload"))
		m.Metadata = rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")
		uuid, payload, meta, err := decode(fieldsOf(encodeAdd("{p:t}", m)))
		require.NoError(t, err)
		got := message.NewMessage(uuid, payload)
		got.Metadata = meta
		require.True(t, m.Equals(got))
	})
}

// Whatever fields a stranger writes: an error that shows nothing of them, or a message with exactly its payload.
func FuzzDecode(f *testing.F) {
	f.Add("id", "u", "payload", "p", "h.x", "y")
	f.Add("id", "u", "payloa", "p", "h.", "y")
	f.Add("", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		fields := map[string]any{n1: v1, n2: v2, n3: v3}
		uuid, payload, meta, err := decode(fields)
		want, has := fields["payload"]
		id, named := fields["id"]
		if (err == nil) != (has && named) {
			t.Fatalf("error %v, but id there: %v, payload there: %v", err, named, has)
		}
		if err != nil {
			if payload != nil || meta != nil || uuid != "" {
				t.Fatal("an error, and a message too")
			}
			return
		}
		if uuid != id || !bytes.Equal(payload, []byte(want.(string))) {
			t.Fatal("not what was written")
		}
		for name, value := range meta {
			if fields["h."+name] != value {
				t.Fatal("metadata out of nothing")
			}
		}
	})
}

func TestDeadEntryKeepsEverything(t *testing.T) {
	fields := fieldsOf(encodeDead("{p:t}", "g", "1-2", "why", map[string]any{"a": "b", "payload": "c"}))
	assert.Equal(t, map[string]any{
		"dead.reason": "why", "dead.entry": "1-2", "dead.group": "g", "a": "b", "payload": "c",
	}, fields)
	assert.Equal(t, "{p:t}.dead", deadKey(streamKey("p", "t")))
}

// Lanes are the same in every process and version, and keys spread over them.
func TestLaneOf(t *testing.T) {
	key := func(k string) *message.Message {
		return &message.Message{UUID: "u", Metadata: message.Metadata{KeyMetadata: k}}
	}
	for _, k := range []string{"a", "b", "a longer key"} {
		h := fnv.New64a()
		_, _ = h.Write([]byte(k))
		assert.EqualValues(t, (h.Sum64()^h.Sum64()>>32)%64, laneOf(key(k), 64), "lane of %s", k)
	}
	assert.Equal(t, laneOf(key("u"), 64), laneOf(key(""), 64), "without a key the UUID counts")
	counts := make([]int, 64)
	for i := range 64_000 {
		counts[laneOf(key(strings.Repeat("k", i%7)+time.Duration(i).String()), 64)]++
	}
	for lane, n := range counts {
		assert.InDelta(t, 1000, n, 6*math.Sqrt(1000), "lane %d", lane)
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "base"))
		most := base + time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "more"))
		b := backoff{base: base, max: most}
		for try := range 80 {
			full := most
			if base <= most>>min(try, 63) {
				full = base << try
			}
			d := b.next()
			require.LessOrEqual(t, d, full)
			require.GreaterOrEqual(t, d, full-full/4)
		}
		b.reset()
		require.LessOrEqual(t, b.next(), base)
	})
}

func TestPauseEndsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		start := time.Now()
		assert.True(t, pause(t.Context(), stop, time.Minute))
		assert.Equal(t, time.Minute, time.Since(start))
		close(stop)
		assert.False(t, pause(t.Context(), stop, time.Hour))
		assert.Equal(t, time.Minute, time.Since(start))
	})
}
