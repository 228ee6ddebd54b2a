package pds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
)

// maxToken bounds the answer of the token endpoint.
const maxToken = 64 << 10

// tokens keeps the access token. turn lets one caller at a time look at it or fetch another; a channel, so that waiting ends with the context.
type tokens struct {
	auth  Auth
	http  *http.Client
	now   func() time.Time
	turn  chan struct{}
	value string
	until time.Time
}

func newTokens(a Auth, client *http.Client, now func() time.Time) *tokens {
	if a.Audience == "" {
		a.Audience = a.TokenURL
	}
	return &tokens{auth: a, http: client, now: now, turn: make(chan struct{}, 1)}
}

// get returns a token that is good for a while. stale is a token that PDS has refused; it is not returned again.
func (t *tokens) get(ctx context.Context, stale string) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if t.value != "" && t.value != stale && t.now().Before(t.until) {
		return t.value, nil
	}
	value, life, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.value, t.until = value, t.now().Add(max(life-t.auth.Early, life/2))
	return value, nil
}

// assertion is the JWT by which we say who we are: RS512, kid, a jti of its own, five minutes at most (NHS England's guide to signed JWT).
func (t *tokens) assertion() (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", t.auth.KeyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS512, Key: t.auth.Key}, options)
	if err != nil {
		return "", errors.New("the key cannot sign with RS512")
	}
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: t.auth.ClientID, Subject: t.auth.ClientID, Audience: jwt.Audience{t.auth.Audience},
		ID: uuid.NewString(), Expiry: jwt.NewNumericDate(t.now().Add(t.auth.Life)),
	}).Serialize()
}

func (t *tokens) fetch(ctx context.Context) (string, time.Duration, error) {
	assertion, err := t.assertion()
	if err != nil {
		return "", 0, &Error{Op: "token", Kind: Denied, Err: err}
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.auth.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, &Error{Op: "token", Kind: Denied, Err: withoutURL(err)}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := t.http.Do(req)
	if err != nil {
		return "", 0, &Error{Op: "token", Kind: Unavailable, Err: withoutURL(err)}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", 0, &Error{Op: "token", Kind: statusKind(res.StatusCode), Status: res.StatusCode}
	}
	return readToken(res.Body)
}

// statusKind is the kind of a status that says nothing of a patient.
func statusKind(status int) Kind {
	switch {
	case status == http.StatusTooManyRequests:
		return Throttled
	case status >= 500 || status == http.StatusRequestTimeout:
		return Unavailable
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusBadRequest:
		return Denied
	}
	return Unavailable
}

// readToken reads RFC 6749's answer. NHS England's example has expires_in as text; the RFC has a number: both are taken.
func readToken(body io.Reader) (string, time.Duration, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxToken+1))
	if err == nil && len(raw) > maxToken {
		err = errors.New("the answer is too long")
	}
	var answer struct {
		Token   string          `json:"access_token"`
		Type    string          `json:"token_type"`
		Expires json.RawMessage `json:"expires_in"`
	}
	if err == nil && json.Unmarshal(raw, &answer) != nil {
		err = errors.New("the answer is no JSON of the expected form")
	}
	if err != nil {
		return "", 0, &Error{Op: "token", Kind: Unavailable, Status: http.StatusOK, Err: err}
	}
	seconds, bad := strconv.Atoi(strings.Trim(string(answer.Expires), `"`))
	if bad != nil || seconds <= 0 || seconds > 86400 || !tokenText(answer.Token) || !strings.EqualFold(answer.Type, "bearer") {
		return "", 0, &Error{Op: "token", Kind: Unavailable, Status: http.StatusOK, Err: fmt.Errorf("access_token, token_type or expires_in cannot be used")}
	}
	return answer.Token, time.Duration(seconds) * time.Second, nil
}

// tokenText reports whether s can stand in a header: RFC 6750's b64token and nothing else.
func tokenText(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/=", c) {
			return false
		}
	}
	return s != ""
}
