// Package identity says who is asking: it turns a bearer token or a client certificate into a Caller with rights, or into a Refusal.
//
// Three ways in. A JSON Web Token of a trusted issuer names a person, the role that the person acts in, and the organisation; it is how
// people ask. A client certificate names a trust's system, alone or beside a token. A static token names a system too and is for
// development: it is refused unless the configuration says so. Whatever a caller says of itself in a request's body counts for nothing.
package identity
