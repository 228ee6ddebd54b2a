package mesh_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/mesh"
)

// call makes a call of the API with a plain HTTP client and a fresh token, so that what is measured is the server.
func (y *yard) call(method, mailbox, path string, body []byte, headers ...string) error {
	password := map[string]mesh.Secret{la: "la-password", trust: "trust-password"}[mailbox]
	token := mesh.NewToken(mailbox, uuid.NewString(), "0", time.Now(), password, "TestKey")
	headers = append(headers, "Authorization", token.Header(), "Accept", "application/vnd.mesh.v2+json")
	return y.plain(method, y.meshURL+"/messageexchange/"+mailbox+path, body, headers...)
}

// side is what one of the two servers is asked in a round.
type side func(i int) error

// race runs rounds of both servers over some connections, interleaved, and reports calls a second, p50 and p99 of ours, and
// how many times faster than the reference it is.
func (y *yard) race(conns, n int, ours, ref side, prepare func()) {
	var spent, refSpent time.Duration
	var each []time.Duration
	for y.b.Loop() {
		y.b.StopTimer()
		prepare()
		y.b.StartTimer()
		some, d, err := crowd(conns, n, ours)
		y.b.StopTimer()
		_, r, refErr := crowd(conns, n, ref)
		if err := errors.Join(err, refErr); err != nil {
			y.b.Fatal(err)
		}
		spent, refSpent, each = spent+d, refSpent+r, append(each, some...)
		y.b.StartTimer()
	}
	slices.Sort(each)
	y.b.ReportMetric(float64(len(each))/spent.Seconds(), "ops/s")
	y.b.ReportMetric(float64(each[len(each)/2])/1e6, "p50-ms")
	y.b.ReportMetric(float64(each[len(each)*99/100])/1e6, "p99-ms")
	y.b.ReportMetric(float64(refSpent)/float64(spent), "x_ref:bare-handler")
}

// BenchmarkServer compares the server with a bare handler that moves the same bytes to and from the same disk, with the same
// compression, at 1, 8 and 32 connections. A send and an acknowledgement are durable on both sides.
func BenchmarkServer(b *testing.B) {
	for _, conns := range []int{1, 8, 32} {
		for _, size := range []struct {
			name   string
			bytes  int
			rounds int
		}{{"1KiB", 1 << 10, 300}, {"1MiB", 1 << 20, 40}} {
			body := make([]byte, size.bytes)
			for i := range body {
				body[i] = byte(i * i >> 3)
			}
			name := func(call string) string { return fmt.Sprintf("%s/%s/%dconns", call, size.name, conns) }
			send := func(y *yard, body []byte) side {
				return func(int) error {
					return y.call("POST", la, "/outbox", body, "Mex-To", trust, "Mex-WorkflowID", flow)
				}
			}
			b.Run(name("send"), func(b *testing.B) {
				y := newYard(b)
				y.race(conns, size.rounds, send(y, body), func(int) error { return y.bare("POST", "/", body) }, y.drain)
			})
			for _, coding := range []string{"identity", "gzip"} {
				b.Run(name("get-"+coding), func(b *testing.B) {
					y := newYard(b)
					ids := y.fill(size.rounds, body)
					if err := y.bare("POST", "/", body); err != nil {
						b.Fatal(err)
					}
					y.race(conns, size.rounds, func(i int) error { return y.call("GET", trust, "/inbox/"+ids[i], nil, "Accept-Encoding", coding) },
						func(int) error { return y.bare("GET", "/0", nil, "Accept-Encoding", coding) }, func() {})
				})
			}
			if size.bytes > 1<<10 {
				continue
			}
			b.Run(fmt.Sprintf("list100/%dconns", conns), func(b *testing.B) {
				y := newYard(b)
				y.fill(100, []byte("x"))
				if err := y.bare("POST", "/", make([]byte, 3150)); err != nil {
					b.Fatal(err)
				}
				y.race(conns, size.rounds, func(int) error { return y.call("GET", trust, "/inbox", nil) },
					func(int) error { return y.bare("GET", "/0", nil) }, func() {})
			})
			b.Run(fmt.Sprintf("acknowledge/%dconns", conns), func(b *testing.B) {
				y := newYard(b)
				var ids []string
				y.race(conns, size.rounds, func(i int) error { return y.call("PUT", trust, "/inbox/"+ids[i]+"/status/acknowledged", nil) },
					func(i int) error { return y.bare("PUT", "/"+ids[i], nil) }, func() { ids = y.fill(size.rounds, []byte("x")) })
			})
		}
	}
}
