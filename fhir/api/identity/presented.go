package identity

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
)

// The headers in which a proxy that ends TLS passes on the client's certificate, and what lies between it and an authority (RFC 9440).
const (
	headerCert  = "Client-Cert"
	headerChain = "Client-Cert-Chain"
)

// Bounds of what a proxy passes on: certificates of a chain, and characters of one.
const (
	maxChain     = 8
	maxForwarded = 16 << 10
)

// presented returns the certificates that the caller has shown, its own first; nil for none. On a connection from one of our proxies those
// are what the proxy passes on and never the proxy's own. The headers mean something from there alone: from anybody else they are refused,
// because anybody can write them (RFC 9440 section 4).
func (a *Authenticator) presented(r *http.Request) ([]*x509.Certificate, *Refusal) {
	if len(a.cfg.Proxies) == 0 {
		return shown(r), nil
	}
	leaf, rest := r.Header.Values(headerCert), r.Header.Values(headerChain)
	switch {
	case !a.fromProxy(r.RemoteAddr) && len(leaf)+len(rest) > 0:
		return nil, refuse(ForwardedBy)
	case !a.fromProxy(r.RemoteAddr):
		return shown(r), nil
	case len(leaf) == 0 && len(rest) == 0:
		return nil, nil
	case len(leaf) != 1:
		return nil, refuse(Forwarded)
	}
	chain, ok := forwarded(leaf[0], rest)
	if !ok {
		return nil, refuse(Forwarded)
	}
	return chain, nil
}

// shown returns the certificates of the connection.
func shown(r *http.Request) []*x509.Certificate {
	if r.TLS == nil {
		return nil
	}
	return r.TLS.PeerCertificates
}

func (a *Authenticator) fromProxy(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	address := at.Addr().Unmap().WithZone("")
	for _, p := range a.cfg.Proxies {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// forwarded reads both headers: an Item, and a List that may stand on several lines, of Byte Sequences without parameters (RFC 8941
// sections 3.1, 3.3.5).
func forwarded(leaf string, rest []string) ([]*x509.Certificate, bool) {
	texts := []string{leaf}
	if joined := strings.Join(rest, ","); joined != "" {
		texts = append(texts, strings.SplitN(joined, ",", maxChain+1)...)
	}
	if len(texts) > maxChain {
		return nil, false
	}
	out := make([]*x509.Certificate, 0, len(texts))
	for _, text := range texts {
		cert, ok := byteSequence(strings.Trim(text, " \t"))
		if !ok {
			return nil, false
		}
		out = append(out, cert)
	}
	return out, true
}

// byteSequence reads one certificate in DER between colons. A parser should take one without its padding (RFC 8941 section 4.2.7).
func byteSequence(text string) (*x509.Certificate, bool) {
	if len(text) < 2 || len(text) > maxForwarded || text[0] != ':' || text[len(text)-1] != ':' {
		return nil, false
	}
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text[1:len(text)-1], "="))
	if err != nil {
		return nil, false
	}
	cert, err := x509.ParseCertificate(der)
	return cert, err == nil
}
