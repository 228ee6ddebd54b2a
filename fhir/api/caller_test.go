package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/fhir/api/identity"
)

// signer makes tokens of an issuer that the bench trusts.
type signer struct{ jose.Signer }

func newSigner(t testing.TB) (*signer, func(*Config)) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1").WithType("JWT"))
	require.NoError(t, err)
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1"}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "jwks.json")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	return &signer{s}, func(c *Config) {
		issuer := identity.DefaultIssuer()
		issuer.Name, issuer.Audience, issuer.JWKSFile = "https://issuer.example", "https://signalbox.example", file
		c.Identity.Issuers = []identity.Issuer{issuer}
	}
}

func (s *signer) token(t testing.TB, now time.Time, user, activities string) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"iss": "https://issuer.example", "aud": "https://signalbox.example", "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
		"client_id": "testshire-ed", "sub": user, "name": "Dr Casey Invented", "role_profile": "999900005678", "role_code": "R0260",
		"role_name": "General Medical Practitioner", "organisation": "TST01", "activities": activities,
	})
	require.NoError(t, err)
	signed, err := s.Sign(raw)
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	return text
}

func TestTheAccessNamesThePersonOfTheToken(t *testing.T) {
	s, trust := newSigner(t)
	b := newBench(t, trust)
	text := s.token(t, b.now, "999900001234", "B0107 B0170")
	w := b.byPost(careTeam+"&_summary=false", "Authorization: Bearer "+text)
	require.Equal(t, 200, w.Code, "%s", w.Body)
	require.Len(t, b.desk.accesses, 1)
	assert.Equal(t, engine.Actor{
		DeviceID: "999999990001", Organisation: engine.Organisation{ODSCode: "TST01", Name: "Testshire Hospitals NHS Trust"},
		Person: &engine.Person{UserID: "999900001234", RoleProfile: "999900005678", RoleCode: "R0260", RoleName: "General Medical Practitioner", Name: "Dr Casey Invented"},
	}, b.desk.accesses[0].By)
	for _, part := range append(strings.Split(text, "."), "Casey", "999900001234", "R0260") {
		assert.NotContains(t, b.log.String(), part)
	}
	assert.Contains(t, b.log.String(), "client=testshire-ed")
}

// TestOneTraceIsOnePersonsLook: a client may send one TraceID for ever, but one person's look must not hide another's.
func TestOneTraceIsOnePersonsLook(t *testing.T) {
	s, trust := newSigner(t)
	b := newBench(t, trust)
	for _, user := range []string{"1", "2", "1"} {
		require.Equal(t, 200, b.call(careTeam, "", "TraceID: "+traceID, "Authorization: Bearer "+s.token(t, b.now, user, "B0107")).Code)
	}
	assert.NotEqual(t, b.desk.accesses[0].ID, b.desk.accesses[1].ID)
	assert.Equal(t, b.desk.accesses[0].ID, b.desk.accesses[2].ID)
	b.desk.flags = flags(t)
	w := b.call(careTeam+"&_count=1", "", "Authorization: Bearer "+s.token(t, b.now, "1", "B0107"))
	link := "GET " + strings.TrimPrefix(values(t, sound(t, w), "Bundle.link.url"), b.cfg.PublicURL)
	assert.Equal(t, 200, b.call(link, "", "Authorization: Bearer "+s.token(t, b.now, "1", "B0107")).Code)
	assert.Equal(t, 410, b.call(link, "", "Authorization: Bearer "+s.token(t, b.now, "2", "B0107")).Code, "another person's page")
}

func TestRightsOfPersons(t *testing.T) {
	s, trust := newSigner(t)
	for _, tt := range []struct {
		activities string
		header     string
		status     int
	}{
		{"B0107", "", 200}, {"B0107", "true", 200}, {"B0107", "false", 403},
		{"B0170", "", 403}, {"B0170", "true", 403}, {"B0170", "false", 200},
		{"B0107 B0170", "", 200}, {"B0107 B0170", "false", 200},
		{"", "", 403}, {"", "false", 403}, {"B0264", "true", 403},
	} {
		for _, line := range []string{careTeam, auditEvent, patientFlag} {
			b := newBench(t, trust)
			headers := []string{"Authorization: Bearer " + s.token(t, b.now, "1", tt.activities)}
			if tt.header != "" {
				headers = append(headers, headerUnscheduled+": "+tt.header)
			}
			w := b.call(line, "", headers...)
			require.Equal(t, tt.status, w.Code, "%s %s %s", tt.activities, tt.header, line)
			if tt.status == 403 {
				doc := sound(t, w)
				assert.Equal(t, "forbidden", values(t, doc, "OperationOutcome.issue.code"))
				assert.Equal(t, codeAccessDenied, values(t, doc, "OperationOutcome.issue.details.coding.code"))
				assert.Empty(t, b.desk.accesses, "who may not look has not looked")
			}
		}
	}
}

func TestTokensThatAreRefusedOverHTTP(t *testing.T) {
	s, trust := newSigner(t)
	b := newBench(t, trust)
	good := s.token(t, b.now, "1", "B0107")
	b.now = b.now.Add(time.Hour)
	w := b.call(careTeam, "", "Authorization: Bearer "+good)
	assert.Equal(t, 401, w.Code)
	assert.Equal(t, `Bearer error="invalid_token", error_description="expired"`, w.Header().Get("WWW-Authenticate"))
	assert.Equal(t, "Access token is invalid or expired", values(t, sound(t, w), "OperationOutcome.issue.diagnostics"))
	assert.Contains(t, b.log.String(), "reason=expired")
	for part := range strings.SplitSeq(good, ".") {
		assert.NotContains(t, b.log.String()+w.Body.String(), part)
	}
	require.NoError(t, os.Remove(b.cfg.Identity.Issuers[0].JWKSFile))
	b = newBench(t, trust)
	w = b.call(careTeam, "", "Authorization: Bearer "+good)
	assert.Equal(t, 503, w.Code, "keys that are away are our trouble, not the caller's")
	assert.Equal(t, "10", w.Header().Get("Retry-After"))
}

// TestABadCertificateGetsAnAnswer goes through a real handshake.
func TestABadCertificateGetsAnAnswer(t *testing.T) {
	now := time.Now()
	certify := func(name string) tls.Certificate {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		leaf, err := x509.ParseCertificate(raw)
		require.NoError(t, err)
		return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
	}
	good, bad := certify("ed.testshire.example"), certify("ed.testshire.example")
	b := newBench(t, func(c *Config) {
		c.Identity.ClientCAs = x509.NewCertPool()
		c.Identity.ClientCAs.AddCert(good.Leaf)
		c.Clients[0].Certificate = "dns:ed.testshire.example"
	})
	b.now = now
	server := httptest.NewUnstartedServer(b)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	for _, tt := range []struct {
		cert   []tls.Certificate
		status int
	}{{[]tls.Certificate{good}, 200}, {[]tls.Certificate{bad}, 401}, {nil, 401}} {
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{RootCAs: roots(server), Certificates: tt.cert, ServerName: "example.com", MinVersion: tls.VersionTLS12})
		require.NoError(t, err)
		_, err = conn.Write([]byte("GET /FHIR/R4/CareTeam?patient=" + child + " HTTP/1.0\r\nHost: example.com\r\n\r\n"))
		require.NoError(t, err)
		var answer strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			answer.Write(buf[:n])
			if err != nil {
				break
			}
		}
		require.NoError(t, conn.Close())
		status, _, _ := strings.Cut(strings.TrimPrefix(answer.String(), "HTTP/1.0 "), " ")
		assert.Equal(t, tt.status, map[string]int{"200": 200, "401": 401}[status], answer.String())
		assert.Contains(t, answer.String(), `"resourceType":`)
	}
}

func roots(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}
