package mesh

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/internal/teeth"
	"signalbox/mesh/internal/wire"
)

// Client works for one mailbox. It is safe for concurrent use. It starts no goroutine of its own; Close drops the idle
// connections.
type Client struct {
	cfg  Config
	base string // BaseURL + /messageexchange/{mailbox}
	rt   http.RoundTripper
	idle func()
	// unzips holds gzip readers: each carries a window of 32 KiB. zips holds writers: each carries some 800 KiB.
	unzips, zips sync.Pool
	signer       *Signer
	agent        string
	skew         skew
}

// New returns a client for the mailbox that cfg names.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.MailboxID = strings.ToUpper(cfg.MailboxID)
	c := &Client{
		cfg:  cfg,
		base: strings.TrimRight(cfg.BaseURL, "/") + wire.Root + url.PathEscape(cfg.MailboxID),
		rt:   cfg.Transport,
		idle: func() {},

		signer: NewSigner(cfg.SharedKey),
		agent:  cfg.userAgent(),
	}
	c.unzips.New = func() any { return new(gzip.Reader) }
	c.zips.New = func() any { return gzip.NewWriter(io.Discard) }
	c.skew.heard = cfg.OnSkew
	if c.rt == nil {
		t, err := newTransport(cfg)
		if err != nil {
			return nil, err
		}
		c.rt, c.idle = t, t.CloseIdleConnections
	}
	return c, nil
}

// newTransport speaks HTTP/1.1, as the service does, and leaves bodies as they came: decompression is ours, chunk by chunk.
func newTransport(cfg Config) (transport, error) {
	proxy, err := cfg.proxy()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy:                 proxy,
		DisableCompression:    true,
		MaxIdleConnsPerHost:   64, // as many callers as work at once keep their connections
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   30 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if cfg.TLS != nil {
		t.TLSClientConfig = cfg.TLS.Clone()
	}
	if cfg.TLSFiles == (TLSFiles{}) {
		return t, nil
	}
	// What stands in the file before it is read can only be older than what is read: a change in between is seen at the next call.
	seen, _ := stateOf(cfg.TLSFiles.CAFile)
	if t.TLSClientConfig, err = cfg.TLSFiles.Config(); err != nil {
		return nil, err
	}
	if cfg.TLSFiles.CAFile == "" {
		return t, nil
	}
	return &following{files: cfg.TLSFiles, held: t, seen: seen}, nil
}

// transport is a RoundTripper that keeps connections.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// Close drops idle connections. The client may still be used.
func (c *Client) Close() { c.idle() }

// MailboxID returns the mailbox that the client works for.
func (c *Client) MailboxID() string { return c.cfg.MailboxID }

// call is one API call; its attempts differ only in the token.
type call struct {
	op     string
	method string
	path   []string // after the mailbox, or after the root where open is set; unescaped
	query  url.Values
	header http.Header
	body   opener
	// proceed, when set, is asked before each piece of body is written.
	proceed func() error
	once    bool // never repeated when it might have been received
	open    bool // asks for no mailbox and carries no token
}

// do sends the call until it is answered for good and returns an answer with a status that accept lists, or an *Error.
// The caller closes the body.
func (c *Client) do(ctx context.Context, r call, accept ...int) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, sent, err := c.attempt(ctx, r)
		if err == nil {
			for _, s := range accept {
				if resp.StatusCode == s {
					return resp, nil
				}
			}
		}
		fail := failure(r.op, resp, err)
		fail.RetryAfter = retryAfter(resp)
		discard(resp)
		if r.once && sent && lost(fail) && !teeth.Bite("send-repeated") {
			fail.Kind = ErrOutcomeUnknown
			return nil, fail
		}
		if !c.again(r, fail, sent, attempt) || ctx.Err() != nil {
			return nil, fail
		}
		if err := c.sleep(ctx, attempt, fail.RetryAfter); err != nil {
			return nil, fail
		}
	}
}

// lost reports whether the request might have been carried out although it failed. A body that could not be read to its end
// was not sent to its end either.
func lost(e *Error) bool { return e.Kind != ErrInvalid && (e.Status == 0 || e.Status >= 500) }

// again reports whether another attempt is due. A call that must not be repeated is tried again only when its request
// never reached a connection.
func (c *Client) again(r call, e *Error, sent bool, attempt int) bool {
	if attempt >= c.cfg.Attempts || (r.once && sent && !teeth.Bite("send-repeated")) {
		return false
	}
	switch e.Status {
	case 0:
		return e.Kind == ErrTransport
	case http.StatusTooEarly, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func failure(op string, resp *http.Response, err error) *Error {
	if source, ok := errors.AsType[*sourceError](err); ok {
		return &Error{Op: op, Kind: ErrInvalid, Err: source}
	}
	if err != nil {
		return &Error{Op: op, Kind: ErrTransport, Err: err}
	}
	return errorFrom(op, resp.StatusCode, resp.Body)
}

// attempt sends the call once. sent reports whether the request may have reached the server.
func (c *Client) attempt(ctx context.Context, r call) (resp *http.Response, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	var req *http.Request
	// net/http replays a GET by itself on a connection that was dropped, with the same header map, and a used token would
	// be refused. The hook runs in the goroutine of RoundTrip, before the header is written, so each wire attempt gets a
	// token of its own. Custom transports that know no traces must be believed to have sent.
	conns := 0
	traced := false
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { traced = true },
		GotConn: func(httptrace.GotConnInfo) {
			if conns++; conns > 1 && !r.open {
				req.Header.Set("Authorization", c.token())
			}
		},
	}
	req, body, err := c.request(httptrace.WithClientTrace(ctx, trace), r)
	if err != nil {
		cancel()
		return nil, false, err
	}
	before := c.cfg.Now()
	resp, err = c.rt.RoundTrip(req)
	// A transport may go on reading the body after it has returned; the next attempt must not meet it there.
	broken := body.end()
	if err != nil {
		cancel()
		return nil, conns > 0 || !traced, errors.Join(hideURL(err), broken)
	}
	c.skew.measure(resp.Header.Get("Date"), before, c.cfg.Now())
	resp.Body = &cancelBody{ReadCloser: resp.Body, cancel: cancel}
	return resp, true, nil
}

// hideURL strips the address from errors that quote it: a path may hold a local id.
func hideURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// address returns where the call goes.
func (c *Client) address(r call) string {
	u := c.base
	if r.open {
		u = strings.TrimSuffix(strings.TrimRight(c.cfg.BaseURL, "/")+wire.Root, "/")
	}
	for _, p := range r.path {
		u += "/" + url.PathEscape(p)
	}
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	return u
}

// request makes the request of one attempt, and its body, which is nil when there is none.
func (c *Client) request(ctx context.Context, r call) (*http.Request, *attemptBody, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.address(r), nil)
	if err != nil {
		return nil, nil, errors.New("request: cannot be built from this mailbox or message id")
	}
	var body *attemptBody
	if r.body != nil {
		if body, err = newAttemptBody(r.body, r.proceed); err != nil {
			return nil, nil, &sourceError{err}
		}
		req.Body, req.ContentLength = body, body.size
	}
	req.Header = make(http.Header, len(r.header)+3)
	for k, v := range r.header {
		req.Header[k] = v
	}
	if !r.open {
		req.Header.Set("Authorization", c.token())
	}
	req.Header.Set("Accept", c.accept())
	req.Header.Set("User-Agent", c.agent)
	return req, body, nil
}

func (c *Client) accept() string {
	if c.cfg.APIVersion == 1 {
		return wire.MediaV1
	}
	return wire.MediaV2
}

func (c *Client) token() string {
	if teeth.Bite("token-reused") {
		return c.signer.Token(c.cfg.MailboxID, c.cfg.MailboxID, "0", c.cfg.Now(), c.cfg.Password).Header()
	}
	return c.signer.Token(c.cfg.MailboxID, c.cfg.Nonce(), "0", c.cfg.Now(), c.cfg.Password).Header()
}

// sleep waits before the next attempt: at least what the server asked for, at most MaxBackoff.
func (c *Client) sleep(ctx context.Context, attempt int, asked time.Duration) error {
	most := c.cfg.MaxBackoff
	if shift := attempt - 1; shift < 30 && c.cfg.Backoff<<shift < most {
		most = c.cfg.Backoff << shift
	}
	wait := most/2 + rand.N(most/2+1)
	if asked > wait {
		wait = min(asked, c.cfg.MaxBackoff)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// retryAfter reads the seconds form of Retry-After; the date form would trust the server's clock.
func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	s, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || s < 0 || s > 86400 {
		return 0
	}
	return time.Duration(s) * time.Second
}

// discard reads a little of what is left, so that the connection can be used again, and closes.
func discard(resp *http.Response) {
	if resp == nil {
		return
	}
	if resp.Body != http.NoBody {
		_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
	}
	_ = resp.Body.Close()
}

// cancelBody ends the attempt's timeout with its body.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
