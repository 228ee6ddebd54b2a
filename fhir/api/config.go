package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/fhir"
	"signalbox/fhir/api/identity"
	"signalbox/fhir/api/limit"
	"signalbox/fhir/api/page"
)

// Client is one trust's system.
type Client = identity.Client

// TokenDigest returns the digest under which a bearer token is configured.
func TokenDigest(token string) [32]byte { return identity.TokenDigest(token) }

// Config is the server's configuration.
type Config struct {
	Clients    []Client
	Identity   identity.Config    // whom to trust; its Clients are those above
	Keys       *http.Client       // fetches issuers' keys; nil: one that follows no redirects
	Limits     limit.Config       // of each client
	Strangers  limit.Config       // of each address whose calls are refused
	BasePath   string             // begins with a slash, does not end with one
	PublicURL  string             // the base as trusts see it, for links, the CapabilityStatement and AuditEvent.source; may be empty
	MaxBody    int                // bytes of a message, decompressed
	Wait       time.Duration      // a sender who waits is answered after so long at the latest
	HL7V3      string             // path at which HL7 V3 queries are answered; empty: nowhere
	SystemID   string             // twelve digits: an earlier access that names nobody in full is shown under it in an HL7 V3 answer
	Timeout    time.Duration      // within which an answer is there, or a 504
	RetryAfter time.Duration      // told to a client when something that we depend on is away
	PageSize   int                // matches on a page when _count does not say, and the most that it can say
	PageLife   time.Duration      // for which a link to another page holds
	PageKey    []byte             // seals those links, 32 bytes; nil: each process has its own
	Opinion    fhir.SecondOpinion // asked about every message after our own reader; nil for none
	Standard   fhir.Standard      // what resources that are sent here keep to beyond R4; zero: that modifier extensions are understood
	// Subscriptions is where receivers subscribe; nil: nowhere.
	Subscriptions *Subscriptions
}

// Default returns the configuration without clients. An answer has at most 25 accesses, and a child seldom more than a few plans: a page
// holds them all unless a client asks for less.
func Default() Config {
	return Config{
		Identity: identity.Default(), Limits: limit.Default(), Strangers: limit.Config{PerSecond: 5, Burst: 20, Names: 10_000},
		BasePath: "/FHIR/R4", MaxBody: fhir.DefaultLimits().MaxBytes, Timeout: 15 * time.Second, RetryAfter: 10 * time.Second,
		PageSize: 50, Wait: 5 * time.Second, PageLife: 10 * time.Minute,
	}
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	need := func(ok bool, text string) {
		if !ok {
			errs = append(errs, fmt.Errorf("fhir api: config: %s", text))
		}
	}
	need(strings.HasPrefix(c.BasePath, "/") && !strings.HasSuffix(c.BasePath, "/") && !strings.ContainsAny(c.BasePath, "?#{} "),
		"BasePath begins with a slash and does not end with one")
	u, err := url.Parse(c.PublicURL)
	need(err == nil && (c.PublicURL == "" || u.Scheme != "" && u.Host != "" && u.RawQuery == ""), "PublicURL is not an absolute URL")
	need(c.MaxBody > 0, "MaxBody is not positive")
	need(c.Wait > 0, "Wait is not positive")
	need(c.HL7V3 == "" || strings.HasPrefix(c.HL7V3, "/") && !strings.HasPrefix(c.HL7V3, c.BasePath), "HL7V3 begins with a slash and is not under BasePath")
	need(c.HL7V3 == "" || len(c.SystemID) == 12 && strings.Trim(c.SystemID, "0123456789") == "", "SystemID is not twelve digits: HL7 V3 answers need one")
	need(c.Timeout > 0, "Timeout is not positive")
	need(c.RetryAfter >= time.Second, "RetryAfter is under one second")
	need(c.PageSize > 0, "PageSize is not positive")
	need(c.PageLife > 0, "PageLife is not positive")
	need(c.PageKey == nil || len(c.PageKey) == page.KeySize, "PageKey is not 32 bytes")
	return errors.Join(append(errs, c.Subscriptions.validate(), c.identity().Validate(), c.Limits.Validate(), c.Strangers.Validate())...)
}

func (c Config) identity() identity.Config {
	out := c.Identity
	out.Clients = c.Clients
	return out
}

// keys fetches no redirects: where an issuer's keys are is configured, not told on the way.
func (c Config) keys() *http.Client {
	if c.Keys != nil {
		return c.Keys
	}
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
