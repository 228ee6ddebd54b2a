package meshserver

import (
	"net/http"
	"runtime"
	"testing"
	"time"
)

// bombBar is how long a bomb may take to be refused, and how much memory; the time is a figure, for it is the machine's too.
const bombBar = 250 * time.Millisecond

// BenchmarkBomb asks for bombs to be unpacked, until the server refuses: 1,028 times the size that was sent, at once and in
// another gzip, of which the outer is undone and the inner is what was sent.
func BenchmarkBomb(b *testing.B) {
	bomb := string(zeros(b, 512<<20))
	for name, body := range map[string]string{"1028to1": bomb, "nested": zip(bomb)} {
		b.Run(name, func(b *testing.B) {
			y := newBench(b, func(c *Config) { c.Now = time.Now })
			y.now = time.Now()
			id := y.send(body, "Content-Encoding: gzip")
			var most uint64
			for b.Loop() {
				req, err := http.NewRequest("GET", "/messageexchange/"+trust+"/inbox/"+id, nil)
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("Authorization", y.token(trust))
				w := &drain{headerNames: headerNames{header: http.Header{}}}
				began := readHeap()
				w.serve(y.server, req)
				if most = max(most, readHeap()-began); w.n > bombFrom+1<<20 {
					b.Fatalf("%d bytes were unpacked", w.n)
				}
			}
			b.ReportMetric(float64(most)/(1<<20), "MiB-allocated")
			b.ReportMetric(float64(bombBar)*float64(b.N)/float64(b.Elapsed()), "times-below-250ms")
		})
	}
}

func readHeap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// drain counts an answer and keeps nothing of it.
type drain struct {
	headerNames
	n int64
}

func (d *drain) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return len(p), nil
}

// serve ends with the answer, or with the server breaking it off.
func (d *drain) serve(s *Server, req *http.Request) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
	}()
	s.ServeHTTP(d, req)
}
