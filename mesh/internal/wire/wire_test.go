package wire

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseChunkRange(t *testing.T) {
	for s, want := range map[string]ChunkRange{
		"1:1": {1, 1}, "2:3": {2, 3}, " 2 : 3 ": {2, 3}, "001:010": {1, 10}, "1000000:1000000": {1000000, 1000000},
	} {
		if got, err := ParseChunkRange(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "1", ":", "1:", ":1", "0:1", "1:0", "2:1", "-1:1", "+1:1", "a:b", "1:2:3", "1.0:2", "1 1:2", "1:1000001", "1:99999999999999999999"} {
		if got, err := ParseChunkRange(s); err != ErrChunkRange || got != (ChunkRange{}) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

func TestChunkRangeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, maxChunks).Draw(t, "total")
		r := ChunkRange{rapid.IntRange(1, total).Draw(t, "number"), total}
		if back, err := ParseChunkRange(r.String()); err != nil || back != r || r.Last() != (r.Number == r.Total) {
			t.Fatalf("%v came back as %v, %v", r, back, err)
		}
	})
}

func TestTruthy(t *testing.T) {
	for s, want := range map[string]bool{"Y": true, "y": true, "TRUE": true, "on": true, " 1 ": true, "N": false, "": false, "2": false, "yess": false} {
		if Truthy(s) != want {
			t.Errorf("Truthy(%q) = %v", s, !want)
		}
	}
}

func TestChecksumText(t *testing.T) {
	for s, want := range map[string]bool{"": true, "md5:0A-b/c d": true, "a=b": false, "a\nb": false, "\u00e9": false} {
		if ChecksumText(s) != want {
			t.Errorf("ChecksumText(%q) = %v", s, !want)
		}
	}
}

// The client prints published texts; none of them may have room for a datum.
func TestPublishedTextsHaveNoPlaceholders(t *testing.T) {
	for _, f := range Faults() {
		if f.Text == "" || strings.ContainsAny(f.Text, "%{}") {
			t.Errorf("%+v", f)
		}
	}
	for name := range Limits() {
		if !strings.HasPrefix(name, "Mex-") {
			t.Errorf("limit of %s", name)
		}
	}
}

func FuzzParseChunkRange(f *testing.F) {
	f.Add("1:2")
	f.Add(" 3 : 4 ")
	f.Add("1:2:3")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseChunkRange(s)
		if err != nil {
			return
		}
		if r.Number < 1 || r.Number > r.Total || r.Total > maxChunks {
			t.Errorf("%q gave %v", s, r)
		}
		if back, err := ParseChunkRange(r.String()); err != nil || back != r {
			t.Errorf("%v came back as %v, %v", r, back, err)
		}
	})
}
