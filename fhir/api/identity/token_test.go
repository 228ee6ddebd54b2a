package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
)

func TestATokenNamesThePerson(t *testing.T) {
	for alg, key := range map[jose.SignatureAlgorithm]string{jose.RS512: "rsa", jose.ES256: "ec"} {
		d := newDoor(t, nil)
		for range 3 { // the second time from memory
			caller, refused := d.token(t, sign(t, key, alg, key, person(d.now)))
			require.Nil(t, refused)
			assert.Equal(t, engine.Actor{
				DeviceID: "999999990001", Organisation: engine.Organisation{ODSCode: "TST01", Name: "Testshire Hospitals NHS Trust"},
				Person: &engine.Person{UserID: "999900001234", RoleProfile: "999900005678", RoleCode: "R0260",
					RoleName: "General Medical Practitioner", Name: "Dr Casey Invented"},
			}, caller.Actor())
			assert.Equal(t, ByToken, caller.Way)
			assert.True(t, caller.MayQuery(false))
			assert.False(t, caller.MayQuery(true))
		}
	}
}

// TestTokensThatAreRefused is the table of what can be wrong with a token.
func TestTokensThatAreRefused(t *testing.T) {
	d := newDoor(t, nil)
	sound := person(d.now)
	with := func(name string, value any) string {
		return sign(t, "rsa", jose.RS512, "rsa", changed(sound, name, value))
	}
	good := with("jti", "x")
	part := strings.Split(good, ".")
	text := func(v any) string {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	none := text(map[string]string{"alg": "none", "kid": "rsa"})
	later := changed(sound, "exp", d.now.Add(30*time.Minute).Unix())
	for name, tt := range map[string]struct {
		token string
		want  Reason
	}{
		"alg none":                           {none + "." + part[1] + ".", WrongAlgorithm},
		"alg none with the old signature":    {none + "." + part[1] + "." + part[2], WrongAlgorithm},
		"alg NONE":                           {text(map[string]string{"alg": "NONE", "kid": "rsa"}) + "." + part[1] + ".", WrongAlgorithm},
		"no alg":                             {text(map[string]string{"kid": "rsa"}) + "." + part[1] + "." + part[2], WrongAlgorithm},
		"HS256":                              {text(map[string]string{"alg": "HS256", "kid": "rsa"}) + "." + part[1] + "." + part[2], WrongAlgorithm},
		"RS256, which is not allowed":        {sign(t, "rsa", jose.RS256, "rsa", sound), WrongAlgorithm},
		"PS512, which is not allowed":        {sign(t, "rsa", jose.PS512, "rsa", sound), WrongAlgorithm},
		"an RSA token with an EC key's id":   {sign(t, "rsa", jose.RS512, "ec", sound), WrongAlgorithm},
		"signed by another key":              {sign(t, "other", jose.RS512, "rsa", sound), BadSignature},
		"changed claims":                     {part[0] + "." + text(later) + "." + part[2], BadSignature},
		"no signature":                       {part[0] + "." + part[1] + ".", BadSignature},
		"a key that it brings itself":        {sign(t, "other", jose.RS512, "mine", sound, "jku", "https://evil.example/jwks"), UnknownKey},
		"no key id":                          {sign(t, "rsa", jose.RS512, "", sound), MissingClaim},
		"an unknown key id":                  {sign(t, "rsa", jose.RS512, "2019", sound), UnknownKey},
		"a secret key's id":                  {sign(t, "rsa", jose.RS512, "secret", sound), UnknownKey},
		"an identity token":                  {sign(t, "rsa", jose.RS512, "rsa", sound, "typ", "id+jwt"), Malformed},
		"an unknown critical header":         {text(map[string]any{"alg": "RS512", "kid": "rsa", "crit": []string{"x"}, "x": 1}) + "." + part[1] + "." + part[2], BadSignature},
		"another issuer":                     {with("iss", "https://issuer.northshire.example"), WrongIssuer},
		"no issuer":                          {with("iss", nil), WrongIssuer},
		"issuer that is no text":             {with("iss", 1), WrongIssuer},
		"another audience":                   {with("aud", "https://elsewhere.example"), WrongAudience},
		"other audiences":                    {with("aud", []string{"a", "b"}), WrongAudience},
		"no audience":                        {with("aud", nil), WrongAudience},
		"expired":                            {with("exp", d.now.Add(-31*time.Second).Unix()), Expired},
		"expired at this very moment":        {with("exp", d.now.Add(-30*time.Second).Unix()), Expired},
		"no exp":                             {with("exp", nil), MissingClaim},
		"exp that is text":                   {with("exp", "tomorrow"), MissingClaim},
		"exp beyond all time":                {with("exp", 1e30), MissingClaim},
		"not yet valid":                      {with("nbf", d.now.Add(time.Minute).Unix()), NotYetValid},
		"nbf that is text":                   {with("nbf", "now"), MissingClaim},
		"issued in the future":               {with("iat", d.now.Add(time.Minute).Unix()), NotYetValid},
		"no iat":                             {with("iat", nil), MissingClaim},
		"too long lived":                     {with("exp", d.now.Add(time.Hour+time.Second).Unix()), TooLongLived},
		"no client":                          {with("client_id", nil), MissingClaim},
		"a client that is not configured":    {with("client_id", "northshire-ed"), UnknownClient},
		"no user":                            {with("sub", nil), MissingClaim},
		"user that is no text":               {with("sub", []string{"a"}), MissingClaim},
		"user with a line break":             {with("sub", "9999\n0000"), MissingClaim},
		"user without end":                   {with("sub", strings.Repeat("9", 300)), MissingClaim},
		"no role":                            {with("role_code", nil), MissingClaim},
		"no organisation":                    {with("organisation", nil), MissingClaim},
		"claims that are no object":          {sign(t, "rsa", jose.RS512, "rsa", nil), WrongIssuer},
		"two dots and nothing":               {"..", WrongAlgorithm},
		"not base64":                         {"a.b%.c", Malformed},
		"four parts":                         {good + ".a", UnknownToken},
		"longer than any token":              {strings.Repeat("a", 20_000) + "." + part[1] + "." + part[2], Malformed},
		"a static token where none is taken": {"secret", StaticRefused},
	} {
		t.Run(name, func(t *testing.T) {
			caller, refused := d.token(t, tt.token)
			require.NotNil(t, refused, "%v", caller)
			if tt.want == UnknownToken { // without development a token of another form is a static one
				tt.want = StaticRefused
			}
			assert.Equal(t, tt.want, refused.Reason)
			assert.Nil(t, caller)
			assert.Equal(t, tt.want == UnknownClient, refused.Forbidden())
			assert.False(t, refused.Away())
			for _, piece := range strings.Split(tt.token, ".") {
				if len(piece) > 8 {
					assert.NotContains(t, refused.Error()+d.log.String(), piece)
				}
			}
		})
	}
	_, refused := d.token(t, good)
	assert.Nil(t, refused, "the one that the others are made of is good")
}

func TestAuthorizationHeaders(t *testing.T) {
	d := newDoor(t, nil)
	good := sign(t, "ec", jose.ES256, "ec", person(d.now))
	for want, headers := range map[Reason][]string{
		NoCredentials: nil,
		Malformed:     {"Basic " + good},
		"":            {"bearer  " + good + " "},
	} {
		_, refused := d.ask(t, headers...)
		if want == "" {
			assert.Nil(t, refused)
			continue
		}
		assert.Equal(t, want, refused.Reason)
	}
	_, refused := d.ask(t, "Bearer "+good, "Bearer "+good)
	assert.Equal(t, Malformed, refused.Reason)
	_, refused = d.ask(t, "Bearer")
	assert.Equal(t, Malformed, refused.Reason)
}

func TestAnIssuersOwnAlgorithmsCount(t *testing.T) {
	d := newDoor(t, func(c *Config) { c.Issuers[0].Algorithms = []string{"ES256"} })
	_, refused := d.token(t, sign(t, "rsa", jose.RS512, "rsa", person(d.now)))
	assert.Equal(t, WrongAlgorithm, refused.Reason)
	_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", person(d.now)))
	assert.Nil(t, refused)
}

func TestATokenRunsOutOfMemory(t *testing.T) {
	d := newDoor(t, nil)
	token := sign(t, "ec", jose.ES256, "ec", person(d.now))
	_, refused := d.token(t, token)
	require.Nil(t, refused)
	assert.Len(t, d.tokens.held, 1)
	d.now = d.now.Add(10*time.Minute + 29*time.Second)
	_, refused = d.token(t, token)
	assert.Nil(t, refused, "the clocks may be half a minute apart")
	d.now = d.now.Add(time.Second)
	_, refused = d.token(t, token)
	assert.Equal(t, Expired, refused.Reason)
}

func TestAudienceAmongOthers(t *testing.T) {
	d := newDoor(t, nil)
	_, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(d.now), "aud", []string{"other", audience})))
	assert.Nil(t, refused)
}

// TestOneUse is what "replayed jti" means here: tokens of an issuer whose tokens are made for one request.
func TestOneUse(t *testing.T) {
	d := newDoor(t, func(c *Config) { c.Issuers[0].OneUse, c.CacheSize = true, 3 })
	d.now = d.now.Add(time.Minute)
	token := sign(t, "ec", jose.ES256, "ec", person(d.now))
	_, refused := d.token(t, token)
	require.Nil(t, refused)
	_, refused = d.token(t, token)
	assert.Equal(t, Replayed, refused.Reason)
	_, refused = d.token(t, sign(t, "rsa", jose.RS512, "rsa", changed(person(d.now), "sub", "other")))
	assert.Equal(t, Replayed, refused.Reason, "the id counts, not the token")
	_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(d.now), "jti", nil)))
	assert.Equal(t, &Refusal{Reason: MissingClaim, Claim: "jti"}, refused)
	_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(d.now), "iat", d.now.Add(-2*time.Minute).Unix())))
	assert.Equal(t, Replayed, refused.Reason, "it may have been used before this process began")

	for i := range 2 {
		_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(d.now), "jti", fmt.Sprint(i))))
		require.Nil(t, refused)
	}
	_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(d.now), "jti", "full")))
	assert.Equal(t, Crowded, refused.Reason, "forgetting one would let it in again")
	assert.True(t, refused.Away())
	d.now = d.now.Add(time.Hour)
	_, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(d.now), "jti", "full")))
	assert.Nil(t, refused, "those that have run out make room")
}

func TestUnattended(t *testing.T) {
	d := newDoor(t, func(c *Config) { c.Issuers[0].Unattended = true })
	caller, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", changed(changed(person(d.now), "sub", nil), "role_code", nil)))
	require.Nil(t, refused)
	assert.Nil(t, caller.Person)
	assert.Equal(t, "TST01", caller.Organisation.ODSCode)
	assert.True(t, caller.MayQuery(true) && caller.MayQuery(false))
	caller, refused = d.token(t, sign(t, "ec", jose.ES256, "ec", person(d.now)))
	require.Nil(t, refused)
	assert.NotNil(t, caller.Person)
	assert.False(t, caller.MayQuery(true), "a person has a person's rights")
}

// TestRights is the matrix of who may look where.
func TestRights(t *testing.T) {
	for _, tt := range []struct {
		name                   string
		activities             any
		role                   string
		query                  bool
		unscheduled, scheduled bool
	}{
		{"B0107", []string{"B0107"}, "R0260", true, true, false},
		{"B0170", []string{"B0170"}, "R0260", true, false, true},
		{"both, as text", "B0107 B0170", "R0260", true, true, true},
		{"others", []string{"B0264", "B0001"}, "R0260", true, false, false},
		{"none, although the role has some", []string{}, "R8000", true, false, false},
		{"no text", []any{1, true}, "R8000", true, false, false},
		{"the claim is missing, the role has one", nil, "R8000", true, true, false},
		{"the claim is missing, the role has both", nil, "R8001", true, true, true},
		{"the claim is missing, the role has none", nil, "R0260", true, false, false},
		{"the client may not query", "B0107 B0170", "R0260", false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, func(c *Config) {
				c.Clients[0].CanQuery, c.Clients[0].CanSend = tt.query, true
				c.Roles = map[string][]Activity{"R8000": {Notifies}, "R8001": {Notifies, Scheduled}}
			})
			caller, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", changed(changed(person(d.now), "activities", tt.activities), "role_code", tt.role)))
			require.Nil(t, refused)
			assert.Equal(t, tt.unscheduled, caller.MayQuery(false), "unscheduled")
			assert.Equal(t, tt.scheduled, caller.MayQuery(true), "scheduled")
		})
	}
}

func TestOrganisations(t *testing.T) {
	for ods, want := range map[string]Reason{"tst01": "", "TST0102": "", "TST99": WrongOrg} {
		d := newDoor(t, func(c *Config) { c.Clients[0].Organisations = []string{"TST0102"} })
		caller, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", changed(person(d.now), "organisation", ods)))
		if want != "" {
			assert.Equal(t, want, refused.Reason)
			assert.True(t, refused.Forbidden())
			continue
		}
		require.Nil(t, refused)
		assert.Equal(t, strings.ToUpper(ods), caller.Organisation.ODSCode)
		assert.Equal(t, ods == "tst01", caller.Organisation.Name != "", "the client's name is that of its own organisation alone")
	}
	d := newDoor(t, nil)
	caller, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", changed(changed(person(d.now), "organisation", "TST99"), "organisation_name", "Elsewhere")))
	require.Nil(t, refused, "without a list the issuer's word counts")
	assert.Equal(t, engine.Organisation{ODSCode: "TST99", Name: "Elsewhere"}, caller.Organisation)
}

func TestClaimsByPointer(t *testing.T) {
	d := newDoor(t, func(c *Config) {
		c.Issuers[0].Claims = Claims{Client: "azp", User: "/who/id", RoleCode: "/roles/0/code", Organisation: "/roles/0/a~1b~0", Activities: "/roles/0/may"}
	})
	claims := changed(changed(person(d.now), "azp", "testshire-ed"), "who", map[string]any{"id": "77"})
	claims["roles"] = []any{map[string]any{"code": "R0001", "a/b~": "TST01", "may": []string{"B0170"}}}
	caller, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", claims))
	require.Nil(t, refused)
	assert.Equal(t, "77", caller.Person.UserID)
	assert.Equal(t, "R0001", caller.Person.RoleCode)
	assert.Equal(t, []Activity{Scheduled}, caller.Activities)
	assert.Empty(t, caller.Person.Name.Reveal(), "a name that is not configured is not looked for")
	for _, roles := range []any{nil, "x", []any{}, []any{"x"}, map[string]any{"0": "x"}} {
		_, refused := d.token(t, sign(t, "ec", jose.ES256, "ec", changed(claims, "roles", roles)))
		assert.Equal(t, MissingClaim, refused.Reason)
	}
}

func TestRefusalIsAnError(t *testing.T) {
	var err error = &Refusal{Reason: MissingClaim, Claim: "sub"}
	assert.EqualError(t, err, "identity: authenticate: missing-claim: sub")
	r, ok := errors.AsType[*Refusal](fmt.Errorf("x: %w", err))
	assert.True(t, ok)
	assert.Equal(t, "sub", r.Claim)
}

func FuzzToken(f *testing.F) {
	d := newDoor(f, nil)
	good := sign(f, "ec", jose.ES256, "ec", person(d.now))
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		caller, refused := d.token(t, token)
		if (caller == nil) == (refused == nil) {
			t.Fatal("neither let in nor refused")
		}
		// The signature's last character has bits that mean nothing, so that only what is signed is compared.
		if signed := good[:strings.LastIndexByte(good, '.')+1]; caller != nil && !strings.HasPrefix(strings.TrimSpace(token), signed) {
			t.Errorf("a token that was not signed here was let in")
		}
	})
}
