package mesh

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever the file of an earlier process holds, it is read within bounds, what is added to it is read again, and nothing that is torn
// comes back.
func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"local_id":"L","began":"2026-01-01T00:00:00Z"}` + "\n" + `{"message_id":"M","chunks":2,"total":3}` + "\n"))
	f.Add([]byte(`{"message_id":"M","chunks":99999}` + "\n" + `{"message_`))
	f.Add([]byte("{\n\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		name := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var at sending
			k, err := openKept(name, func() any { return &at })
			if err != nil {
				t.Fatal(err)
			}
			if err := k.add(sending{MessageID: "AFTER", Chunks: 7}); err != nil {
				t.Fatal(err)
			}
			if err := k.end(false); err != nil {
				t.Fatal(err)
			}
			at = sending{}
			if k, err = openKept(name, func() any { return &at }); err != nil || at.MessageID != "AFTER" || at.Chunks != 7 {
				t.Fatalf("%+v, %v", at, err)
			}
			if err := k.end(false); err != nil {
				t.Fatal(err)
			}
		}
	})
}
