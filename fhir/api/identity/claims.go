package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"signalbox/engine"
)

// claims is the payload of a token.
type claims map[string]any

func parseClaims(raw []byte) (claims, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var c claims
	if err := dec.Decode(&c); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("identity: claims: something follows them")
	}
	return c, nil
}

// at returns what stands under a name: a claim, or a JSON Pointer (RFC 6901) when it begins with a slash.
func (c claims) at(name string) any {
	if !strings.HasPrefix(name, "/") {
		return c[name]
	}
	var here any = map[string]any(c)
	for step := range strings.SplitSeq(name[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch v := here.(type) {
		case map[string]any:
			here = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			here = v[i]
		default:
			return nil
		}
	}
	return here
}

// maxText bounds what a claim may bring into an access.
const maxText = 256

// text returns a claim that is short text; empty when it is not there or not that.
func (c claims) text(name string) string {
	s, ok := c.at(name).(string)
	if name == "" || !ok || len(s) > maxText || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return strings.TrimSpace(s)
}

// list returns a claim that is an array of text, or text separated by spaces (as scope is in RFC 8693). Present tells an empty one from none.
func (c claims) list(name string) (list []string, present bool) {
	if name == "" {
		return nil, false
	}
	switch v := c.at(name).(type) {
	case string:
		return strings.Fields(v), true
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				list = append(list, s)
			}
		}
		return list, true
	}
	return nil, false
}

// moment returns a NumericDate (RFC 7519).
func (c claims) moment(name string) (time.Time, bool) {
	n, ok := c[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > math.MaxInt32*64.0 {
		return time.Time{}, false
	}
	whole := math.Floor(f)
	return time.Unix(int64(whole), int64((f-whole)*1e9)), true
}

// meant reports whether aud, text or an array of it, holds the audience.
func (c claims) meant(audience string) bool {
	if one, ok := c["aud"].(string); ok {
		return one == audience
	}
	many, _ := c["aud"].([]any)
	for _, one := range many {
		if one == audience {
			return true
		}
	}
	return false
}

// bound returns the thumbprint of the certificate that the token is bound to; empty for none (RFC 8705).
func (c claims) bound() string {
	cnf, _ := c["cnf"].(map[string]any)
	s, _ := cnf["x5t#S256"].(string)
	return s
}

// caller makes the caller that the claims speak of. A client that only receives looks at nothing, so that no person is asked for.
func (c claims) caller(issuer Issuer, client *Client, roles map[string][]Activity) (*Caller, *Refusal) {
	if client.receivesOnly() {
		return device(client, ByToken), nil
	}
	names := issuer.Claims
	user := c.text(names.User)
	if user == "" && !issuer.Unattended {
		return nil, &Refusal{Reason: MissingClaim, Claim: names.User}
	}
	if user == "" || issuer.Unattended && c.text(names.RoleCode) == "" {
		return device(client, ByToken), nil
	}
	p := &engine.Person{UserID: user, RoleProfile: c.text(names.RoleProfile), RoleCode: c.text(names.RoleCode), RoleName: c.text(names.RoleName),
		Name: engine.Personal(c.text(names.Name))}
	if p.RoleCode == "" {
		return nil, &Refusal{Reason: MissingClaim, Claim: names.RoleCode}
	}
	org := engine.Organisation{ODSCode: strings.ToUpper(c.text(names.Organisation)), Name: c.text(names.OrganisationName)}
	if org.ODSCode == "" {
		return nil, &Refusal{Reason: MissingClaim, Claim: names.Organisation}
	}
	if !client.serves(org.ODSCode) {
		return nil, refuse(WrongOrg)
	}
	if org.Name == "" && strings.EqualFold(org.ODSCode, client.ODSCode) {
		org.Name = client.OrganisationName
	}
	return &Caller{Client: client, Person: p, Organisation: org, Activities: c.activities(names, p.RoleCode, roles), Way: ByToken}, nil
}

// activities are the token's own; those of the role where the token has no such claim. What is not known is no right.
func (c claims) activities(names Claims, role string, roles map[string][]Activity) []Activity {
	list, present := c.list(names.Activities)
	if !present {
		return roles[role]
	}
	var out []Activity
	for _, one := range list {
		if a := Activity(one); a == Notifies || a == Scheduled {
			out = append(out, a)
		}
	}
	return out
}
