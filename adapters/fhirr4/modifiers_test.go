package fhirr4

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/fhir"
)

// decodeParts returns what a transaction or batch comes to: the positions of its records, and of each fault its position, rule and path.
func decodeParts(t testing.TB, body string, understood string) (records []int, faults []string) {
	t.Helper()
	src := schema()
	src.Options = map[string]string{OptionBundle: "transaction", OptionModifiers: understood}
	for r, err := range New().Decode(engine.Message{Body: []byte(body)}, src) {
		if err == nil {
			records = append(records, r.Position())
			continue
		}
		var fault *engine.Error
		require.ErrorAs(t, err, &fault)
		assert.Positive(t, fault.Place.Line)
		faults = append(faults, fmt.Sprint(fault.Place.Record, " ", fault.Rule, " ", fault.Place.Path))
	}
	return records, faults
}

// batchOfTwo has Encounters at entries 0 and 2, and the Patients that they are about at 1 and 3.
func batchOfTwo(t testing.TB, modified ...int) string {
	t.Helper()
	raw, err := os.ReadFile("../../mappings/suppliers/testshire-trust-encounters/sample/two-attendances.json")
	require.NoError(t, err)
	doc, faults := fhir.Examine(raw, fhir.Limits{}, nil)
	require.Empty(t, faults)
	body := strings.Replace(string(raw), `"transaction"`, `"batch"`, 1)
	for i := len(modified) - 1; i >= 0; i-- { // from behind, so that the places before stay
		kind := `"resourceType": "` + doc.Root().Child("entry").Item(modified[i]).Child("resource").ResourceType() + `",`
		start, _ := doc.Root().Child("entry").Item(modified[i]).Child("resource").Range()
		at := int(start) - len("transaction") + len("batch")
		require.Contains(t, body[at:at+60], kind)
		body = body[:at] + strings.Replace(body[at:], kind, kind+`"modifierExtension":[{"url":"urn:not","valueBoolean":true},{"url":"urn:nor","valueBoolean":true}],`, 1)
	}
	return body
}

func TestModifiersInABatch(t *testing.T) {
	at := func(record, entry int) string {
		return fmt.Sprintf("%d %s Bundle.entry[%d].resource.modifierExtension[0]", record, fhir.RuleModifier, entry)
	}
	for name, tt := range map[string]struct {
		modified []int
		records  []int
		faults   []string
	}{
		"none":                               {nil, []int{1, 3}, nil},
		"one Encounter":                      {[]int{0}, []int{3}, []string{at(1, 0)}},
		"the other":                          {[]int{2}, []int{1}, []string{at(3, 2)}},
		"both":                               {[]int{0, 2}, nil, []string{at(1, 0), at(3, 2)}},
		"a Patient, with who refers to it":   {[]int{1}, []int{3}, []string{at(1, 1), at(2, 1)}},
		"what several refer to":              {[]int{6}, nil, []string{at(1, 6), at(3, 6), at(7, 6)}},
		"an Encounter and another's Patient": {[]int{0, 3}, nil, []string{at(1, 0), at(3, 3), at(4, 3)}},
	} {
		t.Run(name, func(t *testing.T) {
			body := batchOfTwo(t, tt.modified...)
			for form, body := range map[string]string{"JSON": body, "XML": string(inXML(t, []byte(body)))} {
				records, faults := decodeParts(t, body, "")
				assert.Equal(t, tt.records, records, form)
				assert.Equal(t, tt.faults, faults, form)
				records, faults = decodeParts(t, body, "urn:not urn:nor")
				assert.Equal(t, []int{1, 3}, records, "%s: who heeds them takes all", form)
				assert.Empty(t, faults)
			}
			whole := strings.Replace(body, `"batch"`, `"transaction"`, 1)
			records, faults := decodeParts(t, whole, "")
			if len(tt.modified) == 0 {
				assert.Equal(t, []int{1, 3}, records)
				return
			}
			assert.Empty(t, records, "a transaction is taken whole or not at all")
			assert.Len(t, faults, len(tt.modified))
			for _, f := range faults {
				assert.True(t, strings.HasPrefix(f, "0 "), "a fault of the whole: %s", f)
			}
		})
	}
}

// TestEveryEntryOfALargeBatchIsLookedAt holds that no entry is taken because others had so many faults that looking stopped.
func TestEveryEntryOfALargeBatchIsLookedAt(t *testing.T) {
	const n = 100
	entries := make([]string, n)
	for i := range entries {
		entries[i] = `{"request":{"method":"POST","url":"Encounter"},"resource":{"resourceType":"Encounter","status":"planned","class":{"code":"EMER"},` +
			`"modifierExtension":[{"url":"urn:not","valueBoolean":true},{"url":"urn:not","valueBoolean":true}]}}`
	}
	records, faults := decodeParts(t, `{"resourceType":"Bundle","type":"batch","entry":[`+strings.Join(entries, ",")+`]}`, "")
	assert.Empty(t, records)
	require.Len(t, faults, n)
	assert.True(t, strings.HasPrefix(faults[n-1], strconv.Itoa(n)+" "))
}

// TestABatchThatIsTooLargeIsRefusedWhole holds that the fault is no entry's: a sender who reads of one refused entry takes the others for taken.
func TestABatchThatIsTooLargeIsRefusedWhole(t *testing.T) {
	entry := `{"request":{"method":"POST","url":"Encounter"},"resource":{"resourceType":"Encounter","status":"planned","class":{"code":"EMER"}}}`
	records, faults := decodeParts(t, `{"resourceType":"Bundle","type":"batch","entry":[`+entry+strings.Repeat(","+entry, maxEncounters)+`]}`, "")
	assert.Empty(t, records)
	assert.Equal(t, []string{"0 " + fhir.RuleShape + " Bundle.entry"}, faults)
	records, faults = decodeParts(t, `{"resourceType":"Bundle","type":"batch","link":[{"relation":"self","url":"https://x.example/",`+
		`"modifierExtension":[{"url":"urn:not","valueBoolean":true}]}],"entry":[`+entry+`]}`, "")
	assert.Empty(t, records, "what stands beside the entries is about all of them")
	assert.Equal(t, []string{"0 " + fhir.RuleModifier + " Bundle.link[0].modifierExtension[0]"}, faults)
}
