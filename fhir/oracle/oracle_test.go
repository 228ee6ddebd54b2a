package oracle

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

func newValidator(t testing.TB) *Validator {
	t.Helper()
	v, err := New()
	require.NoError(t, err)
	return v
}

func TestValidatorAcceptsTheSample(t *testing.T) {
	raw, err := os.ReadFile("../../mappings/suppliers/testshire-trust-fhir/sample/attendance.json")
	require.NoError(t, err)
	assert.Empty(t, newValidator(t).Check(raw))
}

func TestValidatorRefuses(t *testing.T) {
	v := newValidator(t)
	patient := func(members string) string { return `{"resourceType":"Patient",` + members + `}` }
	inBundle := func(resource string) string {
		return `{"resourceType":"Bundle","type":"message","entry":[{"resource":` + resource + `}]}`
	}
	tests := []struct {
		name, in, rule, path, text string
	}{
		{"an unknown element", patient(`"favourite":"x"`), fhir.RuleElement, "Patient", "no such element"},
		{"a date in another form", patient(`"birthDate":"03/06/2019"`), fhir.RuleValue, "Patient.birthDate", "form of date"},
		{"a day that does not exist", patient(`"birthDate":"2019-02-30"`), fhir.RuleValue, "Patient.birthDate", ""},
		{"an instant without a zone", inBundle(`{"resourceType":"AuditEvent","recorded":"2026-01-01T00:00:00"}`), fhir.RuleValue, "Bundle.entry[0].resource.recorded", "form of instant"},
		{"no status", inBundle(`{"resourceType":"Encounter","class":{"code":"EMER"}}`), fhir.RuleRequired, "Bundle.entry[0].resource", "status is mandatory"},
		{"a reference to a wrong type", inBundle(`{"resourceType":"Encounter","status":"planned","class":{"code":"EMER"},"subject":{"reference":"Organization/1"}}`), fhir.RuleReference, "Bundle.entry[0].resource.subject", "leads to Organization"},
		{"an unknown resource", inBundle(`{"resourceType":"Encountre"}`), fhir.RuleResourceType, "Bundle.entry[0].resource.?", "not the name"},
		{"two types of a choice", patient(`"deceasedBoolean":true,"deceasedDateTime":"2020"`), fhir.RuleChoice, "Patient", "two types"},
		{"an object for an array", patient(`"name":{"family":"x"}`), fhir.RuleShape, "Patient.name", "another shape"},
		{"not JSON", `{"resourceType":`, fhir.RuleShape, "", "another shape"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults := v.Check([]byte(tt.in))
			require.NotEmpty(t, faults)
			assert.Equal(t, tt.rule, faults[0].Rule, "%v", faults[0])
			assert.Equal(t, tt.path, faults[0].Path)
			assert.Contains(t, faults[0].Text, tt.text)
		})
	}
}

// TestReadersCoverEachOther holds what google/fhir lets pass and our own reader does not.
func TestReadersCoverEachOther(t *testing.T) {
	v := newValidator(t)
	for name, in := range map[string]string{
		"null status":            `{"resourceType":"Flag","status":null,"code":{"text":"x"},"subject":{"display":"x"}}`,
		"status in capitals":     `{"resourceType":"Flag","status":"Active","code":{"text":"x"},"subject":{"display":"x"}}`,
		"duplicate key":          `{"resourceType":"Patient","gender":"male","gender":"female"}`,
		"empty string":           `{"resourceType":"Patient","id":""}`,
		"key in the wrong case":  `{"resourceType":"Patient","Gender":"male"}`,
		"resourceType in a list": `{"resourceType":"Patient","name":[]}`,
	} {
		_, faults := fhir.Examine([]byte(in), fhir.Limits{}, v)
		assert.NotEmpty(t, faults, name)
	}
}

func TestExamineDoesNotSayThingsTwice(t *testing.T) {
	in := "{\"resourceType\":\"Patient\",\n \"nmae\":[{\"family\":\"x\"}],\n \"birthDate\":\"yesterday\"}"
	_, faults := fhir.Examine([]byte(in), fhir.Limits{}, newValidator(t))
	require.Len(t, faults, 2, "%v", faults)
	assert.Equal(t, "name", faults[0].Suggest)
	assert.Equal(t, 3, faults[1].Line, "google/fhir's fault gets a place from its path")
}

// TestFaultsHoldNoData puts a marker wherever google/fhir might quote it.
func TestFaultsHoldNoData(t *testing.T) {
	const marker = "9990000018"
	v := newValidator(t)
	for _, in := range []string{
		`{"resourceType":"` + marker + `"}`,
		`{"resourceType":"Patient","` + marker + `":"x"}`,
		`{"resourceType":"Patient","birthDate":"` + marker + `"}`,
		`{"resourceType":"Patient","birthDate":{"` + marker + `":1}}`,
		`{"resourceType":"Patient","gender":"` + marker + `"}`,
		`{"resourceType":"Patient","id":"` + marker + `!!"}`,
		`{"resourceType":"Patient","active":"` + marker + `"}`,
		`{"resourceType":"Patient","contained":[{"resourceType":"` + marker + `"}]}`,
		`{"resourceType":"Patient","managingOrganization":{"reference":"Encounter/` + marker + `"}}`,
		`{"resourceType":"Patient","extension":[{"url":"x","value` + marker + `":1}]}`,
		`{"resourceType":"Patient","name":"` + marker + `"}`,
		marker, `"` + marker + `"`, `[` + marker,
	} {
		faults := v.Check([]byte(in))
		require.NotEmpty(t, faults, in)
		for _, f := range faults {
			assert.NotContains(t, f.Error(), marker, in)
		}
	}
}

func TestSafePath(t *testing.T) {
	for in, want := range map[string]string{
		"":              "",
		"Patient.name":  "Patient.name",
		"Patient.Smith": "Patient.?",
		"Bundle.entry[0].resource.MessageHeader.eventCoding": "Bundle.entry[0].resource.eventCoding",
		"Bundle.entry[1].resource.encounter":                 "Bundle.entry[1].resource",
		"Bundle.entry[1].resource.CarePlan.encounter":        "Bundle.entry[1].resource.encounter",
	} {
		assert.Equal(t, want, safePath(in), in)
	}
}

// TestSharedExamples reads published examples where they are at hand. They are XML for the most part; the JSON ones must be sound.
func TestSharedExamples(t *testing.T) {
	const dir = "../../../shared/schemas/fhir-england/examples/"
	raw, err := os.ReadFile(dir + "PARS-AuditEvent-patient-flag-Example.json")
	if err != nil {
		t.Skip("DID NOT RUN: the shared example of a patient flag AuditEvent is not at hand")
	}
	_, faults := fhir.Examine(raw, fhir.Limits{}, newValidator(t))
	assert.Empty(t, faults)
}

// FuzzAgainstOracle looks for documents on which the readers differ in a way that nobody has decided.
func FuzzAgainstOracle(f *testing.F) {
	v := newValidator(f)
	f.Add(`{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}]}`)
	f.Add(`{"resourceType":"Flag","status":"active","code":{"text":"x"},"subject":{"display":"x"}}`)
	f.Add(`{"resourceType":"Patient","implicitRules":"%0X"}`)
	f.Add(`{"resourceType":"MessageHeader","eventCoding":{"extension":[{"url":"%0X","valueString":"0"}]},"source":{"endpoint":"0"}}`)
	f.Add("{\"resourceType\":\"CareTeam\",\"text\":{\"status\":\"\",\"div\":\"\\b\x10\"}}")
	f.Add(`{"resourceType":"Patient","name":[{"given":[{"id":"0"}]}],"birthDate":{"extension":[{"url":"a","valueString":"b"}]}}`)
	g := newGenerator(f, 7)
	for _, typ := range []string{"Encounter", "Provenance", "MessageHeader", "CareTeam"} {
		f.Add(text(g.resource(typ, 1)))
	}
	f.Fuzz(func(t *testing.T, in string) {
		o := Compare([]byte(in), fhir.Limits{MaxBytes: 4096}, v)
		if len(o.Ours) == 1 && o.Ours[0].Rule == fhir.RuleSize {
			return
		}
		if o.Class == Undecided {
			t.Fatalf("nobody has decided this difference:\nours: %v\ntheirs: %v", o.Ours, o.Theirs)
		}
	})
}
