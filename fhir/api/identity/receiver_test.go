package identity

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eds is an authority's system, which is told and asks nothing: it has no ASID.
func eds() Client { return Client{Name: "testshire-eds", ODSCode: "999", Authority: "999"} }

// A receiver is the client that a token names. No person is asked for, and it gets no right that it does not have.
func TestReceiverByToken(t *testing.T) {
	d := newDoor(t, func(c *Config) { c.Clients = append(c.Clients, eds()) })
	claims := changed(changed(changed(person(d.now), "client_id", "testshire-eds"), "sub", nil), "role_code", nil)
	caller, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", claims))
	require.Nil(t, refused)
	assert.Equal(t, "testshire-eds", caller.Client.Name)
	assert.Equal(t, ByToken, caller.Way)
	assert.Nil(t, caller.Person)
	assert.False(t, caller.MayQuery(true) || caller.MayQuery(false))

	for name, broken := range map[string]string{
		"another audience": sign(t, "ec", jose.ES256, "ec", changed(claims, "aud", "elsewhere")),
		"expired":          sign(t, "ec", jose.ES256, "ec", changed(claims, "exp", d.now.Add(-time.Hour).Unix())),
		"another's key":    sign(t, "other", jose.RS512, "rsa", claims),
		"nobody":           sign(t, "ec", jose.ES256, "ec", changed(claims, "client_id", "nobody")),
	} {
		_, refused := d.token(t, broken)
		assert.NotNil(t, refused, name)
	}
	_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", changed(changed(person(d.now), "sub", nil), "jti", "two")))
	assert.Equal(t, MissingClaim, refused.Reason, "a trust's token still needs its person")
}

func TestReceiverByCertificate(t *testing.T) {
	now := time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)
	ca, other := newAuthority(t, now), newAuthority(t, now)
	receiver := eds()
	receiver.Certificate = "dns:eds.testshire.example"
	d := newDoor(t, func(c *Config) { c.Clients, c.ClientCAs = append(c.Clients, receiver), ca.pool() })
	named := func(c *x509.Certificate) { c.DNSNames = []string{"eds.testshire.example"} }
	by := func(cert *x509.Certificate) (*Caller, *Refusal) {
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		return d.Authenticate(r)
	}
	caller, refused := by(ca.sign(t, now, named))
	require.Nil(t, refused)
	assert.Equal(t, "999", caller.Client.Authority)
	assert.Equal(t, ByCertificate, caller.Way)
	_, refused = by(other.sign(t, now, named))
	assert.Equal(t, BadCertificate, refused.Reason)
	_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(now), "client_id", "testshire-eds")))
	assert.Equal(t, NotBound, refused.Reason, "once it has a certificate, a token alone is not enough")
}
