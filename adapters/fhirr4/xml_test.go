package fhirr4

import (
	"html"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/fhir"
)

// inXML writes a document in XML, an entry a line so that places differ.
func inXML(t testing.TB, raw []byte) []byte {
	t.Helper()
	doc, err := fhir.Read(raw, fhir.Limits{})
	require.NoError(t, err)
	out, err := fhir.AppendXML(nil, doc)
	require.NoError(t, err)
	return []byte(strings.ReplaceAll(string(out), "<entry>", "\n<entry>"))
}

func texts(values []engine.Value) (out []string) {
	for _, v := range values {
		out = append(out, v.Text+" at "+v.At.Path)
	}
	return out
}

// A message is the same message in XML: the same values at the same paths, each at the bytes and the line where it stands.
func TestXMLIsTheSameMessage(t *testing.T) {
	a, raw := New(), sample(t)
	other := inXML(t, raw)
	jsons, faults := decode(t, a, raw)
	require.Empty(t, faults)
	xmls, faults := decode(t, a, other)
	require.Empty(t, faults)
	require.Len(t, xmls, 1)
	assert.Equal(t, engine.Place{Record: 1, Path: "Bundle", Line: 1, Column: 1, Start: 0, End: int64(len(other))}, xmls[0].Place())
	found := 0
	for _, c := range candidates() {
		s, err := a.Compile(c.Select, schema())
		require.NoError(t, err)
		want, got := s.Select(jsons[0], nil), s.Select(xmls[0], nil)
		assert.Equal(t, texts(want), texts(got), c.Name)
		for _, v := range got {
			found++
			assert.Equal(t, v.Text, html.UnescapeString(string(other[v.At.Start:v.At.End])), c.Name)
			assert.Equal(t, strings.Count(string(other[:v.At.Start]), "\n")+1, v.At.Line, c.Name)
		}
	}
	assert.Greater(t, found, 10)

	p, ok := a.(engine.Profiler).Profile(other)
	require.True(t, ok)
	assert.Contains(t, p.Reasons[0], "XML")
	cells := map[string]string{}
	for c := range a.(engine.Surveyor).Survey(engine.Message{Body: other}, schema()) {
		assert.Equal(t, engine.EscapeXML, c.Escape)
		cells[c.Path] = string(other[c.Start:c.End])
	}
	assert.Equal(t, "2019-06-03", cells["Bundle.entry.resource(Patient).birthDate"])
}

func TestXMLTransactionHasTheSameRecords(t *testing.T) {
	raw, err := os.ReadFile("../../mappings/suppliers/testshire-trust-encounters/sample/two-attendances.json")
	require.NoError(t, err)
	a, src := New(), engine.Schema{Format: Format, Options: map[string]string{OptionBundle: bundleTransaction}}
	s, err := a.Compile("Bundle.entry.resource.ofType(Encounter).identifier.value", src)
	require.NoError(t, err)
	read := func(body []byte) (out [][]string) {
		for r, err := range a.Decode(engine.Message{Body: body}, src) {
			require.NoError(t, err)
			found := s.Select(r, nil)
			for _, v := range found {
				assert.Contains(t, string(body[v.At.Start:v.At.End]), v.Text)
			}
			out = append(out, append(texts(found), r.Place().Path))
		}
		return out
	}
	want := read(raw)
	require.Len(t, want, 2)
	assert.Equal(t, want, read(inXML(t, raw)))
}

func TestXMLThatIsRefused(t *testing.T) {
	good := string(inXML(t, sample(t)))
	for name, tc := range map[string]struct{ in, rule, path string }{
		"an entity":           {strings.Replace(good, "Robin", "&rob;", 1), engine.RuleSyntax, ""},
		"a document type":     {"<!DOCTYPE a>" + good, engine.RuleSyntax, ""},
		"another namespace":   {strings.Replace(good, "http://hl7.org/fhir\"", "http://testshire.example\"", 1), engine.RuleSyntax, ""},
		"a misspelt element":  {strings.ReplaceAll(good, "birthDate", "birthdate"), fhir.RuleElement, "Bundle.entry[2].resource"},
		"a code in capitals":  {strings.Replace(good, `"in-progress"`, `"In-Progress"`, 1), engine.RuleEnum, "Bundle.entry[1].resource.status"},
		"cut short":           {good[:len(good)/2], engine.RuleSyntax, ""},
		"two of a single one": {strings.Replace(good, `<type value="message"/>`, `<type value="message"/><type value="message"/>`, 1), engine.RuleSyntax, "Bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			records, faults := decode(t, New(), []byte(tc.in))
			assert.Empty(t, records)
			require.NotEmpty(t, faults)
			assert.Equal(t, tc.rule, faults[0].Rule, "%v", faults[0])
			assert.Positive(t, faults[0].Place.Line)
			if tc.path != "" {
				assert.Equal(t, tc.path, faults[0].Place.Path)
			}
		})
	}
}
