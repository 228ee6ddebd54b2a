package fhir

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const attendance = "../mappings/suppliers/testshire-trust-fhir/sample/attendance.json"

func sampleBundle(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile(attendance)
	require.NoError(t, err)
	return raw
}

func patientWith(members string) string {
	return "{\n \"resourceType\": \"Patient\",\n " + members + "\n}"
}

func TestReadRefuses(t *testing.T) {
	small := Limits{MaxBytes: 400, MaxDepth: 6, MaxNodes: 20, MaxString: 40}
	tests := []struct {
		name, in   string
		rule, path string
		line, col  int
		offset     int64
	}{
		{"empty", "", RuleTruncated, "", 1, 1, 0},
		{"white space only", " \n ", RuleTruncated, "", 1, 1, 0},
		{"byte order mark", "\xef\xbb\xbf{\"resourceType\":\"Patient\"}", RuleBOM, "", 1, 1, 0},
		{"too many bytes", strings.Repeat(" ", 401), RuleSize, "", 1, 401, 400},
		{"too deep", patientWith(`"a":[{"a":[{"a":[{"a":1}]}]}]`), RuleDepth, "Patient.?[0].?[0].?[0]", 3, 19, 0},
		{"too many values", patientWith(`"given":["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]`), RuleNodes, "Patient.given", 3, 0, 0},
		{"a long string", patientWith(`"id": "` + strings.Repeat("x", 41) + `"`), RuleString, "Patient.id", 3, 8, 0},
		{"trailing bytes", `{"resourceType":"Patient"} x`, RuleTrailing, "", 1, 27, 26},
		{"a second document", `{"resourceType":"Patient"}{}`, RuleTrailing, "", 1, 27, 26},
		{"truncated", `{"resourceType":"Patient"`, RuleTruncated, "Patient", 1, 26, 25},
		{"truncated in a string", `{"resourceType":"Pat`, RuleTruncated, "resourceType", 1, 21, 20},
		{"duplicate name", patientWith(`"gender": "male", "gender": "female"`), RuleDuplicate, "Patient", 3, 20, 0},
		{"duplicate by escape", patientWith(`"gender": "male", "g\u0065nder": "female"`), RuleDuplicate, "Patient", 3, 20, 0},
		{"not UTF-8", patientWith("\"id\": \"a\xff\""), RuleUTF8, "Patient.id", 3, 10, 0},
		{"half a surrogate", patientWith(`"id": "a\ud800b"`), RuleUTF8, "Patient.id", 3, 10, 0},
		{"a comma too many", patientWith(`"id": "a",`), RuleSyntax, "Patient", 3, 11, 0},
		{"a comment", patientWith(`"id": /* x */ "a"`), RuleSyntax, "Patient.id", 3, 8, 0},
		{"single quotes", `{'resourceType':'Patient'}`, RuleSyntax, "", 1, 2, 1},
		{"a control character", patientWith("\"id\": \"a\x01\""), RuleSyntax, "Patient.id", 3, 10, 0},
		{"NaN", patientWith(`"id": NaN`), RuleSyntax, "Patient.id", 3, 8, 0},
		{"a leading zero", patientWith(`"id": 01`), RuleSyntax, "Patient", 3, 9, 0},
		{"an array", `[1]`, RuleResourceType, "", 1, 1, 0},
		{"a string", `"Patient"`, RuleResourceType, "", 1, 1, 0},
		{"no resourceType", `{"id":"a"}`, RuleResourceType, "", 1, 1, 0},
		{"wrong case of resourceType", `{"RESOURCETYPE":"Patient"}`, RuleResourceType, "", 1, 1, 0},
		{"resourceType misspelt", `{"resourceType":"Patien"}`, RuleResourceType, "resourceType", 1, 17, 16},
		{"resourceType a number", `{"resourceType":1}`, RuleResourceType, "resourceType", 1, 17, 16},
		{"null", patientWith(`"gender": null`), RuleNull, "Patient.gender", 3, 12, 0},
		{"an empty string", patientWith(`"id": ""`), RuleEmpty, "Patient.id", 3, 8, 0},
		{"an empty object", patientWith(`"text": {}`), RuleEmpty, "Patient.text", 3, 10, 0},
		{"an empty array", patientWith(`"name": []`), RuleEmpty, "Patient.name", 3, 10, 0},
		{"an array in an array", patientWith(`"name": [["a"]]`), RuleShape, "Patient.name[0]", 3, 11, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Read([]byte(tt.in), small)
			assert.Nil(t, doc)
			var faults Faults
			require.ErrorAs(t, err, &faults)
			f := faults[0]
			assert.Equal(t, tt.rule, f.Rule, "%v", f)
			assert.Equal(t, tt.path, f.Path, "%v", f)
			assert.Equal(t, tt.line, f.Line, "%v", f)
			if tt.col > 0 {
				assert.Equal(t, tt.col, f.Column, "%v", f)
			}
			if tt.line == 1 {
				assert.Equal(t, tt.offset, f.Offset, "%v", f)
			}
		})
	}
}

func TestReadReportsAllThatItCan(t *testing.T) {
	_, err := Read([]byte(patientWith(`"gender": null, "id": "", "name": [], "contact": [{}]`)), Limits{})
	var faults Faults
	require.ErrorAs(t, err, &faults)
	var rules []string
	for _, f := range faults {
		rules = append(rules, f.Rule)
	}
	assert.Equal(t, []string{RuleNull, RuleEmpty, RuleEmpty, RuleEmpty}, rules)
	assert.Equal(t, 4, strings.Count(err.Error(), "\n")+1)
	var one *Fault
	assert.ErrorAs(t, err, &one)
}

func TestReadSuggests(t *testing.T) {
	_, err := Read([]byte(`{"resourceType":"Bundel"}`), Limits{})
	var f *Fault
	require.ErrorAs(t, err, &f)
	assert.Equal(t, "Bundle", f.Suggest)
	assert.Contains(t, f.Error(), `did you mean "Bundle"?`)
}

// TestFaultsHoldNoData puts a marker wherever a sender can write and looks for it in what comes back.
func TestFaultsHoldNoData(t *testing.T) {
	const marker = "9990000018"
	for _, in := range []string{
		patientWith(`"` + marker + `": null`),
		patientWith(`"` + marker + `": {"` + marker + `": ""}`),
		patientWith(`"id": "` + marker + `\x"`),
		patientWith(`"id": "a", "x` + marker + `": 1, "x` + marker + `": 2`),
		patientWith(`"gender": "` + marker + `"`),
		patientWith(`"birthDate": ` + marker),
		patientWith(`"_birthDate": {"` + marker + `": "` + marker + `"}`),
		patientWith(`"contained": [{"resourceType": "` + marker + `"}]`),
		`{"resourceType":"` + marker + `"}`,
		`{"resourceType":"Patient"}` + marker,
	} {
		_, faults := Examine([]byte(in), Limits{}, nil)
		require.NotEmpty(t, faults, in)
		assert.NotContains(t, faults.Error(), marker)
		for _, i := range faults.Issues() {
			assert.NotContains(t, i.Diagnostics+i.Expression, marker)
		}
	}
}

func TestReadKeepsTexts(t *testing.T) {
	raw := []byte(`{"resourceType":"Observation","valueQuantity":{"value":1.500},"note":[{"text":"a\u00e9\n\"b\" ☃"}],"valueInteger":12345678901234567890}`)
	doc, err := Read(raw, Limits{})
	require.NoError(t, err)
	n := doc.At("Observation.valueQuantity.value")
	assert.Equal(t, "1.500", n.Text())
	assert.Equal(t, Number, n.Kind())
	start, end := n.Range()
	assert.Equal(t, "1.500", string(raw[start:end]))
	assert.Equal(t, "aé\n\"b\" ☃", doc.At("Observation.note[0].text").Text())
	assert.Equal(t, "12345678901234567890", doc.At("Observation.valueInteger").Text())
	assert.Equal(t, "1.500", doc.At("Observation.value.quantity.value").Text(), "a choice in two steps")
	assert.Nil(t, doc.At("Observation.value.range.low"))
	assert.Nil(t, doc.At("Patient.name"))
	assert.Nil(t, doc.At("Observation.note[1]"))
	assert.Nil(t, doc.At("Observation.note[x]"))
}

// TestReadRangesCoverTheSample checks that every node's range is its own JSON, and that its path leads back to it.
func TestReadRangesCoverTheSample(t *testing.T) {
	raw := sampleBundle(t)
	doc, err := Read(raw, Limits{})
	require.NoError(t, err)
	count := 0
	var walk func(n *Node)
	walk = func(n *Node) {
		count++
		start, end := n.Range()
		require.True(t, json.Valid(raw[start:end]), n.Path())
		if n.Kind() == String {
			var s string
			require.NoError(t, json.Unmarshal(raw[start:end], &s))
			assert.Equal(t, s, n.Text())
		}
		assert.Same(t, n, doc.At(n.Path()), n.Path())
		for c := range n.Children {
			assert.Same(t, n, c.Parent())
			walk(c)
		}
	}
	walk(doc.Root())
	assert.Greater(t, count, 150)
}

func TestLimits(t *testing.T) {
	assert.NoError(t, Limits{}.Validate())
	assert.NoError(t, DefaultLimits().Validate())
	assert.Error(t, Limits{MaxDepth: -1}.Validate())
	assert.Error(t, Limits{MaxBytes: 1 << 31}.Validate())
	deep := func(n int) []byte {
		return []byte(`{"resourceType":"Patient","contained":` + strings.Repeat(`[{"a":`, n) + `1` + strings.Repeat(`}]`, n) + `}`)
	}
	_, err := Read(deep(31), Limits{})
	assert.NoError(t, err)
	_, err = Read(deep(32), Limits{})
	assert.ErrorContains(t, err, "nests deeper than 64")
}

// FuzzRead compares with encoding/json: what Read takes is JSON, and holds the same values.
func FuzzRead(f *testing.F) {
	f.Add(sampleBundle(f))
	for _, s := range []string{`{"resourceType":"Patient","id":"a"}`, `{"resourceType":"Patient","a":[1,null,{"b":[]}]}`, patientWith(`"id": "\ud83d\ude00"`), "\xff", `{"resourceType":"Patient","a":1e999}`} {
		f.Add([]byte(s))
	}
	limits := Limits{MaxBytes: 1 << 16, MaxNodes: 4000}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := Read(bytes.Clone(raw), limits)
		if err != nil {
			var faults Faults
			require.ErrorAs(t, err, &faults)
			require.NotEmpty(t, faults)
			for _, fault := range faults {
				require.NotEmpty(t, fault.Rule)
				require.LessOrEqual(t, fault.Offset, int64(len(raw)))
			}
			return
		}
		var same map[string]any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		require.NoError(t, d.Decode(&same))
		equalJSON(t, doc.Root(), same)
		doc.Check()
	})
}

// equalJSON compares a node with what encoding/json made of the same bytes.
func equalJSON(t *testing.T, n *Node, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		require.Equal(t, Object, n.Kind())
		count := 0
		for c := range n.Children {
			v, ok := want[c.Name()]
			require.True(t, ok)
			equalJSON(t, c, v)
			count++
		}
		require.Equal(t, len(want), count)
	case []any:
		require.Equal(t, Array, n.Kind())
		for i, v := range want {
			equalJSON(t, n.Item(i), v)
		}
		require.Nil(t, n.Item(len(want)))
	case json.Number:
		require.Equal(t, Number, n.Kind())
		require.Equal(t, string(want), n.Text())
	case string:
		require.Equal(t, String, n.Kind())
		require.Equal(t, want, n.Text())
	case bool:
		require.Equal(t, Bool, n.Kind())
		require.Equal(t, want, n.Text() == "true")
	case nil:
		require.Equal(t, Null, n.Kind())
	}
}
