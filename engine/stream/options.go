package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"signalbox/internal/teeth"
)

// options turns the configuration into go-redis options which hold for both sides. MaxRetries is -1 without exception: a
// client that repeats a command whose reply was lost forges duplicates and reports success.
func (c RedisConfig) options() (*redis.UniversalOptions, error) {
	o := &redis.UniversalOptions{
		MasterName: c.MasterName, IsClusterMode: c.Cluster || (len(c.URLs) > 1 && c.MasterName == ""),
		MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		Protocol: 2, DisableIdentity: true, ClientName: c.Consumer,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		SentinelUsername:         c.SentinelUsername,
	}
	if teeth.Bite("client-repeats-publish") {
		o.MaxRetries = 3
	}
	secure := false
	for i, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, fault(ErrConfig, fmt.Sprintf("URLs[%d]", i), errors.New("not a URL"))
		}
		port := u.Port()
		if port == "" {
			port = "6379"
		}
		o.Addrs = append(o.Addrs, u.Hostname()+":"+port)
		if strings.Contains(u.Hostname(), ":") {
			o.Addrs[i] = "[" + u.Hostname() + "]:" + port
		}
		if i > 0 && secure != (u.Scheme == "rediss") {
			return nil, fault(ErrConfig, "URLs", errors.New("some with TLS and some without"))
		}
		secure = u.Scheme == "rediss"
		if path := strings.Trim(u.Path, "/"); path != "" {
			if o.DB, err = strconv.Atoi(path); err != nil || o.DB < 0 {
				return nil, fault(ErrConfig, fmt.Sprintf("URLs[%d]", i), errors.New("the path must be a database number"))
			}
		}
	}
	if o.IsClusterMode && o.DB != 0 {
		return nil, fault(ErrConfig, "URLs", errors.New("a cluster has database 0 only"))
	}
	return o, c.secure(o, secure)
}

// secure adds TLS and credentials.
func (c RedisConfig) secure(o *redis.UniversalOptions, withTLS bool) error {
	var err error
	if o.SentinelPassword, err = c.SentinelPassword.reveal(); err != nil {
		return fault(ErrConfig, "SentinelPassword", err)
	}
	if c.Username != "" || !c.Password.IsZero() {
		o.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := c.Password.reveal()
			return c.Username, password, err
		}
	}
	if !withTLS {
		if c.TLS != (TLSConfig{}) {
			return fault(ErrConfig, "TLS", errors.New("set, but the URLs are not rediss://"))
		}
		return nil
	}
	o.TLSConfig, err = c.TLS.load()
	return err
}

// load reads the certificates. TLS 1.2 is the oldest version accepted.
func (t TLSConfig) load() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fault(ErrConfig, "TLS.CAFile", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault(ErrConfig, "TLS.CAFile", errors.New("holds no certificate"))
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, fault(ErrConfig, "TLS", errors.New("CertFile and KeyFile belong together"))
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fault(ErrConfig, "TLS.CertFile", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// publisherOptions: a cluster client follows redirects in the loop that also repeats commands after a lost reply, so the
// publisher follows none. A moved slot then refuses one publish, and the next finds the new node.
func (c RedisConfig) publisherOptions() (*redis.UniversalOptions, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	o.MaxRedirects = -1
	o.ReadTimeout, o.WriteTimeout = c.PublishTimeout, c.PublishTimeout
	o.WriteBufferSize = 128 << 10 // most pipelines are one write; only connections in use have a buffer
	return o, nil
}

func (c RedisConfig) subscriberOptions() (*redis.UniversalOptions, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	o.PoolSize = c.PoolSize
	o.ReadBufferSize = 128 << 10             // a read brings ReadCount entries; only connections in use have a buffer
	o.ReadTimeout = c.Block + commandTimeout // reads block by intent; every other command has a context with commandTimeout
	return o, nil
}

// MuteClient keeps go-redis from writing to standard error, which is the engine's structured log. Its logger is one for the whole process, so
// the process sets it, once, where it begins: no transport does. It is muted and not led into our log: what it says (a dial that failed, a
// pool's retries) the errors of the commands say too, Ready tells them and trouble logs them, and its lines repeat whatever a server answers,
// which may hold anything.
func MuteClient() { redis.SetLogger(mute{}) }

type mute struct{}

// Printf drops the line.
func (mute) Printf(context.Context, string, ...any) {}
