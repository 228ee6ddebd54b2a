package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signalbox/engine/app"
)

// Issuer makes the world trust an issuer of JSON Web Tokens and returns what makes them: for one person of the trust "both", with the given
// activities, each with a jti of its own. Call it before Start.
func (w *World) Issuer(t testing.TB) func(user, activities string) string {
	t.Helper()
	const name, audience = "https://issuer.testshire.example", "https://signalbox.testshire.example/FHIR/R4"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Must(t, err)
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1"}}})
	Must(t, err)
	file := filepath.Join(w.Dir, "jwks.json")
	Must(t, os.WriteFile(file, raw, 0o600))
	w.Config.FHIR.Issuers = []app.Issuer{{Issuer: name, Audience: audience, JWKSFile: file}}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1").WithType("JWT"))
	Must(t, err)
	return func(user, activities string) string {
		now := time.Now()
		raw, err := json.Marshal(map[string]any{
			"iss": name, "aud": audience, "iat": now.Unix(), "exp": now.Add(30 * time.Minute).Unix(), "client_id": "both", "sub": user,
			"name": "Dr Casey Invented", "role_code": "R0260", "role_name": "General Medical Practitioner", "organisation": "RXX99",
			"organisation_name": "TEST EMERGENCY DEPARTMENT", "activities": activities, "jti": rand.Text(),
		})
		Must(t, err)
		signed, err := signer.Sign(raw)
		Must(t, err)
		text, err := signed.CompactSerialize()
		Must(t, err)
		return text
	}
}
