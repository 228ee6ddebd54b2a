package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

const redacted = "[redacted]"

// Secret is a password given by value or by the path of a file. However it is printed, logged or marshalled, it shows as
// redacted.
type Secret struct {
	Value string // the secret itself; leave empty when File is set
	File  string // path of a file that holds it; trailing line ends are dropped. Read anew at each connection, so it may be rotated
}

// IsZero reports whether no secret is given.
func (s Secret) IsZero() bool { return s.Value == "" && s.File == "" }

// reveal returns the secret's text.
func (s Secret) reveal() (string, error) {
	if s.File == "" {
		return s.Value, nil
	}
	text, err := os.ReadFile(s.File)
	if err != nil {
		return "", fmt.Errorf("secret file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func (s Secret) validate() error {
	if s.Value != "" && s.File != "" {
		return errors.New("give the secret by value or by file, not both")
	}
	return nil
}

// String implements fmt.Stringer without the secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format implements fmt.Formatter, so that no verb prints the secret.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText keeps the secret out of JSON, YAML and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer without the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
