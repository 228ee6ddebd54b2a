package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"regexp"
	"strings"

	"signalbox/engine"
)

// Client is one trust's system, known by a static token, by a certificate, by the name that an issuer gives it in its tokens, or by several.
type Client struct {
	Name             string // lower-case letters, digits and hyphens: it is part of Message.Source and of log lines; what a token's client claim says
	ODSCode          string // the trust
	OrganisationName string
	DeviceID         string // the system's ASID: it stands in the access where no person is known
	Setting          engine.CareSetting
	TokenSHA256      [sha256.Size]byte // digest of its static token; TokenDigest makes it. Zero: it has none
	Certificate      string            // name in its certificate: dns:NAME, uri:URI or subject:CN=...; once set, no call is taken without it. Empty: none
	Organisations    []string          // ODS codes for which its users may ask; empty: whatever the issuer vouches for
	CanQuery         bool              // may ask who is flagged
	CanSend          bool              // may send messages
	Responses        []string          // addresses, each in full, to which it may have the answers to its messages posted
	Authority        string            // ODS code of the authority for which it may receive notifications; empty: none
}

// receivesOnly reports whether the client is an authority's system that is told, and may neither ask nor send.
func (c *Client) receivesOnly() bool { return c.Authority != "" && !c.CanQuery && !c.CanSend }

// LogValue keeps the digest out of logs.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.Name) }

// TokenDigest returns the digest under which a bearer token is configured.
func TokenDigest(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

var (
	clientName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	certificate = regexp.MustCompile(`^(dns|uri|subject):[!-~ ]+$`)
)

// Problems lists what is wrong with the client. Development says whether static tokens are taken, issuers whether tokens of any are.
func (c Client) Problems(development, issuers bool) []string {
	var out []string
	need := func(ok bool, text string) {
		if !ok {
			out = append(out, text)
		}
	}
	static := c.TokenSHA256 != [sha256.Size]byte{}
	need(clientName.MatchString(c.Name), "Name is not 1 to 63 lower-case letters, digits and hyphens")
	need(c.ODSCode != "", "ODSCode is missing")
	need(c.DeviceID != "" || !c.CanQuery && !c.CanSend, "DeviceID is missing: an access needs a person or a device")
	need(static || c.Certificate != "" || issuers, "TokenSHA256 is missing, and so are a Certificate and an issuer of tokens: nobody can be this client")
	need(!static || development, "it has a static token: those are for development and need Development")
	need(c.TokenSHA256 != TokenDigest(""), "TokenSHA256 is that of an empty token")
	need(c.Certificate == "" || certificate.MatchString(c.Certificate), "Certificate is not dns:NAME, uri:URI or subject:NAME")
	need(c.CanQuery || c.CanSend || c.Authority != "", "neither CanQuery nor CanSend is set, and no Authority")
	return out
}

// byToken returns the client whose static token this is. It looks at every client whatever it finds, so that time tells nothing.
func byToken(clients []Client, token string) *Client {
	digest := TokenDigest(token)
	var found *Client
	for i := range clients {
		if subtle.ConstantTimeCompare(digest[:], clients[i].TokenSHA256[:]) == 1 {
			found = &clients[i]
		}
	}
	return found
}

// byName returns the client of that name.
func byName(clients []Client, name string) *Client {
	for i := range clients {
		if clients[i].Name == name {
			return &clients[i]
		}
	}
	return nil
}

// serves reports whether the client's users may ask for the organisation.
func (c *Client) serves(ods string) bool {
	if len(c.Organisations) == 0 || strings.EqualFold(ods, c.ODSCode) {
		return true
	}
	for _, one := range c.Organisations {
		if strings.EqualFold(one, ods) {
			return true
		}
	}
	return false
}
