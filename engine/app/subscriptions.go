package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"

	"signalbox/engine/hook"
	"signalbox/fhir/api"
)

// Subscriptions says which systems of authorities may take access to service notifications over HTTP instead of MESH.
type Subscriptions struct {
	Topic     string     `yaml:"topic,omitempty"`  // canonical URL of the one topic; none is published, so none has a default
	CAFile    string     `yaml:"caFile,omitempty"` // PEM file of private authorities that endpoints' certificates may come from
	Receivers []Receiver `yaml:"receivers,omitempty"`
}

// Receiver is one authority's system that may subscribe.
type Receiver struct {
	Name      string `yaml:"name"`            // for logs; no trust has it
	Authority string `yaml:"authority"`       // ODS code of a route's authority
	Token     Secret `yaml:"token,omitempty"` // a static token of its system: development only
	// Certificate is the name in its client certificate: dns:NAME, uri:URI or subject:NAME.
	Certificate string   `yaml:"certificate,omitempty"`
	Key         Secret   `yaml:"key"`       // by which what it is sent is signed: 32 bytes at least
	Endpoints   []string `yaml:"endpoints"` // addresses that it may name, each in full
	Fallback    string   `yaml:"fallback,omitempty"`
	Private     bool     `yaml:"private,omitempty"`  // its endpoints may have private addresses
	Insecure    bool     `yaml:"insecure,omitempty"` // its endpoints may be http: development only
}

// Ways in which an authority is told whose subscription is in error.
const (
	fallbackMESH = "mesh" // also when nothing is configured
	fallbackNone = "none"
)

func (s Subscriptions) validate(v *validator, c Config) {
	if len(s.Receivers) == 0 {
		return
	}
	u, err := url.Parse(s.Topic)
	v.need(err == nil && u.Scheme != "" && u.Host != "", "subscriptions.topic", "is not an absolute URL: receivers name it in what they ask for")
	authorities, names, known := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range c.Routes {
		known[r.Authority.ODSCode] = true
	}
	for _, t := range c.Trusts {
		names[t.Name] = true
	}
	for i, r := range s.Receivers {
		at := fmt.Sprintf("subscriptions.receivers[%d]", i)
		v.need(r.Name != "" && !names[r.Name], at+".name", "is missing, or another receiver or trust has it")
		v.need(known[r.Authority], at+".authority", "is the ODS code of no route's authority")
		v.need(!authorities[r.Authority], at+".authority", "another receiver has it: an authority is told in one place")
		names[r.Name], authorities[r.Authority] = true, true
		if !r.Token.IsZero() {
			v.secret(r.Token, at+".token")
			v.need(c.FHIR.Development, at+".token", "static tokens are for development: set fhir.development, or use fhir.issuers or a certificate")
		}
		v.need(r.Certificate == "" || c.FHIR.ClientCA != "", at+".certificate", "needs fhir.clientCA")
		v.need(!r.Token.IsZero() || r.Certificate != "" || len(c.FHIR.Issuers) > 0, at, "has neither certificate nor token, and there is no issuer: nobody can be this receiver")
		v.signing(r.Key, at)
		v.need(len(r.Endpoints) > 0, at+".endpoints", "is empty")
		v.need(r.Fallback == "" || r.Fallback == fallbackMESH || r.Fallback == fallbackNone, at+".fallback", "is neither mesh nor none")
		v.endpoints(r.Endpoints, r.Insecure, at)
	}
}

// onlyHook reports whether an authority's notifications wait while its subscription is in error.
func (s Subscriptions) onlyHook(odsCode string) bool {
	for _, r := range s.Receivers {
		if r.Authority == odsCode {
			return r.Fallback == fallbackNone
		}
	}
	return false
}

// poster opens what posts to subscribers; nil when nobody may subscribe.
func (e *engineRoom) poster() (*hook.Poster, error) {
	s := e.cfg.Subscriptions
	cfg := hook.Default()
	var err error
	if cfg.Receivers, err = e.cfg.responders(); err != nil {
		return nil, err
	}
	if len(s.Receivers)+len(cfg.Receivers) == 0 {
		return nil, nil
	}
	for i, r := range s.Receivers {
		key, err := r.Key.Read()
		if err != nil {
			return nil, fmt.Errorf("subscriptions.receivers[%d].key: %w", i, err)
		}
		cfg.Receivers = append(cfg.Receivers, hook.Receiver{Name: r.Name, Endpoints: r.Endpoints, Key: []byte(key), Private: r.Private, Insecure: r.Insecure})
	}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, errors.New("subscriptions.caFile: cannot be read")
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("subscriptions.caFile: holds no certificate")
		}
	}
	return hook.New(cfg, e.opts.Now)
}

// receivers adds who may subscribe to the server's clients.
func (e *engineRoom) receivers(cfg *api.Config) error {
	s := e.cfg.Subscriptions
	if len(s.Receivers) == 0 {
		return nil
	}
	cfg.Subscriptions = &api.Subscriptions{Topic: s.Topic, Endpoints: map[string][]string{}, Record: e.store}
	for i, r := range s.Receivers {
		client := api.Client{Name: r.Name, ODSCode: r.Authority, Authority: r.Authority, Certificate: r.Certificate}
		if !r.Token.IsZero() {
			token, err := r.Token.Read()
			if err != nil {
				return fmt.Errorf("subscriptions.receivers[%d].token: %w", i, err)
			}
			client.TokenSHA256 = api.TokenDigest(token)
		}
		cfg.Clients = append(cfg.Clients, client)
		cfg.Subscriptions.Endpoints[r.Name] = r.Endpoints
	}
	return nil
}
