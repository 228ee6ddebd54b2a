package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, now time.Time) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Testshire CA"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return &authority{cert, key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func (a *authority) sign(t testing.TB, now time.Time, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		Subject: pkix.Name{CommonName: "ed", Organization: []string{"Testshire"}}, DNSNames: []string{"ed.testshire.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(template)
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return cert
}

func (d *door) with(t testing.TB, cert *x509.Certificate, token string) (*Caller, Reason) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://signalbox.example/", nil)
	require.NoError(t, err)
	r.TLS = &tls.ConnectionState{}
	if cert != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{cert}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	caller, refused := d.Authenticate(r)
	if refused != nil {
		return nil, refused.Reason
	}
	return caller, ""
}

func TestCertificates(t *testing.T) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	ca, stranger := newAuthority(t, now), newAuthority(t, now)
	d := newDoor(t, func(c *Config) {
		c.ClientCAs = ca.pool()
		c.Clients[0].Certificate = "dns:ed.testshire.example"
		byURI, bySubject := client(), client()
		byURI.Name, byURI.Certificate = "by-uri", "uri:https://northshire.example/ed"
		bySubject.Name, bySubject.Certificate = "by-subject", "subject:CN=ward,O=Northshire"
		c.Clients = append(c.Clients, byURI, bySubject)
	})
	uri, err := url.Parse("https://northshire.example/ed")
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		by     *authority
		change func(*x509.Certificate)
		client string
	}{
		"by DNS name": {ca, nil, "testshire-ed"},
		"by URI":      {ca, func(c *x509.Certificate) { c.DNSNames, c.URIs = nil, []*url.URL{uri} }, "by-uri"},
		"by subject": {ca, func(c *x509.Certificate) {
			c.DNSNames, c.Subject = nil, pkix.Name{CommonName: "ward", Organization: []string{"Northshire"}}
		}, "by-subject"},
		"of another authority": {stranger, nil, ""},
		"expired":              {ca, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }, ""},
		"not yet valid":        {ca, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }, ""},
		"for servers":          {ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, ""},
		"of nobody":            {ca, func(c *x509.Certificate) { c.DNSNames = []string{"other.testshire.example"} }, ""},
		"of two at once":       {ca, func(c *x509.Certificate) { c.URIs = []*url.URL{uri} }, ""},
		"with the name as common name alone": {ca, func(c *x509.Certificate) {
			c.DNSNames, c.Subject = nil, pkix.Name{CommonName: "ed.testshire.example"}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cert := tt.by.sign(t, now, tt.change)
			for range 2 { // the second time from memory
				caller, refused := d.with(t, cert, "")
				if tt.client == "" {
					assert.Equal(t, BadCertificate, refused)
					continue
				}
				require.Empty(t, refused)
				assert.Equal(t, tt.client, caller.Client.Name)
				assert.Equal(t, ByCertificate, caller.Way)
				assert.Nil(t, caller.Person)
			}
		})
	}
	_, refused := d.with(t, nil, "")
	assert.Equal(t, NoCredentials, refused)
	cert := ca.sign(t, now, nil)
	_, refused = d.with(t, cert, "")
	require.Empty(t, refused)
	d.now = now.Add(2 * time.Hour)
	_, refused = d.with(t, cert, "")
	assert.Equal(t, BadCertificate, refused, "memory does not outlive the certificate")
}

func TestTokenAndCertificateBelongTogether(t *testing.T) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	ca := newAuthority(t, now)
	d := newDoor(t, func(c *Config) {
		c.ClientCAs = ca.pool()
		c.Clients[0].Certificate = "dns:ed.testshire.example"
		free, other := client(), client()
		free.Name = "free"
		other.Name, other.Certificate = "other", "dns:other.testshire.example"
		c.Clients = append(c.Clients, free, other)
	})
	mine := ca.sign(t, now, nil)
	others := ca.sign(t, now, func(c *x509.Certificate) { c.DNSNames = []string{"other.testshire.example"} })
	again := ca.sign(t, now, nil)
	token := func(client string, bound *x509.Certificate) string {
		c := changed(person(now), "client_id", client)
		if bound != nil {
			c["cnf"] = map[string]any{"x5t#S256": thumbprint(bound)}
		}
		return sign(t, "ec", jose.ES256, "ec", c)
	}
	caller, refused := d.with(t, mine, token("testshire-ed", nil))
	require.Empty(t, refused)
	assert.Equal(t, "999900001234", caller.Person.UserID, "with both, the token says who")
	for name, tt := range map[string]struct {
		cert  *x509.Certificate
		token string
		want  Reason
	}{
		"without the certificate that is configured": {nil, token("testshire-ed", nil), NotBound},
		"with another client's":                      {others, token("testshire-ed", nil), NotBound},
		"another's certificate with a free token":    {others, token("free", nil), NotBound},
		"free of certificates":                       {nil, token("free", nil), ""},
		"bound and there":                            {mine, token("testshire-ed", mine), ""},
		"bound to another of the same client":        {again, token("testshire-ed", mine), NotBound},
		"bound and without":                          {nil, token("free", mine), NotBound},
	} {
		t.Run(name, func(t *testing.T) {
			_, refused := d.with(t, tt.cert, tt.token)
			assert.Equal(t, tt.want, refused)
		})
	}
	bound := token("testshire-ed", mine)
	_, refused = d.with(t, mine, bound)
	require.Empty(t, refused)
	_, refused = d.with(t, again, bound)
	assert.Equal(t, NotBound, refused, "a bound token in memory is bound still")
}
