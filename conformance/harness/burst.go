package harness

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// Burst does so many requests from so many callers, each with the same client, and returns how long each took, the shortest first. The
// number is that of the request.
func Burst(b testing.TB, callers, requests int, do func(client *http.Client, number int) error) []time.Duration {
	b.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, requests)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < requests; i += callers {
				start := time.Now()
				if err := do(client, i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

// Quantile returns the time within which that share of sorted times lies, in milliseconds.
func Quantile(sorted []time.Duration, share float64) float64 {
	return float64(sorted[int(float64(len(sorted)-1)*share)].Microseconds()) / 1000
}

// Appender is a server that makes the same bytes durable with each request, by appending them to a file and syncing it, and does nothing
// else. Alone does the same so many times without HTTP, one after the other, and returns how long that took.
func (w *World) Appender(b testing.TB, record []byte) (address string, alone func(int) time.Duration) {
	b.Helper()
	var mu sync.Mutex
	file, err := os.CreateTemp(w.Dir, "appended-"+filepath.Base(b.Name())+"-*")
	Must(b, err)
	b.Cleanup(func() { Must(b, file.Close()) })
	write := func() error {
		mu.Lock()
		defer mu.Unlock()
		if _, err := file.Write(record); err != nil {
			return err
		}
		return file.Sync()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := write(); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	b.Cleanup(server.Close)
	return server.URL, func(n int) time.Duration {
		start := time.Now()
		for range n {
			Must(b, write())
		}
		return time.Since(start)
	}
}
