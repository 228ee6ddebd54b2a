// Package app wires the rooms into one running engine: it reads the configuration, opens the record, connects MESH, the stream and the FHIR
// listener, and owns their life from start to drain. The binary and the end-to-end tests call the same Run.
package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signalbox/engine/observe"
	"signalbox/engine/pattern"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/engine/stream"
	"signalbox/fhir/api"
)

// Config is the whole configuration, one YAML file. Unknown keys are refused; secrets are named by file or by environment variable.
type Config struct {
	Store     Store     `yaml:"store"`
	Retention Retention `yaml:"retention,omitempty"`
	Stream    Stream    `yaml:"stream"`
	Mesh      Mesh      `yaml:"mesh"`
	Mailboxes []Mailbox `yaml:"mailboxes"` // ours
	Routes    []Route   `yaml:"routes"`    // one per local authority
	Trusts    []Trust   `yaml:"trusts"`
	Listen    Listen    `yaml:"listen"`
	FHIR      FHIR      `yaml:"fhir"`
	// Subscriptions lets authorities' systems take notifications over HTTP.
	Subscriptions Subscriptions   `yaml:"subscriptions,omitempty"`
	Traces        Traces          `yaml:"traces"`
	Visibility    register.Config `yaml:"visibility"`
	// Patterns says when a child's visits are a pattern across boundaries. Its days are those of visibility.zone.
	Patterns  pattern.Config `yaml:"patterns"`
	Suppliers string         `yaml:"suppliers,omitempty"` // folder whose supplier folders go before the built-in ones
	SystemID  string         `yaml:"systemId,omitempty"`  // twelve digits: our ASID, under which an access is told that names nobody in full
	// SecondOpinion says how often google/fhir reads a trust's FHIR document as well: off, sample or always.
	SecondOpinion string `yaml:"secondOpinion"`
	PDS           PDS    `yaml:"pds"`
	// Silence says how it is noticed that a sender has stopped.
	Silence Silence `yaml:"silence"`
}

// Store says where the record is kept: in a file of this process's own, or in a PostgreSQL that several processes share.
type Store struct {
	Path     string `yaml:"path,omitempty"` // SQLite file
	URL      string `yaml:"url,omitempty"`  // postgres://user@host:port/database, without a password
	Password Secret `yaml:"password,omitempty"`
	// Lease is how long after its death the work that one process does alone passes to another.
	Lease Duration `yaml:"lease"`
}

// Stream says what carries events between the rooms. Without a URL they stay in this process.
type Stream struct {
	URLs     []string `yaml:"urls,omitempty"`     // redis:// or rediss://, without credentials
	Consumer string   `yaml:"consumer,omitempty"` // this process's stable name; needed with urls
	Prefix   string   `yaml:"prefix,omitempty"`   // first part of every key
	Username string   `yaml:"username,omitempty"`
	Password Secret   `yaml:"password,omitempty"`
	CAFile   string   `yaml:"caFile,omitempty"`
	// Reconcile is how long an event may be on the stream without an outcome before it is published again.
	Reconcile Duration `yaml:"reconcile"`
	// Claim is how long after its death the events that a process held pass to another of the same consumer group.
	Claim Duration `yaml:"claim"`
}

// Mesh says how MESH is reached. Several of our mailboxes share it.
type Mesh struct {
	URL       string   `yaml:"url"`
	SharedKey Secret   `yaml:"sharedKey"`
	Poll      Duration `yaml:"poll"` // MESH asks for about 5 minutes
	CAFile    string   `yaml:"caFile,omitempty"`
	CertFile  string   `yaml:"certFile,omitempty"`
	KeyFile   string   `yaml:"keyFile,omitempty"`
}

// Mailbox is one of our own MESH mailboxes. With a folder it is reached through the .dat/.ctl folders that another MESH client serves, which
// must keep what it has sent in SENT; without, over HTTP.
type Mailbox struct {
	ID       string `yaml:"id"`
	Password Secret `yaml:"password,omitempty"`
	Folder   string `yaml:"folder,omitempty"` // holds IN, OUT, SENT and FAILED
}

// Authority is the local authority as a receiver of messages.
type Authority struct {
	ODSCode       string `yaml:"odsCode"`
	Name          string `yaml:"name"`
	OfficeHours   string `yaml:"officeHours,omitempty"`
	EmergencyDuty string `yaml:"emergencyDuty,omitempty"`
}

// Trust is one organisation's system that asks or tells over FHIR. It is known by a token of an issuer, by its certificate, or in development
// by a static token.
type Trust struct {
	Name     string `yaml:"name"` // for logs
	ODSCode  string `yaml:"odsCode"`
	Display  string `yaml:"display"` // the organisation's name, as shown to authorities
	DeviceID string `yaml:"deviceId"`
	Setting  string `yaml:"setting,omitempty"`
	Token    Secret `yaml:"token,omitempty"`
	// Certificate is the name in its client certificate: dns:NAME, uri:URI or subject:NAME.
	Certificate   string   `yaml:"certificate,omitempty"`
	Organisations []string `yaml:"organisations,omitempty"` // ODS codes for which its users may ask; empty: what the issuer vouches for
	Rights        []string `yaml:"rights"`                  // query, send
	Supplier      string   `yaml:"supplier,omitempty"`      // mapping folder of its FHIR messages; send needs this or transactions
	// Transactions is the mapping folder of its FHIR transactions and batches.
	Transactions string `yaml:"transactions,omitempty"`
	// Responses says where the answers to its messages may be posted.
	Responses Responses `yaml:"responses,omitempty"`
}

// Listen says where trusts reach us. Bearer tokens must not cross a network in the clear: without TLS only a loopback address is taken,
// unless a proxy in front does the TLS.
type Listen struct {
	FHIR        string `yaml:"fhir"`
	BasePath    string `yaml:"basePath"`
	CertFile    string `yaml:"certFile,omitempty"`
	KeyFile     string `yaml:"keyFile,omitempty"`
	BehindProxy bool   `yaml:"behindProxy,omitempty"`
	PublicURL   string `yaml:"publicUrl,omitempty"` // the base as trusts see it, when a proxy changes it
	// HL7V3 is the path at which HL7 V3 queries are answered; empty: nowhere. It needs systemId.
	HL7V3 string `yaml:"hl7v3,omitempty"`
	// Wait is how long a sender who waits for the outcome of a message is kept waiting; then it is told where to ask.
	Wait Duration `yaml:"wait"`
	// Operations is where /metrics, /livez and /readyz answer, without a token: an address that only operators reach. Empty: nowhere.
	Operations string `yaml:"operations,omitempty"`
}

// Duration is a time span written as Go does: 15m, 24h, 500ms.
type Duration time.Duration

// UnmarshalText reads a time span.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("is not a time span such as 15m or 24h")
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the time span.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Secret names where a secret is kept. It never holds it in a file of ours.
type Secret struct {
	File string `yaml:"file,omitempty"` // relative to the configuration file
	Env  string `yaml:"env,omitempty"`
	held string
}

// UnmarshalYAML reads where the secret is. A secret written into the file itself is refused, and not repeated in the error.
func (s *Secret) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a secret is never written here: use {file: PATH} or {env: NAME}", node.Line)
	}
	for i := 0; i < len(node.Content); i += 2 {
		value := node.Content[i+1].Value
		switch key := node.Content[i].Value; key {
		case "file":
			s.File = value
		case "env":
			s.Env = value
		default:
			return fmt.Errorf("line %d: a secret has the keys file and env only", node.Content[i].Line)
		}
	}
	return nil
}

// Held returns a secret that lives in this process only, for demonstrations and tests.
func Held(value string) Secret { return Secret{held: value} }

// String names the place, never the secret.
func (s Secret) String() string {
	switch {
	case s.File != "":
		return "file " + s.File
	case s.Env != "":
		return "environment variable " + s.Env
	case s.held != "":
		return "[redacted]"
	}
	return ""
}

// GoString names the place, never the secret.
func (s Secret) GoString() string { return s.String() }

// IsZero reports whether no secret is named.
func (s Secret) IsZero() bool { return s == Secret{} }

// Read returns the secret. The error names the place.
func (s Secret) Read() (string, error) {
	value := s.held
	switch {
	case s.File != "" && s.Env != "":
		return "", errors.New("names both a file and an environment variable")
	case s.File != "":
		raw, err := os.ReadFile(s.File)
		if err != nil {
			return "", fmt.Errorf("%s cannot be read", s)
		}
		value = strings.TrimRight(string(raw), "\r\n")
	case s.Env != "":
		value = os.Getenv(s.Env)
	}
	if value == "" {
		return "", fmt.Errorf("%s is empty", s)
	}
	return value, nil
}

// DefaultConfig returns everything that has a sensible default.
func DefaultConfig() Config {
	return Config{
		Store:      Store{Path: "signalbox.db", Lease: Duration(pipeline.Default().Lease)},
		Mesh:       Mesh{Poll: Duration(5 * time.Minute)},
		Listen:     Listen{FHIR: "127.0.0.1:8080", BasePath: "/FHIR/R4", Wait: Duration(api.Default().Wait)},
		FHIR:       defaultFHIR(),
		Stream:     Stream{Prefix: "signalbox", Reconcile: Duration(pipeline.Default().Reconcile), Claim: Duration(stream.DefaultRedis().ClaimMinIdle)},
		Visibility: register.Default(),
		Patterns:   pattern.Default(),
		Traces:     Traces{Sample: observe.DefaultTraces().Sample},

		SecondOpinion: opinionSample,
		PDS:           defaultPDS(),
		Silence:       defaultSilence(),
	}
}

// ReadConfig reads and validates a configuration file. Relative paths in it are relative to the file's folder.
func ReadConfig(path string) (Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	cfg, err := ParseConfig(raw)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	cfg.rebase(filepath.Dir(path))
	return cfg, cfg.Validate()
}

// ParseConfig reads a configuration without validating it. Unknown and repeated keys are errors with their line.
func ParseConfig(raw []byte) (Config, error) {
	cfg := DefaultConfig()
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, err
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("holds more than one YAML document")
	}
	if cfg.Store.URL != "" && cfg.Store.Path == DefaultConfig().Store.Path {
		cfg.Store.Path = ""
	}
	return cfg, nil
}

// rebase makes relative paths relative to dir.
func (c *Config) rebase(dir string) {
	paths := []*string{&c.Store.Path, &c.Store.Password.File, &c.Stream.CAFile, &c.Stream.Password.File, &c.Mesh.SharedKey.File, &c.Mesh.CAFile, &c.Mesh.CertFile,
		&c.Mesh.KeyFile, &c.Suppliers, &c.Listen.CertFile, &c.Listen.KeyFile}
	for i := range c.Mailboxes {
		paths = append(paths, &c.Mailboxes[i].Password.File, &c.Mailboxes[i].Folder)
	}
	for i := range c.Trusts {
		paths = append(paths, &c.Trusts[i].Token.File, &c.Trusts[i].Responses.Key.File)
	}
	paths = append(paths, &c.Subscriptions.CAFile, &c.PDS.Key.File, &c.PDS.TwinPatients, &c.Silence.Holidays)
	for i := range c.Subscriptions.Receivers {
		paths = append(paths, &c.Subscriptions.Receivers[i].Token.File, &c.Subscriptions.Receivers[i].Key.File)
	}
	for _, p := range append(paths, c.FHIR.paths()...) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// Redacted returns the effective configuration as YAML, for a person to read. It names where secrets are, not what they are.
func (c Config) Redacted() ([]byte, error) { return yaml.Marshal(c) }

// Validate reports everything that cannot work, joined.
func (c Config) Validate() error {
	v := &validator{}
	c.Store.validate(v)
	v.need(c.Retention.Raw >= 0, "retention.raw", "must not be negative")
	if c.overHTTP() {
		v.need(c.Mesh.URL != "", "mesh.url", "is missing")
		v.secret(c.Mesh.SharedKey, "mesh.sharedKey")
	}
	v.need(c.Mesh.Poll > 0, "mesh.poll", "must be positive")
	v.need((c.Mesh.CertFile == "") == (c.Mesh.KeyFile == ""), "mesh", "certFile and keyFile go together")
	v.need(len(c.Stream.URLs) == 0 || c.Stream.Consumer != "", "stream.consumer", "is needed with stream.urls: a name that stays the same")
	v.need(c.Stream.Reconcile > 0, "stream.reconcile", "must be positive")
	v.need(c.Store.Lease >= Duration(time.Second), "store.lease", "must be a second or more")
	v.need(c.Stream.Claim >= Duration(time.Second), "stream.claim", "must be a second or more")
	v.need(c.SystemID == "" || len(c.SystemID) == 12 && strings.Trim(c.SystemID, "0123456789") == "", "systemId", "is not twelve digits")
	mailboxes := c.validateMailboxes(v)
	for i, r := range c.Routes {
		r.validate(v, fmt.Sprintf("routes[%d]", i), mailboxes)
	}
	c.Subscriptions.validate(v, c)
	v.need(c.Listen.HL7V3 == "" || c.SystemID != "", "systemId", "is needed with listen.hl7v3: earlier accesses are shown under it")
	v.need(len(c.Routes) == 0 || c.SystemID != "", "systemId", "is needed to tell authorities of accesses")
	for i, t := range c.Trusts {
		t.validate(v, fmt.Sprintf("trusts[%d]", i))
		t.Responses.validate(v, fmt.Sprintf("trusts[%d].responses", i), t.may("send"))
	}
	c.Listen.validate(v)
	v.need(slices.Contains([]string{opinionOff, opinionSample, opinionAlways}, c.SecondOpinion), "secondOpinion", "is one of off, sample and always")
	c.validateFHIR(v)
	c.PDS.validate(v)
	if _, err := c.silence(); err != nil && c.Visibility.Validate() == nil {
		v.errs = append(v.errs, err)
	}
	traces := observe.Traces{Endpoint: c.Traces.Endpoint, Sample: c.Traces.Sample}
	return errors.Join(append(v.errs, traces.Validate(), c.Visibility.Validate(), c.Patterns.Validate())...)
}

// validator gathers what is wrong.
type validator struct{ errs []error }

func (v *validator) need(ok bool, at, text string) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf("%s: %s", at, text))
	}
}

func (v *validator) secret(s Secret, at string) {
	if s.IsZero() {
		v.need(false, at, "is missing: name a file or an environment variable")
		return
	}
	if _, err := s.Read(); err != nil {
		v.need(false, at, err.Error())
	}
}

// overHTTP reports whether MESH is called by us: unless all mailboxes are folders.
func (c Config) overHTTP() bool {
	for _, m := range c.Mailboxes {
		if m.Folder == "" {
			return true
		}
	}
	return len(c.Mailboxes) == 0
}

func (c Config) validateMailboxes(v *validator) map[string]bool {
	known := map[string]bool{}
	for i, m := range c.Mailboxes {
		at := fmt.Sprintf("mailboxes[%d]", i)
		v.need(m.ID != "", at+".id", "is missing")
		v.need(m.ID == strings.ToUpper(m.ID), at+".id", "must be in upper case")
		v.need(!known[m.ID], at+".id", "is named twice")
		if m.Folder == "" {
			v.secret(m.Password, at+".password")
		}
		v.need(m.Folder == "" || m.Password.IsZero(), at, "folder and password do not go together: the client that serves the folder has the password")
		known[m.ID] = true
	}
	return known
}

func isPhone(s string) bool { return strings.Trim(strings.TrimPrefix(s, "+"), "0123456789") == "" }

func (t Trust) validate(v *validator, at string) {
	v.need(t.Name != "", at+".name", "is missing")
	v.need(t.ODSCode != "", at+".odsCode", "is missing")
	v.need(t.Display != "", at+".display", "is missing")
	v.need(len(t.DeviceID) == 12 && strings.Trim(t.DeviceID, "0123456789") == "", at+".deviceId", "is not a twelve-digit ASID")
	if !t.Token.IsZero() {
		v.secret(t.Token, at+".token")
	}
	v.need(len(t.Rights) > 0, at+".rights", "is empty: query, send or both")
	for _, r := range t.Rights {
		v.need(r == "query" || r == "send", at+".rights", "holds a right that is neither query nor send")
		v.need(r != "send" || t.Supplier != "" || t.Transactions != "", at+".supplier", "is missing: the right to send needs a mapping, of messages or of transactions")
	}
}

func (t Trust) may(right string) bool {
	for _, r := range t.Rights {
		if r == right {
			return true
		}
	}
	return false
}

func (l Listen) validate(v *validator) {
	host, _, err := net.SplitHostPort(l.FHIR)
	v.need(err == nil, "listen.fhir", "is not host:port")
	_, _, err = net.SplitHostPort(l.Operations)
	v.need(l.Operations == "" || err == nil, "listen.operations", "is not host:port")
	v.need(l.Operations == "" || l.Operations != l.FHIR || strings.HasSuffix(l.FHIR, ":0"), "listen.operations", "is the same address as listen.fhir")
	v.need(strings.HasPrefix(l.BasePath, "/"), "listen.basePath", "must begin with /")
	v.need(l.HL7V3 == "" || strings.HasPrefix(l.HL7V3, "/") && !strings.HasPrefix(l.HL7V3, l.BasePath), "listen.hl7v3", "must begin with / and not be under basePath")
	v.need(l.Wait > 0 && time.Duration(l.Wait) <= 30*time.Second, "listen.wait", "must be positive and at most 30s: a connection is given up after 60s")
	v.need((l.CertFile == "") == (l.KeyFile == ""), "listen", "certFile and keyFile go together")
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	v.need(l.CertFile != "" || loopback || l.BehindProxy, "listen.fhir",
		"bearer tokens must not cross a network in the clear: set certFile and keyFile, or behindProxy when a proxy does the TLS")
}
