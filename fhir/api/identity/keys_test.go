package identity

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// issuerServer is an issuer that publishes its keys, or is away.
type issuerServer struct {
	*httptest.Server
	fetched atomic.Int32
	mu      sync.Mutex
	status  int
	keys    []byte
}

func newIssuer(t testing.TB, keys []byte) *issuerServer {
	i := &issuerServer{status: http.StatusOK, keys: keys}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.fetched.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		w.WriteHeader(i.status)
		_, _ = w.Write(i.keys)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuerServer) set(status int, keys []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.keys = status, keys
}

func overHTTP(t testing.TB, i *issuerServer) *door {
	d := newDoor(t, func(c *Config) { c.Issuers[0].JWKSFile, c.Issuers[0].JWKSURL = "", i.URL })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return d
}

func (d *door) as(t testing.TB, key string) Reason {
	t.Helper()
	alg := jose.RS512
	if key == "ec" {
		alg = jose.ES256
	}
	_, refused := d.token(t, sign(t, key, alg, key, person(d.now)))
	if refused == nil {
		return ""
	}
	return refused.Reason
}

// TestKeysAreFetchedWhenNeeded follows an issuer through a day: first use, a new key, invented key ids, an outage, a withdrawn key.
func TestKeysAreFetchedWhenNeeded(t *testing.T) {
	i := newIssuer(t, publicKeys(t, "rsa"))
	d := overHTTP(t, i)
	assert.Zero(t, i.fetched.Load(), "nothing is fetched before it is needed")
	for range 5 {
		assert.Empty(t, d.as(t, "rsa"))
	}
	assert.EqualValues(t, 1, i.fetched.Load())

	i.set(http.StatusOK, publicKeys(t, "rsa", "ec"))
	assert.Equal(t, UnknownKey, d.as(t, "ec"), "the keys are too fresh to be fetched again")
	d.now = d.now.Add(31 * time.Second)
	assert.Empty(t, d.as(t, "ec"), "an unknown key id has them fetched")
	assert.EqualValues(t, 2, i.fetched.Load())
	for range 20 {
		assert.Equal(t, UnknownKey, d.as(t, "other"))
	}
	assert.EqualValues(t, 2, i.fetched.Load(), "invented key ids do not make us flood the issuer")

	i.set(http.StatusServiceUnavailable, nil)
	d.now = d.now.Add(16 * time.Minute)
	for range 5 {
		assert.Empty(t, d.as(t, "rsa"), "while the issuer is away its last keys serve")
	}
	assert.EqualValues(t, 3, i.fetched.Load(), "and it is not asked at every call")
	assert.Contains(t, d.log.String(), "cannot be fetched")
	d.now = d.now.Add(24 * time.Hour)
	assert.Equal(t, KeysAway, d.as(t, "rsa"), "not for ever")

	i.set(http.StatusOK, publicKeys(t, "ec"))
	d.now = d.now.Add(time.Minute)
	assert.Empty(t, d.as(t, "ec"))
	assert.Equal(t, UnknownKey, d.as(t, "rsa"), "a key that is withdrawn is not taken any more")
}

func TestATokenInMemoryGoesWithItsKey(t *testing.T) {
	i := newIssuer(t, publicKeys(t, "rsa", "ec"))
	d := overHTTP(t, i)
	token := sign(t, "rsa", jose.RS512, "rsa", person(d.now))
	_, refused := d.token(t, token)
	require.Nil(t, refused)
	i.set(http.StatusOK, publicKeys(t, "ec"))
	d.now = d.now.Add(time.Minute)
	assert.Equal(t, UnknownKey, d.as(t, "other"), "this one has the keys fetched")
	_, refused = d.token(t, token)
	require.NotNil(t, refused)
	assert.Equal(t, UnknownKey, refused.Reason)
}

func TestKeysThatCannotBeHad(t *testing.T) {
	for name, i := range map[string]*issuerServer{
		"an error":                  {status: http.StatusInternalServerError},
		"no JSON":                   {status: 200, keys: []byte("<html>")},
		"no keys":                   {status: 200, keys: []byte(`{"keys":[]}`)},
		"a redirect":                {status: http.StatusFound},
		"too much":                  {status: 200, keys: []byte(`{"keys":[` + strings.Repeat(" ", maxSetBytes) + `]}`)},
		"keys of no use":            {status: 200, keys: []byte(`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`)},
		"a private key":             {status: 200, keys: private(t)},
		"keys for encryption":       {status: 200, keys: []byte(strings.ReplaceAll(string(publicKeys(t, "rsa")), `"sig"`, `"enc"`))},
		"keys of another algorithm": {status: 200, keys: []byte(strings.ReplaceAll(string(publicKeys(t, "rsa")), `"use":"sig"`, `"alg":"RS256"`))},
		"two keys of one id":        {status: 200, keys: []byte(strings.ReplaceAll(string(publicKeys(t, "rsa", "ec")), `"kid":"ec"`, `"kid":"rsa"`))},
		"keys without ids":          {status: 200, keys: []byte(strings.ReplaceAll(string(publicKeys(t, "rsa")), `"kid":"rsa",`, ""))},
	} {
		t.Run(name, func(t *testing.T) {
			d := overHTTP(t, func() *issuerServer { s := newIssuer(t, i.keys); s.set(i.status, i.keys); return s }())
			assert.Equal(t, KeysAway, d.as(t, "rsa"))
			_, refused := d.token(t, sign(t, "rsa", jose.RS512, "rsa", person(d.now)))
			assert.True(t, refused.Away())
		})
	}
	i := newIssuer(t, nil)
	d := overHTTP(t, i)
	i.Close()
	assert.Equal(t, KeysAway, d.as(t, "rsa"))
	assert.NotContains(t, d.log.String(), i.URL)
	n, err := ParseKeys(publicKeys(t, "rsa", "ec"))
	assert.NoError(t, err)
	assert.Equal(t, 2, n)
}

// private is a key set that a careless issuer published with a private key in it.
func private(t testing.TB) []byte {
	raw, err := jose.JSONWebKey{Key: signers()["rsa"], KeyID: "rsa"}.MarshalJSON()
	require.NoError(t, err)
	return []byte(`{"keys":[` + string(raw) + `]}`)
}

func TestKeysOfAFileAreReadAgain(t *testing.T) {
	d := newDoor(t, nil)
	assert.Equal(t, UnknownKey, d.as(t, "other"))
	require.NoError(t, os.WriteFile(d.issuers[0].file, publicKeys(t, "other"), 0o600))
	d.now = d.now.Add(time.Minute)
	assert.Empty(t, d.as(t, "other"))
	require.NoError(t, os.Remove(d.issuers[0].file))
	d.now = d.now.Add(time.Hour)
	assert.Empty(t, d.as(t, "other"))
	assert.NotContains(t, d.log.String(), d.issuers[0].file)
}

// slow is a transport that answers after a while, in the test's own time.
type slow struct {
	after time.Duration
	keys  []byte
	calls atomic.Int32
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls.Add(1)
	select {
	case <-time.After(s.after):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	_, _ = w.Write(s.keys)
	return w.Result(), nil
}

func TestOneFetchesForAll(t *testing.T) {
	keys := publicKeys(t, "rsa")
	synctest.Test(t, func(t *testing.T) {
		s := &slow{after: time.Second, keys: keys}
		ring := &keyring{cfg: Default(), url: "https://issuer.example", client: &http.Client{Transport: s}, now: time.Now, fetching: make(chan struct{}, 1), failed: func(error) {}}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, _, refused := ring.find(t.Context(), "rsa")
				assert.Nil(t, refused)
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, s.calls.Load())

		time.Sleep(20 * time.Minute)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, refused := ring.find(gone, "rsa")
		assert.Nil(t, refused, "that one caller goes away does not spoil the keys for the others")
		assert.EqualValues(t, 2, s.calls.Load())

		s.after = time.Hour
		time.Sleep(20 * time.Minute)
		start := time.Now()
		_, _, refused = ring.find(t.Context(), "rsa")
		assert.Nil(t, refused)
		assert.Equal(t, fetchWithin, time.Since(start), "an issuer that hangs is given up")
		_, _, refused = ring.find(t.Context(), "rsa")
		assert.Nil(t, refused)
		assert.Equal(t, fetchWithin, time.Since(start), "and not waited for by everybody")
	})
}

// FuzzParseKeys: of whatever an issuer answers with, only keys that can verify are kept, each under its id.
func FuzzParseKeys(f *testing.F) {
	f.Add(publicKeys(f, "rsa", "ec"))
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := parseKeys(raw)
		if (err == nil) != (len(keys) > 0) {
			t.Fatal("neither keys nor an error")
		}
		for id, k := range keys {
			if id == "" || id != k.KeyID || !k.IsPublic() || !usable(k) {
				t.Fatal("a key is kept that verifies nothing")
			}
		}
	})
}
