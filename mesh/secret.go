package mesh

import (
	"fmt"
	"log/slog"
)

// Secret is a text that must never be shown: a mailbox password or the environment's shared key. However it is printed,
// logged or marshalled it shows as [redacted]; the text itself is reached by an explicit conversion to string.
type Secret string

const redacted = "[redacted]"

// Format writes [redacted] for every verb, so that no format string can show the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns [redacted].
func (Secret) String() string { return redacted }

// GoString returns [redacted].
func (Secret) GoString() string { return redacted }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted]: a configuration that is written out again loses its secrets.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
