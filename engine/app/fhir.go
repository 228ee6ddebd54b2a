package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"signalbox/engine"
	"signalbox/fhir/api"
	"signalbox/fhir/api/identity"
	"signalbox/fhir/api/page"
)

// FHIR says whom the FHIR API trusts, and how much it gives.
type FHIR struct {
	Development bool     `yaml:"development,omitempty"` // static tokens are taken
	Issuers     []Issuer `yaml:"issuers,omitempty"`     // of JSON Web Tokens
	ClientCA    string   `yaml:"clientCA,omitempty"`    // PEM file of the authorities of client certificates
	// Proxies are the addresses of proxies that end TLS and pass the client's certificate on (RFC 9440).
	Proxies    []string   `yaml:"proxies,omitempty"`
	Revocation Revocation `yaml:"revocation,omitempty"` // of client certificates
	Roles      []Role     `yaml:"roles,omitempty"`      // what SDS job roles may, for tokens without activities
	Limits     Limits     `yaml:"limits"`
	Timeout    Duration   `yaml:"timeout"`
	PageSize   int        `yaml:"pageSize"`
	PageLife   Duration   `yaml:"pageLife"`
	PageKey    Secret     `yaml:"pageKey,omitempty"` // 64 hexadecimal digits; needed where several engines answer
	// ProfileFiles hold profiles and extensions of one's own, in the language of package fhir.
	ProfileFiles []string `yaml:"profileFiles,omitempty"`
	// Profiles are canonical URLs of those that incoming resources keep to; claimed: those that a resource names itself.
	Profiles   []string `yaml:"profiles,omitempty"`
	Invariants bool     `yaml:"invariants,omitempty"` // incoming resources keep to R4's invariants
}

// Issuer is one authority whose tokens are taken.
type Issuer struct {
	Issuer      string   `yaml:"issuer"`
	Audience    string   `yaml:"audience"`
	JWKSFile    string   `yaml:"jwksFile,omitempty"`
	JWKSURL     string   `yaml:"jwksUrl,omitempty"`
	Algorithms  []string `yaml:"algorithms,omitempty"`
	MaxLifetime Duration `yaml:"maxLifetime,omitempty"`
	OneUse      bool     `yaml:"oneUse,omitempty"`
	Unattended  bool     `yaml:"unattended,omitempty"`
	Claims      Claims   `yaml:"claims,omitempty"`
}

// Claims are the names under which an issuer's tokens hold what is needed.
type Claims struct {
	Client           string `yaml:"client,omitempty"`
	User             string `yaml:"user,omitempty"`
	Name             string `yaml:"name,omitempty"`
	RoleProfile      string `yaml:"roleProfile,omitempty"`
	RoleCode         string `yaml:"roleCode,omitempty"`
	RoleName         string `yaml:"roleName,omitempty"`
	Organisation     string `yaml:"organisation,omitempty"`
	OrganisationName string `yaml:"organisationName,omitempty"`
	Activities       string `yaml:"activities,omitempty"`
}

// Role is an SDS job role with its activities.
type Role struct {
	Code       string   `yaml:"code"`
	Activities []string `yaml:"activities"` // B0107, B0170
}

// Limits is how much each trust's system may ask.
type Limits struct {
	PerSecond float64 `yaml:"perSecond"` // 0: no limit
	Burst     int     `yaml:"burst"`
}

func defaultFHIR() FHIR {
	d := api.Default()
	return FHIR{Limits: Limits{PerSecond: d.Limits.PerSecond, Burst: d.Limits.Burst}, Timeout: Duration(d.Timeout), PageSize: d.PageSize, PageLife: Duration(d.PageLife)}
}

// paths returns the places of files, to be made absolute.
func (f *FHIR) paths() []*string {
	out := []*string{&f.ClientCA, &f.PageKey.File}
	for i := range f.Revocation.Files {
		out = append(out, &f.Revocation.Files[i])
	}
	for i := range f.Issuers {
		out = append(out, &f.Issuers[i].JWKSFile)
	}
	for i := range f.ProfileFiles {
		out = append(out, &f.ProfileFiles[i])
	}
	return out
}

// api makes the configuration of the FHIR API. It reads the secrets.
func (c Config) api() (api.Config, error) {
	cfg := api.Default()
	cfg.BasePath, cfg.PublicURL = c.Listen.BasePath, c.Listen.PublicURL
	cfg.Wait, cfg.HL7V3, cfg.SystemID = time.Duration(c.Listen.Wait), c.Listen.HL7V3, c.SystemID
	cfg.Timeout, cfg.PageSize, cfg.PageLife = time.Duration(c.FHIR.Timeout), c.FHIR.PageSize, time.Duration(c.FHIR.PageLife)
	cfg.Limits.PerSecond, cfg.Limits.Burst = c.FHIR.Limits.PerSecond, c.FHIR.Limits.Burst
	cfg.Identity.Development = c.FHIR.Development
	var errs []error
	cfg.Clients, errs = c.clients()
	for i, issuer := range c.FHIR.Issuers {
		cfg.Identity.Issuers = append(cfg.Identity.Issuers, issuer.identity())
		if issuer.JWKSFile != "" {
			errs = append(errs, checkKeys(issuer.JWKSFile, fmt.Sprintf("fhir.issuers[%d].jwksFile", i)))
		}
	}
	cfg.Identity.Roles = map[string][]identity.Activity{}
	for _, role := range c.FHIR.Roles {
		for _, a := range role.Activities {
			cfg.Identity.Roles[role.Code] = append(cfg.Identity.Roles[role.Code], identity.Activity(a))
		}
	}
	errs = append(errs, c.FHIR.certificates(&cfg.Identity))
	var err error
	cfg.Standard, err = c.FHIR.standard()
	errs = append(errs, err)
	cfg.PageKey, err = c.FHIR.pageKey()
	return cfg, errors.Join(append(errs, err)...)
}

func (c Config) clients() (clients []api.Client, errs []error) {
	for i, t := range c.Trusts {
		client := api.Client{
			Name: t.Name, ODSCode: t.ODSCode, OrganisationName: t.Display, DeviceID: t.DeviceID, Setting: engine.CareSetting(t.Setting),
			Certificate: t.Certificate, Organisations: t.Organisations, CanQuery: t.may("query"), CanSend: t.may("send"),
			Responses: t.Responses.Endpoints,
		}
		if !t.Token.IsZero() {
			token, err := t.Token.Read()
			if err != nil {
				errs = append(errs, fmt.Errorf("trusts[%d].token: %w", i, err))
			}
			client.TokenSHA256 = api.TokenDigest(token)
		}
		clients = append(clients, client)
	}
	return clients, errs
}

func (i Issuer) identity() identity.Issuer {
	out := identity.DefaultIssuer()
	out.Name, out.Audience, out.JWKSFile, out.JWKSURL, out.OneUse, out.Unattended = i.Issuer, i.Audience, i.JWKSFile, i.JWKSURL, i.OneUse, i.Unattended
	if len(i.Algorithms) > 0 {
		out.Algorithms = i.Algorithms
	}
	if i.MaxLifetime != 0 {
		out.MaxLifetime = time.Duration(i.MaxLifetime)
	}
	for to, from := range map[*string]string{
		&out.Claims.Client: i.Claims.Client, &out.Claims.User: i.Claims.User, &out.Claims.Name: i.Claims.Name,
		&out.Claims.RoleProfile: i.Claims.RoleProfile, &out.Claims.RoleCode: i.Claims.RoleCode, &out.Claims.RoleName: i.Claims.RoleName,
		&out.Claims.Organisation: i.Claims.Organisation, &out.Claims.OrganisationName: i.Claims.OrganisationName, &out.Claims.Activities: i.Claims.Activities,
	} {
		if from != "" {
			*to = from
		}
	}
	return out
}

func (f FHIR) pageKey() ([]byte, error) {
	if f.PageKey.IsZero() {
		return nil, nil
	}
	text, err := f.PageKey.Read()
	if err != nil {
		return nil, fmt.Errorf("fhir.pageKey: %w", err)
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != page.KeySize {
		return nil, errors.New("fhir.pageKey: is not 64 hexadecimal digits: make one with 'openssl rand -hex 32'")
	}
	return key, nil
}

func checkKeys(path, at string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: cannot be read", at)
	}
	if _, err := identity.ParseKeys(raw); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

func (c Config) validateFHIR(v *validator) {
	cfg, err := c.api()
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		v.errs = append(v.errs, inYAML(err))
	}
	c.validateCertificates(v)
	for i, t := range c.Trusts {
		at := fmt.Sprintf("trusts[%d].token", i)
		v.need(t.Token.IsZero() || c.FHIR.Development, at, "static tokens are for development: set fhir.development, or use fhir.issuers or a certificate")
	}
}
