package mesh

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// script is a transport that answers as told and notes when it was asked.
type script struct {
	start   time.Time
	at      []time.Duration
	tokens  map[string]bool
	answers []func() (*http.Response, error)
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.at = append(s.at, time.Since(s.start))
	s.tokens[r.Header.Get("Authorization")] = true
	next := s.answers[min(len(s.at), len(s.answers))-1]
	return next()
}

func answer(status int, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(`{"count":3}`))}, nil
	}
}

func broken() (*http.Response, error) { return nil, errors.New("connection reset") }

func scripted(t *testing.T, change func(*Config), answers ...func() (*http.Response, error)) (*Client, *script) {
	s := &script{start: time.Now(), answers: answers, tokens: map[string]bool{}}
	cfg := Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Transport = "http://mesh.test", "testla01", "p", "k", s
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func TestBackoffDoublesWithJitterUpToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scripted(t, func(c *Config) { c.Attempts, c.Backoff, c.MaxBackoff = 7, time.Second, 5*time.Second }, answer(503))
		_, err := c.Count(t.Context())
		if !errors.Is(err, ErrBusy) || len(s.at) != 7 || len(s.tokens) != 7 {
			t.Fatalf("%d attempts, %d tokens, error %v", len(s.at), len(s.tokens), err)
		}
		for i, most := range []time.Duration{1, 2, 4, 5, 5, 5} {
			wait := s.at[i+1] - s.at[i]
			if most *= time.Second; wait < most/2 || wait > most {
				t.Errorf("wait %d was %v, want %v to %v", i+1, wait, most/2, most)
			}
		}
	})
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	for value, want := range map[string]time.Duration{"20": 20 * time.Second, "3600": 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c, s := scripted(t, nil, answer(429, "Retry-After", value), answer(200))
			if n, err := c.Count(t.Context()); n != 3 || err != nil {
				t.Fatalf("count %d, %v", n, err)
			}
			if got := s.at[1] - s.at[0]; got != want {
				t.Errorf("Retry-After %s: waited %v, want %v", value, got, want)
			}
		})
	}
}

func TestWhichFailuresAreRepeated(t *testing.T) {
	for status, want := range map[int]int{
		200: 1, 300: 1, 302: 1, 400: 1, 403: 1, 404: 1, 406: 1, 410: 1, 417: 1, 422: 1, 423: 1, 425: 4, 429: 4, 500: 1, 502: 4, 503: 4, 504: 4,
	} {
		synctest.Test(t, func(t *testing.T) {
			c, s := scripted(t, nil, answer(status))
			_, _ = c.Count(t.Context())
			if len(s.at) != want {
				t.Errorf("HTTP %d: %d attempts, want %d", status, len(s.at), want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, s := scripted(t, nil, broken, broken, answer(200))
		if n, err := c.Count(t.Context()); n != 3 || err != nil || len(s.at) != 3 {
			t.Errorf("count %d, %v after %d attempts", n, err, len(s.at))
		}
	})
}

// A transport that knows no traces must be believed to have sent the request.
func TestOpaqueTransportFailureIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := scripted(t, nil, broken)
		_, err := c.Send(t.Context(), Outgoing{To: "TESTTR01", WorkflowID: "TEST", Body: strings.NewReader("x")})
		if !errors.Is(err, ErrOutcomeUnknown) || len(s.at) != 1 {
			t.Errorf("error %v after %d attempts", err, len(s.at))
		}
	})
}

func TestCancelEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, s := scripted(t, func(c *Config) { c.Attempts, c.Backoff, c.MaxBackoff = 9, time.Hour, time.Hour }, answer(503))
		_, err := c.Count(ctx)
		if !errors.Is(err, ErrBusy) || time.Since(s.start) != time.Minute {
			t.Errorf("error %v after %v", err, time.Since(s.start))
		}
	})
}

func TestRequestsAreWrittenAsTheServiceWants(t *testing.T) {
	var got *http.Request
	c, _ := scripted(t, func(c *Config) {
		c.Application, c.Version, c.OSArchitecture, c.OSName, c.OSVersion = "app", "1.2", "arm64", "linux", "6.1"
		c.BaseURL = "https://mesh.test/"
		c.Now = func() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }
		c.Nonce = func() string { return "2c001608-5f09-4840-9611-bea43e666a30" }
		c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) { got = r; return answer(200)() })
	})
	if err := c.Handshake(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Accept": "application/vnd.mesh.v2+json", "User-Agent": "app;signalbox-mesh;1.2;N/A;arm64;linux;6.1",
		"Mex-ClientVersion": "app;signalbox-mesh==1.2", "Mex-OSName": "linux", "Mex-OSVersion": "6.1", "Mex-OSArchitecture": "arm64", "Mex-JavaVersion": "N/A",
		"Authorization": NewToken("TESTLA01", "2c001608-5f09-4840-9611-bea43e666a30", "0", time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), "p", "k").Header(),
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if got.Method != "POST" || got.URL.String() != "https://mesh.test/messageexchange/TESTLA01" {
		t.Errorf("%s %s", got.Method, got.URL)
	}
	_, _ = c.TrackByLocalID(t.Context(), "../a?b")
	if got.URL.String() != "https://mesh.test/messageexchange/TESTLA01/outbox/tracking/..%2Fa%3Fb" {
		t.Errorf("local id in path: %s", got.URL)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestConfigValidate(t *testing.T) {
	good := Default()
	good.BaseURL, good.MailboxID, good.Password, good.SharedKey = "https://mesh.test", "TESTLA01", "p", "k"
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"BaseURL":      func(c *Config) { c.BaseURL = "mesh.test" },
		"BaseURL ":     func(c *Config) { c.BaseURL = "https://user:secret@mesh.test" },
		"MailboxID":    func(c *Config) { c.MailboxID = "A:B" },
		"Password":     func(c *Config) { c.Password = "" },
		"SharedKey":    func(c *Config) { c.SharedKey = "" },
		"Timeout":      func(c *Config) { c.Timeout = 0 },
		"ChunkSize":    func(c *Config) { c.ChunkSize = MaxRequest },
		"MaxMessage":   func(c *Config) { c.MaxMessage = 0 },
		"Attempts":     func(c *Config) { c.Attempts = 0 },
		"Backoff":      func(c *Config) { c.MaxBackoff = c.Backoff - 1 },
		"Application":  func(c *Config) { c.Application = "" },
		"Application ": func(c *Config) { c.Application = "a\nb" },
		"Now":          func(c *Config) { c.Now = nil },
	} {
		bad := good
		change(&bad)
		err := bad.Validate()
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := New(bad); err == nil {
			t.Errorf("%s: New took it", name)
		}
	}
	if err := (Config{}).Validate(); err == nil || strings.Count(err.Error(), "\n") < 7 {
		t.Errorf("not everything is reported: %v", err)
	}
}

func trackBody(t *testing.T, body string) (Tracking, error) {
	c, _ := scripted(t, func(c *Config) {
		c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
	})
	return c.Track(t.Context(), "M")
}
