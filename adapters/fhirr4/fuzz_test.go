package fhirr4

import (
	"errors"
	"strings"
	"testing"

	"signalbox/adapters/internal/adaptertest"
	"signalbox/engine"
)

// FuzzDecode gives the adapter any bytes as a message and as a transaction: what it yields holds to the contract of every adapter.
func FuzzDecode(f *testing.F) {
	f.Add(sample(f), false)
	f.Add(sample(f), true)
	for _, body := range []string{
		`{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader"}}]}`,
		`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Encounter","id":"a"},"request":{"method":"POST","url":"Encounter"}},` +
			`{"resource":{"resourceType":"Encounter","id":"b"},"request":{"method":"POST","url":"Encounter"}}]}`,
		`<Bundle xmlns="http://hl7.org/fhir"><type value="message"/></Bundle>`, `{`, "\ufeff{}", "",
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, transaction bool) {
		src := adaptertest.Source(Format, "born", "Bundle.entry.resource.ofType(Patient).birthDate", "status", "Bundle.entry.resource.ofType(Encounter).status")
		src.Options = map[string]string{OptionBundle: bundleMessage}
		if transaction {
			src.Options[OptionBundle] = bundleTransaction
		}
		adaptertest.Hold(t, New(), body, src)
	})
}

// FuzzCompile gives the adapter any selector: it is compiled, or refused with a place within it.
func FuzzCompile(f *testing.F) {
	for _, expr := range []string{"Bundle.entry.resource.ofType(Patient).birthDate", "Bundle.entry.where(", "Bundle.entry.resource.ofType(Patient).name.where(use = 'é').given | ", "born"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := New().Compile(expr, schema())
		refused, ok := errors.AsType[*engine.CompileError](err)
		switch {
		case err == nil && len(s.(*selector).Types()) == 0:
			t.Fatal("a path that finds nothing of any type")
		case err != nil && (!ok || refused.Offset < 0 || refused.Offset > len(expr) || strings.TrimSpace(refused.Text) == ""):
			t.Fatalf("%#v", err)
		}
	})
}
