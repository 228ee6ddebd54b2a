package app

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"signalbox/engine/pipeline"
	"signalbox/engine/trace"
	"signalbox/fhir/pds"
	"signalbox/fhir/pds/twin"
)

// The values of pds.mode.
const (
	pdsOff  = "off"
	pdsTwin = "twin"
	pdsLive = "live"
)

// PDS says whether the Personal Demographics Service is asked about each child that an authority sends, and how.
type PDS struct {
	Mode         string   `yaml:"mode"`                   // off, twin, live
	URL          string   `yaml:"url,omitempty"`          // base URL of the FHIR API
	TokenURL     string   `yaml:"tokenUrl,omitempty"`     // of signed-JWT access; empty: calls carry no token
	Audience     string   `yaml:"audience,omitempty"`     // of the assertion; empty: tokenUrl
	ClientID     string   `yaml:"clientId,omitempty"`     // the application's API key
	KeyID        string   `yaml:"keyId,omitempty"`        // kid of the registered public key
	Key          Secret   `yaml:"key,omitempty"`          // RSA private key, PEM
	PerSecond    float64  `yaml:"perSecond"`              // questions a second in the long run
	Concurrent   int      `yaml:"concurrent"`             // questions at once
	Keep         Duration `yaml:"keep"`                   // a child who matched is not asked about again for so long
	TellAfter    Duration `yaml:"tellAfter"`              // an authority is told that its file waits, after so long without an answer
	GivenNames   []string `yaml:"givenNames,omitempty"`   // the steps by which a given name may match; empty: trace.Default
	FormerNames  bool     `yaml:"formerNames,omitempty"`  // an earlier family name matches too
	Search       bool     `yaml:"search,omitempty"`       // who has no NHS number is looked for by name and birth date; what is found opens a task
	TwinPatients string   `yaml:"twinPatients,omitempty"` // JSON file of the twin's patients
	// Patients are the twin's, in the place of a file, for demonstrations and tests.
	Patients []twin.Patient `yaml:"-"`
}

func defaultPDS() PDS {
	client, rhythm := pds.Default(), pipeline.DefaultTrace()
	return PDS{Mode: pdsOff, PerSecond: client.PerSecond, Concurrent: client.Concurrent, Keep: Duration(rhythm.Keep), TellAfter: Duration(rhythm.TellAfter)}
}

func (c PDS) validate(v *validator) {
	v.need(slices.Contains([]string{pdsOff, pdsTwin, pdsLive}, c.Mode), "pds.mode", "is one of off, twin and live")
	if c.Mode == pdsOff {
		return
	}
	v.need(c.PerSecond > 0, "pds.perSecond", "must be positive")
	v.need(c.Concurrent > 0, "pds.concurrent", "must be positive")
	v.need(c.Keep >= 0, "pds.keep", "must not be negative")
	v.need(c.TellAfter >= 0, "pds.tellAfter", "must not be negative")
	if err := c.rules().Validate(); err != nil {
		v.need(false, "pds.givenNames", "is a list of whole, first, any, three-letters")
	}
	v.need(c.Mode != pdsTwin || c.TwinPatients != "" || c.Patients != nil, "pds.twinPatients", "is needed with the twin")
	v.need(c.Mode != pdsLive || c.URL != "", "pds.url", "is missing")
	if c.Mode == pdsLive && c.TokenURL != "" {
		v.need(c.ClientID != "", "pds.clientId", "is needed with pds.tokenUrl")
		v.need(c.KeyID != "", "pds.keyId", "is needed with pds.tokenUrl")
		v.secret(c.Key, "pds.key")
	}
}

func (c PDS) rules() trace.Config {
	rules := trace.Default()
	if rules.FormerNames = c.FormerNames; len(c.GivenNames) > 0 {
		rules.Given = c.GivenNames
	}
	return rules
}

// rhythm sets what the pipeline has to know of it.
func (c PDS) rhythm(t *pipeline.Trace) {
	if c.Mode != pdsOff {
		t.Concurrent, t.Keep, t.TellAfter = c.Concurrent, time.Duration(c.Keep), time.Duration(c.TellAfter)
	}
}

// tracer opens the way to PDS, unless nobody is asked.
func (e *engineRoom) tracer(rooms *pipeline.Rooms) error {
	c := e.cfg.PDS
	if c.Mode == pdsOff {
		return nil
	}
	cfg, err := c.client()
	if err != nil {
		return err
	}
	cfg.Now = e.opts.Now
	if e.pds, err = pds.New(cfg); err != nil {
		return err
	}
	tracer, err := trace.New(e.pds, c.rules())
	if err != nil { // a nil *Tracer in the interface would not be nil
		return err
	}
	if rooms.Tracer = tracer; c.Search {
		rooms.Seeker = tracer
	}
	rooms.TraceRules = fmt.Sprintf("%s/%s/%v", c.Mode, strings.Join(c.rules().Given, ","), c.FormerNames)
	return nil
}

func (c PDS) client() (pds.Config, error) {
	cfg := pds.Default()
	cfg.PerSecond, cfg.Concurrent, cfg.Burst = c.PerSecond, c.Concurrent, max(1, int(c.PerSecond))
	if c.Mode == pdsTwin {
		patients, err := c.patients()
		cfg.BaseURL, cfg.HTTP = "https://pds.invalid"+twin.BasePath, twin.New(twin.Config{Patients: patients}).Transport()
		return cfg, err
	}
	cfg.BaseURL = c.URL
	if c.TokenURL == "" {
		return cfg, nil
	}
	text, err := c.Key.Read()
	if err != nil {
		return cfg, fmt.Errorf("pds.key: %w", err)
	}
	auth := pds.DefaultAuth()
	auth.TokenURL, auth.Audience, auth.ClientID, auth.KeyID = c.TokenURL, c.Audience, c.ClientID, c.KeyID
	if auth.Key, err = rsaKey(text); err != nil {
		return cfg, fmt.Errorf("pds.key: %w", err)
	}
	cfg.Auth = &auth
	return cfg, nil
}

func (c PDS) patients() ([]twin.Patient, error) {
	if c.Patients != nil {
		return c.Patients, nil
	}
	f, err := os.Open(c.TwinPatients)
	if err != nil {
		return nil, fmt.Errorf("pds.twinPatients: %w", err)
	}
	all, err := twin.ReadPatients(f)
	return all, errors.Join(err, f.Close())
}

// rsaKey reads a PKCS #1 or PKCS #8 private key. The error holds nothing of it.
func rsaKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("is no PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if k, ok := key.(*rsa.PrivateKey); err == nil && ok {
		return k, nil
	}
	return nil, errors.New("is no RSA private key of PKCS #1 or PKCS #8")
}
