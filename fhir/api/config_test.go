package api

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfig(t *testing.T) {
	good := Client{Name: "a", ODSCode: "TST01", DeviceID: "1", TokenSHA256: TokenDigest("a"), CanQuery: true}
	with := func(change func(*Config)) Config {
		c := Default()
		c.Clients, c.Identity.Development = []Client{good}, true
		change(&c)
		return c
	}
	require.NoError(t, with(func(*Config) {}).Validate())
	for want, change := range map[string]func(*Config){
		"BasePath":                      func(c *Config) { c.BasePath = "FHIR" },
		"does not end with one":         func(c *Config) { c.BasePath = "/FHIR/" },
		"PublicURL":                     func(c *Config) { c.PublicURL = "testshire" },
		"MaxBody":                       func(c *Config) { c.MaxBody = 0 },
		"RetryAfter":                    func(c *Config) { c.RetryAfter = 0 },
		"Name is not":                   func(c *Config) { c.Clients[0].Name = "A b" },
		"ODSCode is missing":            func(c *Config) { c.Clients[0].ODSCode = "" },
		"DeviceID is missing":           func(c *Config) { c.Clients[0].DeviceID = "" },
		"TokenSHA256 is missing":        func(c *Config) { c.Clients[0].TokenSHA256 = [32]byte{} },
		"that of an empty token":        func(c *Config) { c.Clients[0].TokenSHA256 = TokenDigest("") },
		"neither CanQuery":              func(c *Config) { c.Clients[0].CanQuery = false },
		"clients 1 and 2 have one name": func(c *Config) { c.Clients = append(c.Clients, good) },
		"have one token": func(c *Config) {
			c.Clients = append(c.Clients, good)
			c.Clients[1].Name = "b"
		},
	} {
		assert.ErrorContains(t, with(change).Validate(), want)
		_, err := New(with(change), &fakeDesk{}, time.Now, func() string { return "" }, slog.New(slog.DiscardHandler))
		assert.Error(t, err)
	}
	_, err := New(Default(), nil, nil, nil, nil)
	assert.ErrorContains(t, err, "all needed")
	assert.NotContains(t, fmt.Sprint(slog.AnyValue(good).Resolve()), "TokenSHA256")
}

// TestOverHTTP goes through a real server once, to see that nothing in between changes an answer.
func TestOverHTTP(t *testing.T) {
	b := newBench(t)
	server := httptest.NewServer(b)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/FHIR/R4"+strings.TrimPrefix(careTeam, "GET "), nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "bearer "+token)
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Equal(t, 200, answer.StatusCode)
	assert.JSONEq(t, `{"resourceType":"Bundle","type":"searchset","total":0}`, string(body))
}
