package fhir

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// evaluate returns the texts that a path finds in a document, and their concrete paths.
func evaluate(t *testing.T, doc *Document, expr string) (texts, paths []string) {
	t.Helper()
	p, err := Compile(expr)
	require.NoError(t, err, expr)
	for _, r := range p.Eval(doc.Root(), nil) {
		texts = append(texts, r.Text)
		paths = append(paths, r.Path())
	}
	return texts, paths
}

const family = `{
 "resourceType": "Patient", "id": "p",
 "contained": [{"resourceType": "Organization", "id": "o", "name": "Testshire", "extension": [{"url": "http://x/up", "valueReference": {"reference": "#"}}]}],
 "extension": [{"url": "http://x/a", "valueString": "A"}, {"url": "http://x/b", "valueCoding": {"code": "B"}},
  {"url": "http://x/c", "extension": [{"url": "inner", "valueDateTime": "2020-01-01"}]}],
 "identifier": [{"system": "s1", "value": "1"}, {"system": "s2", "value": "2"}, {"value": "3"}],
 "active": true, "multipleBirthInteger": 2, "birthDate": "2019-06-03",
 "_birthDate": {"extension": [{"url": "http://x/time", "valueDateTime": "2019-06-03T04:12:00+01:00"}]},
 "name": [{"use": "official", "family": "Sample", "given": ["Robin", null], "_given": [null, {"extension": [{"url": "http://x/why", "valueCode": "unknown"}]}]},
  {"use": "nickname", "given": ["Bobby"]}],
 "managingOrganization": {"reference": "#o"},
 "generalPractitioner": [{"identifier": {"value": "g"}}]
}`

func TestPathFinds(t *testing.T) {
	doc, err := Read([]byte(family), Limits{})
	require.NoError(t, err)
	require.Empty(t, doc.Check())
	tests := []struct {
		expr  string
		texts string // joined with a space
	}{
		{"Patient.id", "p"},
		{"id", "p"},
		{"Encounter.id", ""},
		{"Patient.name.given", "Robin  Bobby"},
		{"Patient.name[1].given[0]", "Bobby"},
		{"Patient.name[2].given", ""},
		{"Patient.name.given.first()", "Robin"},
		{"Patient.name.given.last()", "Bobby"},
		{"Patient.name.where(use = 'official').family", "Sample"},
		{"Patient.name.where(use = 'official' or use = 'nickname').given.last()", "Bobby"},
		{"Patient.name.where(use != 'official').given", "Bobby"},
		{"Patient.name.where(use = 'official' and family.exists()).given[0]", "Robin"},
		{"Patient.name.where(family.empty()).given", "Bobby"},
		{"Patient.name.where(family.exists().not()).given", "Bobby"},
		{"Patient.name.where($this.use = 'nickname').given", "Bobby"},
		{"Patient.identifier.where(system = 's2').value", "2"},
		{"Patient.identifier.where(system != 's2').value", "1"},
		{"Patient.identifier.where((system = 's1') or (value = '3')).value", "1 3"},
		{"Patient.identifier.exists()", "true"},
		{"Patient.identifier.exists(value = '3')", "true"},
		{"Patient.identifier.exists(value = '4')", "false"},
		{"Patient.photo.exists()", "false"},
		{"Patient.photo.empty()", "true"},
		{"Patient.active", "true"},
		{"Patient.active = true", "true"},
		{"Patient.active = false", "false"},
		{"Patient.active and Patient.photo.exists()", "false"},
		{"Patient.active or Patient.gender = 'x'", "true"},
		{"Patient.gender = 'x'", ""},
		{"Patient.gender = 'x' and Patient.active = false", "false"},
		{"Patient.multipleBirth", "2"},
		{"Patient.multipleBirth = 2", "true"},
		{"Patient.multipleBirth.ofType(integer)", "2"},
		{"Patient.multipleBirth.ofType(boolean)", ""},
		{"Patient.deceased", ""},
		{"Patient.extension('http://x/a').value", "A"},
		{"Patient.extension('http://x/b').value.ofType(Coding).code", "B"},
		{"Patient.extension('http://x/b').value.ofType(string)", ""},
		{"Patient.extension('http://x/c').extension('inner').value.ofType(dateTime)", "2020-01-01"},
		{"Patient.extension.where(url = 'http://x/a').value", "A"},
		{"Patient.birthDate", "2019-06-03"},
		{"Patient.birthDate.extension('http://x/time').value", "2019-06-03T04:12:00+01:00"},
		{"Patient.name.given[1].extension('http://x/why').value", "unknown"},
		{"Patient.identifier[0].value | Patient.identifier[2].value", "1 3"},
		{"Patient.id | Patient.id", "p"},
		{"(Patient.id | Patient.identifier.value).last()", "3"},
		{"Patient.managingOrganization.resolve().ofType(Organization).name", "Testshire"},
		{"Patient.managingOrganization.resolve().ofType(Patient).id", ""},
		{"Patient.managingOrganization.resolve().ofType(Organization).extension('http://x/up').value.resolve().ofType(Patient).birthDate", "2019-06-03"},
		{"Patient.generalPractitioner.resolve().id", ""},
		{"Patient.generalPractitioner.identifier.value", "g"},
		{"Patient.contained.ofType(Organization).name", "Testshire"},
		{"Patient.`name`.`use`.first()", "official"},
		{" Patient . id ", "p"},
		{"'literal'", "literal"},
		{"'it\\'s \\u0041'", "it's A"},
		{"Patient.where(active).id", "p"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			texts, _ := evaluate(t, doc, tt.expr)
			assert.Equal(t, tt.texts, strings.Join(texts, " "))
		})
	}
}

func TestPathSaysWhere(t *testing.T) {
	raw := sampleBundle(t)
	doc, err := Read(raw, Limits{})
	require.NoError(t, err)
	p, err := CompileFor("Bundle", "Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).identifier.where(system = '"+SystemNHSNumber+"').value")
	require.NoError(t, err)
	found := p.Eval(doc.Root(), nil)
	require.Len(t, found, 1)
	assert.Equal(t, "Bundle.entry[2].resource.identifier[0].value", found[0].Path())
	assert.Equal(t, "string", found[0].Type)
	start, end := found[0].Node.Range()
	assert.Equal(t, `"9990000018"`, string(raw[start:end]))
	assert.Equal(t, []string{"string"}, p.Types())
	assert.False(t, p.Single())
	assert.True(t, p.Primitive())
	assert.Empty(t, p.Eval(nil, nil))
}

func TestResolveInBundle(t *testing.T) {
	bundle := `{"resourceType":"Bundle","type":"collection","entry":[
	 {"fullUrl":"https://a.example/fhir/Encounter/e","resource":{"resourceType":"Encounter","id":"e","status":"planned","class":{"code":"EMER"},
	  "subject":{"reference":"REF"}}},
	 {"fullUrl":"https://a.example/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1","birthDate":"2001-01-01"}},
	 {"fullUrl":"https://b.example/fhir/Patient/2","resource":{"resourceType":"Patient","id":"2","birthDate":"2002-02-02"}},
	 {"fullUrl":"urn:uuid:0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01","resource":{"resourceType":"Patient","birthDate":"2003-03-03"}},
	 {"resource":{"resourceType":"Patient","id":"4","birthDate":"2004-04-04"}}
	]}`
	for ref, want := range map[string]string{
		"Patient/1":                                     "2001-01-01",
		"https://a.example/fhir/Patient/1":              "2001-01-01",
		"Patient/1/_history/3":                          "2001-01-01",
		"https://b.example/fhir/Patient/2":              "2002-02-02",
		"urn:uuid:0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01": "2003-03-03",
		"Patient/4":                                     "2004-04-04",
		"Patient/5":                                     "",
		"https://c.example/fhir/Patient/1":              "",
		"Patient/1#x":                                   "",
		"#1":                                            "",
		"urn:uuid:none":                                 "",
	} {
		doc, err := Read([]byte(strings.Replace(bundle, "REF", ref, 1)), Limits{})
		require.NoError(t, err)
		texts, _ := evaluate(t, doc, "Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).birthDate")
		assert.Equal(t, want, strings.Join(texts, " "), ref)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		expr           string
		offset, length int
		text, suggest  string
	}{
		{"", 0, 1, "expected the name", ""},
		{"Patient.", 8, 1, "expected the name", ""},
		{"Patient.nam", 8, 3, "no element of that name in Patient", "name"},
		{"Patient.name.fmaily", 13, 6, "no element of that name in HumanName", "family"},
		{"Pateint.name", 0, 7, "R4 has no such type", "Patient"},
		{"Bundle.entry.resource.ofType(Encouter).id", 29, 8, "R4 has no such type", "Encounter"},
		{"Bundle.entry.resource.ofType(Encounter).clas.code", 40, 4, "no element of that name in Encounter", "class"},
		{"Bundle.entry.resource.resourceType", 22, 12, "ofType()", ""},
		{"Bundle.entry.resource.birthDat", 22, 8, "no element", "birthDate"},
		{"Patient.deceasedBoolean", 8, 15, "is a choice", "deceased.ofType(boolean)"},
		{"Patient.multipleBirth.ofType(string)", 29, 6, "this can only be boolean or integer", ""},
		{"Patient.name.where(us = 'x')", 19, 2, "no element", "use"},
		{"Patient.name.where(use = 'x'", 28, 1, "expected )", ""},
		{"Patient.name.where()", 19, 1, "expected the name", ""},
		{"Patient.name.were(use = 'x')", 13, 4, "not in the subset", "where"},
		{"Patient.name.select(use)", 13, 6, "not in the subset", ""},
		{"Patient.name[x]", 13, 1, "whole number", ""},
		{"Patient.name[1", 14, 1, "expected ]", ""},
		{"Patient.name[99999999999999999999]", 13, 20, "whole number", ""},
		{"Patient.name = 'x'", 0, 7, "only primitives", ""},
		{"'x' = Patient.name", 6, 7, "only primitives", ""},
		{"Patient.birthDate.resolve()", 18, 7, "follows a Reference", ""},
		{"Patient.birthDate.year", 18, 4, "no element of that name in date", ""},
		{"Patient.name 'x'", 13, 3, "nothing more", ""},
		{"Patient.name.use = 'x", 19, 2, "quote is not closed", ""},
		{"Patient.name.use = 'x\\q'", 21, 1, "unknown escape", ""},
		{"Patient.name + 1", 13, 1, "not in the subset", ""},
		{"Patient.extension(url)", 18, 3, "as a literal", ""},
		{"Patient.name.ofType('x')", 20, 3, "name of a type", ""},
		{"Patient.name.é", 13, 2, "not in the subset", ""},
		{strings.Repeat("(", 40) + "id" + strings.Repeat(")", 40), 32, 1, "nests too deep", ""},
		{strings.Repeat("a", 5000), 0, 5000, "over 4096 bytes", ""},
	}
	for _, tt := range tests {
		t.Run(tt.expr[:min(len(tt.expr), 60)], func(t *testing.T) {
			_, err := Compile(tt.expr)
			var at *PathError
			require.ErrorAs(t, err, &at)
			assert.Equal(t, tt.offset, at.Offset, "%v", err)
			assert.Equal(t, tt.length, at.Length, "%v", err)
			assert.Contains(t, at.Text, tt.text)
			assert.Equal(t, tt.suggest, at.Suggest)
			assert.Contains(t, err.Error(), "fhirpath: at ")
		})
	}
}

func TestCompileForKnowsItsContext(t *testing.T) {
	_, err := CompileFor("Bundle", "Patient.name")
	assert.ErrorContains(t, err, "the expression starts from Bundle")
	_, err = CompileFor("Bundle", "name")
	assert.Error(t, err)
	p, err := CompileFor("Bundle", "entry.first().fullUrl")
	require.NoError(t, err)
	assert.True(t, p.Single())
	assert.Equal(t, "entry.first().fullUrl", p.String())
	p, err = CompileFor("Bundle", "entry.resource")
	require.NoError(t, err)
	assert.False(t, p.Primitive())
	assert.Equal(t, []string{"Resource"}, p.Types())
}

// FuzzCompile holds that no expression panics, that a refusal lies within the expression, and that what compiles can run.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"Patient.name.where(use = 'official').given[0]", "a | b", "resolve().extension('x').value", "$this", "((id))", "'\\u00e9'", "`x`.ofType(date)", "not()", "1 = 2 and true or false"} {
		f.Add(s)
	}
	doc, err := Read([]byte(family), Limits{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, expr string) {
		p, err := Compile(expr)
		if err != nil {
			var at *PathError
			require.ErrorAs(t, err, &at)
			require.GreaterOrEqual(t, at.Offset, 0)
			require.LessOrEqual(t, at.Offset, len(expr))
			return
		}
		found := p.Eval(doc.Root(), nil)
		if p.Single() {
			require.LessOrEqual(t, len(found), 1)
		}
		for _, r := range found {
			if r.Node != nil {
				start, end := r.Node.Range()
				require.LessOrEqual(t, start, end)
			}
		}
	})
}

// TestSharedUse runs one path over one document from several goroutines, for the race detector.
func TestSharedUse(t *testing.T) {
	doc, err := Read(sampleBundle(t), Limits{})
	require.NoError(t, err)
	p, err := Compile("Bundle.entry.resource.ofType(Encounter).serviceProvider.resolve().ofType(Organization).name")
	require.NoError(t, err)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				assert.Len(t, p.Eval(doc.Root(), nil), 1)
			}
		})
	}
	wait.Wait()
}
