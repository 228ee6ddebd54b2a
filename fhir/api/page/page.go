// Package page seals the place in a long answer into a token that a link can carry: it cannot be read, made up, changed, lent to another
// caller, or used for ever.
package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
)

// ErrUnsound is returned for a token that was not sealed here, was changed, is another caller's, or has run out. It does not say which.
var ErrUnsound = errors.New("page: open: the page has run out, or is not yours")

// KeySize is the length of a key in bytes.
const KeySize = 32

// Sealer seals and opens tokens. It is safe for concurrent use.
type Sealer struct {
	aead cipher.AEAD
	mac  []byte
	life time.Duration
	now  func() time.Time
}

// New returns a sealer whose tokens last for life. A nil key means one of this process alone: its pages end with it, and processes that
// answer for each other need one key together.
func New(key []byte, life time.Duration, now func() time.Time) (*Sealer, error) {
	if key == nil {
		key = make([]byte, KeySize)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
	}
	if len(key) != KeySize {
		return nil, errors.New("page: new: the key is not 32 bytes")
	}
	if life <= 0 {
		return nil, errors.New("page: new: life is not positive")
	}
	block, err := aes.NewCipher(derive(key, "seal"))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead: aead, mac: derive(key, "mac"), life: life, now: now}, nil
}

func derive(key []byte, use string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("signalbox fhir page " + use))
	return h.Sum(nil)
}

// sealed is what a token holds.
type sealed struct {
	Until int64           `json:"u"` // seconds since 1970
	Place json.RawMessage `json:"p"`
}

// Seal makes a token of a place, for one caller and one route. The place is encrypted: it may hold what no address may show.
func (s *Sealer) Seal(place any, caller, route string) (string, error) {
	raw, err := json.Marshal(place)
	if err != nil {
		return "", err
	}
	raw, err = json.Marshal(sealed{Until: s.now().Add(s.life).Unix(), Place: raw})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, raw, bind(caller, route))), nil
}

// maxToken bounds what is opened.
const maxToken = 4096

// Open reads a token into place.
func (s *Sealer) Open(token, caller, route string, place any) error {
	if len(token) > maxToken {
		return ErrUnsound
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return ErrUnsound
	}
	if raw, err = s.aead.Open(nil, nil, raw, bind(caller, route)); err != nil {
		return ErrUnsound
	}
	var held sealed
	if err := json.Unmarshal(raw, &held); err != nil || s.now().Unix() >= held.Until {
		return ErrUnsound
	}
	if err := json.Unmarshal(held.Place, place); err != nil {
		return ErrUnsound
	}
	return nil
}

// Tag is a keyed digest of an answer: equal for equal answers, and of no use for guessing what is in one.
func (s *Sealer) Tag(parts ...[]byte) string {
	h := hmac.New(sha256.New, s.mac)
	for _, p := range parts {
		h.Write(p)
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

func bind(caller, route string) []byte { return []byte(caller + "\x00" + route) }
