package mesh

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
	"time"
)

// Signer signs and checks tokens under one shared key, which it prepares once and not for each token. It is safe for concurrent use.
type Signer struct {
	macs sync.Pool // of *mac
}

// mac is a keyed hash with room for what goes in and comes out of it.
type mac struct {
	hash.Hash
	text []byte
	sum  [sha256.Size]byte
	hex  [2 * sha256.Size]byte
}

// NewSigner returns a signer for an environment's shared key.
func NewSigner(key Secret) *Signer {
	s := &Signer{}
	s.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, []byte(key)), text: make([]byte, 0, 160)} }
	return s
}

// Token signs a token for one attempt.
func (s *Signer) Token(mailboxID, nonce, count string, at time.Time, password Secret) Token {
	t := Token{MailboxID: mailboxID, Nonce: nonce, Count: count, Timestamp: at.UTC().Format(tokenTime)}
	t.Hash = s.Sign(t, password)
	return t
}

// Sign returns the hash that the token should carry.
func (s *Signer) Sign(t Token, password Secret) string {
	m := s.macs.Get().(*mac)
	defer s.macs.Put(m)
	return string(m.sign(t, password))
}

// Verify reports, in constant time, whether the token's hash is right. Upper-case hexadecimal is accepted, as the sandbox does.
func (s *Signer) Verify(t Token, password Secret) bool {
	m := s.macs.Get().(*mac)
	defer s.macs.Put(m)
	want := m.sign(t, password)
	if len(t.Hash) != len(want) {
		return false
	}
	var got [2 * sha256.Size]byte
	for i := range got {
		if got[i] = t.Hash[i]; got[i] >= 'A' && got[i] <= 'F' {
			got[i] += 'a' - 'A'
		}
	}
	return hmac.Equal(got[:], want)
}

// sign returns the hash in hexadecimal digits, which stand until the next call. The signed text has the password before the
// timestamp, unlike the header, which has no password and the hash in its place at the end.
func (m *mac) sign(t Token, password Secret) []byte {
	m.text = m.text[:0]
	for i, s := range [...]string{t.MailboxID, t.Nonce, t.Count, string(password), t.Timestamp} {
		if i > 0 {
			m.text = append(m.text, ':')
		}
		m.text = append(m.text, s...)
	}
	m.Reset()
	m.Write(m.text)
	clear(m.text) // it holds the password
	hex.Encode(m.hex[:], m.Sum(m.sum[:0]))
	return m.hex[:]
}
