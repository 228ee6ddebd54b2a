package cpis

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Records that take each other's memory are the same records, faults and all, and make the same response.
func TestReuseReadsTheSameRecords(t *testing.T) {
	body := []byte(uploadExample(t))
	broken := []byte(edit(t, string(body), `birthTime value="20150312"`, `birthTime value="soon"`))
	for name, raw := range map[string][]byte{"whole": body, "one broken": broken} {
		encode := func(stream bool) string {
			d := NewDecoder(raw, Default())
			if stream {
				d.Reuse()
			}
			records := func(yield func(ResponseRecord) bool) {
				for r := range d.Records() {
					if !yield(ResponseRecord{Valid: len(r.Faults) == 0, Source: r}) {
						return
					}
				}
			}
			response := Response{FileCode: FilePartial, CreationTime: testTime, Organisation: testshire}
			if response.Stream = records; !stream {
				response.Stream, response.Records = nil, slices.Collect(records)
			}
			var buf bytes.Buffer
			if err := EncodeResponse(&buf, response); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return buf.String()
		}
		if a, b := encode(false), encode(true); a != b || !strings.Contains(a, "<message>") {
			t.Errorf("%s: the responses differ:\n%s\n%s", name, a, b)
		}
	}
}
