package app

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"signalbox/fhir/api/identity"
)

// Revocation says which lists of revoked client certificates are read, and what becomes of a certificate while its list is old.
type Revocation struct {
	Files []string `yaml:"files,omitempty"` // X.509 CRLs in PEM or DER, read again when they change
	Stale string   `yaml:"stale,omitempty"` // refuse, also when nothing is configured, or accept
}

// What becomes of a certificate in whose issuer has no list that holds now.
const (
	staleRefuse = "refuse"
	staleAccept = "accept"
)

// certificates sets how client certificates are looked at.
func (f FHIR) certificates(cfg *identity.Config) error {
	var errs []error
	var err error
	cfg.ClientCAs, err = authorities(f.ClientCA)
	errs = append(errs, err)
	for i, text := range f.Proxies {
		prefix, err := proxyPrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("fhir.proxies[%d]: %w", i, err))
		}
		cfg.Proxies = append(cfg.Proxies, prefix)
	}
	cfg.Revocation.Files, cfg.Revocation.AcceptStale = f.Revocation.Files, f.Revocation.Stale == staleAccept
	for i, path := range f.Revocation.Files {
		raw, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("fhir.revocation.files[%d]: cannot be read: check the path, and that the engine's user may read it", i))
			continue
		}
		if _, err := identity.ParseRevocations(raw); err != nil {
			errs = append(errs, fmt.Errorf("fhir.revocation.files[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// proxyPrefix reads an address or a network. One that holds every address would let anybody be anyone.
func proxyPrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return prefix, errors.New("is neither an address such as 10.0.0.7 nor a network such as 10.0.0.0/28: a host name is not taken")
	case prefix.Bits() == 0:
		return prefix, errors.New("holds every address: anybody could write the header that says who asks")
	case prefix != prefix.Masked():
		return prefix, fmt.Errorf("has bits beyond its length: write %s for the network, or the address alone", prefix.Masked())
	}
	return prefix, nil
}

// authorities reads the authorities of client certificates; nil when none are configured.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.New("fhir.clientCA: cannot be read: check the path, and that the engine's user may read it")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bytes.TrimSpace(raw)) {
		return nil, errors.New("fhir.clientCA: holds no certificate in PEM (BEGIN CERTIFICATE); turn DER into PEM with 'openssl x509 -inform der'")
	}
	return pool, nil
}

func (c Config) validateCertificates(v *validator) {
	f := c.FHIR
	v.need(f.ClientCA == "" || c.Listen.CertFile != "" || len(f.Proxies) > 0, "fhir.clientCA",
		"needs listen.certFile, or fhir.proxies with the addresses of the proxy that does the TLS and passes the certificate on as Client-Cert (RFC 9440): as it is, no certificate reaches us")
	v.need(len(f.Proxies) == 0 || f.ClientCA != "", "fhir.proxies", "needs fhir.clientCA: a certificate that is passed on is verified like any other")
	v.need(len(f.Proxies) == 0 || c.Listen.BehindProxy || c.Listen.CertFile != "", "fhir.proxies", "needs listen.behindProxy, or listen.certFile where the proxy speaks TLS to us too")
	v.need(len(f.Revocation.Files) == 0 || f.ClientCA != "", "fhir.revocation.files", "needs fhir.clientCA: no certificate is looked at without it")
	v.need(f.Revocation.Stale == "" || f.Revocation.Stale == staleRefuse || f.Revocation.Stale == staleAccept, "fhir.revocation.stale", "is neither refuse nor accept")
	v.need(f.Revocation.Stale == "" || len(f.Revocation.Files) > 0, "fhir.revocation.stale", "means nothing without fhir.revocation.files")
	for i, t := range c.Trusts {
		v.need(t.Certificate == "" || f.ClientCA != "", fmt.Sprintf("trusts[%d].certificate", i), "needs fhir.clientCA: the authority that signed it")
	}
}
