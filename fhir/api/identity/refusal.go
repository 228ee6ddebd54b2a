package identity

// Reason says why a caller was refused, in a word that is safe to log and to answer with.
type Reason string

// The reasons. All but those of Forbidden and Away say that it is not known who asks.
const (
	NoCredentials  Reason = "no-credentials"
	Malformed      Reason = "malformed"      // not a bearer token that can be read
	UnknownToken   Reason = "unknown-token"  // a static token that no client has
	StaticRefused  Reason = "static-refused" // static tokens are not taken outside development
	WrongAlgorithm Reason = "algorithm"      // signed with none of the allowed algorithms; "none" is never one
	WrongIssuer    Reason = "issuer"         // of no issuer that we trust
	WrongAudience  Reason = "audience"       // meant for another server
	UnknownKey     Reason = "unknown-key"    // no key of that id among the issuer's
	BadSignature   Reason = "signature"      // the signature does not fit
	Expired        Reason = "expired"        // exp has passed
	NotYetValid    Reason = "not-yet-valid"  // nbf or iat is ahead
	TooLongLived   Reason = "too-long-lived" // exp is too long after iat
	MissingClaim   Reason = "missing-claim"  // a claim that is needed is not there, or has another form
	Replayed       Reason = "replayed"       // a one-use token for the second time, or from before this process's start
	BadCertificate Reason = "certificate"    // signed by none of our authorities, expired, or of no client
	NotBound       Reason = "binding"        // token and certificate are not of one client
	UnknownClient  Reason = "unknown-client" // a sound token for a client that is not configured
	WrongOrg       Reason = "organisation"   // the client does not serve the token's organisation
	KeysAway       Reason = "keys-away"      // the issuer's keys cannot be had at the moment
	Crowded        Reason = "crowded"        // too many one-use tokens are remembered
	RecordAway     Reason = "record-away"    // whether a one-use token was used cannot be known at the moment
	Revoked        Reason = "revoked"        // the certificate stands on its authority's list
	ListsOld       Reason = "lists-old"      // no list of revoked certificates of its authority holds now
	Forwarded      Reason = "forwarded"      // the certificate that a proxy passes on cannot be read
	ForwardedBy    Reason = "forwarded-by"   // a certificate in a header that comes from none of our proxies
)

// Refusal is an error that says why nobody was let in. It holds nothing of the token.
type Refusal struct {
	Reason Reason
	Claim  string // the claim that is missing, by its configured name; else empty
}

// Error writes "identity: authenticate: reason".
func (r *Refusal) Error() string {
	text := "identity: authenticate: " + string(r.Reason)
	if r.Claim != "" {
		text += ": " + r.Claim
	}
	return text
}

// Forbidden reports whether the caller is known and has no right, rather than not known.
func (r *Refusal) Forbidden() bool { return r.Reason == UnknownClient || r.Reason == WrongOrg }

// Away reports whether the refusal is our own trouble and passes.
func (r *Refusal) Away() bool {
	switch r.Reason {
	case KeysAway, Crowded, RecordAway, ListsOld:
		return true
	}
	return false
}

func refuse(reason Reason) *Refusal { return &Refusal{Reason: reason} }
