package conformance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/conformance/harness"
	"signalbox/engine/app"
)

// certified is a client certificate of an authority of its own, as a proxy passes it on, with a list that names the given serial numbers.
func certified(t testing.TB, dir string, revoked ...int64) (header string) {
	t.Helper()
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	harness.Must(t, err)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Testshire CA"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	harness.Must(t, err)
	ca, err = x509.ParseCertificate(der)
	harness.Must(t, err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "ed"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		DNSNames: []string{"ed.testshire.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	client, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	harness.Must(t, err)
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
	for _, n := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: now})
	}
	crl, err := x509.CreateRevocationList(rand.Reader, list, ca, key)
	harness.Must(t, err, os.WriteFile(filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, "crl.pem"), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl}), 0o600))
	return ":" + base64.StdEncoding.EncodeToString(client) + ":"
}

// TestACertificateThroughAProxy is the whole engine behind a proxy that ends TLS: the certificate that it passes on is who asks, from the
// proxy's address alone, and not when the authority has revoked it.
func TestACertificateThroughAProxy(t *testing.T) {
	for name, tc := range map[string]struct {
		proxy   string
		revoked []int64
		status  int
		reason  string
	}{
		"from the proxy":       {"127.0.0.1", []int64{8}, http.StatusOK, ""},
		"from elsewhere":       {"192.0.2.7", nil, http.StatusUnauthorized, "forwarded-by"},
		"revoked":              {"127.0.0.0/8", []int64{7}, http.StatusUnauthorized, "revoked"},
		"no proxy is believed": {"", nil, http.StatusUnauthorized, "no-credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			w := harness.New(t, harness.Testshire())
			header := certified(t, w.Dir, tc.revoked...)
			if tc.proxy != "" {
				w.Config.FHIR.ClientCA, w.Config.Listen.BehindProxy, w.Config.FHIR.Proxies = filepath.Join(w.Dir, "ca.pem"), true, []string{tc.proxy}
				w.Config.FHIR.Revocation = app.Revocation{Files: []string{filepath.Join(w.Dir, "crl.pem")}}
				of := slices.IndexFunc(w.Config.Trusts, func(t app.Trust) bool { return t.Name == "both" })
				w.Config.Trusts[of].Token, w.Config.Trusts[of].Certificate = app.Secret{}, "dns:ed.testshire.example"
			}
			w.Start(t)
			req, err := http.NewRequest(http.MethodGet, w.FHIR+"/CareTeam?"+url.Values{"patient": {ada}}.Encode(), nil)
			harness.Must(t, err)
			req.Header.Set("Client-Cert", header)
			res, err := httpClient(t).Do(req)
			harness.Must(t, err, res.Body.Close())
			if res.StatusCode != tc.status || tc.reason != "" && !strings.Contains(w.Log.String(), `"reason":"`+tc.reason+`"`) {
				t.Errorf("status %d, or the log does not say %q", res.StatusCode, tc.reason)
			}
			for _, secret := range []string{strings.Trim(header, ":="), "ed.testshire.example", ada} {
				if strings.Contains(w.Log.String(), secret) {
					t.Error("the log holds what the certificate says, or a number")
				}
			}
		})
	}
}
