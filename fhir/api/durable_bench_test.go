package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"signalbox/conformance/harness"
	"signalbox/mappings"
	"signalbox/mesh/cpis"
)

// burstSize is how many requests are sent before the reference has its turn.
const burstSize = 512

// The embedded record is on disk and each call is durable before its answer; the token is a person's, verified by the issuer's key. The
// reference is a handler that appends the same bytes to a file and syncs it, one request after the other, and does nothing else. Both are
// under the same load, in turns.
//
//   - x_ref:append-and-sync: its time, over ours. Below 1 we are slower.
//   - x_ref:a-sync-each: the time of as many syncs one after the other, without HTTP, over ours: what group commit saves.
//   - commits/request: each is one sync. Those of the pipeline that tells the authorities meanwhile are among them.

// BenchmarkDurableCareTeam is GET CareTeam of a flagged child: identity, rights, register, the durable access, the answer.
func BenchmarkDurableCareTeam(b *testing.B) {
	w, token := durableWorld(b)
	target := w.FHIR + "/CareTeam?" + url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + harness.Number(1)}}.Encode()
	measure(b, w, make([]byte, 1024), func(int) (*http.Request, error) {
		r, err := http.NewRequest(http.MethodGet, target, nil)
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return r, err
	})
}

// BenchmarkDurableMessage is POST $process-message, an attendance of its own each time: identity, strict reading, validation, the durable
// message, its translation, and the answer that says what became of it.
func BenchmarkDurableMessage(b *testing.B) { benchmarkMessage(b, "/$process-message", http.StatusOK) }

// BenchmarkDurableMessageAsync is the same with async=true: it is answered once it is durable.
func BenchmarkDurableMessageAsync(b *testing.B) {
	benchmarkMessage(b, "/$process-message?async=true", http.StatusAccepted)
}

func benchmarkMessage(b *testing.B, path string, want int) {
	w, token := durableWorld(b)
	raw, err := fs.ReadFile(mappings.Embedded(), "testshire-trust-fhir/sample/attendance.json")
	harness.Must(b, err)
	sample := strings.ReplaceAll(string(raw), "9990000018", harness.Number(1))
	measure(b, w, raw, func(int) (*http.Request, error) {
		body := strings.ReplaceAll(sample, "7e1f0a52-6d1c-4d0b-9c39-4f4f7f6a2c11", uuid.NewString())
		r, err := http.NewRequest(http.MethodPost, w.FHIR+path, strings.NewReader(body))
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/fhir+json")
			r.Header.Set("X-Request-ID", uuid.NewString())
		}
		return r, err
	}, want)
}

// durableWorld is an engine with an authority that has flagged one child, and a person's token.
func durableWorld(b *testing.B) (*harness.World, string) {
	b.Helper()
	w := harness.New(b, harness.Testshire())
	token := w.Issuer(b)("999900001234", "B0107")
	w.Start(b)
	la := harness.Testshire()
	var file bytes.Buffer
	harness.Must(b, cpis.EncodeUpload(&file, cpis.Upload{
		CreationTime: time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC), FileID: "1",
		Organisation: cpis.Organisation{ODSCode: la.ODSCode, Name: la.Name,
			Telecoms: []cpis.Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}},
		Records: []cpis.UploadRecord{{Plan: cpis.Plan{Kind: cpis.PlanChildProtection, Start: "202609010000"},
			Subject: cpis.Subject{NHSNumber: harness.Number(1), LocalID: "LA-1", AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL",
				BirthTime: "20150312", Given: "Ada", Family: "Testone"}}},
	}))
	box := w.Client(b, la.Mailbox)
	w.Send(b, box, "1", file.Bytes())
	w.Receive(b, box, 1)
	return w, token
}

// measure takes the figures at 1, 8 and 64 callers.
func measure(b *testing.B, w *harness.World, record []byte, request func(number int) (*http.Request, error), want ...int) {
	want = append(want, http.StatusOK)
	plain, alone := w.Appender(b, record)
	for _, callers := range []int{1, 8, 64} {
		b.Run("callers-"+strconv.Itoa(callers), func(b *testing.B) {
			var times []time.Duration
			var spent, reference, syncs time.Duration
			var commits float64
			for b.Loop() {
				before, start := committed(b, w), time.Now()
				times = append(times, harness.Burst(b, callers, burstSize, func(c *http.Client, i int) error {
					r, err := request(i)
					return send(c, r, err, want[0])
				})...)
				spent += time.Since(start)
				commits += committed(b, w) - before
				b.StopTimer()
				w.Settle(b) // what was told of this burst is not on the reference's time
				start = time.Now()
				harness.Burst(b, callers, burstSize, func(c *http.Client, _ int) error {
					r, err := http.NewRequest(http.MethodPost, plain, bytes.NewReader(record))
					return send(c, r, err, http.StatusOK)
				})
				reference += time.Since(start)
				syncs += alone(burstSize)
				b.StartTimer()
			}
			slices.Sort(times)
			b.ReportMetric(float64(len(times))/spent.Seconds(), "requests/s")
			b.ReportMetric(harness.Quantile(times, 0.99), "p99-ms")
			b.ReportMetric(commits/float64(len(times)), "commits/request")
			b.ReportMetric(float64(reference)/float64(spent), "x_ref:append-and-sync")
			b.ReportMetric(float64(syncs)/float64(spent), "x_ref:a-sync-each")
		})
	}
}

func send(c *http.Client, r *http.Request, err error, want int) error {
	if err != nil {
		return err
	}
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// committed reads how many commits the engine has made.
func committed(b *testing.B, w *harness.World) float64 {
	b.Helper()
	res, err := http.Get(w.State.Operations + "/metrics")
	harness.Must(b, err)
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "signalbox_store_commit_changes_count "); ok {
			n, err := strconv.ParseFloat(text, 64)
			harness.Must(b, err)
			return n
		}
	}
	b.Fatal("the engine does not say how many commits it has made: is signalbox_store_commit_changes still there?")
	return 0
}
