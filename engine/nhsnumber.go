package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

// Faults of an NHS number, for errors.Is. They never hold the number.
var (
	ErrNHSNumberForm       = errors.New("an NHS number is ten digits")
	ErrNHSNumberCheckDigit = errors.New("the NHS number fails its modulus 11 check digit")
)

// NHSNumber is a verified-by-arithmetic NHS number: ten digits of which the last is the modulus 11 check digit (NHS Data Model
// and Dictionary, "NHS NUMBER"). The zero value is absent. Values are comparable.
type NHSNumber struct{ digits [10]byte }

// ParseNHSNumber reads ten digits, written together or as 3-3-4 with one space or hyphen between the groups.
// The error is ErrNHSNumberForm or ErrNHSNumberCheckDigit.
func ParseNHSNumber(s string) (NHSNumber, error) {
	var n NHSNumber
	if len(s) == 12 && (s[3] == ' ' || s[3] == '-') && s[7] == s[3] {
		s = s[:3] + s[4:7] + s[8:]
	}
	if len(s) != len(n.digits) {
		return NHSNumber{}, ErrNHSNumberForm
	}
	sum := 0
	for i := range n.digits {
		d := s[i]
		if d < '0' || d > '9' {
			return NHSNumber{}, ErrNHSNumberForm
		}
		n.digits[i] = d
		sum += int(d-'0') * (10 - i)
	}
	last := int(s[9] - '0')
	if check := (11 - (sum-last)%11) % 11; check == 10 || check != last {
		return NHSNumber{}, ErrNHSNumberCheckDigit
	}
	return n, nil
}

// IsZero reports whether no number is there.
func (n NHSNumber) IsZero() bool { return n.digits[0] == 0 }

// Reveal returns the ten digits, or nothing when absent.
func (n NHSNumber) Reveal() string {
	if n.IsZero() {
		return ""
	}
	return string(n.digits[:])
}

// Key returns the ordering key of everything about this person: 16 hexadecimal digits of a hash. It spreads work over lanes; it is a
// pseudonym (ten digits can be searched), so it may travel beside the event but is kept out of logs all the same.
func (n NHSNumber) Key() string {
	sum := sha256.Sum256(append([]byte("signalbox subject\x00"), n.digits[:]...))
	return hex.EncodeToString(sum[:8])
}

// String returns Redacted, or nothing when absent.
func (n NHSNumber) String() string { return Personal(n.Reveal()).String() }

// Format prints Redacted whatever the verb.
func (n NHSNumber) Format(f fmt.State, _ rune) { fmt.Fprint(f, n.String()) }

// LogValue keeps the number out of structured logs.
func (n NHSNumber) LogValue() slog.Value { return slog.StringValue(n.String()) }

// MarshalText keeps the number out of generic encoders.
func (n NHSNumber) MarshalText() ([]byte, error) { return []byte(n.String()), nil }
