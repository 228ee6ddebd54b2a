package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Claims says under which names an issuer's tokens hold what we need. A name that begins with a slash is a JSON Pointer (RFC 6901), such as
// /roles/0/code. The defaults are the standard claims where there are any (RFC 7519, RFC 9068); the others are words of our own, because
// none are in print for CP-IS: set them to what your issuer writes.
type Claims struct {
	Client           string // which system; client_id is RFC 9068's
	User             string // the person's SDS user id
	Name             string // the person's name; may be missing in a token
	RoleProfile      string // may be missing in a token
	RoleCode         string // SDS job role
	RoleName         string // may be missing in a token
	Organisation     string // ODS code for which the person acts
	OrganisationName string // may be missing in a token
	Activities       string // activity codes, as an array or separated by spaces
}

// DefaultClaims returns the names that are used where none are configured.
func DefaultClaims() Claims {
	return Claims{Client: "client_id", User: "sub", Name: "name", RoleProfile: "role_profile", RoleCode: "role_code", RoleName: "role_name",
		Organisation: "organisation", OrganisationName: "organisation_name", Activities: "activities"}
}

// Issuer is one authority whose tokens we take.
type Issuer struct {
	Name        string // what its tokens say in iss
	Audience    string // what they must say in aud: us
	JWKSFile    string // its public keys, as a file
	JWKSURL     string // or at an address, https or on loopback
	Algorithms  []string
	MaxLifetime time.Duration // longest time between iat and exp
	// OneUse says that its tokens are assertions made for one request: jti is needed, and the same one again is refused. An access token is
	// presented many times by its nature, so this is off unless asked for.
	OneUse bool
	// Unattended lets tokens in that name no user: the system asks for itself. The published guide calls unattended access unsuitable for CP-IS.
	Unattended bool
	Claims     Claims
}

// Algorithms lists what can be allowed: RS512 is what NHS England's services sign with, ES256 the common choice elsewhere.
func Algorithms() []string { return []string{"RS512", "ES256"} }

// DefaultIssuer returns an issuer without name, audience and keys.
func DefaultIssuer() Issuer {
	return Issuer{Algorithms: Algorithms(), MaxLifetime: time.Hour, Claims: DefaultClaims()}
}

// Config says whom to trust.
type Config struct {
	Clients     []Client
	Issuers     []Issuer
	Development bool           // static tokens are taken
	ClientCAs   *x509.CertPool // authorities of client certificates; nil: certificates are not looked at
	// Proxies are the addresses of proxies that end TLS and pass the client's certificate on (RFC 9440); empty: those headers mean nothing.
	Proxies    []netip.Prefix
	Revocation Revocation // of client certificates
	Once       Once       // remembers one-use tokens for all processes that answer; nil: this process remembers its own
	// Roles gives the activities of an SDS job role, for tokens that have no activities claim. A role that is not here has none.
	Roles map[string][]Activity

	Leeway     time.Duration // how far clocks may be apart
	Refresh    time.Duration // age at which an issuer's keys are fetched again
	RetryAfter time.Duration // shortest time between two fetches, whatever key ids callers invent
	MaxStale   time.Duration // age at which keys are not used any more when they cannot be fetched
	CacheFor   time.Duration // longest time for which a verified token or certificate is not verified again
	CacheSize  int           // verified tokens, certificates and one-use ids that are remembered, each
}

// Default returns the configuration without clients and issuers.
func Default() Config {
	return Config{Leeway: 30 * time.Second, Refresh: 15 * time.Minute, RetryAfter: 30 * time.Second, MaxStale: 24 * time.Hour,
		CacheFor: 5 * time.Minute, CacheSize: 10_000, Revocation: Revocation{Every: 10 * time.Second}}
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("identity: config: "+format, args...))
	}
	for name, d := range map[string]time.Duration{"Refresh": c.Refresh, "RetryAfter": c.RetryAfter, "MaxStale": c.MaxStale, "CacheFor": c.CacheFor} {
		if d <= 0 {
			fail("%s is not positive", name)
		}
	}
	if c.Leeway < 0 || c.CacheSize <= 0 {
		fail("Leeway is negative, or CacheSize is not positive")
	}
	if c.ClientCAs == nil && len(c.Proxies) > 0 {
		fail("Proxies needs ClientCAs: a certificate that is passed on is verified like any other")
	}
	if c.ClientCAs == nil && len(c.Revocation.Files) > 0 || c.Revocation.Every <= 0 {
		fail("Revocation needs ClientCAs, or its Every is not positive")
	}
	for i, issuer := range c.Issuers {
		for _, problem := range issuer.problems() {
			fail("issuer %d: %s", i+1, problem)
		}
		if slices.ContainsFunc(c.Issuers[:i], func(o Issuer) bool { return o.Name == issuer.Name }) {
			fail("issuer %d: the name is taken", i+1)
		}
	}
	for role, activities := range c.Roles {
		for _, a := range activities {
			if a != Notifies && a != Scheduled {
				fail("role %s has an activity that is neither %s nor %s", role, Notifies, Scheduled)
			}
		}
	}
	return errors.Join(append(errs, c.clients()...)...)
}

func (c Config) clients() []error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("identity: config: "+format, args...))
	}
	for i, client := range c.Clients {
		for _, problem := range client.Problems(c.Development, len(c.Issuers) > 0) {
			fail("client %d: %s", i+1, problem)
		}
		if client.Certificate != "" && c.ClientCAs == nil {
			fail("client %d: Certificate needs ClientCAs", i+1)
		}
		for j, other := range c.Clients[:i] {
			if other.Name == client.Name {
				fail("clients %d and %d have one name", j+1, i+1)
			}
			if other.TokenSHA256 == client.TokenSHA256 && client.TokenSHA256 != [sha256.Size]byte{} {
				fail("clients %d and %d have one token", j+1, i+1)
			}
			if other.Certificate == client.Certificate && client.Certificate != "" {
				fail("clients %d and %d have one certificate", j+1, i+1)
			}
		}
	}
	return errs
}

func (i Issuer) problems() []string {
	var out []string
	need := func(ok bool, text string) {
		if !ok {
			out = append(out, text)
		}
	}
	need(i.Name != "", "Name is missing: what its tokens say in iss")
	need(i.Audience != "", "Audience is missing: what its tokens say in aud")
	need((i.JWKSFile == "") != (i.JWKSURL == ""), "needs one of JWKSFile and JWKSURL")
	need(i.JWKSURL == "" || safeURL(i.JWKSURL), "JWKSURL is not https: keys must not cross a network in the clear")
	need(len(i.Algorithms) > 0, "Algorithms is empty")
	for _, a := range i.Algorithms {
		need(slices.Contains(Algorithms(), a), "Algorithms holds one that is not of "+strings.Join(Algorithms(), ", "))
	}
	need(i.MaxLifetime > 0, "MaxLifetime is not positive")
	need(i.Claims.Client != "", "Claims.Client is empty")
	need(i.Unattended || i.Claims.User != "" && i.Claims.RoleCode != "" && i.Claims.Organisation != "",
		"Claims needs User, RoleCode and Organisation: who asked comes from the token")
	return out
}

func safeURL(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
