package meshserver

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"signalbox/mesh"
)

// Config says what a Server knows and where it keeps messages. Zero fields that have a default take it.
type Config struct {
	// Dir holds the messages. It is created when it is missing, and belongs to one Server at a time.
	Dir string
	// SharedKey is the environment's shared secret.
	SharedKey mesh.Secret
	Mailboxes []Mailbox
	// Workflows restricts who may send what to whom. Empty: any workflow between any mailboxes.
	Workflows []Workflow
	// Patients is the directory for messages to a patient's practice. The sandbox profile has no such routing.
	Patients []Patient
	// Profile chooses between the service as it is described and its sandbox as it was observed; empty means Strict.
	Profile Profile
	// Admin opens the administration calls of the sandbox, which ask for no token, in the strict profile too.
	Admin bool
	// Auth says how tokens are checked; empty means AuthFull.
	Auth Auth
	// Canned makes the server the sandbox's canned store: it holds three messages for the sandbox's mailboxes, and nothing
	// changes, whatever is answered.
	Canned bool
	// Faults are injected, in their order: the first that fits a request is used.
	Faults []Fault
	// Seed begins the chances of Faults, so that a run can be repeated.
	Seed uint64

	// Now is the clock; nil means time.Now. Advance sets the time of messages ahead of it.
	Now func() time.Time
	// MaxRequest bounds one request body, in bytes; 0 means mesh.MaxRequest.
	MaxRequest int64
	// InlineBodies is the size, in bytes, up to which a body is kept in the journal, where it shares an fsync with its
	// neighbours; 0 means 256 KiB, below 0 none. At most 1 MiB.
	InlineBodies int64
	// Log hears of failures of the server itself, under the internal id that the caller was given; nil means silence.
	Log *slog.Logger
}

// Auth says how tokens are checked, in the words of the sandbox's AUTH_MODE.
type Auth string

// How tokens are checked.
const (
	// AuthFull checks the whole token.
	AuthFull Auth = "full"
	// AuthCanned checks the mailbox, and that the nonce is VALID.
	AuthCanned Auth = "canned"
	// AuthNone asks for no token; the mailbox must exist.
	AuthNone Auth = "none"
)

// Mailbox is one mailbox.
type Mailbox struct {
	ID            string // used in upper case
	Password      mesh.Secret
	Name          string
	BillingEntity string
	ODSCode       string
	OrgCode       string
	OrgName       string
	// Active mailboxes can do everything, others nothing.
	Active bool
}

// Workflow says which mailboxes may send and receive a workflow. Mailboxes that are not configured are passed over, as in the
// sandbox, so that one list of workflows serves several lists of mailboxes.
type Workflow struct {
	ID        string
	Senders   []string
	Receivers []string
}

// Default returns a configuration that lacks a directory, a shared key and mailboxes.
func Default() Config {
	return Config{Profile: Strict, Now: time.Now, MaxRequest: mesh.MaxRequest, InlineBodies: 256 << 10, Log: slog.New(slog.DiscardHandler)}
}

// Validate reports everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("meshserver: config: "+format, args...))
	}
	if c.Dir == "" {
		bad("Dir: is missing")
	}
	if c.SharedKey == "" {
		bad("SharedKey: is missing")
	}
	if c.MaxRequest < 0 {
		bad("MaxRequest: want 0 or more")
	}
	if c.InlineBodies > 1<<20 {
		bad("InlineBodies: want at most %d", 1<<20)
	}
	if c.Profile != "" && c.Profile != Strict && c.Profile != Sandbox {
		bad("Profile: want %s or %s", Strict, Sandbox)
	}
	if c.Auth != "" && c.Auth != AuthFull && c.Auth != AuthCanned && c.Auth != AuthNone {
		bad("Auth: want %s, %s or %s", AuthFull, AuthCanned, AuthNone)
	}
	for i, p := range c.Patients {
		if err := p.validate(); err != nil {
			bad("Patients[%d]: %w", i, err)
		}
	}
	for i, f := range c.Faults {
		if err := f.validate(); err != nil {
			bad("Faults[%d]: %w", i, err)
		}
	}
	if len(c.Mailboxes) == 0 {
		bad("Mailboxes: want at least one")
	}
	seen := map[string]bool{}
	for i, m := range c.Mailboxes {
		id := strings.ToUpper(m.ID)
		if id == "" || strings.ContainsAny(id, ":/ \t") || m.Password == "" || seen[id] {
			bad("Mailboxes[%d]: want an id of its own without colon, slash or space, and a password", i)
		}
		seen[id] = true
	}
	for i, w := range c.Workflows {
		if w.ID == "" {
			bad("Workflows[%d]: ID: is missing", i)
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	d := Default()
	if c.Profile == "" {
		c.Profile = d.Profile
	}
	if c.Auth == "" {
		c.Auth = AuthFull
	}
	if c.Now == nil {
		c.Now = d.Now
	}
	if c.MaxRequest == 0 {
		c.MaxRequest = d.MaxRequest
	}
	if c.InlineBodies == 0 {
		c.InlineBodies = d.InlineBodies
	}
	if c.Log == nil {
		c.Log = d.Log
	}
	return c
}
