package mesh

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The vectors pin the order of the signed fields: mailbox, nonce, count, password, timestamp.
func TestTokenKnownAnswers(t *testing.T) {
	for _, v := range []struct{ mailbox, nonce, count, password, stamp, want string }{
		{"X26ABC1", "2c001608-5f09-4840-9611-bea43e666a30", "0", "password", "202601011200", "4943f0ef5e08ecdd86986d71a0f18a07442d983b7a96079b74c6cbbc75361431"},
		{"X26ABC1", "2c001608-5f09-4840-9611-bea43e666a30", "1", "password", "202601011200", "7035d7f9ef6402fcb5d41b0c8e045dd588b6f362504aa545e71e2f2ccdbf3244"},
		{"ALICE", "0f8fad5b-d9cb-469f-a165-70867728950e", "007", "pa:ss", "202602282359", "881e3a7fa1e9c7b172441aa948ecb65806b90c1bcf86c29e6c0861d041af8d94"},
	} {
		at, err := time.Parse(tokenTime, v.stamp)
		if err != nil {
			t.Fatal(err)
		}
		got := NewToken(v.mailbox, v.nonce, v.count, at, Secret(v.password), "TestKey")
		if got.Hash != v.want {
			t.Errorf("%s %s: hash %s, want %s", v.mailbox, v.count, got.Hash, v.want)
		}
		want := fmt.Sprintf("NHSMESH %s:%s:%s:%s:%s", v.mailbox, v.nonce, v.count, v.stamp, v.want)
		if got.Header() != want {
			t.Errorf("header %q, want %q", got.Header(), want)
		}
		back, err := ParseToken(got.Header())
		if err != nil || back != got {
			t.Errorf("ParseToken(%q) = %+v, %v", want, back, err)
		}
	}
}

func TestTokenTimestampIsUTC(t *testing.T) {
	summer := time.Date(2026, 7, 1, 0, 30, 59, 0, time.FixedZone("BST", 3600))
	if got := NewToken("TESTLA01", "n", "0", summer, "p", "k").Timestamp; got != "202606302330" {
		t.Errorf("timestamp %s, want 202606302330", got)
	}
}

func TestParseTokenRefuses(t *testing.T) {
	for name, header := range map[string]string{
		"empty":            "",
		"no scheme":        "TESTLA01:n:0:202601011200:aa",
		"lower-case":       "nhsmesh TESTLA01:n:0:202601011200:aa",
		"colon for space":  "NHSMESH:TESTLA01:n:0:202601011200:aa",
		"two spaces":       "NHSMESH  TESTLA01:n:0:202601011200:aa",
		"four fields":      "NHSMESH TESTLA01:n:0:202601011200",
		"six fields":       "NHSMESH TESTLA01:n:0:202601011200:aa:bb",
		"count letter":     "NHSMESH TESTLA01:n:a:202601011200:aa",
		"count negative":   "NHSMESH TESTLA01:n:-1:202601011200:aa",
		"count empty":      "NHSMESH TESTLA01:n::202601011200:aa",
		"nonce empty":      "NHSMESH TESTLA01::0:202601011200:aa",
		"mailbox empty":    "NHSMESH :n:0:202601011200:aa",
		"space in mailbox": "NHSMESH TEST LA01:n:0:202601011200:aa",
		"basic":            "Basic dGVzdDp0ZXN0",
	} {
		if _, err := ParseToken(header); err != ErrTokenFormat {
			t.Errorf("%s: error %v, want ErrTokenFormat", name, err)
		}
	}
}

func TestTokenTime(t *testing.T) {
	for stamp, ok := range map[string]bool{
		"202601011200": true, "20260101120000": false, "hello": false, "": false, "202613011200": false, "20260101120 ": false,
	} {
		if _, err := (Token{Timestamp: stamp}).Time(); (err == nil) != ok {
			t.Errorf("Time(%q): error %v", stamp, err)
		}
	}
}

func TestVerifyRefusesEveryChange(t *testing.T) {
	good := NewToken("TESTLA01", "nonce", "7", time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), "password", "TestKey")
	if !good.Verify("password", "TestKey") {
		t.Fatal("good token refused")
	}
	upper := good
	upper.Hash = strings.ToUpper(upper.Hash)
	if !upper.Verify("password", "TestKey") {
		t.Error("upper-case hash refused")
	}
	for name, change := range map[string]func(*Token){
		"mailbox":   func(t *Token) { t.MailboxID = "TESTLA02" },
		"nonce":     func(t *Token) { t.Nonce = "other" },
		"count":     func(t *Token) { t.Count = "07" },
		"timestamp": func(t *Token) { t.Timestamp = "202601011201" },
		"hash":      func(t *Token) { t.Hash = t.Hash[:63] },
	} {
		bad := good
		change(&bad)
		if bad.Verify("password", "TestKey") {
			t.Errorf("changed %s accepted", name)
		}
	}
	if good.Verify("Password", "TestKey") || good.Verify("password", "testKey") {
		t.Error("wrong secret accepted")
	}
}

func TestTokenRoundTrip(t *testing.T) {
	field := rapid.StringMatching(`[A-Za-z0-9-]{1,40}`)
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0)
		password, key := Secret(rapid.String().Draw(t, "password")), Secret(rapid.String().Draw(t, "key"))
		tok := NewToken(field.Draw(t, "mailbox"), field.Draw(t, "nonce"), rapid.StringMatching(`[0-9]{1,5}`).Draw(t, "count"), at, password, key)
		back, err := ParseToken(tok.Header())
		if err != nil || back != tok || !back.Verify(password, key) {
			t.Fatalf("round trip: %v", err)
		}
		if made, err := back.Time(); err != nil || at.Sub(made) >= time.Minute || at.Before(made) {
			t.Fatalf("time %v, made at %v: %v", made, at, err)
		}
	})
}

func TestSecretsNeverPrint(t *testing.T) {
	const hidden = "hunter2"
	cfg := Config{Password: hidden, SharedKey: hidden}
	tok := NewToken("TESTLA01", "nonce", "0", time.Unix(0, 0), hidden, hidden)
	asJSON, err := json.Marshal(cfg.Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		fmt.Sprint(cfg), fmt.Sprintf("%v", cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprintf("%s", cfg.Password),
		fmt.Sprintf("%q %x %d %c", cfg.Password, cfg.Password, cfg.Password, cfg.Password), cfg.Password.LogValue().String(), string(asJSON),
		fmt.Sprint(tok),
	} {
		if strings.Contains(s, hidden) || strings.Contains(s, tok.Hash) || strings.Contains(s, fmt.Sprintf("%x", hidden)) {
			t.Errorf("a secret shows in %q", s)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("NHSMESH X26ABC1:2c001608-5f09-4840-9611-bea43e666a30:0:202601011200:4943f0ef5e08ecdd")
	f.Add("NHSMESH a:b:c")
	f.Add("Basic x")
	f.Fuzz(func(t *testing.T, header string) {
		tok, err := ParseToken(header)
		if err != nil {
			if tok != (Token{}) {
				t.Error("a refused token is not empty")
			}
			return
		}
		if tok.Header() != header {
			t.Errorf("header %q came back as %q", header, tok.Header())
		}
		_, _ = tok.Time()
		_ = tok.Verify("p", "k")
	})
}
