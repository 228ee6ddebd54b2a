package fhirpath

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

func find(t testing.TB, doc *fhir.Document, expr string) []Result {
	t.Helper()
	p, err := Compile(expr, Options{})
	require.NoError(t, err, expr)
	found, err := p.Eval(doc.Root(), nil)
	require.NoError(t, err, expr)
	return found
}

func TestResultsSayWhere(t *testing.T) {
	doc := sampleBundle(t)
	found := find(t, doc, "Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).identifier.where(system = '"+nhsNumber+"').value")
	require.Len(t, found, 1)
	assert.Equal(t, "Bundle.entry[2].resource.identifier[0].value", found[0].Path())
	assert.Equal(t, "string", found[0].Type)
	assert.Equal(t, []*fhir.Node{found[0].Node}, found[0].Sources())
	p, err := Compile("Bundle.id", Options{})
	require.NoError(t, err)
	assert.Equal(t, "Bundle.id", p.String())
	none, err := p.Eval(nil, nil)
	assert.NoError(t, err)
	assert.Empty(t, none)
}

// TestMadeValuesSayWhatTheyCameFrom holds that a value that was made names the nodes that it was made of.
func TestMadeValuesSayWhatTheyCameFrom(t *testing.T) {
	doc := patient(t)
	tests := []struct{ expr, text, from string }{
		{"name.given.first() & ' ' & name.family", "Robin Sample", "Patient.name[0].given[0] Patient.name[0].family"},
		{"name.first().family.upper()", "SAMPLE", "Patient.name[0].family"},
		{"name.use.join('+')", "official+nickname", "Patient.name[0].use Patient.name[1].use"},
		{"birthDate.toString().substring(0, 4)", "2019", "Patient.birthDate"},
		{"birthDate + 1 day", "2019-06-04", "Patient.birthDate"},
		{"multipleBirth.ofType(integer) + 1", "3", "Patient.multipleBirthInteger"},
		{"-multipleBirth.ofType(integer)", "-2", "Patient.multipleBirthInteger"},
		{"birthDate = @2019-06-03", "true", "Patient.birthDate"},
		{"active and (birthDate < @2020 or id = 'x')", "true", "Patient.active Patient.birthDate"},
		{"name.where(use = 'official').exists()", "true", "Patient.name[0]"},
		{"name.count()", "2", "Patient.name[0] Patient.name[1]"},
		{"iif(active, name.first().family.lower(), 'x')", "sample", "Patient.name[0].family"},
		{"id.getValue()", "p1", "Patient.id"},
		{"id.split('1').first()", "p", "Patient.id"},
		{"'constant'", "constant", ""},
		{"photo.exists()", "false", ""},
	}
	for _, tt := range tests {
		found := find(t, doc, tt.expr)
		require.Len(t, found, 1, tt.expr)
		assert.Equal(t, tt.text, found[0].Text, tt.expr)
		assert.Empty(t, found[0].Path())
		var paths []string
		for _, n := range found[0].Sources() {
			paths = append(paths, n.Path())
		}
		assert.Equal(t, tt.from, strings.Join(paths, " "), tt.expr)
	}
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
		doc, err := fhir.Read([]byte(strings.Replace(bundle, "REF", ref, 1)), fhir.Limits{})
		require.NoError(t, err)
		found := find(t, doc, "Bundle.entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).birthDate")
		assert.Equal(t, want, strings.Join(textsOf(found), " "), ref)
	}
}

// TestResolveContained holds that "#" is the resource that holds the reference's own.
func TestResolveContained(t *testing.T) {
	doc, err := fhir.Read([]byte(`{"resourceType":"Patient","id":"p","contained":[
	 {"resourceType":"RelatedPerson","id":"r","patient":{"reference":"#"}},{"resourceType":"Organization","id":"o"}],
	 "managingOrganization":{"reference":"#o"},"generalPractitioner":[{"reference":"#none"}]}`), fhir.Limits{})
	require.NoError(t, err)
	for expr, want := range map[string]string{
		"Patient.contained.ofType(RelatedPerson).patient.resolve().id": "p",
		"Patient.managingOrganization.resolve().id":                    "o",
		"Patient.generalPractitioner.resolve().id":                     "",
	} {
		assert.Equal(t, want, strings.Join(textsOf(find(t, doc, expr)), " "), expr)
	}
}

// largest is a document near the reader's limits: a Bundle of patients with n names in all.
func largest(t testing.TB, n int) *fhir.Document {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"resourceType":"Patient","name":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"family":"F%d"}`, i)
	}
	b.WriteString("]}")
	doc, err := fhir.Read([]byte(b.String()), fhir.Limits{})
	require.NoError(t, err)
	return doc
}

// TestNothingRunsAway holds that no expression takes more than its steps on a document near the reader's limits.
func TestNothingRunsAway(t *testing.T) {
	doc := largest(t, 40_000)
	for _, expr := range []string{
		"name.where(%resource.name.exists(family = %resource.name.last().family)).count()",
		"descendants().where(%resource.descendants().count() > 1)",
		"name.all(%resource.name.count() = 40000)",
		"name.distinct().count()",
		"name ~ name.skip(1).combine(name.first())",
		"name.family.aggregate($total & $total & 'x', '').length()",
		"name.family.aggregate($total.combine($total), 'x').count()",
		"name.select(%resource.name.family.join(',')).join(',').length()",
		"name.select(%resource.name.family.join(',').matches('(a*)*b'))",
		"name.family.aggregate($total.replace('x', 'xxxxxxxxxxxxxxxx'), 'x').length()",
		"name.select(%resource.name.family.join(',').replaceMatches('.', '$0$0$0$0'))",
		"name.select(%resource.repeat(name).family.join(',').split(','))",
	} {
		p, err := Compile(expr, Options{Context: "Patient", Steps: DefaultSteps / 4})
		require.NoError(t, err, expr)
		found, err := p.Eval(doc.Root(), nil)
		var fault *Error
		require.ErrorAs(t, err, &fault, expr)
		assert.Equal(t, Cost, fault.Kind, "%s: %v", expr, err)
		assert.Empty(t, found)
	}
	p, err := Compile("name.family.aggregate($total * 99999, 1.0)", Options{Context: "Patient"})
	require.NoError(t, err)
	found, err := p.Eval(doc.Root(), nil)
	require.NoError(t, err)
	assert.Empty(t, found, "a number that is too large is nothing")
	p, err = Compile("name.family", Options{Context: "Patient", Steps: 10})
	require.NoError(t, err)
	_, err = p.Eval(doc.Root(), nil)
	assert.ErrorContains(t, err, "more steps than it may")
	p, err = Compile("name.where(family.startsWith('F39')).family.distinct().count()", Options{Context: "Patient"})
	require.NoError(t, err)
	found, err = p.Eval(doc.Root(), nil)
	require.NoError(t, err, "honest work on a large document is within the bound")
	assert.Equal(t, "1111", found[0].Text)
}

// TestValuesThatCannotBeUsed holds that a value which is none of its type is a fault or nothing, never a wrong answer.
func TestValuesThatCannotBeUsed(t *testing.T) {
	long := strings.Repeat("9", 100)
	doc, err := fhir.Read([]byte(`{"resourceType":"Observation","issued":"2020-02-30T00:00:00Z","valueQuantity":{"value":`+long+`,"unit":"kg"},
	 "component":[{"valueQuantity":{"value":5,"comparator":"<","unit":"kg"}},{"valueQuantity":{"unit":"kg"}},{"valueQuantity":{"value":5,"unit":"stone"}}]}`), fhir.Limits{})
	require.NoError(t, err)
	for expr, want := range map[string]string{
		"issued < @2021":                                  "fails value: none",
		"value.ofType(Quantity).value < 5":                "fails value: 64 digits",
		"value.ofType(Quantity).value + 5":                "fails value: 64 digits",
		"-value.ofType(Quantity).value":                   "fails value: 64 digits",
		"value.ofType(Quantity).value.abs()":              "fails value: 64 digits",
		"value.ofType(Quantity).value.round()":            "fails value: 64 digits",
		"value.ofType(Quantity) < 5 'kg'":                 "{}",
		"component[0].value.ofType(Quantity) < 5 'kg'":    "{}",
		"component[1].value.ofType(Quantity) < 5 'kg'":    "{}",
		"component[2].value.ofType(Quantity) < 5 'kg'":    "fails units: different units",
		"component[2].value.ofType(Quantity) ~ 5 'kg'":    "fails units: different units",
		"component[2].value.ofType(Quantity) = 5 'stone'": "true",
	} {
		got, _ := outcomeOf(doc, expr)
		kind, text, _ := strings.Cut(want, ": ")
		assert.True(t, strings.HasPrefix(got, kind) && strings.Contains(got, text), "%s: got %s, want %s", expr, got, want)
		assert.NotContains(t, got, long)
	}
	doc, err = fhir.Read([]byte(`{"resourceType":"Patient","active":"yes","multipleBirthInteger":"2"}`), fhir.Limits{})
	require.NoError(t, err)
	for expr, want := range map[string]string{"active = false": "false", "where(active).id": "fails type", "multipleBirth.ofType(integer) + 1": "fails type"} {
		got, _ := outcomeOf(doc, expr)
		assert.True(t, strings.HasPrefix(got, want), "%s: got %s, want %s", expr, got, want)
	}
	p, err := Compile("today()", Options{Clock: true})
	require.NoError(t, err)
	_, err = p.Eval(doc.Root(), nil)
	assert.ErrorContains(t, err, "the instant that EvalAt gives")
}

// TestSharedUse runs one path over one document from several goroutines, for the race detector.
func TestSharedUse(t *testing.T) {
	doc := sampleBundle(t)
	p, err := Compile("Bundle.entry.resource.ofType(Encounter).serviceProvider.resolve().ofType(Organization).name.upper()", Options{})
	require.NoError(t, err)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				found, err := p.Eval(doc.Root(), nil)
				assert.NoError(t, err)
				assert.Len(t, found, 1)
			}
		})
	}
	wait.Wait()
}
