package mesh

import (
	"bytes"
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
	// unzips holds gzip readers: each carries a window of 32 KiB.
	unzips sync.Pool
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
	}
	c.unzips.New = func() any { return new(gzip.Reader) }
	if c.rt == nil {
		t := newTransport(cfg)
		c.rt, c.idle = t, t.CloseIdleConnections
	}
	return c, nil
}

// newTransport speaks HTTP/1.1, as the service does, and leaves bodies as they came: decompression is ours, chunk by chunk.
func newTransport(cfg Config) *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DisableCompression:    true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   30 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if cfg.TLS != nil {
		t.TLSClientConfig = cfg.TLS.Clone()
	}
	return t
}

// Close drops idle connections. The client may still be used.
func (c *Client) Close() { c.idle() }

// MailboxID returns the mailbox that the client works for.
func (c *Client) MailboxID() string { return c.cfg.MailboxID }

// call is one API call; its attempts differ only in the token.
type call struct {
	op     string
	method string
	path   []string // after the mailbox, unescaped
	query  url.Values
	header http.Header
	body   []byte
	once   bool // never repeated when it might have been received
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
		wait := retryAfter(resp)
		discard(resp)
		if r.once && sent && lost(fail) && !teeth.Bite("send-repeated") {
			fail.Kind = ErrOutcomeUnknown
			return nil, fail
		}
		if !c.again(r, fail, sent, attempt) || ctx.Err() != nil {
			return nil, fail
		}
		if err := c.sleep(ctx, attempt, wait); err != nil {
			return nil, fail
		}
	}
}

// lost reports whether the request might have been carried out although it failed.
func lost(e *Error) bool { return e.Status == 0 || e.Status >= 500 }

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
	if err != nil {
		return &Error{Op: op, Kind: ErrTransport, Err: err}
	}
	return errorFrom(op, resp.StatusCode, resp.Body)
}

// attempt sends the call once. sent reports whether the request may have reached the server.
func (c *Client) attempt(ctx context.Context, r call) (resp *http.Response, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	req, err := c.request(ctx, r)
	if err != nil {
		cancel()
		return nil, false, err
	}
	// net/http replays a GET by itself on a connection that was dropped, with the same header map, and a used token would
	// be refused. The hook runs in the goroutine of RoundTrip, before the header is written, so each wire attempt gets a
	// token of its own. Custom transports that know no traces must be believed to have sent.
	conns := 0
	traced := false
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { traced = true },
		GotConn: func(httptrace.GotConnInfo) {
			if conns++; conns > 1 {
				req.Header.Set("Authorization", c.token())
			}
		},
	}
	req = req.WithContext(httptrace.WithClientTrace(ctx, trace))
	resp, err = c.rt.RoundTrip(req)
	if err != nil {
		cancel()
		return nil, conns > 0 || !traced, hideURL(err)
	}
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

func (c *Client) request(ctx context.Context, r call) (*http.Request, error) {
	u := c.base
	for _, p := range r.path {
		u += "/" + url.PathEscape(p)
	}
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, body)
	if err != nil {
		return nil, errors.New("request: cannot be built from this mailbox or message id")
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", c.token())
	req.Header.Set("Accept", wire.MediaV2)
	req.Header.Set("User-Agent", c.cfg.userAgent())
	return req, nil
}

func (c *Client) token() string {
	if teeth.Bite("token-reused") {
		return NewToken(c.cfg.MailboxID, c.cfg.MailboxID, "0", c.cfg.Now(), c.cfg.Password, c.cfg.SharedKey).Header()
	}
	return NewToken(c.cfg.MailboxID, c.cfg.Nonce(), "0", c.cfg.Now(), c.cfg.Password, c.cfg.SharedKey).Header()
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
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
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
