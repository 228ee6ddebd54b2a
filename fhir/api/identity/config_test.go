package identity

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStaticTokens(t *testing.T) {
	d := newDoor(t, func(c *Config) {
		c.Development = true
		other := client()
		other.Name, other.TokenSHA256, other.CanQuery, other.CanSend = "sender", TokenDigest("send"), false, true
		c.Clients[0].TokenSHA256 = TokenDigest("query")
		c.Clients = append(c.Clients, other)
	})
	caller, refused := d.token(t, "query")
	require.Nil(t, refused)
	assert.Equal(t, ByStaticToken, caller.Way)
	assert.True(t, caller.MayQuery(true) && caller.MayQuery(false))
	caller, refused = d.token(t, "send")
	require.Nil(t, refused)
	assert.False(t, caller.MayQuery(true) || caller.MayQuery(false))
	for _, bad := range []string{"quer", "query2", "QUERY"} {
		_, refused = d.token(t, bad)
		assert.Equal(t, UnknownToken, refused.Reason)
	}
}

func TestConfig(t *testing.T) {
	with := func(change func(*Config)) Config {
		issuer := DefaultIssuer()
		issuer.Name, issuer.Audience, issuer.JWKSURL = issuerName, audience, "https://issuer.testshire.example/jwks"
		c := Default()
		c.Clients, c.Issuers = []Client{client()}, []Issuer{issuer}
		change(&c)
		return c
	}
	require.NoError(t, with(func(*Config) {}).Validate())
	require.NoError(t, with(func(c *Config) { c.Issuers[0].JWKSURL = "http://127.0.0.1:1/jwks" }).Validate())
	for want, change := range map[string]func(*Config){
		"Name is missing: what its":     func(c *Config) { c.Issuers[0].Name = "" },
		"Audience is missing":           func(c *Config) { c.Issuers[0].Audience = "" },
		"one of JWKSFile and JWKSURL":   func(c *Config) { c.Issuers[0].JWKSFile = "x" },
		"in the clear":                  func(c *Config) { c.Issuers[0].JWKSURL = "http://issuer.example/jwks" },
		"JWKSURL is not https":          func(c *Config) { c.Issuers[0].JWKSURL = "https://user:secret@issuer.example" },
		"Algorithms is empty":           func(c *Config) { c.Issuers[0].Algorithms = nil },
		"not of RS512, ES256":           func(c *Config) { c.Issuers[0].Algorithms = []string{"none"} },
		"MaxLifetime":                   func(c *Config) { c.Issuers[0].MaxLifetime = 0 },
		"Claims.Client":                 func(c *Config) { c.Issuers[0].Claims.Client = "" },
		"who asked comes from the":      func(c *Config) { c.Issuers[0].Claims.RoleCode = "" },
		"the name is taken":             func(c *Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) },
		"neither B0107 nor B0170":       func(c *Config) { c.Roles = map[string][]Activity{"R1": {"B1"}} },
		"Refresh is not positive":       func(c *Config) { c.Refresh = 0 },
		"Leeway is negative":            func(c *Config) { c.Leeway = -1 },
		"need Development":              func(c *Config) { c.Clients[0].TokenSHA256 = TokenDigest("a") },
		"nobody can be this client":     func(c *Config) { c.Issuers = nil },
		"Certificate needs ClientCAs":   func(c *Config) { c.Clients[0].Certificate = "dns:a" },
		"is not dns:NAME":               func(c *Config) { c.Clients[0].Certificate = "a" },
		"clients 1 and 2 have one name": func(c *Config) { c.Clients = append(c.Clients, c.Clients[0]) },
		"have one certificate": func(c *Config) {
			c.Clients = append(c.Clients, c.Clients[0])
			c.Clients[0].Certificate, c.Clients[1].Certificate = "dns:a", "dns:a"
		},
	} {
		assert.ErrorContains(t, with(change).Validate(), want)
		_, err := New(with(change), http.DefaultClient, time.Now, slog.New(slog.DiscardHandler))
		assert.Error(t, err, want)
	}
	_, err := New(with(func(*Config) {}), nil, nil, nil)
	assert.ErrorContains(t, err, "all needed")
}

func TestACallerPrintsItsClientAlone(t *testing.T) {
	d := newDoor(t, nil)
	var log bytes.Buffer
	caller := device(&d.cfg.Clients[0], ByCertificate)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "caller", caller, "client", *caller.Client)
	assert.Contains(t, log.String(), "caller=testshire-ed client=testshire-ed")
	assert.NotContains(t, log.String(), "TST01")
}

func TestMemoryIsBounded(t *testing.T) {
	m, now := newMemory[int](10), time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		key := digest([]byte(fmt.Sprintf("%032d", i)))
		m.put(key, i, now, now.Add(time.Minute))
		got, ok := m.get(key, now)
		assert.True(t, ok)
		assert.Equal(t, i, got)
		assert.LessOrEqual(t, len(m.held), 10)
	}
	_, ok := m.get(digest([]byte(fmt.Sprintf("%032d", 999))), now.Add(time.Minute))
	assert.False(t, ok, "what has run out is not given")
}
