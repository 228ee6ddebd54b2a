package api

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
	"signalbox/fhir/invariants"
)

// TestStandard holds that what is sent here is refused, with place, when it does not keep to the profiles, invariants and modifiers that the
// configuration asks for, and that nothing of it is kept.
func TestStandard(t *testing.T) {
	raw, err := os.ReadFile(sampleRel)
	require.NoError(t, err)
	good := string(raw)
	own, err := fhir.BuiltinProfiles().Load("profile https://x.example/Encounter|1 Encounter\nserviceType 1..\nextension urn:not Encounter modifier\nvalue types=boolean")
	require.NoError(t, err)
	held := fhir.Standard{Profiles: own, Hold: []*fhir.Profile{own.Find("https://x.example/Encounter")}}
	const status = `"status": "in-progress",`
	require.Contains(t, good, status)
	modified := strings.Replace(good, status, status+`"modifierExtension":[{"url":"urn:not","valueBoolean":true}],`, 1)
	backwards := strings.Replace(good, status, status+`"statusHistory":[{"status":"planned","period":{"start":"2026-02-01","end":"2026-01-01"}}],`, 1)
	tests := []struct {
		name, body      string
		standard        fhir.Standard
		code, path, say string
	}{
		{"by itself", good, fhir.Standard{}, "", "", ""},
		{"a profile", good, held, "invalid", "Bundle.entry[1].resource", "serviceType stands here at least 1 times (Encounter)"},
		{"no profile is asked for", backwards, fhir.Standard{}, "", "", ""},
		{"an invariant", backwards, fhir.Standard{Invariants: invariants.New().Check}, "invariant", "Bundle.entry[1].resource.statusHistory[0].period", "per-1 of Period"},
		{"a modifier", modified, fhir.Standard{}, "extension", "Bundle.entry[1].resource.modifierExtension[0]", "modifier-extension"},
		{"a modifier that is known", modified, fhir.Standard{Profiles: own}, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Standard = tt.standard })
			b.desk.outcomes.out = accepted(1)
			w := b.call("POST /$process-message", tt.body, "Content-Type: application/fhir+json")
			doc := sound(t, w)
			if tt.code == "" {
				assert.Equal(t, 200, w.Code)
				assert.Len(t, b.desk.messages, 1)
				return
			}
			assert.Equal(t, 422, w.Code)
			assert.Empty(t, b.desk.messages, "nothing is kept")
			assert.Equal(t, tt.code, values(t, doc, "OperationOutcome.issue.code"))
			assert.Equal(t, tt.path, values(t, doc, "OperationOutcome.issue.expression"))
			assert.Contains(t, values(t, doc, "OperationOutcome.issue.diagnostics"), tt.say)
			assert.Regexp(t, `^line \d+:\d+: `, values(t, doc, "OperationOutcome.issue.diagnostics"))
		})
	}
}

// TestModifiersOfABatch holds that a modifier extension keeps its entry from being taken, which the adapter sees to, and a whole transaction.
func TestModifiersOfABatch(t *testing.T) {
	const status, modifier = `"status": "in-progress",`, `"modifierExtension":[{"url":"urn:not","valueBoolean":true}],`
	whole := strings.Replace(transactionOfTwo(t), status, status+modifier, 1)
	require.Contains(t, whole, modifier)
	own, err := fhir.BuiltinProfiles().Load("profile https://x.example/Patient|1 Patient\nphoto 1..")
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		body     string
		standard fhir.Standard
		status   int
	}{
		"a transaction":              {whole, fhir.Standard{}, 422},
		"a batch":                    {strings.Replace(whole, `"transaction"`, `"batch"`, 1), fhir.Standard{}, 200},
		"a batch, against a profile": {strings.Replace(whole, `"transaction"`, `"batch"`, 1), fhir.Standard{Profiles: own, Hold: []*fhir.Profile{own.Find("https://x.example/Patient")}}, 422},
		"a batch, against a profile, with many modifiers": {strings.Replace(strings.Replace(whole, `"transaction"`, `"batch"`, 1), modifier,
			`"modifierExtension":[`+strings.Repeat(`{"url":"urn:not","valueBoolean":true},`, 300)+`{"url":"urn:not","valueBoolean":true}],`, 1),
			fhir.Standard{Profiles: own, Hold: []*fhir.Profile{own.Find("https://x.example/Patient")}}, 422},
		"beside the entries": {strings.Replace(strings.Replace(transactionOfTwo(t), `"transaction"`, `"batch"`, 1), `"entry": [`,
			`"link":[{`+modifier+`"relation":"self","url":"https://x.example/"}],"entry":[`, 1), fhir.Standard{}, 422},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Standard = tt.standard })
			b.desk.outcomes.out = accepted(1)
			w := b.call("POST /", tt.body, jsonType)
			require.Equal(t, tt.status, w.Code, "%s", w.Body)
			sound(t, w)
			assert.Len(t, b.desk.messages, map[int]int{200: 1, 422: 0}[tt.status])
		})
	}
}
