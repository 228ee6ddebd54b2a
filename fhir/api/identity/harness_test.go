package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	issuerName = "https://issuer.testshire.example"
	audience   = "https://signalbox.testshire.example/FHIR/R4"
)

// signers are made once: an RSA key takes a while.
var signers = sync.OnceValue(func() map[string]any {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]any{"rsa": rsaKey, "other": otherRSA, "ec": ecKey}
})

// publicKeys is a key set of the named signers, with things in it that are of no use to us.
func publicKeys(t testing.TB, names ...string) []byte {
	t.Helper()
	set := jose.JSONWebKeySet{}
	for _, name := range names {
		var public any
		switch k := signers()[name].(type) {
		case *rsa.PrivateKey:
			public = k.Public()
		case *ecdsa.PrivateKey:
			public = k.Public()
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: name, Use: "sig"})
	}
	raw, err := json.Marshal(set)
	require.NoError(t, err)
	return bytes.Replace(raw, []byte(`{"keys":[`), []byte(`{"keys":[{"kty":"OKP","kid":"new","crv":"Ed448","x":"AA"},{"kty":"oct","kid":"secret","k":"AAAA"},`), 1)
}

// person is a token's claims, sound at that time.
func person(now time.Time) map[string]any {
	return map[string]any{
		"iss": issuerName, "aud": audience, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": "one",
		"client_id": "testshire-ed", "sub": "999900001234", "name": "Dr Casey Invented", "role_profile": "999900005678", "role_code": "R0260",
		"role_name": "General Medical Practitioner", "organisation": "tst01", "activities": []string{"B0107"},
	}
}

func changed(c map[string]any, name string, value any) map[string]any {
	c = maps.Clone(c)
	if c[name] = value; value == nil {
		delete(c, name)
	}
	return c
}

// sign makes a token. Extra headers go in as they are.
func sign(t testing.TB, key string, alg jose.SignatureAlgorithm, kid string, c map[string]any, headers ...string) string {
	t.Helper()
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		opts = opts.WithHeader(jose.HeaderKey(headers[i]), headers[i+1])
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: signers()[key]}, opts)
	require.NoError(t, err)
	raw, err := json.Marshal(c)
	require.NoError(t, err)
	signed, err := signer.Sign(raw)
	require.NoError(t, err)
	text, err := signed.CompactSerialize()
	require.NoError(t, err)
	return text
}

// door is an Authenticator in the hand of a test.
type door struct {
	*Authenticator
	now time.Time
	log bytes.Buffer
}

func client() Client {
	return Client{Name: "testshire-ed", ODSCode: "TST01", OrganisationName: "Testshire Hospitals NHS Trust", DeviceID: "999999990001",
		Setting: "emergency-department", CanQuery: true}
}

func newDoor(t testing.TB, change func(*Config)) *door {
	t.Helper()
	d := &door{now: time.Date(2026, 3, 14, 22, 50, 0, 0, time.UTC)}
	file := filepath.Join(t.TempDir(), "jwks.json")
	require.NoError(t, os.WriteFile(file, publicKeys(t, "rsa", "ec"), 0o600))
	issuer := DefaultIssuer()
	issuer.Name, issuer.Audience, issuer.JWKSFile = issuerName, audience, file
	cfg := Default()
	cfg.Clients, cfg.Issuers = []Client{client()}, []Issuer{issuer}
	if change != nil {
		change(&cfg)
	}
	var err error
	d.Authenticator, err = New(cfg, http.DefaultClient, func() time.Time { return d.now }, slog.New(slog.NewTextHandler(&d.log, nil)))
	require.NoError(t, err)
	return d
}

func (d *door) ask(t testing.TB, authorization ...string) (*Caller, *Refusal) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://signalbox.example/", nil)
	require.NoError(t, err)
	for _, a := range authorization {
		r.Header.Add("Authorization", a)
	}
	return d.Authenticate(r)
}

func (d *door) token(t testing.TB, token string) (*Caller, *Refusal) {
	t.Helper()
	return d.ask(t, "Bearer "+token)
}
