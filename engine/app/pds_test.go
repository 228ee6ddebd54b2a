package app

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func TestPDSConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"pds: {mode: live, url: u}":                        "",
		"pds: {mode: off}":                                 "",
		"pds: {mode: sometimes}":                           "pds.mode",
		"pds: {mode: twin}":                                "pds.twinPatients",
		"pds: {mode: live}":                                "pds.url",
		"pds: {mode: live, url: u, tokenUrl: t}":           "pds.clientId",
		"pds: {mode: live, url: u, givenNames: [soundex]}": "pds.givenNames",
		"pds: {mode: live, url: u, perSecond: 0}":          "pds.perSecond",
	} {
		cfg, err := ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v := &validator{}
		cfg.PDS.validate(v)
		said := ""
		for _, err := range v.errs {
			said += err.Error() + "\n"
		}
		if want == "" && said != "" || !strings.Contains(said, want) {
			t.Errorf("%s: want %q, got %q", text, want, said)
		}
	}
	if _, err := ParseConfig([]byte("pds: {key: secret}")); err == nil || strings.Contains(err.Error(), "secret}") {
		t.Errorf("a key in the file itself: %v", err)
	}
}

func TestTheKeyIsReadInBothForms(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for kind, raw := range map[string][]byte{"RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(key), "PRIVATE KEY": pkcs8} {
		cfg := PDS{Mode: pdsLive, URL: "https://pds.invalid", TokenURL: "https://pds.invalid/token", ClientID: "c", KeyID: "k",
			Key: Held(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))), PerSecond: 1, Concurrent: 1}
		client, err := cfg.client()
		if err != nil || !client.Auth.Key.Equal(key) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, text := range []string{"nonsense", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))} {
		if _, err := rsaKey(text); err == nil {
			t.Errorf("%q is taken for a key", text)
		}
	}
}
