package pds

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/fhir"
)

// Config says where PDS is and how it is asked.
type Config struct {
	BaseURL string // of the FHIR API, without a slash at its end; https unless on a loopback address
	Auth    *Auth  // nil: calls carry no token, as the published sandbox allows

	Timeout       time.Duration // of one attempt, its body included
	Attempts      int           // of one question, the first included
	Backoff       time.Duration // after the first failure; it doubles, and half of it is left to chance
	MaxBackoff    time.Duration
	MaxRetryAfter time.Duration // a longer Retry-After ends the question as Throttled: whoever asked has a schedule of their own

	PerSecond  float64 // attempts a second in the long run; the rate that an application is allowed is agreed when it is connected
	Burst      int     // attempts at once
	Concurrent int     // attempts that are under way together

	// FreshRequestIDs gives each attempt an X-Request-ID of its own. Without, all attempts of one question carry the same: PDS says that it
	// uses the id "to de-duplicate repeated requests".
	FreshRequestIDs bool
	// Remember is how many records are kept with their ETag and asked for with If-None-Match; 0: none. The published API documents ETag as the
	// version for updates and says nothing of If-None-Match, so this is off by default.
	Remember int
	// Limits bound an answer.
	Limits fhir.Limits
	// HTTP makes the calls; nil: one with a pool of its own. Redirects are never followed.
	HTTP http.RoundTripper
	Now  func() time.Time // nil: time.Now
}

// Auth is application-restricted access: private_key_jwt, signed with RS512.
type Auth struct {
	TokenURL string
	Audience string          // nil value: TokenURL
	ClientID string          // the application's API key: issuer and subject of the assertion
	KeyID    string          // kid of the public key that was registered
	Key      *rsa.PrivateKey // 2,048 bits or more; the guide asks for 4,096
	Life     time.Duration   // of an assertion; the guide allows 5 minutes at most
	Early    time.Duration   // a token is replaced so long before it ends
}

// Default returns everything but addresses and keys.
func Default() Config {
	limits := fhir.DefaultLimits()
	limits.MaxBytes = 256 << 10
	return Config{
		Timeout: 10 * time.Second, Attempts: 4, Backoff: 500 * time.Millisecond, MaxBackoff: 10 * time.Second, MaxRetryAfter: 30 * time.Second,
		PerSecond: 5, Burst: 5, Concurrent: 4, Limits: limits,
	}
}

// DefaultAuth returns the lives of assertions and tokens.
func DefaultAuth() Auth { return Auth{Life: 5 * time.Minute, Early: 30 * time.Second} }

// Validate reports everything that cannot work.
func (c Config) Validate() error {
	var errs []error
	need := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New("pds: config: "+text))
		}
	}
	need(safeURL(c.BaseURL) && !strings.HasSuffix(c.BaseURL, "/"), "BaseURL is no https address without a slash at its end")
	need(c.Timeout > 0, "Timeout is not positive")
	need(c.Attempts > 0, "Attempts is under one")
	need(c.Backoff > 0 && c.MaxBackoff >= c.Backoff, "Backoff and MaxBackoff are out of range")
	need(c.MaxRetryAfter >= 0, "MaxRetryAfter is negative")
	need(c.PerSecond > 0 && c.Burst > 0, "PerSecond and Burst are not positive")
	need(c.Concurrent > 0, "Concurrent is under one")
	need(c.Remember >= 0, "Remember is negative")
	if err := c.Limits.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("pds: config: Limits: %w", err))
	}
	if a := c.Auth; a != nil {
		need(safeURL(a.TokenURL), "Auth.TokenURL is no https address")
		need(a.ClientID != "" && a.KeyID != "", "Auth.ClientID or Auth.KeyID is missing")
		need(a.Key != nil && a.Key.N.BitLen() >= 2048, "Auth.Key is missing or under 2,048 bits")
		need(a.Life > 0 && a.Life <= 5*time.Minute, "Auth.Life is not above 0 and at most 5 minutes")
		need(a.Early >= 0, "Auth.Early is negative")
	}
	return errors.Join(errs...)
}

// safeURL reports whether nothing that is sent to the address crosses a network in the clear.
func safeURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}
