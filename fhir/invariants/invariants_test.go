package invariants

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
	"signalbox/fhir/fhirpath"
)

func TestEveryInvariantCompiles(t *testing.T) {
	keys := map[string]bool{}
	for _, i := range All() {
		assert.False(t, keys[i.Key+i.On], i.Key)
		keys[i.Key+i.On] = true
		assert.NoError(t, (&Checker{by: map[string][]compiled{}}).add(i), i.Key)
	}
	assert.Error(t, (&Checker{by: map[string][]compiled{}}).add(Invariant{On: "Patient", Expression: "nmae.exists()"}))
	assert.Contains(t, fhirpath.Refused(), "trace", "dom-3 could be said now")
}

func TestInvariants(t *testing.T) {
	const header = `{"resource":{"resourceType":"MessageHeader","id":"a","eventUri":"b","source":{"endpoint":"c"}}}`
	tested := map[string]bool{}
	for name, tc := range map[string]struct{ in, key, path string }{
		"a message":                  {`{"resourceType":"Bundle","type":"message","entry":[` + header + `]}`, "", ""},
		"a searchset":                {`{"resourceType":"Bundle","type":"searchset","total":0}`, "", ""},
		"a total":                    {`{"resourceType":"Bundle","type":"batch","total":0}`, "bdl-1", "Bundle"},
		"search elsewhere":           {`{"resourceType":"Bundle","type":"collection","entry":[{"search":{"mode":"match"},"resource":{"resourceType":"Patient","id":"a"}}]}`, "bdl-2", "Bundle"},
		"no request":                 {`{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","id":"a"}}]}`, "bdl-3", "Bundle"},
		"no response":                {`{"resourceType":"Bundle","type":"batch-response","entry":[{"resource":{"resourceType":"Patient","id":"a"}}]}`, "bdl-4", "Bundle"},
		"an entry of nothing":        {`{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:a"},{"fullUrl":"urn:b","resource":{"resourceType":"Patient","id":"a"}}]}`, "bdl-5", "Bundle.entry[0]"},
		"one name twice":             {`{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:a","resource":{"resourceType":"Patient","id":"a","meta":{"versionId":"1"}}},{"fullUrl":"urn:a","resource":{"resourceType":"Patient","id":"b","meta":{"versionId":"1"}}}]}`, "bdl-7", "Bundle"},
		"a version in the name":      {`{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://a.example/Patient/a/_history/1","resource":{"resourceType":"Patient","id":"a"}}]}`, "bdl-8", "Bundle.entry[0]"},
		"no header":                  {`{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"Patient","id":"a"}}]}`, "bdl-12", "Bundle"},
		"an entry that breaks":       {`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Organization","id":"a"}}]}`, "org-1", "Bundle.entry[0].resource"},
		"a home":                     {`{"resourceType":"Organization","name":"a","address":[{"use":"work","text":"x"},{"use":"home","text":"x"}]}`, "org-2", "Organization.address[1]"},
		"a telephone at home":        {`{"resourceType":"Organization","name":"a","telecom":[{"use":"home","system":"phone","value":"01632960001"}]}`, "org-3", "Organization.telecom[0]"},
		"a contact of nothing":       {`{"resourceType":"Patient","contact":[{"gender":"other"}]}`, "pat-1", "Patient.contact[0]"},
		"name and query":             {`{"resourceType":"AuditEvent","type":{"code":"a"},"recorded":"2026-01-01T00:00:00Z","agent":[{"requestor":true}],"source":{"observer":{"display":"a"}},"entity":[{"name":"a","query":"YQ=="}]}`, "sev-1", "AuditEvent.entity[0]"},
		"detail and reference":       {`{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"a"},"activity":[{"reference":{"display":"a"},"detail":{"status":"scheduled"}}]}`, "cpl-3", "CarePlan.activity[0]"},
		"contained in contained":     {`{"resourceType":"Flag","status":"active","code":{"text":"a"},"subject":{"reference":"#b"},"contained":[{"resourceType":"Patient","id":"b","contained":[{"resourceType":"Patient","id":"c"}]}]}`, "dom-2", "Flag"},
		"a contained version":        {`{"resourceType":"Flag","status":"active","code":{"text":"a"},"subject":{"reference":"#b"},"contained":[{"resourceType":"Patient","id":"b","meta":{"versionId":"1"}}]}`, "dom-4", "Flag"},
		"a contained label":          {`{"resourceType":"Flag","status":"active","code":{"text":"a"},"subject":{"reference":"#b"},"contained":[{"resourceType":"Patient","id":"b","meta":{"security":[{"code":"R"}]}}]}`, "dom-5", "Flag"},
		"on behalf, no practitioner": {`{"resourceType":"CareTeam","contained":[{"resourceType":"Patient","id":"b"}],"participant":[{"member":{"reference":"#b"},"onBehalfOf":{"display":"a"}}]}`, "ctm-1", "CareTeam.participant[0]"},
		"on behalf, unknown":         {`{"resourceType":"CareTeam","participant":[{"member":{"display":"b"},"onBehalfOf":{"display":"a"}}]}`, "", ""},
		"a document":                 {`{"resourceType":"Bundle","type":"document","timestamp":"2026-01-01T00:00:00Z","entry":[{"resource":{"resourceType":"Composition","status":"final","type":{"text":"a"},"date":"2026","author":[{"display":"a"}],"title":"a"}}]}`, "bdl-9", "Bundle"},
		"a document of no time":      {`{"resourceType":"Bundle","type":"document","identifier":{"system":"urn:a","value":"b"},"entry":[{"resource":{"resourceType":"Composition","status":"final","type":{"text":"a"},"date":"2026","author":[{"display":"a"}],"title":"a"}}]}`, "bdl-10", "Bundle"},
		"a document of a patient":    {`{"resourceType":"Bundle","type":"document","timestamp":"2026-01-01T00:00:00Z","identifier":{"system":"urn:a","value":"b"},"entry":[{"resource":{"resourceType":"Patient","id":"a"}}]}`, "bdl-11", "Bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			doc, faults := fhir.Examine([]byte(tc.in), fhir.Limits{}, nil)
			require.NotNil(t, doc, "%v", faults)
			found := New().Check(doc)
			tested[tc.key] = true
			if tc.key == "" {
				assert.Empty(t, found)
				return
			}
			require.Len(t, found, 1, "%v", found)
			assert.Equal(t, tc.path, found[0].Path)
			assert.Equal(t, fhir.RuleInvariant, found[0].Rule)
			assert.Regexp(t, "^"+tc.key+" of ", found[0].Text)
			assert.Positive(t, found[0].Line)
		})
	}
	for _, i := range All() {
		assert.True(t, tested[i.Key], "%s is broken by no case", i.Key)
	}
	assert.Empty(t, New().Check(nil))
}
