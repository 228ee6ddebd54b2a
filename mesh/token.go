package mesh

import (
	"errors"
	"strings"
	"time"
)

// TokenWindow is how far a token's time may lie from the server's, either way (NHS MESH API specification).
const TokenWindow = 2 * time.Hour

const (
	tokenScheme = "NHSMESH "
	tokenTime   = "200601021504"
	tokenFields = 5
)

// ErrTokenFormat is returned by ParseToken. It never quotes the token.
var ErrTokenFormat = errors.New("mesh: token: want NHSMESH mailbox:nonce:count:timestamp:hash")

// ErrTokenTime is returned for a token whose timestamp is not twelve digits yyyyMMddHHmm.
var ErrTokenTime = errors.New("mesh: token: timestamp: want yyyyMMddHHmm")

// A Token is the value of the Authorization header of every call. A server takes a token once; a client makes a fresh one
// for each attempt. Nothing of the request itself is signed.
type Token struct {
	MailboxID string
	Nonce     string // a GUID
	Count     string // decimal digits; leading zeros are legal and are hashed as written
	Timestamp string // UTC, yyyyMMddHHmm
	Hash      string // lower-case hexadecimal HMAC-SHA256
}

// NewToken signs a token for one attempt.
func NewToken(mailboxID, nonce, count string, at time.Time, password, key Secret) Token {
	return NewSigner(key).Token(mailboxID, nonce, count, at, password)
}

// Sign returns the hash that the token should carry.
func (t Token) Sign(password, key Secret) string { return NewSigner(key).Sign(t, password) }

// Verify reports, in constant time, whether the hash is right. Upper-case hexadecimal is accepted, as the sandbox does.
func (t Token) Verify(password, key Secret) bool { return NewSigner(key).Verify(t, password) }

// Time returns when the token says that it was made, to the minute.
func (t Token) Time() (time.Time, error) {
	at, err := time.ParseInLocation(tokenTime, t.Timestamp, time.UTC)
	if err != nil || len(t.Timestamp) != len(tokenTime) {
		return time.Time{}, ErrTokenTime
	}
	return at, nil
}

// Header returns the value for the Authorization header.
func (t Token) Header() string {
	return tokenScheme + t.MailboxID + ":" + t.Nonce + ":" + t.Count + ":" + t.Timestamp + ":" + t.Hash
}

// String names the mailbox alone: a token is a credential.
func (t Token) String() string { return tokenScheme + t.MailboxID + ":" + redacted }

// ParseToken reads an Authorization header: the scheme in upper case, exactly one space, five fields. It checks the shape
// alone; Verify checks the hash and Time the clock.
func ParseToken(header string) (Token, error) {
	rest, ok := strings.CutPrefix(header, tokenScheme)
	if !ok {
		return Token{}, ErrTokenFormat
	}
	if strings.Count(rest, ":") != tokenFields-1 {
		return Token{}, ErrTokenFormat
	}
	var f [tokenFields]string
	for i := range f {
		f[i], rest, _ = strings.Cut(rest, ":")
	}
	t := Token{MailboxID: f[0], Nonce: f[1], Count: f[2], Timestamp: f[3], Hash: f[4]}
	if t.MailboxID == "" || strings.ContainsAny(t.MailboxID, " \t") || t.Nonce == "" || !digits(t.Count) {
		return Token{}, ErrTokenFormat
	}
	return t, nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
