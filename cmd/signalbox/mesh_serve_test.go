package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/mesh"
)

// serving runs 'mesh serve' and returns where it listens, and a way to end it that returns the exit code.
func serving(t *testing.T, args ...string) (base string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var errOut bytes.Buffer
	done := make(chan int, 1)
	go func() {
		code := execute(ctx, append([]string{"mesh", "serve", "--listen", "127.0.0.1:0"}, args...), in, &errOut)
		_ = in.Close()
		done <- code
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("it did not start: exit code %d, %s", <-done, errOut.String())
	}
	ended := false
	stop = func() int {
		ended = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if cancel(); !ended {
			<-done
		}
	})
	base, _, _ = strings.Cut(line, " ")
	return base, stop
}

func dial(t *testing.T, base, mailbox string, tlsConfig *tls.Config) *mesh.Client {
	t.Helper()
	cfg := mesh.Default()
	cfg.BaseURL, cfg.MailboxID, cfg.Password, cfg.SharedKey, cfg.TLS = base, mailbox, "password", "TestKey", tlsConfig
	cfg.Backoff, cfg.MaxBackoff = time.Millisecond, time.Millisecond
	c, err := mesh.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func exchange(t *testing.T, base string, tlsConfig *tls.Config) {
	t.Helper()
	ctx := t.Context()
	id, err := dial(t, base, "X26ABC1", tlsConfig).Send(ctx, mesh.Outgoing{To: "X26ABC2", WorkflowID: "TEST_WORKFLOW", Body: strings.NewReader("synthetic")})
	if err != nil {
		t.Fatal(err)
	}
	receiver := dial(t, base, "X26ABC2", tlsConfig)
	in, err := receiver.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close(), receiver.Acknowledge(ctx, id)); err != nil || string(body) != "synthetic" {
		t.Fatalf("%q, %v", body, err)
	}
}

// A stranger starts it in the place of the NHS sandbox, with nothing configured.
func TestServeStandsInForTheSandbox(t *testing.T) {
	base, stop := serving(t)
	exchange(t, base, nil)
	req, err := http.NewRequest(http.MethodDelete, base+"/messageexchange/admin/reset", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || string(raw) != `{"message":"all mailboxes reset"}` {
		t.Errorf("%d %s", resp.StatusCode, raw)
	}
	http.DefaultClient.CloseIdleConnections()
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// It reads the sandbox's files as they are, keeps messages in its directory, and injects the faults it is told to.
func TestServeReadsFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		full := filepath.Join(dir, name)
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return full
	}
	args := []string{
		"--profile", "strict", "--dir", filepath.Join(dir, "mesh"), "--shared-key-file", file("key", "TestKey\n"),
		"--mailboxes", file("mailboxes.jsonl", `{"mailbox_id": "X26ABC1", "mailbox_name": "TESTMB1", "billing_entity": "England", "ods_code": "X26", "org_code": "X26", "org_name": "X26", "password": "password"}
{"mailbox_id": "X26ABC2", "mailbox_name": "TESTMB2", "ods_code": "X26", "org_code": "X26", "org_name": "X26", "password": "password", "active": true}
`),
		"--workflows", file("workflows.jsonl", `{"workflow_id": "TEST_WORKFLOW", "senders": ["X26ABC1"], "receivers": ["X26ABC2"]}`),
		"--faults", file("faults.jsonl", `{"method":"GET","path":"inbox/*","times":1,"status":503,"retry_after":0,"delay":"1ms"}`),
	}
	base, stop := serving(t, args...)
	exchange(t, base, nil)
	_, err := dial(t, base, "X26ABC1", nil).Send(t.Context(), mesh.Outgoing{To: "X26ABC2", WorkflowID: "TEST_OTHER", Body: strings.NewReader("x")})
	if e, ok := errors.AsType[*mesh.Error](err); !ok || e.Code != "17" {
		t.Errorf("another workflow: %v", err)
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	base, _ = serving(t, args...)
	n := 0
	for _, err := range dial(t, base, "X26ABC1", nil).List(t.Context(), mesh.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d messages after a restart, want the report", n)
	}
}

func TestServeRefusesItsCommandLine(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("{\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"profile": {"--profile", "lenient"}, "go together": {"--tls-cert", bad}, "needs --tls-client-ca": {"--profile", "strict", "--tls-cert", bad, "--tls-key", bad},
		"not both": {"--shared-key", "a", "--shared-key-file", bad}, "mailboxes: line 1": {"--mailboxes", bad}, "faults: line 1": {"--faults", bad},
		"workflows: line 1": {"--workflows", bad}, "no such file": {"--mailboxes", filepath.Join(dir, "none")}, "tls:": {"--tls-cert", bad, "--tls-key", bad},
		"log": {"--log", "xml"}, "listen": {"--listen", "nowhere:x"},
	} {
		var out, errOut bytes.Buffer
		if code := execute(t.Context(), append([]string{"mesh", "serve"}, args...), &out, &errOut); code != exitFailed || !strings.Contains(errOut.String(), want) {
			t.Errorf("%s: exit code %d, %s", want, code, errOut.String())
		}
	}
	var out, errOut bytes.Buffer
	if code := execute(t.Context(), []string{"mesh", "serve", "--differences"}, &out, &errOut); code != exitOK || strings.Count(out.String(), "source:") < 20 {
		t.Errorf("differences: exit code %d, %s", code, errOut.String())
	}
}

// pki makes an authority and certificates of it.
type pki struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newPKI(t *testing.T) *pki {
	p := &pki{t: t, dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	p.key, p.cert = p.sign(template, "ca")
	return p
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) sign(template *x509.Certificate, name string) (*ecdsa.PrivateKey, *x509.Certificate) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	parent, signer := template, key
	if p.cert != nil {
		parent, signer = p.cert, p.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		p.t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: raw}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(p.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	return key, cert
}

func (p *pki) leaf(name string, usage x509.ExtKeyUsage) {
	p.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage}}, name)
}

// With TLS and authorities for clients, only who shows a certificate of theirs is spoken to, and is told to stay with TLS.
func TestServeAsksForClientCertificates(t *testing.T) {
	ours, other := newPKI(t), newPKI(t)
	ours.leaf("server", x509.ExtKeyUsageServerAuth)
	ours.leaf("client", x509.ExtKeyUsageClientAuth)
	other.leaf("client", x509.ExtKeyUsageClientAuth)
	base, _ := serving(t, "--profile", "strict", "--tls-cert", ours.path("server.pem"), "--tls-key", ours.path("server.key"), "--tls-client-ca", ours.path("ca.pem"))
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	with := func(p *pki) *tls.Config {
		cfg := &tls.Config{RootCAs: roots}
		if p != nil {
			cert, err := tls.LoadX509KeyPair(p.path("client.pem"), p.path("client.key"))
			if err != nil {
				t.Fatal(err)
			}
			cfg.Certificates = []tls.Certificate{cert}
		}
		return cfg
	}
	if !strings.HasPrefix(base, "https://") {
		t.Fatalf("base %s", base)
	}
	exchange(t, base, with(ours))
	for name, p := range map[string]*pki{"no certificate": nil, "a stranger's certificate": other} {
		if err := dial(t, base, "X26ABC1", with(p)).Handshake(t.Context()); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	tr := &http.Transport{TLSClientConfig: with(ours)}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(base + "/messageexchange/_ping")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=15552000" || resp.ProtoMajor != 1 {
		t.Errorf("Strict-Transport-Security %q, HTTP/%d", got, resp.ProtoMajor)
	}
}
