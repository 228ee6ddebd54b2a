package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/engine/app"
)

// certificateFiles writes an authority and its list beside a configuration.
func certificateFiles(t *testing.T, dir string) {
	t.Helper()
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Testshire CA"}, NotBefore: now, NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}, ca, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: der}, "crl.pem": {Type: "X509 CRL", Bytes: crl}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Each sentence names the setting and says what to do: it is read by an integrator at night.
func TestCertificateSettingsThatCannotWorkAreRefused(t *testing.T) {
	const fine = "listen: { behindProxy: true }\nfhir: { clientCA: ca.pem, proxies: [ \"10.0.0.7\", \"10.1.0.0/28\", \"::1\" ], revocation: { files: [ crl.pem ], stale: accept } }"
	for name, tc := range map[string]struct{ old, new, want string }{
		"":                          {"listen", "listen", ""},
		"refuse":                    {"accept", "refuse", ""},
		"no way for a certificate":  {`proxies: [ "10.0.0.7", "10.1.0.0/28", "::1" ], `, "", "fhir.clientCA: needs listen.certFile, or fhir.proxies"},
		"proxies without authority": {"clientCA: ca.pem, ", "", "fhir.proxies: needs fhir.clientCA"},
		"lists without authority":   {"clientCA: ca.pem, ", "", "fhir.revocation.files: needs fhir.clientCA"},
		"trust without authority":   {"clientCA: ca.pem, ", "", "trusts[0].certificate: needs fhir.clientCA"},
		"no TLS anywhere":           {"behindProxy: true", "behindProxy: false", "fhir.proxies: needs listen.behindProxy"},
		"a host name":               {"10.0.0.7", "proxy.example", "fhir.proxies[0]: is neither an address"},
		"an address with a port":    {"10.0.0.7", "10.0.0.7:443", "fhir.proxies[0]: is neither an address"},
		"everybody":                 {"10.1.0.0/28", "0.0.0.0/0", "fhir.proxies[1]: holds every address"},
		"a network out of step":     {"10.1.0.0/28", "10.1.0.7/28", "fhir.proxies[1]: has bits beyond its length: write 10.1.0.0/28"},
		"no list at that path":      {"crl.pem", "nowhere.pem", "fhir.revocation.files[0]: cannot be read"},
		"a certificate, not a list": {"files: [ crl.pem ]", "files: [ ca.pem ]", "fhir.revocation.files[0]: list 1: is no list of revoked certificates"},
		"unknown word":              {"accept", "ignore", "fhir.revocation.stale: is neither refuse nor accept"},
		"a word for nothing":        {"files: [ crl.pem ], ", "", "fhir.revocation.stale: means nothing without"},
		"authority not there":       {"clientCA: ca.pem", "clientCA: nowhere.pem", "fhir.clientCA: cannot be read"},
		"a list for an authority":   {"clientCA: ca.pem", "clientCA: crl.pem", "fhir.clientCA: holds no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, "fhir: { development: true }", strings.Replace(fine, tc.old, tc.new, 1), 1)
			text = strings.Replace(text, "token: { file: token }", "certificate: \"dns:ed.testshire.example\"", 1)
			path := write(t, text)
			certificateFiles(t, filepath.Dir(path))
			cfg, err := app.ReadConfig(path)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
			if err == nil && !filepath.IsAbs(cfg.FHIR.Revocation.Files[0]) {
				t.Error("a list's path is not relative to the configuration's folder")
			}
		})
	}
}
