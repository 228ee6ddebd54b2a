package spool

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRecordsAreWrittenAsJSON holds the short way of writing an acknowledgement against the long one, byte for byte, also where a
// record looks like one and has more to say.
func TestRecordsAreWrittenAsJSON(t *testing.T) {
	zones := []*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("x", -90)}
	rapid.Check(t, func(t *rapid.T) {
		r := record{
			Op: rapid.SampledFrom([]string{"ack", "del"}).Draw(t, "op"),
			ID: rapid.OneOf(rapid.StringMatching(`[0-9]{20}_[0-9A-F]{6}`), rapid.String()).Draw(t, "id"),
			At: time.Unix(rapid.Int64Range(-1<<36, 1<<39).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(rapid.SampledFrom(zones).Draw(t, "zone")),
		}
		if rapid.Bool().Draw(t, "no time") {
			r.At = time.Time{}
		}
		if rapid.Bool().Draw(t, "more") {
			r.Last = true
		}
		want, wantErr := json.Marshal(r)
		got, err := r.encode()
		if (err == nil) != (wantErr == nil) || string(got) != string(want) {
			t.Fatalf("record: %s (%v), want %s (%v)", got, err, want, wantErr)
		}
	})
}
