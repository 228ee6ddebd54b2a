package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/engine/app"
)

// good is a complete configuration; the secrets lie beside it.
const good = `store: { path: record.db }
mesh:
  url: https://mesh.example
  sharedKey: { file: key }
mailboxes:
  - { id: SIGNALBOX1, password: { env: SIGNALBOX_TEST_PASSWORD } }
systemId: "999000000001"
routes:
  - name: northshire
    mailbox: SIGNALBOX1
    sender: TESTLA02
    supplier: northshire-csv
    authority: { odsCode: "998", name: NORTHSHIRE COUNTY COUNCIL, emergencyDuty: "01632960102" }
    dialect: csv
    workflows: { upload: U, acknowledgement: A, notification: N }
    window: 15m
fhir: { development: true }
trusts:
  - { name: infirmary, odsCode: RXX99, display: INFIRMARY, deviceId: "999000000002", token: { file: token }, rights: [query] }
`

func write(t *testing.T, text string) string {
	t.Helper()
	t.Setenv("SIGNALBOX_TEST_PASSWORD", "the-password")
	dir := t.TempDir()
	for name, content := range map[string]string{"signalbox.yaml": text, "key": "the-key\n", "token": "the-token\n",
		"hook-key": "the-key-of-thirty-two-bytes-or-more\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "signalbox.yaml")
}

func TestReadConfig(t *testing.T) {
	path := write(t, good)
	cfg, err := app.ReadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Store.Path != filepath.Join(filepath.Dir(path), "record.db") {
		t.Errorf("the store's path is not relative to the file: %s", cfg.Store.Path)
	}
	if cfg.Mesh.Poll != app.Duration(5*time.Minute) || cfg.Visibility.UnbornDays != 28 || cfg.Listen.BasePath != "/FHIR/R4" {
		t.Error("a default is missing")
	}
	if key, err := cfg.Mesh.SharedKey.Read(); err != nil || key != "the-key" {
		t.Errorf("the shared key: %v", err)
	}
	if err := app.Check(cfg); err != nil {
		t.Error(err)
	}
}

func TestConfigThatCannotWorkIsRefusedWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"unknown key":             {"dialect: csv", "dialekt: csv", "dialekt"},
		"repeated key":            {"systemId:", "systemId: \"1\"\nsystemId:", "already defined"},
		"no such mailbox":         {"mailbox: SIGNALBOX1", "mailbox: OTHER", "routes[0].mailbox"},
		"unknown dialect":         {"dialect: csv", "dialect: morse", "routes[0].dialect"},
		"bad duration":            {"window: 15m", "window: soon", "time span"},
		"no emergency duty":       {`, emergencyDuty: "01632960102"`, "", "emergencyDuty"},
		"telephone with letters":  {`"01632960102"`, `"call me"`, "emergencyDuty"},
		"unknown supplier":        {"supplier: northshire-csv", "supplier: nobody", "supplier nobody"},
		"send without a mapping":  {"rights: [query]", "rights: [send]", "trusts[0].supplier"},
		"unknown right":           {"rights: [query]", "rights: [look]", "trusts[0].rights"},
		"secret that is missing":  {"{ file: token }", "{ file: nowhere }", "trusts[0].token"},
		"secret in the file":      {"{ file: token }", "hunter2", "never written here"},
		"secret with another key": {"{ file: token }", "{ value: hunter2 }", "file and env only"},
		"tokens in the clear":     {"store:", "listen: { fhir: \"0.0.0.0:8080\" }\nstore:", "in the clear"},
		"short system id":         {`"999000000001"`, `"1"`, "systemId"},
		"negative window":         {"store:", "visibility: { unbornDays: -1 }\nstore:", "unbornDays"},
		"two documents":           {"store:", "a: 1\n---\nstore:", ""},
		"redis without a name":    {"store:", "stream: { urls: [redis://127.0.0.1:1] }\nstore:", "stream.consumer"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, tc.old, tc.new, 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			cfg, err := app.ReadConfig(write(t, text))
			if err == nil {
				err = app.Check(cfg)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error repeats a secret")
			}
		})
	}
}

// receiver is a receiver that works beside the good configuration.
const receiver = `
subscriptions:
  topic: https://signalbox.northshire.example/topic
  receivers:
    - { name: eds, authority: "998", token: { file: token }, key: { file: hook-key }, endpoints: [ "https://eds.northshire.example/notify" ] }
`

func TestReceiversThatCannotWorkAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"":                     {"eds,", "eds,", ""},
		"no topic":             {"topic: https://signalbox.northshire.example/topic", "topic: access", "subscriptions.topic"},
		"nobody's authority":   {`authority: "998"`, `authority: "000"`, "receivers[0].authority"},
		"http":                 {"https://eds.north", "http://eds.north", "receivers[0].endpoints"},
		"a user in it":         {"https://eds.north", "https://hunter2@eds.north", "receivers[0].endpoints"},
		"no endpoint":          {`[ "https://eds.northshire.example/notify" ]`, "[]", "receivers[0].endpoints"},
		"unknown fallback":     {"key:", "fallback: pigeon, key:", "receivers[0].fallback"},
		"no key":               {"{ file: hook-key }", "{ file: nowhere }", "receivers[0].key"},
		"short key":            {"{ file: hook-key }", "{ file: key }", "receivers[0].key"},
		"nobody can be it":     {"token: { file: token }, key", "key", "nobody can be this receiver"},
		"an empty token":       {"token: { file: token }, key", "token: { file: nowhere }, key", "receivers[0].token"},
		"certificate, no CA":   {"token: { file: token }, key", "certificate: \"dns:eds.northshire.example\", key", "receivers[0].certificate"},
		"hl7v3 under the base": {"subscriptions:", "listen: { hl7v3: /FHIR/R4/v3 }\nsubscriptions:", "listen.hl7v3"},
		"too long a wait":      {"subscriptions:", "listen: { wait: 5m }\nsubscriptions:", "listen.wait"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := app.ReadConfig(write(t, good+strings.Replace(receiver, tc.old, tc.new, 1)))
			if err == nil {
				err = app.Check(cfg)
			}
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

// A receiver's static token is for development, as a trust's is; elsewhere it is known by an issuer's token or by its certificate.
func TestStaticTokensOfReceiversAreForDevelopment(t *testing.T) {
	text := strings.Replace(strings.Replace(good, "development: true", "development: false", 1), "token: { file: token }, rights", "certificate: \"dns:a.example\", rights", 1)
	_, err := app.ReadConfig(write(t, text+receiver))
	if err == nil || !strings.Contains(err.Error(), "receivers[0].token: static tokens are for development") {
		t.Errorf("got %v", err)
	}
}

func TestResponsesThatCannotWorkAreRefused(t *testing.T) {
	const fine = `rights: [send], supplier: testshire-trust-fhir, responses: { key: { file: hook-key }, endpoints: [ "https://ed.example/answers" ] } }`
	for name, tc := range map[string]struct{ old, new, want string }{
		"":                 {"https", "https", ""},
		"http":             {"https", "http", "responses.endpoints"},
		"insecure":         {`endpoints: [ "https`, `insecure: true, endpoints: [ "http`, ""},
		"no key":           {"key: { file: hook-key }, ", "", "responses.key"},
		"short key":        {"{ file: hook-key }", "{ file: key }", "responses.key"},
		"no endpoint":      {`[ "https://ed.example/answers" ]`, "[]", "responses.endpoints"},
		"no right to send": {"rights: [send]", "rights: [query]", "right to send"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := app.ReadConfig(write(t, strings.Replace(good, "rights: [query] }", strings.Replace(fine, tc.old, tc.new, 1), 1)))
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestRedactedConfigNamesSecretsAndDoesNotShowThem(t *testing.T) {
	cfg, err := app.ReadConfig(write(t, good))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Trusts[0].Token = app.Held("the-held-token")
	text, err := cfg.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	all := string(text) + fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)
	for _, secret := range []string{"the-key", "the-password", "the-token", "the-held-token"} {
		if strings.Contains(all, secret) {
			t.Errorf("the secret %s is shown", secret)
		}
	}
	for _, want := range []string{"SIGNALBOX_TEST_PASSWORD", "poll: 5m0s", "unbornDays: 28"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the effective configuration does not say %q:\n%s", want, text)
		}
	}
}
