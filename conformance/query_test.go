package conformance_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"signalbox/conformance/harness"
)

// BenchmarkQuery measures GET /CareTeam with its durable access record, from 1, 8 and 64 callers, beside an empty handler under the same load.
// The ratio is of the medians: how much of the time is HTTP itself.
func BenchmarkQuery(b *testing.B) {
	w := harness.New(b, harness.Testshire())
	w.Start(b)
	box := w.Client(b, "TESTLA01")
	w.Send(b, box, "1", upload(b, "1", child(ada, "LA-1", openPlan())))
	w.Receive(b, box, 1)
	empty := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer empty.Close()
	q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + ada}}
	ours := w.FHIR + "/CareTeam?" + q.Encode()
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers-%d", callers), func(b *testing.B) {
			var times, reference []time.Duration
			for b.Loop() {
				times = append(times, burst(b, ours, harness.Token, callers)...)
				b.StopTimer()
				reference = append(reference, burst(b, empty.URL, harness.Token, callers)...)
				b.StartTimer()
			}
			slices.Sort(times)
			slices.Sort(reference)
			b.ReportMetric(harness.Quantile(times, 0.5), "p50-ms")
			b.ReportMetric(harness.Quantile(times, 0.99), "p99-ms")
			b.ReportMetric(harness.Quantile(reference, 0.5)/harness.Quantile(times, 0.5), "x_ref:empty-handler")
		})
	}
}

// burst sends requests from so many callers and returns how long each took.
func burst(b *testing.B, address, token string, callers int) []time.Duration {
	b.Helper()
	return harness.Burst(b, callers, 512, func(client *http.Client, _ int) error { return get(client, address, token) })
}

func get(client *http.Client, address, token string) error {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}
