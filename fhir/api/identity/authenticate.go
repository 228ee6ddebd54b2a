package identity

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Authenticator says who is asking. It is safe for concurrent use and starts no goroutine.
type Authenticator struct {
	cfg          Config
	now          func() time.Time
	began        time.Time
	issuers      []*trusted
	tokens       *memory[verified]
	certificates *memory[vouched]
	revocations  *revocations // nil: certificates are not held against lists
	used         *memory[struct{}]
}

// New returns an Authenticator. Keys are fetched with client when they are first needed.
func New(cfg Config, client *http.Client, now func() time.Time, log *slog.Logger) (*Authenticator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if client == nil || now == nil || log == nil {
		return nil, errors.New("identity: new: client, now and log are all needed")
	}
	a := &Authenticator{cfg: cfg, now: now, began: now().Truncate(time.Second), tokens: newMemory[verified](cfg.CacheSize),
		certificates: newMemory[vouched](cfg.CacheSize), used: newMemory[struct{}](cfg.CacheSize)}
	var err error
	if a.revocations, err = newRevocations(cfg, now, func(why string, err error) {
		log.Warn("lists of revoked certificates need somebody", "why", why, "error", err)
	}); err != nil {
		return nil, err
	}
	for _, i := range cfg.Issuers {
		a.issuers = append(a.issuers, &trusted{Issuer: i, keyring: &keyring{
			cfg: cfg, file: i.JWKSFile, url: i.JWKSURL, client: client, now: now, fetching: make(chan struct{}, 1),
			failed: func(err error) { log.Warn("an issuer's keys cannot be fetched", "error", err) },
		}})
	}
	return a, nil
}

// Authenticate says who sent the request.
func (a *Authenticator) Authenticate(r *http.Request) (*Caller, *Refusal) {
	chain, refused := a.presented(r)
	if refused != nil {
		return nil, refused
	}
	owner, refused := a.byCertificate(chain)
	if refused != nil {
		return nil, refused
	}
	token, refused := bearer(r)
	if refused != nil {
		return nil, refused
	}
	var caller *Caller
	switch {
	case token == "" && owner == nil:
		return nil, refuse(NoCredentials)
	case token == "":
		return device(owner, ByCertificate), nil
	case len(a.issuers) > 0 && strings.Count(token, ".") == 2:
		if caller, refused = a.byJWT(r.Context(), token, chain); refused != nil {
			return nil, refused
		}
	default:
		if caller, refused = a.byStatic(token); refused != nil {
			return nil, refused
		}
	}
	if owner != nil && owner != caller.Client || owner == nil && caller.Client.Certificate != "" {
		return nil, refuse(NotBound)
	}
	return caller, nil
}

func (a *Authenticator) byStatic(token string) (*Caller, *Refusal) {
	if !a.cfg.Development {
		return nil, refuse(StaticRefused)
	}
	client := byToken(a.cfg.Clients, token)
	if client == nil {
		return nil, refuse(UnknownToken)
	}
	return device(client, ByStaticToken), nil
}

// bearer returns the bearer token of a request; empty when it has no Authorization at all (RFC 6750 section 2.1). A token in the query or in
// a form is not looked at: addresses are logged.
func bearer(r *http.Request) (string, *Refusal) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, found := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if len(values) > 1 || !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", refuse(Malformed)
	}
	return token, nil
}
