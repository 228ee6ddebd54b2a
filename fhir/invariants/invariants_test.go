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
	assert.Contains(t, fhirpath.Refused(), "trace", "dom-3 could be said in R4's own words now")
}

// value is a resource with one extension.
func value(member string) string {
	return `{"resourceType":"Patient","extension":[{"url":"urn:a",` + member + `}]}`
}

func repeat(members string) string { return value(`"valueTiming":{"repeat":{` + members + `}}`) }

const atRepeat = "Patient.extension[0].valueTiming.repeat"

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
		"contained in contained":     {`{"resourceType":"Flag","status":"active","code":{"text":"a"},"subject":{"reference":"#b"},"contained":[{"resourceType":"Patient","id":"b","contained":[{"resourceType":"Patient","id":"c","link":[{"type":"refer","other":{"reference":"#"}}]}]}]}`, "dom-2", "Flag"},
		"contained and forgotten":    {`{"resourceType":"Flag","status":"active","code":{"text":"a"},"subject":{"display":"b"},"contained":[{"resourceType":"Patient","id":"b"}]}`, "dom-3", "Flag.contained[0]"},
		"contained without an id":    {`{"resourceType":"Flag","status":"active","code":{"text":"a"},"subject":{"display":"b"},"contained":[{"resourceType":"Patient"}]}`, "dom-3", "Flag.contained[0]"},
		"contained, leads back":      {`{"resourceType":"Flag","status":"active","code":{"text":"a"},"subject":{"display":"b"},"contained":[{"resourceType":"Patient","id":"b","link":[{"type":"refer","other":{"reference":"#"}}]}]}`, "", ""},
		"contained, by canonical":    {`{"resourceType":"PlanDefinition","status":"active","library":["#b"],"contained":[{"resourceType":"Library","id":"b","status":"draft","type":{"text":"a"}}]}`, "", ""},
		"contained, by uri":          {`{"resourceType":"Patient","extension":[{"url":"urn:a","valueUri":"#b"}],"contained":[{"resourceType":"Organization","id":"b","name":"c"}]}`, "", ""},
		"a period backwards":         {`{"resourceType":"Encounter","status":"planned","class":{"code":"a"},"period":{"start":"2026-02-01","end":"2026-01-31"}}`, "per-1", "Encounter.period"},
		"a period of one month":      {`{"resourceType":"Encounter","status":"planned","class":{"code":"a"},"period":{"start":"2026-02","end":"2026-02-28"}}`, "", ""},
		"a period in an extension":   {`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","extension":[{"url":"urn:a","valuePeriod":{"start":"2026-02-01","end":"2026-01-31"}}]}}]}`, "per-1", "Bundle.entry[0].resource.extension[0].valuePeriod"},
		"a telephone of no system":   {`{"resourceType":"Patient","telecom":[{"system":"phone","value":"01632960001"},{"value":"01632960002"}]}`, "cpt-2", "Patient.telecom[1]"},
		"data of no type":            {`{"resourceType":"Patient","photo":[{"data":"YQ=="}]}`, "att-1", "Patient.photo[0]"},
		"a range backwards":          {value(`"valueRange":{"low":{"value":5},"high":{"value":4.99}}`), "rng-2", "Patient.extension[0].valueRange"},
		"a range":                    {value(`"valueRange":{"low":{"value":4.99},"high":{"value":5}}`), "", ""},
		"half a ratio":               {value(`"valueRatio":{"numerator":{"value":5}}`), "rat-1", "Patient.extension[0].valueRatio"},
		"a unit of no system":        {value(`"valueQuantity":{"value":5,"code":"mg"}`), "qty-3", "Patient.extension[0].valueQuantity"},
		"an age of no unit":          {value(`"valueAge":{"value":5}`), "age-1", "Patient.extension[0].valueAge"},
		"an age below nothing":       {value(`"valueAge":{"value":-5,"system":"http://unitsofmeasure.org","code":"a"}`), "age-1", "Patient.extension[0].valueAge"},
		"half a thing":               {value(`"valueCount":{"value":1.5,"system":"http://unitsofmeasure.org","code":"1"}`), "cnt-3", "Patient.extension[0].valueCount"},
		"a distance of no unit":      {value(`"valueDistance":{"value":5}`), "dis-1", "Patient.extension[0].valueDistance"},
		"a duration of its own unit": {value(`"valueDuration":{"value":5,"system":"urn:a","code":"a"}`), "drt-1", "Patient.extension[0].valueDuration"},
		"a code filter of no path":   {value(`"valueDataRequirement":{"type":"Patient","codeFilter":[{"path":"a"},{"valueSet":"urn:a"}]}`), "drq-1", "Patient.extension[0].valueDataRequirement.codeFilter[1]"},
		"a date filter of no path":   {value(`"valueDataRequirement":{"type":"Patient","dateFilter":[{"valueDateTime":"2026"}]}`), "drq-2", "Patient.extension[0].valueDataRequirement.dateFilter[0]"},
		"an expression of nothing":   {value(`"valueExpression":{"language":"text/fhirpath"}`), "exp-1", "Patient.extension[0].valueExpression"},
		"timing: no unit":            {repeat(`"duration":1`), "tim-1", atRepeat},
		"timing: no unit of period":  {repeat(`"period":1`), "tim-2", atRepeat},
		"timing: before it began":    {repeat(`"duration":-1,"durationUnit":"s"`), "tim-4", atRepeat},
		"timing: a period before":    {repeat(`"period":-1,"periodUnit":"s"`), "tim-5", atRepeat},
		"timing: at most, of none":   {repeat(`"periodMax":1`), "tim-6", atRepeat},
		"timing: duration, of none":  {repeat(`"durationMax":1`), "tim-7", atRepeat},
		"timing: count, of none":     {repeat(`"countMax":1`), "tim-8", atRepeat},
		"timing: offset of no event": {repeat(`"offset":1`), "tim-9", atRepeat},
		"timing: offset of a meal":   {repeat(`"offset":1,"when":["C"]`), "tim-9", atRepeat},
		"timing: offset after one":   {repeat(`"offset":1,"when":["PCM"]`), "", ""},
		"timing: time and event":     {repeat(`"timeOfDay":["10:00:00"],"when":["MORN"]`), "tim-10", atRepeat},
		"a trigger of both":          {value(`"valueTriggerDefinition":{"type":"data-added","data":[{"type":"Patient"}],"timingDate":"2026-01-01"}`), "trd-1", "Patient.extension[0].valueTriggerDefinition"},
		"a trigger on nothing":       {value(`"valueTriggerDefinition":{"type":"named-event","name":"a","condition":{"language":"a","expression":"b"}}`), "trd-2", "Patient.extension[0].valueTriggerDefinition"},
		"a trigger without a name":   {value(`"valueTriggerDefinition":{"type":"named-event"}`), "trd-3", "Patient.extension[0].valueTriggerDefinition"},
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
