package conformance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
)

// issuer makes the world trust an issuer of tokens and returns what makes them: for one person, with the given activities.
func issuer(t testing.TB, w *harness.World) func(user, activities string) string {
	t.Helper()
	const name, audience = "https://issuer.testshire.example", "https://signalbox.testshire.example/FHIR/R4"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	harness.Must(t, err)
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1"}}})
	harness.Must(t, err)
	file := filepath.Join(w.Dir, "jwks.json")
	harness.Must(t, os.WriteFile(file, raw, 0o600))
	w.Config.FHIR.Issuers = []app.Issuer{{Issuer: name, Audience: audience, JWKSFile: file}}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1").WithType("JWT"))
	harness.Must(t, err)
	return func(user, activities string) string {
		now := time.Now()
		raw, err := json.Marshal(map[string]any{
			"iss": name, "aud": audience, "iat": now.Unix(), "exp": now.Add(30 * time.Minute).Unix(), "client_id": "both", "sub": user,
			"name": "Dr Casey Invented", "role_code": "R0260", "role_name": "General Medical Practitioner", "organisation": "RXX99",
			"organisation_name": "TEST EMERGENCY DEPARTMENT", "activities": activities, "jti": rand.Text(),
		})
		harness.Must(t, err)
		signed, err := signer.Sign(raw)
		harness.Must(t, err)
		text, err := signed.CompactSerialize()
		harness.Must(t, err)
		return text
	}
}

// BenchmarkQueryByAPerson measures GET /CareTeam with everything on (token verified, rights, durable access, answer) from 1, 8 and 64 callers, beside
// a handler that appends the bytes of one access to a file and syncs it, and does nothing else. The first ratio is of requests a second.
// The second is against as many syncs one after the other as there were requests: what group commit saves.
func BenchmarkQueryByAPerson(b *testing.B) {
	w := harness.New(b, harness.Testshire())
	token := issuer(b, w)("999900001234", "B0107")
	w.Start(b)
	box := w.Client(b, "TESTLA01")
	w.Send(b, box, "1", upload(b, "1", child(ada, "LA-1", openPlan())))
	w.Receive(b, box, 1)
	plain, alone := appender(b, filepath.Join(w.Dir, "appended"))
	ours := w.FHIR + "/CareTeam?" + url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + ada}}.Encode()
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers-%d", callers), func(b *testing.B) {
			var times []time.Duration
			var spent, reference, syncs time.Duration
			for b.Loop() {
				start := time.Now()
				times = append(times, burst(b, ours, token, callers)...)
				spent += time.Since(start)
				b.StopTimer()
				start = time.Now()
				burst(b, plain, token, callers)
				reference += time.Since(start)
				syncs += alone(burstRequests)
				b.StartTimer()
			}
			slices.Sort(times)
			b.ReportMetric(float64(len(times))/spent.Seconds(), "requests/s")
			b.ReportMetric(float64(times[int(float64(len(times)-1)*0.99)].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(reference)/float64(spent), "x_ref:append-and-sync")
			b.ReportMetric(float64(syncs)/float64(spent), "x_ref:a-sync-each")
		})
	}
}

// appender is a handler that makes the bytes of an access durable, and the same without HTTP, one after the other.
func appender(b *testing.B, path string) (address string, alone func(int) time.Duration) {
	b.Helper()
	record := make([]byte, 1024)
	var mu sync.Mutex
	file, err := os.Create(path)
	harness.Must(b, err)
	b.Cleanup(func() { harness.Must(b, file.Close()) })
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
			harness.Must(b, write())
		}
		return time.Since(start)
	}
}

// TestTheAuthorityIsToldWhichPersonLooked follows a token's claims into the notification that leaves over MESH.
func TestTheAuthorityIsToldWhichPersonLooked(t *testing.T) {
	w := harness.New(t, harness.Testshire())
	token := issuer(t, w)
	w.Start(t)
	box := w.Client(t, "TESTLA01")
	w.Send(t, box, "1", upload(t, "1", child(ada, "LA-1", openPlan())))
	w.Receive(t, box, 1)
	path := "/CareTeam?" + url.Values{"patient": {ada}}.Encode()
	for _, refused := range []string{"B0170", "", "B0264"} {
		if status, _ := w.Ask(t, http.DefaultClient, http.MethodGet, path, token("999900001234", refused), nil, nil); status != http.StatusForbidden {
			t.Errorf("with %q: status %d", refused, status)
		}
	}
	if status, body := w.Ask(t, http.DefaultClient, http.MethodGet, path, token("999900001234", "B0107"), nil, nil); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	n := notification(t, w.Receive(t, box, 1)[0])
	if len(n.Accesses) != 1 || n.Accesses[0].Person != "Dr Casey Invented" || n.Accesses[0].Organisation != "RXX99" {
		t.Errorf("%d accesses were told, or not of the token's person", len(n.Accesses))
	}
	for _, never := range []string{"999900001234", "Casey", ada} {
		if strings.Contains(w.Log.String(), never) {
			t.Errorf("the log holds %s", never)
		}
	}
}
