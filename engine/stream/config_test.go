package stream

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine/stream/redistest"
)

func TestConfigValidate(t *testing.T) {
	require.NoError(t, DefaultLocal().Validate())
	base := DefaultRedis()
	require.ErrorContains(t, base.Validate(), "Consumer: invalid configuration: must not be empty")
	base.Consumer = "c1"
	require.NoError(t, base.Validate())
	for name, test := range map[string]struct {
		change func(*RedisConfig)
		want   string
	}{
		"no URL":         {func(c *RedisConfig) { c.URLs = nil }, "URLs: at least one is needed"},
		"scheme":         {func(c *RedisConfig) { c.URLs = []string{"http://h"} }, "URLs[0]: the scheme must be redis or rediss"},
		"password":       {func(c *RedisConfig) { c.URLs = []string{"redis://u:hunter2@h"} }, "URLs[0]: must not hold a user or password"},
		"unreadable":     {func(c *RedisConfig) { c.URLs = []string{"redis://:hunter2@%zz"} }, "URLs[0]: not a URL"},
		"no host":        {func(c *RedisConfig) { c.URLs = []string{"redis:///0"} }, "URLs[0]: host is missing"},
		"query":          {func(c *RedisConfig) { c.URLs = []string{"redis://h?max_retries=3"} }, "URLs[0]: must not hold a query"},
		"prefix":         {func(c *RedisConfig) { c.Prefix = "a{b" }, "Prefix"},
		"lanes":          {func(c *RedisConfig) { c.Lanes = 0 }, "Lanes: 0 is not between 1 and 4096"},
		"in flight":      {func(c *RedisConfig) { c.MaxInFlight = 63 }, "MaxInFlight: 63 is not between 64"},
		"block for ever": {func(c *RedisConfig) { c.Block = 0 }, "Block: 0s is not between"},
		"nack hot":       {func(c *RedisConfig) { c.NackDelay = 0 }, "NackDelay: 0s is not between"},
		"both secrets":   {func(c *RedisConfig) { c.Password = Secret{"a", "b"} }, "Password: give the secret by value or by file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := base
			test.change(&cfg)
			err := cfg.Validate()
			require.ErrorIs(t, err, ErrConfig)
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hunter2")
			_, err = NewRedis(cfg)
			require.ErrorIs(t, err, ErrConfig)
		})
	}
	local := DefaultLocal()
	local.Lanes, local.Workers = 0, 0
	_, err := NewLocal(local)
	require.ErrorContains(t, err, "Lanes")
	require.ErrorContains(t, err, "Workers", "all reasons, not the first")
}

func TestOptions(t *testing.T) {
	base := DefaultRedis()
	base.Consumer = "c1"
	for name, test := range map[string]struct {
		change    func(*RedisConfig)
		addresses []string
		cluster   bool
		err       string
	}{
		"single":       {func(c *RedisConfig) { c.URLs = []string{"redis://h/3"} }, []string{"h:6379"}, false, ""},
		"IPv6":         {func(c *RedisConfig) { c.URLs = []string{"redis://[::1]:7000"} }, []string{"[::1]:7000"}, false, ""},
		"cluster":      {func(c *RedisConfig) { c.URLs = []string{"redis://a:1", "redis://b:2"} }, []string{"a:1", "b:2"}, true, ""},
		"cluster of 1": {func(c *RedisConfig) { c.Cluster = true }, []string{"127.0.0.1:6379"}, true, ""},
		"sentinel": {func(c *RedisConfig) {
			c.URLs, c.MasterName = []string{"redis://a:1/2", "redis://b:2/2"}, "main"
		}, []string{"a:1", "b:2"}, false, ""},
		"mixed TLS":      {func(c *RedisConfig) { c.URLs = []string{"redis://a", "rediss://b"} }, nil, false, "some with TLS and some without"},
		"cluster number": {func(c *RedisConfig) { c.URLs = []string{"redis://a/1", "redis://b"} }, nil, false, "database 0 only"},
		"path":           {func(c *RedisConfig) { c.URLs = []string{"redis://a/x"} }, nil, false, "database number"},
		"TLS unused":     {func(c *RedisConfig) { c.TLS.ServerName = "x" }, nil, false, "not rediss://"},
		"no CA file":     {func(c *RedisConfig) { c.URLs, c.TLS.CAFile = []string{"rediss://a"}, "/nonexistent" }, nil, false, "TLS.CAFile"},
		"half a pair":    {func(c *RedisConfig) { c.URLs, c.TLS.KeyFile = []string{"rediss://a"}, "k" }, nil, false, "belong together"},
		"secret file":    {func(c *RedisConfig) { c.SentinelPassword.File = "/nonexistent" }, nil, false, "SentinelPassword"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := base
			test.change(&cfg)
			o, err := cfg.publisherOptions()
			if test.err != "" {
				require.ErrorIs(t, err, ErrConfig)
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.addresses, o.Addrs)
			assert.Equal(t, test.cluster, o.IsClusterMode)
			assert.Equal(t, -1, o.MaxRetries, "W7: never a retry by the client")
			assert.Equal(t, -1, o.MaxRedirects, "a cluster's redirect loop repeats commands too")
			other, err := cfg.subscriberOptions()
			require.NoError(t, err)
			assert.Equal(t, -1, other.MaxRetries)
		})
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("hunter2\r\n"), 0o600))
	cfg := DefaultRedis()
	cfg.Password, cfg.SentinelPassword = Secret{Value: "hunter2"}, Secret{File: file}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "config", cfg, "password", cfg.Password)
	text, err := json.Marshal(cfg.Password)
	require.NoError(t, err)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %d", cfg, cfg, cfg, cfg.Password, cfg.Password, cfg.Password, cfg.Password)
	for _, s := range []string{shown, log.String(), string(text), cfg.Password.String()} {
		assert.NotContains(t, s, "hunter2")
		assert.NotContains(t, s, fmt.Sprintf("%x", "hunter2"))
		assert.Contains(t, s, redacted)
	}
	revealed, err := cfg.SentinelPassword.reveal()
	require.NoError(t, err)
	assert.Equal(t, "hunter2", revealed)
	assert.Empty(t, Secret{}.String())
}

// aclRules is the user which README.md shows.
func aclRules(t *testing.T) []string {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if rules, is := strings.CutPrefix(line, "user signalbox "); is {
			return strings.Fields(strings.ReplaceAll(rules, ">PASSWORD", ">hunter2"))
		}
	}
	t.Fatal("README.md shows no ACL user")
	return nil
}

// The ACL in the README is enough for everything the transport does, over TLS, and holds nothing dangerous.
func TestLeastPrivilegeOverTLS(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	srv := redistest.Start(t)
	port, err := freeTestPort()
	require.NoError(t, err)
	for _, setting := range [][]string{
		{"tls-cert-file", filepath.Join(dir, "cert.pem")}, {"tls-key-file", filepath.Join(dir, "key.pem")},
		{"tls-ca-cert-file", filepath.Join(dir, "cert.pem")}, {"tls-auth-clients", "no"}, {"tls-port", port},
	} {
		_, err := srv.Do(append([]string{"CONFIG", "SET"}, setting...)...)
		require.NoError(t, err, setting)
	}
	_, err = srv.Do(append([]string{"ACL", "SETUSER", "signalbox"}, aclRules(t)...)...)
	require.NoError(t, err)

	cfg := quick(srv, "c1")
	cfg.URLs = []string{"rediss://127.0.0.1:" + port}
	cfg.TLS.CAFile = filepath.Join(dir, "cert.pem")
	cfg.Username = "signalbox"
	cfg.Password.File = filepath.Join(dir, "password")
	cfg.ClaimMinIdle, cfg.ClaimInterval = 30*time.Millisecond, 20*time.Millisecond // heartbeats and claims happen
	require.NoError(t, os.WriteFile(cfg.Password.File, []byte("hunter2\n"), 0o600))
	r := openRedis(t, cfg)
	ctx := context.Background()
	require.NoError(t, r.Ready(ctx))
	_, messages := subscribe(t, r, "group", "topic")
	client := raw(t, srv)
	require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: topicKey, Values: []string{"foreign", "entry"}}).Err())
	require.NoError(t, r.Publish("topic", newMessage("a", "x"), newMessage("b", "y")))
	held := []*message.Message{next(t, messages), next(t, messages)}
	nothing(t, messages)
	for _, m := range held {
		m.Ack()
	}
	eventually(t, "put aside", func() bool { return client.XLen(ctx, topicKey+".dead").Val() == 1 })
	_, err = r.Trim(ctx)
	require.NoError(t, err)
	require.NoError(t, r.Ready(ctx))
	require.NoError(t, r.Close())

	as := redis.NewClient(&redis.Options{
		Addr: srv.Addr(), Username: "signalbox", Password: "hunter2", Protocol: 2, DisableIdentity: true, MaxRetries: -1,
	})
	defer func() { _ = as.Close() }()
	for _, forbidden := range [][]any{
		{"EVAL", "return 1", 0}, {"CONFIG", "GET", "*"}, {"FLUSHALL"}, {"KEYS", "*"}, {"DEL", topicKey},
		{"XGROUP", "DESTROY", topicKey, "group"}, {"XGROUP", "DELCONSUMER", topicKey, "group", "c1"}, {"XLEN", "elsewhere"},
		{"ACL", "LIST"}, {"SHUTDOWN"},
	} {
		assert.ErrorContains(t, as.Do(ctx, forbidden...).Err(), "NOPERM", "%v", forbidden)
	}
}

func freeTestPort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// writeCertificate writes a self-signed certificate for the loopback address as cert.pem and key.pem.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signalbox test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	_, err = tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	require.NoError(t, err)
	loaded, err := TLSConfig{
		CAFile: filepath.Join(dir, "cert.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
	}.load()
	require.NoError(t, err)
	require.Len(t, loaded.Certificates, 1)
	require.EqualValues(t, tls.VersionTLS12, loaded.MinVersion)
}
