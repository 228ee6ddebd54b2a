package twin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// grant gives a token for an assertion that keeps to the guide to signed JWT: RS512, our kid, issuer and subject the client, our audience, a jti
// that was never seen, and an end within five minutes.
func (s *Server) grant(r *http.Request) answer {
	r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
	if r.Method != http.MethodPost || r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("client_assertion_type") != assertionType {
		return deny("invalid_request")
	}
	if s.cfg.Key == nil {
		return deny("invalid_client")
	}
	token, err := jwt.ParseSigned(r.PostForm.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS512})
	if err != nil || len(token.Headers) != 1 || token.Headers[0].KeyID != s.cfg.KeyID {
		return deny("invalid_request")
	}
	var c jwt.Claims
	if token.Claims(s.cfg.Key, &c) != nil {
		return deny("public_key_error")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	expected := jwt.Expected{Issuer: s.cfg.ClientID, Subject: s.cfg.ClientID, AnyAudience: jwt.Audience{s.cfg.Audience}, Time: now}
	if c.ValidateWithLeeway(expected, 0) != nil || c.Expiry == nil || c.Expiry.Time().Sub(now) > 5*time.Minute || c.ID == "" || s.used[c.ID] {
		return deny("invalid_request")
	}
	s.used[c.ID] = true
	value := uuid.NewString()
	s.tokens[value] = now.Add(s.cfg.Life)
	raw, _ := json.Marshal(map[string]string{ // of strings alone: it cannot fail
		"access_token": value, "token_type": "Bearer", "expires_in": strconv.Itoa(int(s.cfg.Life.Seconds())),
	})
	return answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: raw}
}

func deny(code string) answer {
	return answer{status: http.StatusBadRequest, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(`{"error":"` + code + `"}`)}
}

// admitted reports whether a call carries a token that is good.
func (s *Server) admitted(authorization string) bool {
	if s.cfg.Key == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := strings.CutPrefix(authorization, "Bearer ")
	end, known := s.tokens[value]
	return ok && known && s.cfg.Now().Before(end)
}
