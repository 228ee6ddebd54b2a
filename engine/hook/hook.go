// Package hook posts notifications to the endpoints of receivers: signed, without redirects, and to no address that was not allowed.
package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"signalbox/engine"
)

// Receiver is one system that may be posted to.
type Receiver struct {
	Name      string
	Endpoints []string // URLs that it may name, each in full
	Key       []byte   // of the signature, 32 bytes at least
	Private   bool     // its host may have a private or loopback address
	Insecure  bool     // http is taken: development only
}

// LogValue keeps the key out of logs.
func (r Receiver) LogValue() slog.Value { return slog.StringValue(r.Name) }

// Config says who may be posted to, and how long a post may take.
type Config struct {
	Receivers []Receiver
	Timeout   time.Duration
	RootCAs   *x509.CertPool // nil: the system's
}

// Default returns the configuration without receivers.
func Default() Config { return Config{Timeout: 10 * time.Second} }

// MinKey is the least length of a key in bytes: that of SHA-256, because a shorter key weakens it (RFC 2104, section 3).
const MinKey = sha256.Size

// Validate reports everything that cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("hook: config: the timeout is not positive"))
	}
	for i, r := range c.Receivers {
		if r.Name == "" || slices.ContainsFunc(c.Receivers[:i], func(o Receiver) bool { return o.Name == r.Name }) {
			errs = append(errs, fmt.Errorf("hook: config: receiver %d: its name is missing or taken", i+1))
		}
		if len(r.Key) < MinKey {
			errs = append(errs, fmt.Errorf("hook: config: receiver %s: the key is shorter than %d bytes", r.Name, MinKey))
		}
		for j, e := range r.Endpoints {
			if why := problem(e, r.Insecure); why != "" {
				errs = append(errs, fmt.Errorf("hook: config: receiver %s: endpoint %d %s", r.Name, j+1, why))
			}
		}
	}
	return errors.Join(errs...)
}

// problem says why an address is no endpoint, or nothing.
func problem(endpoint string, insecure bool) string {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "":
		return "is not an absolute URL"
	case u.Scheme != "https" && (u.Scheme != "http" || !insecure):
		return "is not https"
	case u.User != nil || u.Fragment != "":
		return "holds a user or a fragment"
	}
	return ""
}

// Post is one notification on its way.
type Post struct {
	Receiver  string
	Endpoint  string
	Headers   []string // "Name: value", as the receiver asked for
	RequestID string   // the same for every attempt at the same notification
	MediaType string
	Body      []byte
}

// Names of the headers of ours.
const (
	HeaderSignature = "X-Signalbox-Signature" // t=<seconds since 1970>,v1=<hexadecimal HMAC-SHA-256 of t, a dot and the body>
	headerRequest   = "X-Request-ID"
)

// Poster posts. It is safe for concurrent use.
type Poster struct {
	cfg    Config
	now    func() time.Time
	public *http.Client
	any    *http.Client
}

// New returns a poster.
func New(cfg Config, now func() time.Time) (*Poster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if now == nil {
		return nil, errors.New("hook: new: a clock is needed")
	}
	return &Poster{cfg: cfg, now: now, public: client(cfg, false), any: client(cfg, true)}, nil
}

// Close closes the connections that are kept.
func (p *Poster) Close() {
	p.public.CloseIdleConnections()
	p.any.CloseIdleConnections()
}

func client(cfg Config, private bool) *http.Client {
	dialer := &net.Dialer{Timeout: cfg.Timeout}
	if !private {
		dialer.Control = onlyPublic
	}
	return &http.Client{
		Timeout: cfg.Timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: cfg.Timeout, MaxResponseHeaderBytes: 16 << 10, IdleConnTimeout: time.Minute,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs}, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// onlyPublic refuses to connect to an address that is not on the public internet. It looks at the address that the name led to, so a name
// that is changed to lead inside does not help.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errInside
	}
	ip := at.Addr().Unmap()
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || shared.Contains(ip) || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return errInside
	}
	return nil
}

var errInside = errors.New("the endpoint's name leads to a private address, which this receiver is not allowed")

// Post sends a notification and returns nil once the receiver has answered with 2xx. The error's kind says what is known of it: Denied when it
// was not allowed, Unavailable when it was not taken and may be tried again, Invalid when the receiver refused it, Unsure when it was sent and no
// answer came. The error holds neither the endpoint nor anything that the receiver said.
func (p *Poster) Post(ctx context.Context, n Post) error {
	r, ok := p.receiver(n)
	if !ok {
		return fail(engine.Denied, "the configuration allows this receiver no such endpoint", nil)
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Endpoint, bytes.NewReader(n.Body))
	if err != nil {
		return fail(engine.Denied, "the endpoint is not an address", nil)
	}
	req.GetBody = nil // never sent again without the ledger knowing
	p.head(req, n, r)
	over := p.public
	if r.Private {
		over = p.any
	}
	res, err := over.Do(req)
	switch {
	case errors.Is(err, errInside):
		return fail(engine.Denied, "", errInside)
	case err != nil && sent.Load():
		return fail(engine.Unsure, "it was sent, and no answer came", nil)
	case err != nil:
		return fail(engine.Unavailable, "the endpoint cannot be reached", nil)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	return verdict(res.StatusCode)
}

func verdict(status int) error {
	text := "the receiver answered with " + strconv.Itoa(status)
	switch {
	case status/100 == 2:
		return nil
	case status/100 == 5, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusConflict:
		return fail(engine.Unavailable, text, nil)
	}
	return fail(engine.Invalid, text, nil)
}

func (p *Poster) receiver(n Post) (Receiver, bool) {
	for _, r := range p.cfg.Receivers {
		if r.Name == n.Receiver {
			return r, slices.Contains(r.Endpoints, n.Endpoint)
		}
	}
	return Receiver{}, false
}

func (p *Poster) head(req *http.Request, n Post, r Receiver) {
	for _, line := range n.Headers {
		name, value, _ := strings.Cut(line, ":")
		req.Header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	req.Header.Set("Content-Type", n.MediaType)
	req.Header.Set("User-Agent", "signalbox")
	req.Header.Set(headerRequest, n.RequestID)
	req.Header.Set(HeaderSignature, Sign(r.Key, p.now(), n.Body))
}

// Sign makes the value of the signature header. The scheme is this project's own, and widely used in this form.
func Sign(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// HeaderAllowed says why a receiver may not ask for a header, or nothing. A header of ours, or one that changes what the request is, is none.
func HeaderAllowed(line string) string {
	name, value, found := strings.Cut(line, ":")
	name = strings.TrimSpace(name)
	ours := []string{"content-type", "content-length", "host", "connection", "transfer-encoding", "te", "trailer", "upgrade", "expect", "user-agent",
		"x-request-id", "proxy-authorization", "cookie"}
	switch {
	case !found || name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return "is not of the form Name: value"
	case slices.Contains(ours, strings.ToLower(name)) || strings.HasPrefix(strings.ToLower(name), "x-signalbox-"):
		return "is one that this server sets"
	case len(line) > 4096 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return "is too long, or holds something other than visible ASCII"
	}
	return ""
}

func fail(kind engine.ErrorKind, text string, err error) error {
	return &engine.Error{Op: "notify subscriber", Kind: kind, Text: text, Err: err}
}
