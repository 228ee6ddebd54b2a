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
func fieldsOf(args []any) fields {
	var f fields
	for _, value := range args[3:] {
		if b, is := value.([]byte); is {
			value = string(b)
		}
		f = append(f, value)
	}
	return f
}

func TestWireRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := message.NewMessage(rapid.String().Draw(t, "uuid"), rapid.SliceOf(rapid.Byte()).Draw(t, "payload"))
		m.Metadata = rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")
		f := fieldsOf(encodeAdd("{p:t}", m))
		uuid, key, err := f.check()
		require.NoError(t, err)
		require.Equal(t, m.Metadata[KeyMetadata], key)
		got := f.message(t.Context(), uuid)
		require.True(t, m.Equals(got))
	})
}

// Whatever fields a stranger writes: an error that shows nothing of them, or a message with exactly its payload.
func FuzzDecode(f *testing.F) {
	f.Add("id", "u", "payload", "p", "h.x", "y")
	f.Add("id", "u", "payloa", "p", "h.", "y")
	f.Add("", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		written := map[string]string{n1: v1, n2: v2, n3: v3} // the last of a name counts
		entry := fields{n1, v1, n2, v2, n3, v3}
		uuid, key, err := entry.check()
		want, has := written["payload"]
		id, named := written["id"]
		if (err == nil) != (has && named) {
			t.Fatalf("error %v, but id there: %v, payload there: %v", err, named, has)
		}
		if err != nil {
			if uuid != "" || key != "" {
				t.Fatal("an error, and a message too")
			}
			return
		}
		m := entry.message(t.Context(), uuid)
		if uuid != id || m.UUID != id || !bytes.Equal(m.Payload, []byte(want)) {
			t.Fatal("not what was written")
		}
		for name, value := range m.Metadata {
			if written["h."+name] != value {
				t.Fatal("metadata out of nothing")
			}
		}
	})
}

func TestDeadEntryKeepsEverything(t *testing.T) {
	got := fieldsOf(encodeDead("{p:t}", "g", "1-2", "why", fields{"a", "b", "payload", "c"}))
	assert.Equal(t, fields{"dead.reason", "why", "dead.entry", "1-2", "dead.group", "g", "a", "b", "payload", "c"}, got)
	assert.Equal(t, "{p:t}.dead", deadKey(streamKey("p", "t")))
}

// Lanes are the same in every process and version, and keys spread over them.
func TestLaneOf(t *testing.T) {
	for _, k := range []string{"a", "b", "a longer key"} {
		h := fnv.New64a()
		_, _ = h.Write([]byte(k))
		assert.EqualValues(t, (h.Sum64()^h.Sum64()>>32)%64, laneOf("u", k, 64), "lane of %s", k)
	}
	assert.Equal(t, laneOf("other", "u", 64), laneOf("u", "", 64), "without a key the UUID counts")
	counts := make([]int, 64)
	for i := range 64_000 {
		counts[laneOf("u", strings.Repeat("k", i%7)+time.Duration(i).String(), 64)]++
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
