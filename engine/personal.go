package engine

import (
	"fmt"
	"log/slog"
)

// Redacted is what a type holding personal data prints in place of the datum.
const Redacted = "[redacted]"

// Personal is text about a person: a name, a local identifier. It prints as Redacted in every fmt verb, in JSON and in slog, so
// that a careless log line cannot leak it. Reveal is the only way to read it.
type Personal string

// Reveal returns the text itself. Call it only where the datum has to leave: the store, the wire, an answer to an authorised caller.
func (p Personal) Reveal() string { return string(p) }

// String returns Redacted, or nothing when the text is empty.
func (p Personal) String() string {
	if p == "" {
		return ""
	}
	return Redacted
}

// Format prints Redacted whatever the verb, %#v and %q included.
func (p Personal) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }

// LogValue keeps the datum out of structured logs.
func (p Personal) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText keeps the datum out of generic encoders; the wire form of an event has types of its own.
func (p Personal) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// The composite types print as their log value whatever the verb. Without this, fmt's path for a wrong verb on a nested pointer (%s of a
// struct with a *Person) would pass by the methods of the fields and print their contents.

// Format prints the plan type and the authority only.
func (f Flag) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "Flag%v", f.LogValue()) }

// Format prints the id, whether scheduled, and the organisation only.
func (a Access) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "Access%v", a.LogValue()) }

// Format prints Redacted.
func (s Subject) Format(f fmt.State, _ rune) { fmt.Fprint(f, Redacted) }

// Format prints Redacted.
func (p Person) Format(f fmt.State, _ rune) { fmt.Fprint(f, Redacted) }

// Format prints the kind and the id only.
func (e Envelope) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Envelope[%s %s]", e.Kind, string(e.ID))
}

// Format prints the outcome and the place only.
func (t Translated) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Translated[%s %s]", string(t.Outcome), t.Place.String())
}
