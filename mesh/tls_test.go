package mesh

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority makes certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Testshire root"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	a.key = a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	a.must(err)
	a.cert, err = x509.ParseCertificate(der)
	a.must(err)
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func (a *authority) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	return key
}

// issue returns a certificate and its key in PEM.
func (a *authority) issue(name string, serial int64) (cert, key []byte) {
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	k := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	a.must(err)
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	a.must(err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// secured is a server that asks for a client certificate and tells whose it was.
func secured(t *testing.T, a *authority) *httptest.Server {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	cert, key := a.issue("server", 2)
	pair, err := tls.X509KeyPair(cert, key)
	a.must(err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that each call makes a new handshake
		_, _ = w.Write([]byte(`{"count":` + r.TLS.PeerCertificates[0].SerialNumber.String() + `}`))
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, Certificates: []tls.Certificate{pair}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func tlsClient(t *testing.T, url string, files TLSFiles, change ...func(*Config)) *Client {
	cfg := Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.Attempts = url, "TESTLA01", "p", "k", 1
	cfg.TLSFiles = files
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (a *authority) files(dir string) TLSFiles {
	f := TLSFiles{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), CAFile: filepath.Join(dir, "ca.pem")}
	a.must(os.WriteFile(f.CAFile, a.pem, 0o600))
	a.replace(f, 10)
	return f
}

// replace writes a new pair with a time stamp of its own, so that no test waits for the clock of the file system.
func (a *authority) replace(f TLSFiles, serial int64) {
	cert, key := a.issue("client", serial)
	a.must(os.WriteFile(f.CertFile, cert, 0o600))
	a.must(os.WriteFile(f.KeyFile, key, 0o600))
	at := time.Unix(1_000_000+serial, 0)
	a.must(errors.Join(os.Chtimes(f.CertFile, at, at), os.Chtimes(f.KeyFile, at, at)))
}

// The certificate is the one that lies on disk at the next handshake; a half replaced pair keeps the old one in use.
func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	a := newAuthority(t)
	s := secured(t, a)
	files := a.files(t.TempDir())
	c := tlsClient(t, s.URL, files)
	check := func(when string, want int) {
		t.Helper()
		if n, err := c.Count(t.Context()); err != nil || n != want {
			t.Errorf("%s: certificate %d, %v, want %d", when, n, err, want)
		}
	}
	check("at first", 10)
	check("again", 10)
	a.replace(files, 11)
	check("replaced", 11)
	cert, _ := a.issue("client", 12)
	a.must(os.WriteFile(files.CertFile, cert, 0o600)) // its key is not there yet
	check("half replaced", 11)
	a.must(os.Remove(files.KeyFile))
	check("key gone", 11)
	a.replace(files, 13)
	check("replaced again", 13)
}

// The authorities follow their file too: the one that the service changes to counts from the next connection, and a file that
// cannot be read leaves those before in use.
func TestAuthoritiesAreReadAgainWhenTheyChange(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	s := secured(t, a)
	files := a.files(t.TempDir())
	at := int64(2_000_000)
	put := func(pem []byte) {
		a.must(os.WriteFile(files.CAFile, pem, 0o600))
		at++
		a.must(os.Chtimes(files.CAFile, time.Unix(at, 0), time.Unix(at, 0)))
	}
	put(other.pem)
	c := tlsClient(t, s.URL, files)
	if _, err := c.Count(t.Context()); !errors.Is(err, ErrTransport) {
		t.Errorf("a server of another authority: %v", err)
	}
	for _, step := range []struct {
		when string
		pem  []byte
		ok   bool
	}{{"the new one beside", append(bytes.Clone(other.pem), a.pem...), true}, {"half written", []byte("-----BEGIN"), true}, {"alone", a.pem, true}, {"taken away", other.pem, false}} {
		put(step.pem)
		if _, err := c.Count(t.Context()); (err == nil) != step.ok {
			t.Errorf("%s: %v", step.when, err)
		}
	}
	a.must(os.Remove(files.CAFile))
	if _, err := c.Count(t.Context()); err == nil {
		t.Error("without the file an authority that was taken away counts again")
	}
}

func TestPrivateAuthorityIsNeeded(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	s := secured(t, a)
	files := a.files(t.TempDir())
	a.must(os.WriteFile(files.CAFile, other.pem, 0o600))
	if _, err := tlsClient(t, s.URL, files).Count(t.Context()); !errors.Is(err, ErrTransport) {
		t.Errorf("a server of another authority: %v", err)
	}
	files.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	a.must(os.WriteFile(files.CAFile, a.pem, 0o600))
	files.CertFile, files.KeyFile = "", ""
	if _, err := tlsClient(t, s.URL, files).Count(t.Context()); !errors.Is(err, ErrTransport) {
		t.Errorf("no client certificate: %v", err)
	}
}

func TestTLSFilesThatCannotWork(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	good := a.files(dir)
	junk := filepath.Join(dir, "junk.pem")
	a.must(os.WriteFile(junk, []byte("no certificate"), 0o600))
	for name, f := range map[string]TLSFiles{
		"no such authorities": {CAFile: filepath.Join(dir, "none.pem")},
		"junk authorities":    {CAFile: junk},
		"certificate alone":   {CertFile: good.CertFile},
		"no such pair":        {CertFile: filepath.Join(dir, "none"), KeyFile: good.KeyFile},
		"not a pair":          {CertFile: good.CAFile, KeyFile: good.KeyFile},
	} {
		cfg := Default()
		cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.TLSFiles = "https://mesh.example", "TESTLA01", "p", "k", f
		_, err := New(cfg)
		if _, err2 := f.Config(); err == nil || err2 == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := (TLSFiles{}).Config(); err != nil {
		t.Errorf("nothing configured: %v", err)
	}
}

// proxy speaks CONNECT and counts.
func proxy(t *testing.T) (*httptest.Server, *atomic.Int32) {
	var tunnels atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		tunnels.Add(1)
		out, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer out.Close()
		in, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer in.Close()
		_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() { defer close(done); _, _ = io.Copy(out, buf); _ = out.(*net.TCPConn).CloseWrite() }()
		_, _ = io.Copy(in, out)
		_ = in.Close()
		<-done
	}))
	t.Cleanup(s.Close)
	return s, &tunnels
}

// The client certificate reaches the service through a proxy, whether named or from the environment.
func TestMutualTLSThroughAProxy(t *testing.T) {
	a := newAuthority(t)
	s := secured(t, a)
	p, tunnels := proxy(t)
	files := a.files(t.TempDir())
	c := tlsClient(t, s.URL, files, func(c *Config) { c.Proxy = p.URL })
	if n, err := c.Count(t.Context()); err != nil || n != 10 || tunnels.Load() != 1 {
		t.Errorf("certificate %d, %v, through %d tunnels", n, err, tunnels.Load())
	}
	c = tlsClient(t, s.URL, files, func(c *Config) { c.Proxy = NoProxy })
	if n, err := c.Count(t.Context()); err != nil || n != 10 || tunnels.Load() != 1 {
		t.Errorf("without: certificate %d, %v, through %d tunnels", n, err, tunnels.Load())
	}
	cfg := Default()
	cfg.Proxy = "not an address"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "Proxy") {
		t.Errorf("%v", err)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "secret")
	for content, want := range map[string]Secret{"pass word\n": "pass word", "p\r\n": "p", " p ": " p "} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadSecret(name); got != want || err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
	for what, content := range map[string][]byte{"empty": []byte("\n"), "too long": bytes.Repeat([]byte("hush"), maxSecret)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecret(name); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ReadSecret(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
