package meshserver

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"

	"signalbox/mesh"
	"signalbox/mesh/internal/wire"
)

// authorise checks the token against the mailbox of the path and answers 403 when it does not hold. The order is that of
// the service's published check list: shape, mailbox, hash, time, first use.
func (x *exchange) authorise(pathMailbox string) bool {
	id := strings.ToUpper(pathMailbox)
	token, fault := readToken(x.r.Header.Get("Authorization"), id)
	if fault != "" {
		return x.deny(wire.Fault{Text: fault})
	}
	box, ok := x.s.mailboxes[id]
	if !ok {
		return x.deny(wire.Fault{Event: "SEND", Code: "EPL-151", Text: "No mailbox matched"})
	}
	if !token.Verify(box.Password, x.s.cfg.SharedKey) {
		return x.deny(wire.Fault{Text: wire.TextAuthInvalid})
	}
	if !box.Active {
		return x.deny(wire.Fault{Text: wire.TextInactive})
	}
	now := x.s.now()
	made, err := token.Time()
	if err != nil || made.Before(now.Add(-mesh.TokenWindow)) || made.After(now.Add(mesh.TokenWindow)) {
		return x.deny(wire.Fault{Text: wire.TextAuthInvalid}) // the service's text for this is not published
	}
	if !x.s.tokens.use(token, made, now) {
		return x.deny(wire.Fault{Text: wire.TextAuthReplay})
	}
	x.mailbox = box
	return true
}

func (x *exchange) deny(f wire.Fault) bool {
	x.fail(http.StatusForbidden, "", f)
	return false
}

// readToken returns the token, or the text to refuse it with. What cannot be a token for this mailbox is told so first,
// as the sandbox does; a right mailbox in a wrong form is a header that cannot be read.
func readToken(header, mailbox string) (mesh.Token, string) {
	if header == "" {
		return mesh.Token{}, wire.TextAuthHeader
	}
	rest := header
	if len(header) >= 8 && strings.EqualFold(header[:7], "NHSMESH") {
		rest = header[8:]
		if inner := strings.TrimSpace(rest); inner == rest && strings.Contains(rest, " ") {
			return mesh.Token{}, wire.TextAuthHeader
		}
	}
	if first, _, _ := strings.Cut(rest, ":"); first != mailbox {
		return mesh.Token{}, wire.TextAuthMailbox
	}
	token, err := mesh.ParseToken(header)
	if err != nil {
		return mesh.Token{}, wire.TextAuthHeader
	}
	return token, ""
}

// tokenSet remembers which tokens were used, for as long as their time would still let them pass. It is kept in memory: a
// restart forgets it.
type tokenSet struct {
	mu    sync.Mutex
	used  map[tokenKey]struct{}
	byMin map[int64][]tokenKey // keys by the minute in their timestamp
	swept int64
}

type tokenKey [16]byte

func newTokenSet() *tokenSet {
	return &tokenSet{used: map[tokenKey]struct{}{}, byMin: map[int64][]tokenKey{}}
}

// use reports whether mailbox, nonce and count were not seen together before. Counts are compared as numbers.
func (s *tokenSet) use(t mesh.Token, made, now time.Time) bool {
	sum := sha256.Sum256([]byte(t.MailboxID + ":" + t.Nonce + ":" + strings.TrimLeft(t.Count, "0")))
	key := tokenKey(sum[:16])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	if _, seen := s.used[key]; seen {
		return false
	}
	s.used[key] = struct{}{}
	minute := made.Unix() / 60
	s.byMin[minute] = append(s.byMin[minute], key)
	return true
}

// sweep forgets, once a minute, the tokens that have become too old to pass.
func (s *tokenSet) sweep(now time.Time) {
	minute := now.Unix() / 60
	if minute == s.swept {
		return
	}
	s.swept = minute
	oldest := now.Add(-mesh.TokenWindow).Unix() / 60
	for m, keys := range s.byMin {
		if m >= oldest {
			continue
		}
		for _, k := range keys {
			delete(s.used, k)
		}
		delete(s.byMin, m)
	}
}
