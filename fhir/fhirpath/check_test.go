package fhirpath

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckSaysTypesCardinalityAndElements(t *testing.T) {
	tests := []struct {
		context, expr, types, cardinality, elements string
	}{
		{"Patient", "Patient.birthDate", "date", "0..1", "Patient.birthDate"},
		{"Patient", "name.given", "string", "0..*", "Patient.name Patient.name.given"},
		{"Patient", "name.first().given.first()", "string", "0..1", "Patient.name Patient.name.given"},
		{"Patient", "$this", "Patient", "1..1", ""},
		{"Bundle", "type", "code", "1..1", "Bundle.type"},
		{"Bundle", "entry.resource", "Resource", "0..*", "Bundle.entry Bundle.entry.resource"},
		{"Bundle", "entry.resource.id", "id", "0..*", "Bundle.entry Bundle.entry.resource Resource.id"},
		{"Bundle", "Bundle.entry.resource.ofType(Patient).birthDate", "date", "0..*", "Bundle.entry Bundle.entry.resource Patient.birthDate"},
		{"Bundle", "entry.resource.ofType(Encounter).subject.resolve().ofType(Patient).identifier.where(system = 'x').value", "string", "0..*",
			"Bundle.entry Bundle.entry.resource Encounter.subject Patient.identifier Patient.identifier.system Patient.identifier.value"},
		{"Observation", "value", "CodeableConcept Period Quantity Range Ratio SampledData boolean dateTime integer string time", "0..1", "Observation.value"},
		{"Observation", "value.ofType(Quantity).value", "decimal", "0..1", "Observation.value Observation.value.value"},
		{"Patient", "birthDate.extension('x').value.ofType(dateTime)", "dateTime", "0..*", "Patient.birthDate Patient.birthDate.extension Patient.birthDate.extension.value"},
		{"Patient", "name.exists()", "System.Boolean", "1..1", "Patient.name"},
		{"Patient", "active = true", "System.Boolean", "0..1", "Patient.active"},
		{"Patient", "name.count() + 1", "System.Integer", "0..1", "Patient.name"},
		{"Patient", "name.first().family & 'x'", "System.String", "1..1", "Patient.name Patient.name.family"},
		{"Patient", "id | name.family", "id string", "0..*", "Patient.id Patient.name Patient.name.family"},
		{"Patient", "id | birthDate", "date id", "0..*", "Patient.id Patient.birthDate"},
		{"Patient", "iif(active, birthDate, 'none')", "System.String date", "0..1", "Patient.active Patient.birthDate"},
		{"Patient", "descendants()", "", "0..*", ""},
		{"Patient", "name.select(use)", "code", "0..*", "Patient.name Patient.name.use"},
		{"Questionnaire", "repeat(item).linkId", "string", "0..*", "Questionnaire.item Questionnaire.item.linkId"},
		{"", "id", "id", "0..1", "Resource.id"},
		{"", "Patient.birthDate", "date", "0..1", "Patient.birthDate"},
	}
	for _, tt := range tests {
		r := Check(tt.expr, Options{Context: tt.context})
		require.Empty(t, r.Errors, tt.expr)
		assert.Equal(t, tt.types, strings.Join(r.Types, " "), tt.expr)
		assert.Equal(t, tt.cardinality, r.Cardinality(), tt.expr)
		assert.ElementsMatch(t, strings.Fields(tt.elements), r.Elements(), tt.expr)
		for _, read := range r.Reads {
			last := read.Element[strings.LastIndexByte(read.Element, '.')+1:]
			assert.Equal(t, last, tt.expr[read.Offset:read.Offset+read.Length], tt.expr)
		}
	}
}

func TestCheckFindsTheFault(t *testing.T) {
	deep := strings.Repeat("(", 80) + "id" + strings.Repeat(")", 80)
	tests := []struct {
		context, expr  string
		offset, length int
		kind           Kind
		text, suggest  string
	}{
		{"", "", 0, 1, Syntax, "expected the name", ""},
		{"", "Patient.", 8, 1, Syntax, "expected the name", ""},
		{"", "Patient.nam", 8, 3, Unknown, "no element of that name in Patient", "name"},
		{"", "Patient.name.fmaily", 13, 6, Unknown, "no element of that name in HumanName", "family"},
		{"", "Pateint.name", 0, 7, Unknown, "R4 has no such type", "Patient"},
		{"Bundle", "Patient.name", 0, 7, Mistyped, "the expression starts from Bundle", ""},
		{"Bundle", "name", 0, 4, Unknown, "no element of that name in Bundle", ""},
		{"Bundel", "id", 0, 2, Unknown, "the context is no type of R4", "Bundle"},
		{"", "Bundle.entry.resource.ofType(Encouter).id", 29, 8, Unknown, "no such type", "Encounter"},
		{"", "Bundle.entry.resource.ofType(FHIR.Encouter).id", 29, 13, Unknown, "no such type", "FHIR.Encounter"},
		{"", "Bundle.entry.resource.ofType(Encounter).clas.code", 40, 4, Unknown, "in Encounter", "class"},
		{"", "Bundle.entry.resource.birthDat", 22, 8, Unknown, "no element", "birthDate"},
		{"", "Patient.deceasedBoolean", 8, 15, Unknown, "is a choice", "deceased.ofType(boolean)"},
		{"", "Patient.multipleBirth.ofType(string)", 29, 6, Mistyped, "this can only be boolean or integer", ""},
		{"", "Patient.name.where(us = 'x')", 19, 2, Unknown, "no element", "use"},
		{"", "Patient.name.where(use = 'x'", 28, 1, Syntax, "expected )", ""},
		{"", "Patient.name.were(use = 'x')", 13, 4, Unknown, "no such function", "where"},
		{"", "Patient.name[x]", 13, 1, Unknown, "no element", ""},
		{"", "Patient.name.first() < 1", 0, 24, Mistyped, "no order between them: HumanName and Integer", ""},
		{"", "Patient.birthDate.resolve()", 18, 7, Mistyped, "follows a Reference, not date", ""},
		{"", "Patient.birthDate.year", 18, 4, Unknown, "no element of that name in date", ""},
		{"", "Patient.birthDate.startsWith('2')", 0, 17, Mistyped, "a String stands before startsWith(), not date", ""},
		{"", "Patient.id.substring('a')", 21, 3, Mistyped, "an Integer stands here, not String", ""},
		{"", "Patient.name 'x'", 13, 3, Syntax, "nothing more", ""},
		{"", "Patient.name.use = 'x", 19, 2, Syntax, "quote is not closed", ""},
		{"", "Patient.name.use = 'x\\q'", 21, 1, Syntax, "unknown escape", ""},
		{"", "Patient.name + 1", 0, 16, Mistyped, "+ has no meaning between HumanName and Integer", ""},
		{"", "Patient.name.é", 13, 2, Syntax, "no meaning", ""},
		{"", "Patient.id\xff", 10, 1, Syntax, "not valid UTF-8", ""},
		{"", "%sctt", 0, 5, Unknown, "no such variable", "sct"},
		{"", deep, 64, 1, Syntax, "nests too deep", ""},
		{"", strings.Repeat("-", 80) + "1", 63, 1, Syntax, "nests too deep", ""},
		{"", strings.Repeat("a", 5000), 0, 5000, Syntax, "over 4096 bytes", ""},
		{"", "1" + strings.Repeat("+1", 300), 513, 1, Syntax, "too many operators", ""},
	}
	for _, tt := range tests {
		r := Check(tt.expr, Options{Context: tt.context})
		name := tt.expr[:min(len(tt.expr), 60)]
		require.NotEmpty(t, r.Errors, name)
		e := r.Errors[0]
		assert.Equal(t, tt.kind, e.Kind, "%s: %v", name, e)
		assert.Equal(t, tt.offset, e.Offset, "%s: %v", name, e)
		assert.Equal(t, tt.length, e.Length, "%s: %v", name, e)
		assert.Contains(t, e.Text, tt.text, name)
		assert.Equal(t, tt.suggest, e.Suggest, name)
		assert.Equal(t, 1, e.Line)
		assert.Equal(t, tt.offset+1, e.Column)
		_, err := Compile(tt.expr, Options{Context: tt.context})
		assert.Equal(t, e.Error(), err.Error())
	}
}

// TestCheckFindsAll holds that one fault does not hide the next, and that lines are counted.
func TestCheckFindsAll(t *testing.T) {
	r := Check("name.fmaily = 'x'\n  and nmae.exists()\n  or trace('x')", Options{Context: "Patient"})
	require.Len(t, r.Errors, 3)
	for i, want := range [][2]int{{1, 6}, {2, 7}, {3, 6}} {
		assert.Equal(t, want, [2]int{r.Errors[i].Line, r.Errors[i].Column})
	}
	assert.EqualError(t, r.Errors[1], `fhirpath: at line 2, 7: no element of that name in Patient, did you mean "name"?`)
}

func TestCheckWarns(t *testing.T) {
	tests := []struct {
		expr   string
		offset int
		text   string
	}{
		{"birthDate = 'x'", 10, "never equal: date and String"},
		{"name.given = 5", 11, "never equal: string and Integer"},
		{"name ~ 5", 5, "never equivalent"},
		{"5 in name.given", 2, "never equal"},
		{"name.intersect('a')", 5, "never equal"},
		{"name.first().family and true", 0, "counts as true whenever it is there"},
		{"name.use.startsWith('x')", 0, "several items may be found"},
		{"gender is Patient", 10, "always false"},
		{"gender.ofType(string)", 14, "nothing is ever found"},
		{"name.as(HumanName)", 0, ""},
		{"birthDate = @2019", 0, ""},
		{"name.where(use = 'a').family", 0, ""},
	}
	for _, tt := range tests {
		r := Check(tt.expr, Options{Context: "Patient"})
		require.Empty(t, r.Errors, tt.expr)
		if tt.text == "" {
			assert.Empty(t, r.Warnings, tt.expr)
			continue
		}
		require.Len(t, r.Warnings, 1, tt.expr)
		assert.Equal(t, tt.offset, r.Warnings[0].Offset, tt.expr)
		assert.Contains(t, r.Warnings[0].Text, tt.text)
	}
}
