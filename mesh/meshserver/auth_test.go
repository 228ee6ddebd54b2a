package meshserver

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/mesh"
)

func TestTokens(t *testing.T) {
	b := newBench(t)
	sign := func(mailbox, nonce, count string, at time.Time, password, key mesh.Secret) string {
		return mesh.NewToken(mailbox, nonce, count, at, password, key).Header()
	}
	now := b.clock()
	good := sign(la, "nonce", "0", now, "password", "TestKey")
	const (
		unread   = "Error reading from Authorization header"
		mailbox  = "Mailbox id does not match token"
		invalid  = "Invalid Authentication Token"
		replayed = "Error Duplicated Authentication Token"
	)
	odd := mesh.Token{MailboxID: la, Nonce: "seconds", Count: "0", Timestamp: "20260101120000"}
	odd.Hash = odd.Sign("password", "TestKey")
	word := mesh.Token{MailboxID: la, Nonce: "word", Count: "0", Timestamp: "hello"}
	word.Hash = word.Sign("password", "TestKey")
	for _, test := range []struct{ name, token, text string }{
		{"good", good, ""},
		{"replayed", good, replayed},
		{"same nonce, next count", sign(la, "nonce", "1", now, "password", "TestKey"), ""},
		{"same count, written otherwise", sign(la, "nonce", "001", now, "password", "TestKey"), replayed},
		{"same nonce and count, other time", sign(la, "nonce", "1", now.Add(-time.Minute), "password", "TestKey"), replayed},
		{"lower count later", sign(la, "nonce2", "2", now, "password", "TestKey"), ""},
		{"lower count later ", sign(la, "nonce2", "1", now, "password", "TestKey"), ""},
		{"two hours old", sign(la, "old", "0", now.Add(-2*time.Hour), "password", "TestKey"), ""},
		{"two hours ahead", sign(la, "new", "0", now.Add(2*time.Hour), "password", "TestKey"), ""},
		{"too old", sign(la, "older", "0", now.Add(-2*time.Hour-time.Minute), "password", "TestKey"), invalid},
		{"too new", sign(la, "newer", "0", now.Add(2*time.Hour+time.Minute), "password", "TestKey"), invalid},
		{"timestamp with seconds", odd.Header(), invalid},
		{"timestamp a word", word.Header(), invalid},
		{"wrong password", sign(la, "a", "0", now, "Password", "TestKey"), invalid},
		{"wrong key", sign(la, "b", "0", now, "password", "testkey"), invalid},
		{"hash in upper case", "NHSMESH " + strings.ToUpper(strings.TrimPrefix(sign(la, "UP", "0", now, "password", "TestKey"), "NHSMESH ")), ""},
		{"missing", "", unread},
		{"four parts", "NHSMESH " + la + ":n:0:202601011200", unread},
		{"count a letter", "NHSMESH " + la + ":n:a:202601011200:00", unread},
		{"count negative", "NHSMESH " + la + ":n:-1:202601011200:00", unread},
		{"space in mailbox", "NHSMESH TEST LA01:n:0:202601011200:00", unread},
		{"no scheme", strings.TrimPrefix(sign(la, "c", "0", now, "password", "TestKey"), "NHSMESH "), unread},
		{"lower-case scheme", "nhsmesh" + strings.TrimPrefix(sign(la, "d", "0", now, "password", "TestKey"), "NHSMESH"), unread},
		{"colon for the space", "NHSMESH:" + strings.TrimPrefix(sign(la, "e", "0", now, "password", "TestKey"), "NHSMESH "), unread},
		{"other mailbox", sign(trust, "f", "0", now, "password", "TestKey"), mailbox},
		{"mailbox in lower case", sign(strings.ToLower(la), "g", "0", now, "password", "TestKey"), mailbox},
		{"two spaces", "NHSMESH  " + strings.TrimPrefix(good, "NHSMESH "), mailbox},
		{"basic", "Basic dGVzdDp0ZXN0", mailbox},
		{"junk", "x", mailbox},
	} {
		r := b.call("GET", la, "/count", "", "Authorization: "+test.token)
		if test.text == "" {
			b.wantStatus(test.name, r, http.StatusOK)
			continue
		}
		b.wantFault(test.name, r, http.StatusForbidden, "", "", test.text)
	}
	b.wantStatus("path in lower case", b.call("GET", strings.ToLower(la), "/count", ""), http.StatusOK)
	b.wantFault("unknown mailbox", b.call("GET", "NOBODY", "/count", ""), http.StatusForbidden, "SEND", "EPL-151", "No mailbox matched")
	b.wantFault("inactive mailbox", b.call("GET", idle, "/count", ""), http.StatusForbidden, "", "", "Request Received from Inactive Mailbox")
}

func TestEveryMailboxCallAsksForAToken(t *testing.T) {
	b := newBench(t)
	for _, rt := range routes(true) {
		path := strings.Join(rt.path, "/")
		if !strings.Contains(path, "{mb}") {
			continue
		}
		suffix := strings.ReplaceAll(strings.TrimPrefix(path, "messageexchange/{mb}"), "{}", "1")
		if r := b.call(rt.method, la, suffix, "", "Authorization:"); r.status != http.StatusForbidden {
			t.Errorf("%s %s: %d", rt.method, path, r.status)
		}
	}
}

func TestUsedTokensAreForgottenWhenTooOld(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s, err := newTokenSet("", now)
	if err != nil {
		t.Fatal(err)
	}
	use := func(tok mesh.Token, at time.Time) bool {
		first, err := s.use(tok, at, at)
		return first && err == nil
	}
	for i := range 600 {
		at := now.Add(time.Duration(i) * time.Minute)
		tok := mesh.Token{MailboxID: la, Nonce: fmt.Sprint(i), Count: "0"}
		if !use(tok, at) || use(tok, at) {
			t.Fatalf("minute %d: a token did not pass exactly once", i)
		}
		if len(s.used) > 122 || len(s.byMin) > 122 {
			t.Fatalf("minute %d: %d tokens are kept", i, len(s.used))
		}
	}
}

func TestAcceptHeader(t *testing.T) {
	b := newBench(t)
	for accept, version := range map[string]int{
		"": 1, "application/json": 1, "*/*": 1, "application/vnd.mesh.v1+json": 1, "application/vnd.mesh.v2+json": 2, "application/vnd.mesh.v3+json": 2,
		"application/json;application/vnd.mesh.v2+json": 2, "application/vnd.mesh.v2+json, */*": 0, "application/vnd.mesh.vx+json": 0, "application/vnd.mesh": 0,
	} {
		r := b.call("GET", la, "/count", "", "Accept: "+accept)
		switch {
		case version == 0:
			b.wantStatus(accept, r, http.StatusBadRequest)
			if b.object(r)["errorDescription"] != "Accept header api format incorrect" {
				t.Errorf("%s: %s", accept, r.body)
			}
		case r.status != http.StatusOK || (b.object(r)["allResultsIncluded"] == true) != (version == 1):
			t.Errorf("%s: %d %s, want version %d", accept, r.status, r.body, version)
		}
	}
}

// Uses are on record after a flush, several with one write, each in the file of its hour; a use that is refused adds nothing.
func TestUsedTokensAreRecordedTogether(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 1, 1, 11, 59, 0, 0, time.UTC)
	s, err := newTokenSet(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	use := func(s *tokenSet, nonce string, at time.Time) bool {
		first, err := s.use(mesh.Token{MailboxID: la, Nonce: nonce, Count: "0"}, at, at)
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	size := func(hour string) int64 {
		info, err := os.Stat(filepath.Join(dir, hour))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if !use(s, "a", now) || !use(s, "b", now) || use(s, "a", now) || size("2026010111") != 0 {
		t.Error("before the flush: a use is wrong, or is on record already")
	}
	for range 2 { // the second has nothing to do
		if err := s.flush(); err != nil || size("2026010111") != 2*tokenRecord {
			t.Errorf("after the flush: %v, %d bytes", err, size("2026010111"))
		}
	}
	later := now.Add(time.Minute)
	if !use(s, "c", now) || !use(s, "d", later) || size("2026010111") != 3*tokenRecord || size("2026010112") != 0 {
		t.Error("the hour before was not ended with its own")
	}
	if err := s.close(); err != nil || size("2026010112") != tokenRecord {
		t.Errorf("after the end: %v, %d bytes", err, size("2026010112"))
	}
	again, err := newTokenSet(dir, later)
	if err != nil {
		t.Fatal(err)
	}
	for _, nonce := range []string{"a", "b", "c", "d"} {
		if use(again, nonce, later) {
			t.Errorf("token %s passes again", nonce)
		}
	}
	if err := again.close(); err != nil {
		t.Error(err)
	}
}
