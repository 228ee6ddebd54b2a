package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of a key set: bytes, keys, time to fetch it, and bits of an RSA key (NIST SP 800-131A).
const (
	maxSetBytes = 1 << 20
	maxKeys     = 100
	fetchWithin = 5 * time.Second
	minRSABits  = 2048
)

// keySet is what was fetched at one time.
type keySet struct {
	keys    map[string]*jose.JSONWebKey // by kid
	fetched time.Time
}

// keyring holds the public keys of one issuer. They are fetched on demand by whoever needs them, one at a time: there is no goroutine.
type keyring struct {
	cfg     Config
	file    string
	url     string
	client  *http.Client
	now     func() time.Time
	current atomic.Pointer[keySet]

	fetching chan struct{} // held, as the one place in it, by whoever fetches
	tried    time.Time     // under fetching
	failed   func(error)
}

// find returns the key of that id. An id that is not known has the keys fetched again, no more often than RetryAfter.
func (k *keyring) find(ctx context.Context, kid string) (*jose.JSONWebKey, *keySet, *Refusal) {
	set := k.current.Load()
	age := time.Duration(0)
	if set != nil {
		age = k.now().Sub(set.fetched)
	}
	if set == nil || age > k.cfg.Refresh || set.keys[kid] == nil {
		// While there are keys in hand, one caller fetches and the others go on with them.
		wait := set == nil || age > k.cfg.MaxStale || set.keys[kid] == nil
		set = k.refresh(ctx, wait)
	}
	if set == nil || k.now().Sub(set.fetched) > k.cfg.MaxStale {
		return nil, nil, refuse(KeysAway)
	}
	if key := set.keys[kid]; key != nil {
		return key, set, nil
	}
	return nil, nil, refuse(UnknownKey)
}

// refresh fetches the keys unless that was tried a short while ago, and returns the newest there are.
func (k *keyring) refresh(ctx context.Context, wait bool) *keySet {
	before := k.current.Load()
	if !k.hold(ctx, wait) {
		return before
	}
	defer func() { <-k.fetching }()
	if now := k.current.Load(); now != before { // another caller has fetched them meanwhile
		return now
	}
	if !k.tried.IsZero() && k.now().Sub(k.tried) < k.cfg.RetryAfter {
		return before
	}
	k.tried = k.now()
	keys, err := k.fetch(ctx)
	if err != nil {
		k.failed(err)
		return before
	}
	set := &keySet{keys: keys, fetched: k.tried}
	k.current.Store(set)
	return set
}

// hold takes the right to fetch, and reports whether it has it. Who waits for it goes when its caller goes.
func (k *keyring) hold(ctx context.Context, wait bool) bool {
	select {
	case k.fetching <- struct{}{}:
		return true
	default:
	}
	if !wait {
		return false
	}
	select {
	case k.fetching <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// fetch reads the keys. The caller that waits for them may go away; the others profit all the same.
func (k *keyring) fetch(ctx context.Context) (map[string]*jose.JSONWebKey, error) {
	if k.file != "" {
		raw, err := os.ReadFile(k.file)
		if err != nil {
			return nil, errors.New("identity: keys: the file cannot be read")
		}
		return parseKeys(raw)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, errors.New("identity: keys: the address cannot be used")
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := k.client.Do(r)
	if err != nil {
		return nil, errors.New("identity: keys: the issuer does not answer")
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New("identity: keys: the issuer answers with " + http.StatusText(answer.StatusCode))
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxSetBytes+1))
	if err != nil {
		return nil, errors.New("identity: keys: the answer did not arrive whole")
	}
	return parseKeys(raw)
}

// ParseKeys checks a JSON Web Key Set and returns how many of its keys can be used to verify tokens.
func ParseKeys(raw []byte) (int, error) {
	keys, err := parseKeys(raw)
	return len(keys), err
}

// parseKeys keeps the keys that can verify a token and leaves the others: a set may hold keys for other purposes, and new kinds.
func parseKeys(raw []byte) (map[string]*jose.JSONWebKey, error) {
	if len(raw) > maxSetBytes {
		return nil, errors.New("identity: keys: the key set is too big")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, errors.New("identity: keys: not a JSON Web Key Set")
	}
	out := map[string]*jose.JSONWebKey{}
	for i, one := range set.Keys {
		var key jose.JSONWebKey
		if i >= maxKeys || key.UnmarshalJSON(one) != nil || !usable(&key) {
			continue
		}
		if out[key.KeyID] != nil {
			return nil, errors.New("identity: keys: two keys have one kid")
		}
		out[key.KeyID] = &key
	}
	if len(out) == 0 {
		return nil, errors.New("identity: keys: no key of the set can verify a token: each needs a kid, and is RSA of 2048 bits or more, or EC on P-256")
	}
	return out, nil
}

func usable(k *jose.JSONWebKey) bool {
	if k.KeyID == "" || k.Use != "" && k.Use != "sig" || !k.Valid() {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSABits && (k.Algorithm == "" || k.Algorithm == string(jose.RS512))
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() && (k.Algorithm == "" || k.Algorithm == string(jose.ES256))
	}
	return false // private and symmetric keys among them
}

// fits reports whether the key is of the kind that the algorithm needs, so that no key verifies what it was not made for.
func fits(k *jose.JSONWebKey, algorithm string) bool {
	switch k.Key.(type) {
	case *rsa.PublicKey:
		return algorithm == string(jose.RS512)
	case *ecdsa.PublicKey:
		return algorithm == string(jose.ES256)
	}
	return false
}
