package hook_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/engine"
	"signalbox/engine/hook"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

var key = []byte("a key of thirty-two bytes or more")

// at is the time of every signature here.
var at = time.Unix(1_790_000_000, 0)

func poster(t testing.TB, change func(*hook.Config), r hook.Receiver) *hook.Poster {
	t.Helper()
	cfg := hook.Default()
	r.Name, r.Key = "la", key
	cfg.Receivers = []hook.Receiver{r}
	if change != nil {
		change(&cfg)
	}
	p, err := hook.New(cfg, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func post(endpoint string) hook.Post {
	return hook.Post{Receiver: "la", Endpoint: endpoint, Headers: []string{"Authorization: Bearer theirs"}, RequestID: "id", MediaType: "application/fhir+json",
		Body: []byte(`{"a":1}`)}
}

func TestPostIsSignedOverTLS(t *testing.T) {
	var got *http.Request
	var body string
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, body = r, string(raw)
	}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	p := poster(t, func(c *hook.Config) { c.RootCAs = roots }, hook.Receiver{Endpoints: []string{s.URL}, Private: true})
	if err := p.Post(context.Background(), post(s.URL)); err != nil {
		t.Fatal(err)
	}
	// printf '1790000000.{"a":1}' | openssl dgst -sha256 -hmac 'a key of thirty-two bytes or more'
	const want = "t=1790000000,v1=bc6d1aaeade56f709bc678348c29d2f79aaa8ae28edaed73d86d7b986a7eaaae"
	for name, value := range map[string]string{"X-Signalbox-Signature": want, "Authorization": "Bearer theirs", "X-Request-Id": "id",
		"Content-Type": "application/fhir+json", "User-Agent": "signalbox"} {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q", name, got.Header.Get(name))
		}
	}
	if body != `{"a":1}` || got.Method != http.MethodPost {
		t.Errorf("%s %q", got.Method, body)
	}
	// Another authority's certificate is nobody's.
	strangers := poster(t, nil, hook.Receiver{Endpoints: []string{s.URL}, Private: true})
	if err := strangers.Post(context.Background(), post(s.URL)); engine.KindOf(err) != engine.Unavailable && engine.KindOf(err) != engine.Unsure {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
}

func TestWhatIsKnownOfAPostThatFailed(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(status)
			_, _ = w.Write([]byte("what the receiver says: 9990000018"))
		}
	}
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		want  engine.ErrorKind
		says  string
	}{
		"refused":      {answer(400), engine.Invalid, "400"},
		"gone":         {answer(410), engine.Invalid, "410"},
		"redirected":   {answer(307), engine.Invalid, "307"},
		"busy":         {answer(429), engine.Unavailable, "429"},
		"broken":       {answer(503), engine.Unavailable, "503"},
		"hung up":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, engine.Unsure, "no answer"},
		"never answer": {func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, engine.Unsure, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tc.serve)
			defer s.Close()
			p := poster(t, func(c *hook.Config) { c.Timeout = 500 * time.Millisecond }, hook.Receiver{Endpoints: []string{s.URL}, Private: true, Insecure: true})
			err := p.Post(context.Background(), post(s.URL))
			if engine.KindOf(err) != tc.want || err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v of kind %v", err, engine.KindOf(err))
			}
			if strings.Contains(err.Error(), "999") || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
	if elsewhere != 0 {
		t.Error("a redirect was followed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	_ = l.Close()
	p := poster(t, nil, hook.Receiver{Endpoints: []string{nobody}, Private: true, Insecure: true})
	if err := p.Post(context.Background(), post(nobody)); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
}

// An endpoint is called only if it was allowed, and only at an address that was allowed, whatever its name leads to.
func TestNoAddressInsideIsCalled(t *testing.T) {
	called := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer s.Close()
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		endpoint := "http://" + host + port + "/"
		p := poster(t, nil, hook.Receiver{Endpoints: []string{endpoint}, Insecure: true})
		if err := p.Post(context.Background(), post(endpoint)); err == nil || called {
			t.Errorf("%s was called: %v", host, err)
		}
	}
	for _, inside := range []string{"10.0.0.1:80", "172.16.3.4:443", "192.168.1.1:443", "169.254.169.254:80", "100.64.0.1:443", "[fc00::1]:443", "[fe80::1]:443",
		"224.0.0.1:443", "0.0.0.0:443", "[::]:443", "[::ffff:10.0.0.1]:443", "255.255.255.255:443", "nonsense"} {
		if hook.OnlyPublic("tcp", inside, nil) == nil {
			t.Errorf("%s counts as public", inside)
		}
	}
	for _, outside := range []string{"192.0.2.1:443", "[2001:db8::1]:443"} {
		if err := hook.OnlyPublic("tcp", outside, nil); err != nil {
			t.Errorf("%s: %v", outside, err)
		}
	}
	p := poster(t, nil, hook.Receiver{Endpoints: []string{"https://la.example/a"}})
	for _, n := range []hook.Post{post("https://la.example/b"), {Receiver: "other", Endpoint: "https://la.example/a"}} {
		if err := p.Post(context.Background(), n); engine.KindOf(err) != engine.Denied {
			t.Errorf("not allowed: %v", err)
		}
	}
}

func TestConfigThatCannotWork(t *testing.T) {
	for name, spoil := range map[string]func(*hook.Config){
		"short key":  func(c *hook.Config) { c.Receivers[0].Key = key[:31] },
		"no timeout": func(c *hook.Config) { c.Timeout = 0 },
		"http":       func(c *hook.Config) { c.Receivers[0].Endpoints = []string{"http://la.example/"} },
		"user":       func(c *hook.Config) { c.Receivers[0].Endpoints = []string{"https://a:b@la.example/"} },
		"relative":   func(c *hook.Config) { c.Receivers[0].Endpoints = []string{"/notify"} },
		"file": func(c *hook.Config) {
			c.Receivers[0].Endpoints, c.Receivers[0].Insecure = []string{"file://la/etc/passwd"}, true
		},
		"twice": func(c *hook.Config) { c.Receivers = append(c.Receivers, c.Receivers[0]) },
	} {
		cfg := hook.Default()
		cfg.Receivers = []hook.Receiver{{Name: "la", Key: key, Endpoints: []string{"https://la.example/"}}}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "a:b") {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
	if got := fmt.Sprint(hook.Receiver{Name: "la", Key: key}.LogValue()); strings.Contains(got, "key") {
		t.Errorf("the key is shown: %s", got)
	}
}

func TestHeadersThatAReceiverMayAskFor(t *testing.T) {
	for line, ok := range map[string]bool{
		"Authorization: Bearer x": true, "X-Tenant: 7": true, "Content-Type: text/html": false, "Host: elsewhere": false, "no colon": false,
		": x": false, "X-Signalbox-Signature: t=1": false, "x-request-id: 1": false, "A b: c": false, "X: a\r\nHost: b": false, "X: é": false,
		"X: " + strings.Repeat("a", 5000): false, "Transfer-Encoding: chunked": false,
	} {
		if why := hook.HeaderAllowed(line); (why == "") != ok {
			t.Errorf("%.40q: %q", line, why)
		}
	}
}
