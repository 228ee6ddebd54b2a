package identity

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxToken bounds a token; Go's server bounds the headers together at 1 MiB.
const maxToken = 16 << 10

// verified is a token that needs no verifying for a while: the caller, the keys that vouched for it, and the certificate that it is bound to.
type verified struct {
	caller *Caller
	ring   *keyring
	set    *keySet
	bound  string
}

// byJWT returns the caller of a JSON Web Token.
func (a *Authenticator) byJWT(ctx context.Context, token string, chain []*x509.Certificate) (*Caller, *Refusal) {
	now := a.now()
	key := sha256.Sum256([]byte(token))
	if v, ok := a.tokens.get(key, now); ok && v.ring.current.Load() == v.set {
		return v.held(chain)
	}
	parsed, refused := parse(token)
	if refused != nil {
		return nil, refused
	}
	trusted, refused := a.issuerOf(parsed)
	if refused != nil {
		return nil, refused
	}
	payload, set, refused := trusted.verify(ctx, parsed)
	if refused != nil {
		return nil, refused
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, refuse(Malformed)
	}
	until, refused := trusted.times(c, now, a.cfg.Leeway)
	if refused != nil {
		return nil, refused
	}
	name := c.text(trusted.Claims.Client)
	if name == "" {
		return nil, &Refusal{Reason: MissingClaim, Claim: trusted.Claims.Client}
	}
	client := byName(a.cfg.Clients, name)
	if client == nil {
		return nil, refuse(UnknownClient)
	}
	caller, refused := c.caller(trusted.Issuer, client, a.cfg.Roles)
	if refused != nil {
		return nil, refused
	}
	v := verified{caller: caller, ring: trusted.keyring, set: set, bound: c.bound()}
	if _, refused := v.held(chain); refused != nil {
		return nil, refused
	}
	if trusted.OneUse {
		return caller, a.once(ctx, trusted.Issuer, c, now, until)
	}
	a.tokens.put(key, v, now, earliest(until, now.Add(a.cfg.CacheFor)))
	return caller, nil
}

// held checks that a token bound to a certificate comes with it.
func (v verified) held(chain []*x509.Certificate) (*Caller, *Refusal) {
	if v.bound != "" && (len(chain) == 0 || thumbprint(chain[0]) != v.bound) {
		return nil, refuse(NotBound)
	}
	return v.caller, nil
}

// parse reads a token in its compact form. Only the algorithms that can ever be allowed get through: "none" is not one.
func parse(token string) (*jose.JSONWebSignature, *Refusal) {
	if len(token) > maxToken {
		return nil, refuse(Malformed)
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS512, jose.ES256})
	if _, wrong := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); wrong {
		return nil, refuse(WrongAlgorithm)
	}
	if err != nil || len(parsed.Signatures) != 1 {
		return nil, refuse(Malformed)
	}
	// A token of another kind, such as an identity token that says so, is not for us (RFC 8725 section 3.11).
	if typ, ok := parsed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; ok {
		text, _ := typ.(string)
		if !slices.Contains([]string{"jwt", "at+jwt", "application/at+jwt", "application/jwt"}, strings.ToLower(text)) {
			return nil, refuse(Malformed)
		}
	}
	return parsed, nil
}

// issuerOf finds the issuer that the token says it is of. Nothing is believed yet.
func (a *Authenticator) issuerOf(parsed *jose.JSONWebSignature) (*trusted, *Refusal) {
	c, err := parseClaims(parsed.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, refuse(Malformed)
	}
	name, _ := c["iss"].(string)
	for _, t := range a.issuers {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, refuse(WrongIssuer)
}

// trusted is an issuer with its keys.
type trusted struct {
	Issuer
	*keyring
}

// verify checks the signature with the issuer's own key and algorithms. Keys that the token itself brings are never looked at.
func (t *trusted) verify(ctx context.Context, parsed *jose.JSONWebSignature) ([]byte, *keySet, *Refusal) {
	header := parsed.Signatures[0].Protected
	if !slices.Contains(t.Algorithms, header.Algorithm) {
		return nil, nil, refuse(WrongAlgorithm)
	}
	if header.KeyID == "" {
		return nil, nil, &Refusal{Reason: MissingClaim, Claim: "kid"}
	}
	key, set, refused := t.find(ctx, header.KeyID)
	if refused != nil {
		return nil, nil, refused
	}
	if !fits(key, header.Algorithm) {
		return nil, nil, refuse(WrongAlgorithm)
	}
	payload, err := parsed.Verify(key)
	if err != nil {
		return nil, nil, refuse(BadSignature)
	}
	return payload, set, nil
}

// times checks audience and times, and returns until when the token holds.
func (t *trusted) times(c claims, now time.Time, leeway time.Duration) (time.Time, *Refusal) {
	if !c.meant(t.Audience) {
		return time.Time{}, refuse(WrongAudience)
	}
	exp, ok := c.moment("exp")
	if !ok {
		return time.Time{}, &Refusal{Reason: MissingClaim, Claim: "exp"}
	}
	iat, ok := c.moment("iat")
	if !ok {
		return time.Time{}, &Refusal{Reason: MissingClaim, Claim: "iat"}
	}
	nbf, given := c.moment("nbf")
	if _, present := c["nbf"]; present && !given {
		return time.Time{}, &Refusal{Reason: MissingClaim, Claim: "nbf"}
	}
	switch until := exp.Add(leeway); {
	case !now.Before(until):
		return time.Time{}, refuse(Expired)
	case given && nbf.After(now.Add(leeway)), iat.After(now.Add(leeway)):
		return time.Time{}, refuse(NotYetValid)
	case exp.Sub(iat) > t.MaxLifetime:
		return time.Time{}, refuse(TooLongLived)
	default:
		return until, nil
	}
}
