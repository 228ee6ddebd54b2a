package app_test

import (
	"regexp"
	"strings"
	"testing"

	"signalbox/engine/app"
)

// A refusal names settings as the file does, and no Go name: it is read by an integrator at night, beside the file.
func TestRefusalsSpeakOfTheFile(t *testing.T) {
	goName := regexp.MustCompile(`\b(JWKS\w+|TokenSHA256|ClientCAs|CanQuery|MaxLifetime|PageSize|PerSecond|identity: config|api: config)\b`)
	const issuer = `fhir: { development: true, issuers: [ { issuer: "https://i.example", audience: us, jwksUrl: "https://i.example/jwks" } ] }`
	for name, tc := range map[string]struct{ old, new, want string }{
		"no issuer":           {`issuer: "https://i.example"`, `issuer: ""`, "fhir.issuers[0]: issuer is missing: what its tokens say in iss"},
		"no audience":         {"audience: us, ", "", "fhir.issuers[0]: audience is missing: what its tokens say in aud"},
		"keys in the clear":   {"https://i.example/jwks", "http://i.example/jwks", "fhir.issuers[0]: jwksUrl is not https"},
		"no keys":             {`, jwksUrl: "https://i.example/jwks"`, "", "fhir.issuers[0]: needs one of jwksFile and jwksUrl"},
		"an unknown signing":  {"audience: us", "audience: us, algorithms: [ none ]", "fhir.issuers[0]: algorithms holds one that is not of RS512, ES256"},
		"an unknown activity": {"development: true", "development: true, roles: [ { code: R0260, activities: [ B1 ] } ]", "neither B0107 nor B0170"},
		"nothing on a page":   {"development: true", "development: true, pageSize: 0", "fhir.pageSize is not positive"},
		"no burst":            {"development: true", "development: true, limits: { perSecond: 1, burst: 0 }", "fhir.limits.burst is under one"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, "fhir: { development: true }", strings.Replace(issuer, tc.old, tc.new, 1), 1)
			_, err := app.ReadConfig(write(t, text))
			if err == nil || !strings.Contains(err.Error(), tc.want) || goName.MatchString(err.Error()) {
				t.Errorf("got %v, want %q in it and no name of Go's", err, tc.want)
			}
		})
	}
}
