package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"time"
)

// vouched is a certificate that needs no verifying for a while: whose it is, and the lists on which it does not stand.
type vouched struct {
	client *Client
	lists  *lists
}

// byCertificate returns the client of a certificate, which stands first in its chain; nil without one, or where certificates are not looked
// at. The handshake has proved that the other side holds the key; who signed the certificate is looked at here and not there, so that a bad
// one gets an answer in FHIR and not a broken connection, and one that is revoked gets it in the middle of a connection.
func (a *Authenticator) byCertificate(chain []*x509.Certificate) (*Client, *Refusal) {
	if a.cfg.ClientCAs == nil || len(chain) == 0 {
		return nil, nil
	}
	now, lists := a.now(), a.revocations.lists()
	key := chainDigest(chain)
	if v, ok := a.certificates.get(key, now); ok && v.lists == lists {
		return v.client, nil
	}
	leaf, between := chain[0], x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: a.cfg.ClientCAs, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, refuse(BadCertificate)
	}
	until := earliest(leaf.NotAfter, now.Add(a.cfg.CacheFor))
	if lists != nil {
		holds, reason := a.revocations.check(lists, chains, now)
		if reason != "" {
			return nil, refuse(reason)
		}
		if !holds.IsZero() {
			until = earliest(until, holds)
		}
	}
	client := a.named(leaf)
	if client == nil {
		return nil, refuse(BadCertificate)
	}
	a.certificates.put(key, vouched{client, lists}, now, until)
	return client, nil
}

// named returns the client whose configured name stands in the certificate. When names of several stand there it is nobody's.
func (a *Authenticator) named(leaf *x509.Certificate) *Client {
	names := map[string]bool{"subject:" + leaf.Subject.String(): true}
	for _, n := range leaf.DNSNames {
		names["dns:"+n] = true
	}
	for _, u := range leaf.URIs {
		names["uri:"+u.String()] = true
	}
	var found *Client
	for i := range a.cfg.Clients {
		if c := &a.cfg.Clients[i]; c.Certificate != "" && names[c.Certificate] {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}

func chainDigest(chain []*x509.Certificate) digest {
	h := sha256.New()
	for _, c := range chain {
		h.Write(c.Raw)
	}
	return digest(h.Sum(nil))
}

// thumbprint is a certificate's name in a token that is bound to it (RFC 8705 section 3.1).
func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
