package mesh

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// maxSecret bounds a secret's file, maxPEM a certificate's or bundle's.
const (
	maxSecret = 64 << 10
	maxPEM    = 4 << 20
)

// ReadSecret reads a secret from a file; line ends after it do not count. The error names the path and nothing of the content.
func ReadSecret(path string) (Secret, error) {
	raw, err := readBounded(path, maxSecret)
	if err != nil {
		return "", fmt.Errorf("mesh: secret: %w", err)
	}
	if raw = bytes.TrimRight(raw, "\r\n"); len(raw) == 0 {
		return "", fmt.Errorf("mesh: secret: %s: is empty", path)
	}
	return Secret(raw), nil
}

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%s: is longer than %d bytes", path, most)
	}
	return raw, err
}

// TLSFiles names the files of mutual TLS, all PEM. CertFile and KeyFile go together.
type TLSFiles struct {
	CertFile, KeyFile string // the mailbox's or server's client certificate
	CAFile            string // the environment's authorities; empty means the system's
}

// Config makes a TLS configuration of the files. The client certificate is read again when either file has changed, before the
// next new connection; a pair that does not fit, as while it is being replaced, leaves the one before in use. The authorities
// of a configuration are read once; those of Config.TLSFiles follow their file.
//
// The service wants TLS 1.2 or later. The name that is checked is a subject alternative name, which the internet endpoints
// have and the old HSCN ones may lack.
func (f TLSFiles) Config() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CAFile != "" {
		var err error
		if out.RootCAs, err = f.authorities(); err != nil {
			return nil, err
		}
	}
	if (f.CertFile == "") != (f.KeyFile == "") {
		return nil, errors.New("mesh: TLS: certificate and key: go together")
	}
	if f.CertFile == "" {
		return out, nil
	}
	pair := &reloadingPair{files: f}
	if _, err := pair.get(); err != nil {
		return nil, fmt.Errorf("mesh: TLS: certificate: %w", err)
	}
	out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.get() }
	return out, nil
}

func (f TLSFiles) authorities() (*x509.CertPool, error) {
	pem, err := readBounded(f.CAFile, maxPEM)
	if err != nil {
		return nil, fmt.Errorf("mesh: TLS: authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("mesh: TLS: authorities: %s: holds no certificate", f.CAFile)
	}
	return pool, nil
}

// following is a transport whose authorities follow their file. crypto/tls takes its authorities as they are when a connection is
// made, and its hooks are not told the host of an address that is a number; so another file makes another transport.
type following struct {
	files TLSFiles

	mu   sync.Mutex
	held *http.Transport
	seen fileState
}

// RoundTrip makes the call with the authorities that the file holds now, or the last good ones.
func (f *following) RoundTrip(r *http.Request) (*http.Response, error) { return f.now().RoundTrip(r) }

func (f *following) now() *http.Transport {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := stateOf(f.files.CAFile)
	if err != nil || state == f.seen {
		return f.held
	}
	pool, err := f.files.authorities()
	if err != nil {
		return f.held
	}
	next := f.held.Clone()
	next.TLSClientConfig.RootCAs = pool
	f.held.CloseIdleConnections() // those in use are closed when they come back to it
	f.held, f.seen = next, state
	return next
}

// CloseIdleConnections drops what is not in use.
func (f *following) CloseIdleConnections() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held.CloseIdleConnections()
}

// reloadingPair is a certificate and key that follow their files.
type reloadingPair struct {
	files TLSFiles

	mu   sync.Mutex
	held *tls.Certificate
	seen [2]fileState
}

type fileState struct {
	changed time.Time
	size    int64
}

func stateOf(name string) (fileState, error) {
	info, err := os.Stat(name)
	if err != nil {
		return fileState{}, err
	}
	return fileState{info.ModTime(), info.Size()}, nil
}

// get returns the pair as it lies on disk, or the last good one.
func (p *reloadingPair) get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var now [2]fileState
	for i, name := range []string{p.files.CertFile, p.files.KeyFile} {
		var err error
		if now[i], err = stateOf(name); err != nil {
			return p.orHeld(err)
		}
	}
	if p.held != nil && now == p.seen {
		return p.held, nil
	}
	pair, err := tls.LoadX509KeyPair(p.files.CertFile, p.files.KeyFile)
	if err != nil {
		return p.orHeld(err)
	}
	p.held, p.seen = &pair, now
	return p.held, nil
}

func (p *reloadingPair) orHeld(err error) (*tls.Certificate, error) {
	if p.held != nil {
		return p.held, nil
	}
	return nil, err
}
