package mesh

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzListPage holds the quick way of reading a page against encoding/json: the same ids, the same link, the same refusals.
func FuzzListPage(f *testing.F) {
	for _, page := range []string{
		`{"messages":["A1","B2"],"links":{"self":"/x","next":"/messageexchange/X/inbox?continue_from=B2"},"approx_inbox_count":2}`,
		`{"messages":["A1"]}`, `{"messages":[]}`, `{"messages":null}`, `{"messages":["A1","B2"]`, `{"messages":["A1",3]}`, `{"messages":["A1" , "B2"]}`,
		`{ "links":{"next":"n"}, "messages":["A1"]}`, `{"messages":["A\\u0031","\\"]"]}`, `{"messages":["A1"],"messages":["B2"]}`, `{"messages":["A","B"C"]}`,
		`{"messages":["A1"],"messages":[]}`, `{"messages":["",""]}`, `{"messages":["é"]}`, `{"messages":["A1"]}x`, `{"messages":["A]","B"]}`, `{"messages":["A1"],"Messages":["B2"]}`,
		`{"messages":["A"B","C"],"x":"\","]}`, `{"messages":["A1","B2"]}`, `[]`, ``,
	} {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var got, want listPage
		wantErr := json.Unmarshal(raw, &want)
		err := got.decode(raw)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
		if err == nil && (!reflect.DeepEqual(got, want) && (len(got.Messages) > 0 || len(want.Messages) > 0 || got.Links != want.Links)) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}
