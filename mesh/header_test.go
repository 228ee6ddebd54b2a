package mesh

import (
	"net/http"
	"testing"
)

// Whatever a server writes into its headers, reading them neither fails nor makes a count that cannot be.
func FuzzHeader(f *testing.F) {
	f.Add("REPORT", "1:2", "2", "20200529155357", "Y", "SUCCESS")
	f.Add("data", "2:2", "", "2020-06-01T12:21:52", "N", "ERROR")
	f.Add("", "999999999999:1", "-1", "yesterday", "\xff", "")
	f.Fuzz(func(t *testing.T, kind, chunks, total, at, flag, success string) {
		h := http.Header{"Mex-Messagetype": {kind}, "Mex-Chunk-Range": {chunks}, "Mex-Total-Chunks": {total}, "Mex-Statustimestamp": {at},
			"Mex-Content-Encrypted": {flag}, "Mex-Statussuccess": {success}}
		got := parseHeader("ID", h)
		if got.MessageID != "ID" || got.TotalChunks < 1 || got.MessageType == "" {
			t.Errorf("%+v", got)
		}
		if got.IsReport() && got.MessageType != Report {
			t.Errorf("%+v", got)
		}
	})
}

// Names are case-insensitive, absent ones have their defaults.
func TestHeaderDefaults(t *testing.T) {
	h := http.Header{}
	h.Set("mex-MESSAGETYPE", " report ")
	h.Set("Content-Type", "text/csv")
	if got := parseHeader("ID", h); !got.IsReport() || got.ContentType != "text/csv" || got.TotalChunks != 1 {
		t.Errorf("%+v", got)
	}
	if got := parseHeader("ID", http.Header{}); got.MessageType != Data || got.TotalChunks != 1 || !got.StatusTime.IsZero() {
		t.Errorf("%+v", got)
	}
}
