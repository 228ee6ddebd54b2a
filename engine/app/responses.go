package app

import (
	"fmt"

	"signalbox/engine"
	"signalbox/engine/hook"
	"signalbox/fhir/api"
)

// Responses says where a trust may have the answers to its messages posted (async=true with response-url). Without endpoints it may not.
type Responses struct {
	Endpoints []string `yaml:"endpoints,omitempty"` // addresses that it may name, each in full
	Key       Secret   `yaml:"key,omitempty"`       // by which what is posted is signed: 32 bytes at least
	Private   bool     `yaml:"private,omitempty"`   // its endpoints may have private addresses
	Insecure  bool     `yaml:"insecure,omitempty"`  // its endpoints may be http: development only
}

func (r Responses) validate(v *validator, at string, send bool) {
	if len(r.Endpoints) == 0 {
		v.need(r.Key.IsZero() && !r.Private && !r.Insecure, at+".endpoints", "is empty, so that nothing is ever posted")
		return
	}
	v.need(send, at, "is for who has the right to send")
	v.signing(r.Key, at)
	v.endpoints(r.Endpoints, r.Insecure, at)
}

// signing needs a key that signs what is posted.
func (v *validator) signing(key Secret, at string) {
	v.secret(key, at+".key")
	if text, err := key.Read(); err == nil {
		v.need(len(text) >= hook.MinKey, at+".key", "is shorter than 32 bytes")
	}
}

// endpoints needs addresses that can be posted to.
func (v *validator) endpoints(all []string, insecure bool, at string) {
	check := hook.Default()
	check.Receivers = []hook.Receiver{{Name: "x", Key: make([]byte, hook.MinKey), Endpoints: all, Insecure: insecure}}
	v.need(check.Validate() == nil, at+".endpoints", "holds one that is not an https address in full; http needs insecure")
}

// responders are the trusts that may be posted to.
func (c Config) responders() ([]hook.Receiver, error) {
	var out []hook.Receiver
	for i, t := range c.Trusts {
		if len(t.Responses.Endpoints) == 0 {
			continue
		}
		key, err := t.Responses.Key.Read()
		if err != nil {
			return nil, fmt.Errorf("trusts[%d].responses.key: %w", i, err)
		}
		out = append(out, hook.Receiver{Name: t.Name, Endpoints: t.Responses.Endpoints, Key: []byte(key), Private: t.Responses.Private, Insecure: t.Responses.Insecure})
	}
	return out, nil
}

// answer writes what the sender of a message is answered.
func (e *engineRoom) answer(m engine.Message, out api.Outcome) (body []byte, mediaType string, err error) {
	return api.AnswerTo(e.publicURL(), m, out)
}
