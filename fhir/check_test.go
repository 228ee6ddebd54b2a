package fhir

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCheck(t *testing.T) {
	encounter := func(members string) string {
		return `{"resourceType":"Encounter","class":{"code":"EMER"},` + members + `}`
	}
	tests := []struct {
		name, in            string
		rule, path, suggest string
	}{
		{"sound", encounter(`"status":"planned"`), "", "", ""},
		{"a status in capitals", encounter(`"status":"Planned"`), RuleCode, "Encounter.status", "planned"},
		{"no status", encounter(`"id":"a"`), RuleRequired, "Encounter", ""},
		{"a misspelt element", encounter(`"status":"planned","serviceProvder":{"display":"x"}`), RuleElement, "Encounter", "serviceProvider"},
		{"a key in the wrong case", encounter(`"status":"planned","Subject":{"display":"x"}`), RuleElement, "Encounter", "subject"},
		{"an object for a list", encounter(`"status":"planned","participant":{"type":[{"text":"x"}]}`), RuleShape, "Encounter.participant", ""},
		{"a list for an object", encounter(`"status":"planned","subject":[{"display":"x"}]`), RuleShape, "Encounter.subject", ""},
		{"a string for an object", encounter(`"status":"planned","subject":"x"`), RuleShape, "Encounter.subject", ""},
		{"a number for a string", encounter(`"status":"planned","id":1`), RuleShape, "Encounter.id", ""},
		{"a string for a boolean", `{"resourceType":"Patient","active":"true"}`, RuleShape, "Patient.active", ""},
		{"a string for a number", `{"resourceType":"Patient","multipleBirthInteger":"2"}`, RuleShape, "Patient.multipleBirthInteger", ""},
		{"a nested element", encounter(`"status":"planned","location":[{"locaton":{"display":"x"}}]`), RuleElement, "Encounter.location[0]", "location"},
		{"a choice with a type that it has not", `{"resourceType":"Patient","deceasedString":"x"}`, RuleElement, "Patient", ""},
		{"two types of a choice", `{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}`, RuleChoice, "Patient.deceasedDateTime", ""},
		{"a choice with its extension", `{"resourceType":"Patient","deceasedBoolean":true,"_deceasedBoolean":{"id":"x"}}`, "", "", ""},
		{"an extension of a primitive", `{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://x","valueString":"y"}]}}`, "", "", ""},
		{"more than an extension beside a primitive", `{"resourceType":"Patient","_birthDate":{"value":"y"}}`, RuleElement, "Patient._birthDate", ""},
		{"an extension of an object", `{"resourceType":"Patient","_name":[{"id":"x"}]}`, RuleElement, "Patient", "name"},
		{"null beside an extension", `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}]}`, "", "", ""},
		{"null beside nothing", `{"resourceType":"Patient","name":[{"given":["A",null]}]}`, RuleNull, "Patient.name[0].given[1]", ""},
		{"a contained resource", `{"resourceType":"Patient","contained":[{"resourceType":"Organization","nam":"x"}]}`, RuleElement, "Patient.contained[0]", "name"},
		{"a contained thing", `{"resourceType":"Patient","contained":[{"id":"x"}]}`, RuleResourceType, "Patient.contained[0]", ""},
		{"a contained string", `{"resourceType":"Patient","contained":["x"]}`, RuleShape, "Patient.contained[0]", ""},
		{"a contained unknown", `{"resourceType":"Patient","contained":[{"resourceType":"Orgnization"}]}`, RuleResourceType, "Patient.contained[0].resourceType", "Organization"},
		{"a list that contains itself", `{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","part":[{"value":1}]}]}]}`, RuleElement, "Parameters.parameter[0].part[0].part[0]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Read([]byte(tt.in), Limits{})
			require.NoError(t, err)
			faults := doc.Check()
			if tt.rule == "" {
				assert.Empty(t, faults)
				return
			}
			require.NotEmpty(t, faults)
			var last *Fault
			for _, f := range faults {
				if f.Rule == tt.rule {
					last = f
				}
			}
			require.NotNil(t, last, "%v", faults)
			assert.Equal(t, tt.path, last.Path)
			assert.Equal(t, tt.suggest, last.Suggest)
			assert.Equal(t, 1, last.Line)
		})
	}
}

func TestCheckIsBounded(t *testing.T) {
	many := `{"resourceType":"Patient","name":[{"famil":"a"}`
	for range 500 {
		many += `,{"famil":"a"}`
	}
	doc, err := Read([]byte(many+"]}"), Limits{})
	require.NoError(t, err)
	assert.Len(t, doc.Check(), maxFaults)
}

// TestHostileDocuments reads documents that are made to cost: each has to end, with a bounded report.
func TestHostileDocuments(t *testing.T) {
	fill := func(start, piece, end string) []byte {
		return []byte(start + strings.TrimSuffix(strings.Repeat(piece, (1<<20-len(start)-len(end))/len(piece)), ",") + end)
	}
	keys := strings.Builder{}
	for i := range 40_000 {
		fmt.Fprintf(&keys, `"k%d":1,`, i)
	}
	for name, raw := range map[string][]byte{
		"nulls":           fill(`{"resourceType":"Patient","name":[{"given":[`, `null,`, `]}]}`),
		"nulls and twins": fill(`{"resourceType":"Patient","name":[{"_given":[`, `null,`, `],"given":["a"]}]}`),
		"unknown keys":    []byte(`{"resourceType":"Patient",` + keys.String() + `"id":"a"}`),
		"empty strings":   fill(`{"resourceType":"Patient","name":[{"given":[`, `"",`, `]}]}`),
		"open brackets":   fill(`{"resourceType":"Patient","name":`, `[`, ``),
		"line feeds":      fill(`{"resourceType":"Patient","id":1`, "\n", `}`),
	} {
		_, faults := Examine(raw, Limits{MaxNodes: 1 << 20}, nil)
		assert.NotEmpty(t, faults, name)
		assert.LessOrEqual(t, len(faults), maxFaults+1, name)
	}
}

func TestPositionAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "id")
		gaps := rapid.SliceOfN(rapid.StringMatching(`[ \n\t]{0,4}`), 5, 5).Draw(t, "gaps")
		raw := []byte(gaps[0] + `{` + gaps[1] + `"resourceType":` + gaps[2] + `"Patient",` + gaps[3] + `"id":"` + id + `"` + gaps[4] + `}`)
		doc, err := Read(raw, Limits{})
		require.NoError(t, err)
		for offset := range len(raw) + 1 {
			line, column := doc.Position(int64(offset))
			wantLine, wantColumn := position(raw, int64(offset))
			require.Equal(t, [2]int{wantLine, wantColumn}, [2]int{line, column})
		}
	})
}

func TestSampleIsSound(t *testing.T) {
	doc, faults := Examine(sampleBundle(t), Limits{}, nil)
	assert.Empty(t, faults)
	assert.Equal(t, "Bundle", doc.Type())
}

// second is a second opinion that says what it is told to.
type second []*Fault

func (s second) Check([]byte) []*Fault { return s }

func TestExamineMergesOpinions(t *testing.T) {
	raw := []byte("{\"resourceType\":\"Patient\",\n\"gendr\":\"male\",\"birthDate\":\"tomorrow\"}")
	_, faults := Examine(raw, Limits{}, second{
		{Path: "Patient", Rule: RuleElement, Text: "the same again"},
		{Path: "Patient.birthDate", Rule: RuleValue, Text: "not a date"},
		{Path: "Patient.nowhere", Rule: RuleOther, Text: "no place"},
	})
	require.Len(t, faults, 3)
	assert.Equal(t, RuleElement, faults[0].Rule)
	assert.Equal(t, 2, faults[1].Line)
	assert.Equal(t, 28, faults[1].Column)
	assert.Zero(t, faults[2].Line)
}

func TestElementTable(t *testing.T) {
	table := r4()
	assert.Greater(t, len(table.resources), 140)
	for name, info := range table.types {
		for _, el := range info.elements {
			for _, typ := range el.types {
				if !isPrimitive(typ) && typ != typeResource {
					assert.Contains(t, table.types, typ, "%s.%s", name, el.name)
				}
			}
		}
	}
	assert.True(t, IsElement("birthDate"))
	assert.True(t, IsElement("_birthDate"))
	assert.False(t, IsElement("BirthDate"))
	assert.True(t, IsResourceType("Flag"))
	assert.False(t, IsResourceType("HumanName"))
}

func TestNearest(t *testing.T) {
	words := []string{"status", "subject", "serviceProvider", "period"}
	for in, want := range map[string]string{"staus": "status", "sttaus": "status", "Subject": "subject", "serviceprovidr": "serviceProvider", "zzz": "", "": ""} {
		assert.Equal(t, want, nearest(in, words), in)
	}
}
