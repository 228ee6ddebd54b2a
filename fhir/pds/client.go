package pds

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"signalbox/fhir"
)

// Client asks PDS. It is safe for concurrent use and has no goroutine of its own.
type Client struct {
	cfg    Config
	http   *http.Client
	tokens *tokens // nil: no token
	pace   *rate.Limiter
	room   chan struct{} // attempts that are under way
	memory *memory

	mu    sync.Mutex
	quiet time.Time // nobody asks before: PDS has said so
}

// New returns a client. Nothing is asked before the first question.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTP == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxConnsPerHost, t.MaxIdleConnsPerHost = cfg.Concurrent+1, cfg.Concurrent+1
		cfg.HTTP = t
	}
	h := &http.Client{Transport: cfg.HTTP, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c := &Client{cfg: cfg, http: h, pace: rate.NewLimiter(rate.Limit(cfg.PerSecond), cfg.Burst), room: make(chan struct{}, cfg.Concurrent)}
	if cfg.Auth != nil {
		c.tokens = newTokens(*cfg.Auth, h, cfg.Now)
	}
	if cfg.Remember > 0 {
		c.memory = newMemory(cfg.Remember)
	}
	return c, nil
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// correlation is the key under which a context carries an X-Correlation-ID.
type correlation struct{}

// Correlate returns a context whose questions carry this X-Correlation-ID: a UUID that says what belongs together, such as the questions of one
// file. Without it each question has one of its own.
func Correlate(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlation{}, id)
}

// Patient returns the record that PDS holds under an NHS number of ten digits. The record of a superseded number is that of its successor:
// compare NHSNumber with what was asked. The error is an *Error.
func (c *Client) Patient(ctx context.Context, nhsNumber string) (Patient, error) {
	if !tenDigits(nhsNumber) {
		return Patient{}, &Error{Op: "patient", Kind: BadNumber, Err: errors.New("an NHS number is ten digits")}
	}
	q := question{op: "patient", path: "/Patient/" + nhsNumber, remembered: nhsNumber, read: readPatient}
	return c.ask(ctx, q)
}

// tenDigits is all that has to hold for a number to be asked about; its check digit is PDS's matter.
func tenDigits(s string) bool {
	for _, d := range s {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(s) == 10
}

// question is one thing that is asked, however often it is attempted.
type question struct {
	op, path   string
	query      url.Values
	remembered string // key of the memory; empty: not kept
	read       func(*fhir.Document) (Patient, error)
	requestID  string
	trace      string // X-Correlation-ID
}

// ask attempts a question until it has an answer, or no attempt or no time is left.
func (c *Client) ask(ctx context.Context, q question) (Patient, error) {
	q.requestID = uuid.NewString()
	if q.trace, _ = ctx.Value(correlation{}).(string); q.trace == "" {
		q.trace = uuid.NewString()
	}
	stale := ""
	for n := 1; ; n++ {
		p, token, wait, err := c.attempt(ctx, q, stale)
		if err == nil {
			return p, nil
		}
		failure, ok := errors.AsType[*Error](err)
		if !ok {
			failure = &Error{Op: q.op, Kind: Unavailable, RequestID: q.requestID, Err: withoutURL(err)}
		}
		if failure.Kind == Denied && failure.Status == http.StatusUnauthorized && token != "" && stale == "" && n < c.cfg.Attempts {
			stale = token // it may have ended early: once, with another
			continue
		}
		if !failure.again() || n >= c.cfg.Attempts || ctx.Err() != nil || wait > c.cfg.MaxRetryAfter {
			return Patient{}, failure
		}
		if c.cfg.FreshRequestIDs {
			q.requestID = uuid.NewString()
		}
		if err := sleep(ctx, max(wait, c.backoff(n))); err != nil {
			return Patient{}, failure
		}
	}
}

// backoff is how long to wait after n failures: half of it for certain, half by chance.
func (c *Client) backoff(n int) time.Duration {
	d := c.cfg.Backoff
	for i := 1; i < n && d < c.cfg.MaxBackoff; i++ {
		d *= 2
	}
	d = min(d, c.cfg.MaxBackoff)
	return d/2 + time.Duration(rand.Float64()*float64(d/2))
}

// attempt asks once. It returns the token that it used and how long PDS asks to be left alone.
func (c *Client) attempt(ctx context.Context, q question, stale string) (Patient, string, time.Duration, error) {
	if err := c.enter(ctx); err != nil {
		return Patient{}, "", 0, err
	}
	defer func() { <-c.room }()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	token := ""
	if c.tokens != nil {
		var err error
		if token, err = c.tokens.get(ctx, stale); err != nil {
			return Patient{}, "", 0, err
		}
	}
	res, kept, err := c.send(ctx, q, token)
	if err != nil {
		return Patient{}, token, 0, withoutURL(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified && kept != nil {
		return *kept, token, 0, nil
	}
	body, err := c.body(res)
	wait := retryAfter(res.Header.Get("Retry-After"), c.cfg.Now())
	if res.StatusCode != http.StatusOK {
		if res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable {
			c.hush(min(wait, c.cfg.MaxRetryAfter))
		}
		return Patient{}, token, wait, c.refusal(q, res.StatusCode, body)
	}
	if err != nil {
		return Patient{}, token, wait, &Error{Op: q.op, Kind: Unavailable, Status: res.StatusCode, RequestID: q.requestID, Err: withoutURL(err)}
	}
	p, err := c.answer(q, body)
	if err == nil && c.memory != nil && q.remembered != "" {
		c.memory.keep(q.remembered, res.Header.Get("ETag"), p)
	}
	return p, token, wait, err
}

// enter waits for the pace, for the end of a silence that PDS asked for, and for room.
func (c *Client) enter(ctx context.Context) error {
	select {
	case c.room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	quiet := c.quiet
	c.mu.Unlock()
	err := sleep(ctx, quiet.Sub(c.cfg.Now()))
	if err == nil {
		err = c.pace.Wait(ctx)
	}
	if err != nil {
		<-c.room
	}
	return err
}

// hush keeps every caller silent for a while: where one is over the rate, all are.
func (c *Client) hush(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.cfg.Now().Add(d); until.After(c.quiet) {
		c.quiet = until
	}
}

func (c *Client) send(ctx context.Context, q question, token string) (*http.Response, *Patient, error) {
	at := c.cfg.BaseURL + q.path
	if q.query != nil {
		at += "?" + q.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, nil, errors.New("the request cannot be made")
	}
	req.Header.Set("Accept", fhir.MediaType)
	req.Header.Set("X-Request-ID", q.requestID)
	req.Header.Set("X-Correlation-ID", q.trace)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	var kept *Patient
	if c.memory != nil && q.remembered != "" {
		if tag, p, ok := c.memory.find(q.remembered); ok {
			req.Header.Set("If-None-Match", tag)
			kept = &p
		}
	}
	res, err := c.http.Do(req)
	return res, kept, err
}

var errTooLong = errors.New("the answer is longer than the limit")

func (c *Client) body(res *http.Response) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(res.Body, int64(c.cfg.Limits.MaxBytes)+1))
	if err != nil {
		return nil, errors.New("the answer broke off")
	}
	if len(raw) > c.cfg.Limits.MaxBytes {
		return nil, errTooLong
	}
	return raw, nil
}

// retryAfter reads seconds or an HTTP date (RFC 9110); anything else is no wish.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<31 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
