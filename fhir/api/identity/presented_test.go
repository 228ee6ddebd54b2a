package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sequence writes a certificate as a Byte Sequence of RFC 8941.
func sequence(c *x509.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
}

// through sends a request as it comes from an address, over TLS with the certificate of whoever connects.
func (d *door) through(t testing.TB, from string, own *x509.Certificate, token string, headers ...string) (*Caller, Reason) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://signalbox.example/", nil)
	require.NoError(t, err)
	r.RemoteAddr, r.TLS = from, &tls.ConnectionState{}
	if own != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{own}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	caller, refused := d.Authenticate(r)
	if refused != nil {
		return nil, refused.Reason
	}
	return caller, ""
}

const proxy = "192.0.2.7:40000"

func behindProxy(ca *authority) func(*Config) {
	return func(c *Config) {
		c.ClientCAs, c.Clients[0].Certificate = ca.pool(), "dns:ed.testshire.example"
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/29"), netip.MustParsePrefix("2001:db8::1/128")}
	}
}

func TestCertificateThatAProxyPassesOn(t *testing.T) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	ca, stranger := newAuthority(t, now), newAuthority(t, now)
	d := newDoor(t, behindProxy(ca))
	good, bad := ca.sign(t, now, nil), stranger.sign(t, now, nil)
	old := ca.sign(t, now, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
	text := sequence(good)
	for name, tt := range map[string]struct {
		from    string
		own     *x509.Certificate
		headers []string
		want    Reason
	}{
		"from a proxy":                          {proxy, nil, []string{"Client-Cert", text}, ""},
		"from a proxy over IPv6":                {"[2001:db8::1]:443", nil, []string{"Client-Cert", text}, ""},
		"from a proxy, mapped into IPv6":        {"[::ffff:192.0.2.7]:443", nil, []string{"Client-Cert", text}, ""},
		"in small letters":                      {proxy, nil, []string{"client-cert", text}, ""},
		"without padding":                       {proxy, nil, []string{"Client-Cert", strings.ReplaceAll(text, "=", "")}, ""},
		"with the chain":                        {proxy, nil, []string{"Client-Cert", text, "Client-Cert-Chain", sequence(ca.cert) + ", " + sequence(bad)}, ""},
		"with the chain on two lines":           {proxy, nil, []string{"Client-Cert", text, "Client-Cert-Chain", sequence(ca.cert), "Client-Cert-Chain", sequence(bad)}, ""},
		"from elsewhere":                        {"192.0.2.9:40000", nil, []string{"Client-Cert", text}, ForwardedBy},
		"from elsewhere, beside its own":        {"192.0.2.9:40000", good, []string{"Client-Cert", text}, ForwardedBy},
		"the chain alone, from elsewhere":       {"192.0.2.9:40000", good, []string{"Client-Cert-Chain", text}, ForwardedBy},
		"from an address that cannot be read":   {"@", nil, []string{"Client-Cert", text}, ForwardedBy},
		"elsewhere, with its own alone":         {"192.0.2.9:40000", good, nil, ""},
		"the proxy's own is not the client's":   {proxy, good, nil, NoCredentials},
		"empty":                                 {proxy, nil, []string{"Client-Cert", ""}, Forwarded},
		"no certificate":                        {proxy, nil, []string{"Client-Cert", ":AAAA:"}, Forwarded},
		"no base64":                             {proxy, nil, []string{"Client-Cert", ":" + strings.Repeat("*", 8) + ":"}, Forwarded},
		"a string":                              {proxy, nil, []string{"Client-Cert", `"` + strings.Trim(text, ":") + `"`}, Forwarded},
		"PEM, as some proxies write":            {proxy, nil, []string{"Client-Cert", "-----BEGIN%20CERTIFICATE-----%0A"}, Forwarded},
		"with a parameter":                      {proxy, nil, []string{"Client-Cert", text + ";a=1"}, Forwarded},
		"two":                                   {proxy, nil, []string{"Client-Cert", text, "Client-Cert", text}, Forwarded},
		"two on a line":                         {proxy, nil, []string{"Client-Cert", text + ", " + text}, Forwarded},
		"the chain without it":                  {proxy, nil, []string{"Client-Cert-Chain", sequence(ca.cert)}, Forwarded},
		"a broken chain":                        {proxy, nil, []string{"Client-Cert", text, "Client-Cert-Chain", "::"}, Forwarded},
		"a long chain":                          {proxy, nil, []string{"Client-Cert", text, "Client-Cert-Chain", strings.TrimSuffix(strings.Repeat(sequence(ca.cert)+",", maxChain), ",")}, Forwarded},
		"over the bound":                        {proxy, nil, []string{"Client-Cert", ":" + strings.Repeat("A", maxForwarded) + ":"}, Forwarded},
		"of another authority":                  {proxy, nil, []string{"Client-Cert", sequence(bad)}, BadCertificate},
		"of an authority that the chain brings": {proxy, nil, []string{"Client-Cert", sequence(bad), "Client-Cert-Chain", sequence(stranger.cert)}, BadCertificate},
		"expired":                               {proxy, nil, []string{"Client-Cert", sequence(old)}, BadCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			caller, refused := d.through(t, tt.from, tt.own, "", tt.headers...)
			assert.Equal(t, tt.want, refused)
			if tt.want == "" && assert.NotNil(t, caller) {
				assert.Equal(t, "testshire-ed", caller.Client.Name)
				assert.Equal(t, ByCertificate, caller.Way)
			}
		})
	}
}

func TestIntermediateThatAProxyPassesOn(t *testing.T) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	root := newAuthority(t, now)
	middle := root.authority(t, now)
	d := newDoor(t, behindProxy(root))
	leaf := middle.sign(t, now, nil)
	_, refused := d.through(t, proxy, nil, "", "Client-Cert", sequence(leaf))
	assert.Equal(t, BadCertificate, refused, "what lies between is not guessed")
	_, refused = d.through(t, proxy, nil, "", "Client-Cert", sequence(leaf), "Client-Cert-Chain", sequence(middle.cert))
	assert.Empty(t, refused)
}

func TestHeaderMeansNothingUnlessProxiesAreConfigured(t *testing.T) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	ca := newAuthority(t, now)
	d := newDoor(t, func(c *Config) {
		behindProxy(ca)(c)
		c.Proxies = nil
	})
	good := ca.sign(t, now, nil)
	_, refused := d.through(t, proxy, nil, "", "Client-Cert", sequence(good))
	assert.Equal(t, NoCredentials, refused)
	_, refused = d.through(t, proxy, good, "", "Client-Cert", "junk")
	assert.Empty(t, refused, "what is not read cannot be wrong")
}

func TestTokenBoundToACertificateThatAProxyPassesOn(t *testing.T) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	ca := newAuthority(t, now)
	d := newDoor(t, behindProxy(ca))
	mine, again := ca.sign(t, now, nil), ca.sign(t, now, nil)
	c := person(now)
	c["cnf"] = map[string]any{"x5t#S256": thumbprint(mine)}
	token := sign(t, "ec", jose.ES256, "ec", c)
	for range 2 { // the second time from memory
		caller, refused := d.through(t, proxy, nil, token, "Client-Cert", sequence(mine))
		require.Empty(t, refused)
		assert.Equal(t, "999900001234", caller.Person.UserID)
		_, refused = d.through(t, proxy, mine, token, "Client-Cert", sequence(again))
		assert.Equal(t, NotBound, refused, "the proxy's own does not stand for it")
		_, refused = d.through(t, proxy, mine, token)
		assert.Equal(t, NotBound, refused)
		_, refused = d.through(t, "192.0.2.9:1", nil, token, "Client-Cert", sequence(mine))
		assert.Equal(t, ForwardedBy, refused, "a token does not make the header true")
	}
}

// FuzzForwarded: whatever a header holds is refused or read, and what is read is what was written.
func FuzzForwarded(f *testing.F) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	cert := newAuthority(f, now).cert
	f.Add(sequence(cert), sequence(cert)+", "+sequence(cert))
	f.Add("", ",")
	f.Add(":AAAA:", "::,::")
	f.Add(`"text";a=1`, "%20")
	f.Fuzz(func(t *testing.T, leaf, rest string) {
		chain, ok := forwarded(leaf, []string{rest})
		if !ok {
			return
		}
		if len(chain) == 0 || len(chain) > maxChain {
			t.Fatalf("%d certificates", len(chain))
		}
		if again, ok := forwarded(sequence(chain[0]), nil); !ok || !again[0].Equal(chain[0]) {
			t.Fatal("a certificate does not survive its header")
		}
	})
}
