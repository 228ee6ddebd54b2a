package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"signalbox/engine"
	"signalbox/fhir"
)

// Client is one trust's system with its static bearer token. The rights stand for the right kind of token: the national services tell
// them apart by the user's smartcard roles, which do not reach this server.
type Client struct {
	Name             string // lower-case letters, digits and hyphens: it is part of Message.Source and of log lines
	ODSCode          string // the trust
	OrganisationName string
	DeviceID         string // the system's ASID: it stands in the access, because no person is known on this route
	Setting          engine.CareSetting
	TokenSHA256      [sha256.Size]byte // digest of the token; TokenDigest makes it
	CanQuery         bool              // may ask who is flagged
	CanSend          bool              // may send messages
	Authority        string            // ODS code of the authority for which it may receive notifications; empty: none
}

// LogValue keeps the digest out of logs.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.Name) }

// TokenDigest returns the digest under which a bearer token is configured.
func TokenDigest(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Config is the server's configuration.
type Config struct {
	Clients    []Client
	BasePath   string        // begins with a slash, does not end with one
	PublicURL  string        // the base as trusts see it, for the CapabilityStatement and AuditEvent.source; may be empty
	MaxBody    int           // bytes of a message
	Wait       time.Duration // a sender who waits is answered after so long at the latest
	RetryAfter time.Duration // told to a client when something that we depend on is away
	HL7V3      string        // path at which HL7 V3 queries are answered; empty: nowhere
	SystemID   string        // twelve digits: an earlier access that names nobody in full is shown under it in an HL7 V3 answer
	// Subscriptions is where receivers subscribe; nil: nowhere.
	Subscriptions *Subscriptions
	Opinion       fhir.SecondOpinion // asked about every message after our own reader; nil for none
}

// Default returns the configuration without clients.
func Default() Config {
	return Config{BasePath: "/FHIR/R4", MaxBody: fhir.DefaultLimits().MaxBytes, Wait: 5 * time.Second, RetryAfter: 10 * time.Second}
}

var clientName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("fhir api: config: "+format, args...))
	}
	if !strings.HasPrefix(c.BasePath, "/") || strings.HasSuffix(c.BasePath, "/") || strings.ContainsAny(c.BasePath, "?#{} ") {
		fail("BasePath begins with a slash and does not end with one")
	}
	if u, err := url.Parse(c.PublicURL); err != nil || c.PublicURL != "" && (u.Scheme == "" || u.Host == "" || u.RawQuery != "") {
		fail("PublicURL is not an absolute URL")
	}
	if c.HL7V3 != "" && (!strings.HasPrefix(c.HL7V3, "/") || strings.HasPrefix(c.HL7V3, c.BasePath)) {
		fail("HL7V3 begins with a slash and is not under BasePath")
	}
	if c.HL7V3 != "" && (len(c.SystemID) != 12 || strings.Trim(c.SystemID, "0123456789") != "") {
		fail("SystemID is not twelve digits: HL7 V3 answers need one")
	}
	if err := c.Subscriptions.validate(); err != nil {
		errs = append(errs, err)
	}
	if c.MaxBody <= 0 {
		fail("MaxBody is not positive")
	}
	if c.Wait <= 0 {
		fail("Wait is not positive")
	}
	if c.RetryAfter < time.Second {
		fail("RetryAfter is under one second")
	}
	for i, client := range c.Clients {
		for _, problem := range client.problems() {
			fail("client %d: %s", i+1, problem)
		}
		for j, other := range c.Clients[:i] {
			if other.Name == client.Name {
				fail("clients %d and %d have one name", j+1, i+1)
			}
			if other.TokenSHA256 == client.TokenSHA256 {
				fail("clients %d and %d have one token", j+1, i+1)
			}
		}
	}
	return errors.Join(errs...)
}

func (c Client) problems() []string {
	var out []string
	need := func(ok bool, text string) {
		if !ok {
			out = append(out, text)
		}
	}
	need(clientName.MatchString(c.Name), "Name is not 1 to 63 lower-case letters, digits and hyphens")
	need(c.ODSCode != "", "ODSCode is missing")
	need(c.DeviceID != "" || !c.CanQuery && !c.CanSend, "DeviceID is missing: an access needs a person or a device")
	need(c.TokenSHA256 != [sha256.Size]byte{}, "TokenSHA256 is missing")
	need(c.TokenSHA256 != TokenDigest(""), "TokenSHA256 is that of an empty token")
	need(c.CanQuery || c.CanSend || c.Authority != "", "neither CanQuery nor CanSend is set, and no Authority")
	return out
}

// find returns the client whose token this is. It looks at every client whatever it finds, so that time tells nothing.
func (c Config) find(token string) *Client {
	digest := TokenDigest(token)
	var found *Client
	for i := range c.Clients {
		if subtle.ConstantTimeCompare(digest[:], c.Clients[i].TokenSHA256[:]) == 1 {
			found = &c.Clients[i]
		}
	}
	return found
}
