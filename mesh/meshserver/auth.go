package meshserver

import (
	"net/http"
	"strings"

	"signalbox/mesh"
	"signalbox/mesh/internal/wire"
)

// authorise checks the token against the mailbox of the path and answers 403 when it does not hold. The order is that of
// the service's published check list: shape, mailbox, hash, time, first use.
func (x *exchange) authorise(pathMailbox string) bool {
	id := strings.ToUpper(pathMailbox)
	if x.s.cfg.Auth != AuthFull {
		return x.admit(id)
	}
	token, fault := readToken(x.r.Header.Get("Authorization"), id, x.lax(laxScheme))
	if fault != "" {
		return x.deny(wire.Fault{Text: fault})
	}
	box, ok := x.s.mailboxes[id]
	if !ok {
		return x.deny(wire.Fault{Event: "SEND", Code: "EPL-151", Text: "No mailbox matched"})
	}
	if !x.s.signer.Verify(token, box.Password) {
		return x.deny(wire.Fault{Text: wire.TextAuthInvalid})
	}
	if !box.Active && !x.lax(laxInactive) {
		return x.deny(wire.Fault{Text: wire.TextInactive})
	}
	if !x.fresh(token) {
		return false
	}
	x.mailbox = box
	return true
}

// fresh checks that the token is of about now and was not used before, or answers.
func (x *exchange) fresh(token mesh.Token) bool {
	now := x.s.cfg.Now().UTC()
	made, err := token.Time()
	if (err != nil || made.Before(now.Add(-mesh.TokenWindow)) || made.After(now.Add(mesh.TokenWindow))) && !x.lax(laxTime) {
		return x.deny(wire.Fault{Text: wire.TextAuthInvalid}) // the service's text for this is not published
	}
	if x.lax(laxReplay) {
		return true
	}
	switch first, err := x.s.tokens.use(token, made, now); {
	case err != nil:
		x.broken("tokens", err)
		return false
	case !first:
		return x.deny(wire.Fault{Text: wire.TextAuthReplay})
	}
	return true
}

// admit is authorise for tests of clients that make no tokens, as in the sandbox: none is asked for, or one with a nonce that
// reads VALID and whatever else.
func (x *exchange) admit(id string) bool {
	if x.s.cfg.Auth == AuthCanned {
		header := x.r.Header.Get("Authorization")
		if header == "" {
			return x.deny(wire.Fault{Text: wire.TextAuthHeader})
		}
		if len(header) >= 8 && strings.EqualFold(header[:7], "NHSMESH") {
			header = header[8:]
		}
		mailbox, rest, _ := strings.Cut(header, ":")
		if mailbox != id {
			return x.deny(wire.Fault{Text: wire.TextAuthMailbox})
		}
		if nonce, _, _ := strings.Cut(rest, ":"); !strings.EqualFold(nonce, "VALID") {
			return x.deny(wire.Fault{Text: wire.TextAuthInvalid})
		}
	}
	box, known := x.s.mailboxes[id]
	if !known {
		return x.deny(wire.Fault{Event: "SEND", Code: "EPL-151", Text: "No mailbox matched"})
	}
	if !box.Active && !x.lax(laxInactive) {
		return x.deny(wire.Fault{Text: wire.TextInactive})
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
func readToken(header, mailbox string, lax bool) (mesh.Token, string) {
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
	if lax {
		header = "NHSMESH " + rest
	}
	token, err := mesh.ParseToken(header)
	if err != nil {
		return mesh.Token{}, wire.TextAuthHeader
	}
	return token, ""
}
