package mesh

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"
)

// MaxRequest is the most bytes that one request body may have, after compression: 100 MB (NHS MESH API specification).
// Whether the service means 10^6 or 2^20 is not published; the smaller is safe for a sender.
const MaxRequest = 100_000_000

// NoProxy is the value of Config.Proxy that ignores the environment.
const NoProxy = "none"

// gzipSlack is more than gzip can add to a chunk that does not compress.
const gzipSlack = 1 << 20

// Config says which mailbox a Client works for, and how. Start from Default.
type Config struct {
	// BaseURL is the environment's address, without /messageexchange.
	BaseURL string
	// MailboxID is used in upper case.
	MailboxID string
	Password  Secret
	// SharedKey is the environment's shared secret.
	SharedKey Secret
	// APIVersion is the version that is asked for by Accept: 2, the default, or 1. The paths are the same.
	APIVersion int

	// TLSFiles names the client certificate, its key and the environment's authorities. All three follow their files: what changes on
	// disk counts for the next new connection, and what cannot be read leaves the one before in use.
	TLSFiles TLSFiles
	// TLS is the configuration itself, for who has no files. At most one of the two is set; neither means plain Go defaults, right
	// for tests alone.
	TLS *tls.Config
	// Proxy is the address of an HTTP proxy, through which HTTPS goes by CONNECT and mTLS reaches the service untouched. Empty
	// means HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment; NoProxy means none, whatever the environment says.
	Proxy string
	// Transport, when set, replaces the client's own HTTP transport, TLS and proxy. It must not decompress.
	Transport http.RoundTripper

	// Timeout bounds one HTTP exchange, body included. A chunk of 75 MiB over a slow line needs minutes.
	Timeout time.Duration
	// ChunkSize is the most bytes of uncompressed body put into one request. The real service wants every chunk but the
	// last above 5 MB, so small sizes are for tests. A chunk is not held in memory: Outgoing.Body says where it comes from.
	ChunkSize int64
	// TempDir is where a body that cannot be read again is kept, one chunk at a time; empty means the system's.
	TempDir string
	// MaxMessage bounds the decompressed size of a download, in bytes; Incoming.SetLimit changes it for one message.
	MaxMessage int64

	// Attempts is how often an idempotent call is tried in all.
	Attempts int
	// Backoff is the longest wait before the second attempt; it doubles with each further one up to MaxBackoff. The wait is
	// drawn evenly between half and all of it. A server's Retry-After is honoured up to MaxBackoff.
	Backoff, MaxBackoff time.Duration

	// Application and Version name the caller in User-Agent and Mex-ClientVersion.
	Application, Version string
	// OSName, OSVersion and OSArchitecture are told to the service by the handshake, which requires them.
	OSName, OSVersion, OSArchitecture string

	// Settle is how long a message that cannot be found by tracking is looked for before its sending counts as never having
	// happened. The service may still be busy with a request whose connection broke.
	Settle time.Duration

	// OnSkew, when set, hears once of a server's clock that is SkewLimit or more from ours, and again when it went back and
	// did so anew. It is called while a call waits and must return soon.
	OnSkew func(skew time.Duration)

	// Now is the clock of the tokens. Nonce makes a GUID a token. Both are there to be replaced in tests.
	Now   func() time.Time
	Nonce func() string
}

// Default returns everything that has a sensible default: all but BaseURL, MailboxID, Password, SharedKey and TLS.
func Default() Config {
	return Config{
		APIVersion:     2,
		Timeout:        10 * time.Minute,
		ChunkSize:      75 << 20,
		MaxMessage:     1 << 30,
		Attempts:       4,
		Backoff:        500 * time.Millisecond,
		MaxBackoff:     30 * time.Second,
		Settle:         30 * time.Second,
		Application:    "signalbox",
		Version:        "0",
		OSName:         runtime.GOOS,
		OSVersion:      "N/A",
		OSArchitecture: runtime.GOARCH,
		Now:            time.Now,
		Nonce:          uuid.NewString,
	}
}

// Validate reports everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(wrong bool, field, want string) {
		if wrong {
			errs = append(errs, fmt.Errorf("mesh: config: %s: %s", field, want))
		}
	}
	u, err := url.Parse(c.BaseURL)
	bad(err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil, "BaseURL",
		"want http or https, a host, no user and no query")
	bad(c.MailboxID == "" || strings.ContainsAny(c.MailboxID, ":/ \t\r\n"), "MailboxID", "want a mailbox id")
	bad(c.Password == "", "Password", "is missing")
	bad(c.SharedKey == "", "SharedKey", "is missing")
	bad(c.APIVersion != 1 && c.APIVersion != 2, "APIVersion", "want 1 or 2")
	bad(c.TLS != nil && c.TLSFiles != (TLSFiles{}), "TLS, TLSFiles", "want one of them")
	_, err = c.proxy()
	bad(err != nil, "Proxy", "want http or https and a host, or none")
	bad(c.Settle <= 0, "Settle", "want more than 0")
	bad(c.Timeout <= 0, "Timeout", "want more than 0")
	bad(c.ChunkSize <= 0 || c.ChunkSize > MaxRequest-gzipSlack, "ChunkSize", fmt.Sprintf("want 1 to %d", MaxRequest-gzipSlack))
	bad(c.MaxMessage <= 0, "MaxMessage", "want more than 0")
	bad(c.Attempts < 1, "Attempts", "want at least 1")
	bad(c.Backoff <= 0 || c.MaxBackoff < c.Backoff, "Backoff", "want more than 0 and no more than MaxBackoff")
	bad(c.Application == "" || c.Version == "" || c.OSName == "" || c.OSVersion == "", "Application, Version, OSName, OSVersion", "are told to the service and must not be empty")
	for _, s := range []string{c.Application, c.Version, c.OSName, c.OSVersion, c.OSArchitecture} {
		bad(hasControl(s), "Application, Version, OSName, OSVersion, OSArchitecture", "must not hold control characters")
	}
	bad(c.Now == nil || c.Nonce == nil, "Now, Nonce", "are missing: start from Default")
	return errors.Join(errs...)
}

// proxy returns what finds the proxy of a request.
func (c Config) proxy() (func(*http.Request) (*url.URL, error), error) {
	switch c.Proxy {
	case "":
		return http.ProxyFromEnvironment, nil
	case NoProxy:
		return nil, nil
	}
	u, err := url.Parse(c.Proxy)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("mesh: config: Proxy: is not an address")
	}
	return http.ProxyURL(u), nil
}

// userAgent follows the field order of NHS Digital's own client.
func (c Config) userAgent() string {
	return strings.Join([]string{c.Application, "signalbox-mesh", c.Version, "N/A", c.OSArchitecture, c.OSName, c.OSVersion}, ";")
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
