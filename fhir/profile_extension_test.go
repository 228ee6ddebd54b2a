package fhir

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const hl7 = "http://hl7.org/fhir/StructureDefinition/"

func examined(t *testing.T, in string) *Document {
	t.Helper()
	doc, faults := Examine([]byte(in), Limits{}, nil)
	require.Empty(t, faults)
	return doc
}

// TestExtensions holds extensions against the definitions that are built in: where they stand, their type, what they are made of.
func TestExtensions(t *testing.T) {
	on := func(resource, members string) string { return `{"resourceType":"` + resource + `",` + members + `}` }
	ext := func(url, members string) string { return `"extension":[{"url":"` + url + `",` + members + `}]` }
	const concept = `"valueCodeableConcept":{"text":"x"}`
	encounter := func(members string) string {
		return on("Encounter", `"status":"planned","class":{"code":"EMER"},`+members)
	}
	key := func(parts ...string) string {
		return on("Patient", `"address":[{`+ext(ukCore+"Extension-UKCore-AddressKey", `"extension":[`+strings.Join(parts, ",")+`]`)+`}]`)
	}
	kind, part := `{"url":"type","valueCoding":{"code":"PAF"}}`, `{"url":"value","valueString":"12345678"}`
	tests := []struct{ name, in, want string }{
		{"an ethnic category", on("Patient", ext(ukCore+"Extension-UKCore-EthnicCategory", concept)), ""},
		{"of another type", on("Patient", ext(ukCore+"Extension-UKCore-EthnicCategory", `"valueString":"x"`)),
			"Patient.extension[0].valueString: value is here a CodeableConcept (Extension-UKCore-EthnicCategory)"},
		{"of another type, without a value", on("Patient", ext(ukCore+"Extension-UKCore-EthnicCategory", `"_valueString":{"id":"x"}`)),
			"Patient.extension[0]._valueString: value is here a CodeableConcept"},
		{"on another element", encounter(ext(ukCore+"Extension-UKCore-EthnicCategory", concept)),
			"Encounter.extension[0]: the extension stands on Patient alone (Extension-UKCore-EthnicCategory)"},
		{"of parts, not of a value", on("Patient", ext(ukCore+"Extension-UKCore-EthnicCategory", `"extension":[{"url":"a","valueString":"x"}]`)),
			"Patient.extension[0]: value stands here at least 1 times"},
		{"on a backbone element", encounter(`"hospitalization":{` + ext(ukCore+"Extension-UKCore-AdmissionMethod", concept) + `}`), ""},
		{"above that element", encounter(ext(ukCore+"Extension-UKCore-AdmissionMethod", concept)), "stands on Encounter.hospitalization alone"},
		{"on an identifier", on("Patient", `"identifier":[{`+ext(ukCore+"Extension-UKCore-NHSNumberVerificationStatus", concept)+`}]`), ""},
		{"on another's identifier", encounter(`"identifier":[{` + ext(ukCore+"Extension-UKCore-NHSNumberVerificationStatus", concept) + `}]`), "stands on Patient.identifier alone"},
		{"on a primitive", on("Patient", `"birthDate":"2019-06-03","_birthDate":{`+ext(hl7+"patient-birthTime", `"valueDateTime":"2019-06-03T04:12:00Z"`)+`}`), ""},
		{"above that primitive", on("Patient", ext(hl7+"patient-birthTime", `"valueDateTime":"2019-06-03T04:12:00Z"`)), "stands on Patient.birthDate alone"},
		{"on a primitive of a data type", on("Organization", `"name":"x","telecom":[{"_system":{`+ext(ukCore+"Extension-UKCore-OtherContactSystem", `"valueCoding":{"code":"x"}`)+`}}]`), ""},
		{"an address key", key(kind, part), ""},
		{"half an address key", key(kind), "Patient.address[0].extension[0]: extension of the slice value stands here at least 1"},
		{"two halves of one kind", key(kind, kind, part), "extension of the slice type stands here at most 1"},
		{"a part of another type", key(kind, `{"url":"value","valueInteger":1}`), "Patient.address[0].extension[0].extension[1].valueInteger: value is here a string"},
		{"a plan of a flag", on("Flag", `"status":"active","code":{"text":"x"},"subject":{"display":"x"},`+ext(hl7+"flag-detail", `"valueReference":{"reference":"CarePlan/1"}`)), ""},
		{"a location", on("Organization", `"name":"x",`+ext(ukCore+"Extension-UKCore-MainLocation", `"valueReference":{"reference":"Location/1"}`)), ""},
		{"another than a location", on("Organization", `"name":"x",`+ext(ukCore+"Extension-UKCore-MainLocation", `"valueReference":{"reference":"Patient/1"}`)), "leads to Patient; the profile allows Location"},
		{"in a contained resource", encounter(`"subject":{"reference":"#a"},"contained":[` + on("Patient", `"id":"a",`+ext(ukCore+"Extension-UKCore-BirthSex", `"valueCode":"male"`)) + `]`), "Encounter.contained[0].extension[0].valueCode: value is here a CodeableConcept"},
		{"under modifierExtension", on("Patient", `"modifierExtension":[{"url":"`+ukCore+`Extension-UKCore-EthnicCategory",`+concept+`}]`), "the extension stands under the other of extension and modifierExtension"},
		{"another publisher's", on("Patient", ext("https://x.example/e", `"valueString":"x"`)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			expect(t, want, BuiltinProfiles().Extensions(examined(t, tt.in)))
		})
	}
}

// TestModifiers holds that what changes the meaning of an element is understood or refused.
func TestModifiers(t *testing.T) {
	const modifier = `"modifierExtension":[{"url":"https://x.example/not","valueBoolean":true}]`
	set, err := BuiltinProfiles().Load("extension https://x.example/not|1 Patient,Patient.contact modifier\nvalue 1..1 types=boolean")
	require.NoError(t, err)
	for in, path := range map[string]string{
		`{"resourceType":"Patient",` + modifier + `}`:                                                                      "Patient.modifierExtension[0]",
		`{"resourceType":"Patient","contact":[{"name":{"text":"x"},` + modifier + `}]}`:                                    "Patient.contact[0].modifierExtension[0]",
		`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient",` + modifier + `}}]}`: "Bundle.entry[0].resource.modifierExtension[0]",
	} {
		doc := examined(t, in)
		faults := BuiltinProfiles().Modifiers(doc)
		require.Len(t, faults, 1)
		assert.Equal(t, path, faults[0].Path)
		assert.Equal(t, RuleModifier, faults[0].Rule)
		assert.Equal(t, "extension", faults.Issues()[0].Type)
		assert.Equal(t, 1, faults[0].Line)
		assert.Positive(t, faults[0].Column)
		assert.NotContains(t, faults[0].Error(), "x.example")
		assert.Empty(t, BuiltinProfiles().Modifiers(doc, "https://x.example/not"), "who knows it may say so")
		assert.Empty(t, set.Modifiers(doc), "or define it")
		assert.Empty(t, set.Extensions(doc))
	}
	plain := examined(t, `{"resourceType":"Patient","extension":[{"url":"https://x.example/not","valueBoolean":true}]}`)
	expect(t, []string{"Patient.extension[0]: the extension stands under the other of"}, set.Extensions(plain))
}

func TestClosedSlicing(t *testing.T) {
	set, err := (&Profiles{}).Load(`profile https://x.example/P|1 Patient
identifier slices=closed
identifier:nhs 1..1 slice=system:"urn:nhs"
identifier:local slice=system:"urn:local"
telecom slices=closed
telecom:phone slice=system:"phone"`)
	require.NoError(t, err)
	for in, want := range map[string][]string{
		`"identifier":[{"system":"urn:nhs"},{"system":"urn:local"},{"system":"urn:local"}]`: nil,
		`"identifier":[{"system":"urn:nhs"},{"system":"urn:x"},{"value":"y"}]`: {
			"Patient.identifier[1]: identifier belongs to none of the slices, and others are not allowed here (P)", "Patient.identifier[2]: identifier belongs to none"},
		`"identifier":[{"system":"urn:nhs"}],"telecom":[{"system":"phone"},{"system":"email"}]`: {"Patient.telecom[1]: telecom belongs to none"},
	} {
		expect(t, want, Validate(examined(t, `{"resourceType":"Patient",`+in+`}`), set.Find("https://x.example/P")))
	}
}

func TestDefinitionsThatAreRefused(t *testing.T) {
	const head = "profile https://x.example/P|1 Observation\n"
	for in, want := range map[string]string{
		"extension https://x.example/e|1":                                             "an extension needs its URL and where it may stand",
		"extension https://x.example/e|1 Patient not":                                 "an extension needs",
		"extension https://x.example/e|1 Patiet":                                      `no type "Patiet"`,
		"extension https://x.example/e|1 Patient.birthdate":                           "did you mean birthDate?",
		"extension https://x.example/e Patient\nextension https://x.example/e Flag":   "line 2: the extension's URL is none, or is there already",
		"extension https://x.example/e Patient\nvalue 1..1 types=Cod":                 "did you mean",
		"extension https://x.example/e Patient\nurl types=uri":                        "types is for a choice",
		"extension https://x.example/e Patient\nvalue types=string\nvalue.coding 1..": "stands within a primitive",
		head + "value.coding 1..":                                                     "stands within a primitive",
		head + "category slices=open":                                                 "slices=closed stands on the element",
		head + "category slices=closed":                                               "it is closed, and no slice of it follows",
		head + `category:a slice=text:"a" slices=closed`:                              "slices=closed stands on the element",
	} {
		_, err := (&Profiles{}).Load(in)
		require.Error(t, err, in)
		assert.Contains(t, err.Error(), want, in)
	}
	narrowed, err := (&Profiles{}).Load(head + "value types=CodeableConcept\nvalue.coding 1..")
	require.NoError(t, err, "what lies below a choice of one type can be said")
	in := `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueCodeableConcept":{"text":"x"}}`
	expect(t, []string{"Observation.valueCodeableConcept: coding stands here at least 1"}, Validate(examined(t, in), narrowed.Find("https://x.example/P")))
}

func TestContextsOfSeveralElements(t *testing.T) {
	set, err := (&Profiles{}).Load("extension urn:e Element\nextension urn:r Resource")
	require.NoError(t, err)
	for in, faults := range map[string]int{
		`{"resourceType":"Patient","extension":[{"url":"urn:r","valueString":"x"}],"name":[{"extension":[{"url":"urn:e","valueString":"x"}]}]}`: 0,
		`{"resourceType":"Patient","extension":[{"url":"urn:e","valueString":"x"}],"name":[{"extension":[{"url":"urn:r","valueString":"x"}]}]}`: 2,
	} {
		assert.Len(t, set.Extensions(examined(t, in)), faults)
	}
}

// TestExtensionsThatProfilesName holds that each extension which a published profile names has a definition here, and may stand where the
// profile has it.
func TestExtensionsThatProfilesName(t *testing.T) {
	files, err := filepath.Glob("../../shared/schemas/fhir-*/profiles/*.xml")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("DID NOT RUN: the published StructureDefinitions are not at hand")
	}
	named := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var d definition
		require.NoError(t, xml.Unmarshal(raw, &d), file)
		for _, e := range d.Elements {
			holder, _, found := strings.Cut(e.ID, ".extension:")
			for _, typ := range e.Types {
				for _, profile := range typ.Profiles {
					if !found {
						continue
					}
					named[profile.Text] = true
					definition := BuiltinProfiles().extensions[profile.Text]
					require.NotNil(t, definition, "%s names %s", d.URL.Text, profile.Text)
					assert.True(t, mayStand(definition, holder), "%s has %s on %s; it may stand on %v", d.URL.Text, profile.Text, holder, definition.contexts)
				}
			}
		}
	}
	assert.Len(t, named, len(BuiltinProfiles().extensions)-1, "and no others, but for flag-detail of our own answers")
}

// mayStand compares a definition's contexts with the place of a slice, as Patient.identifier:nhsNumber.
func mayStand(p *Profile, place string) bool {
	info, paths := (*typeInfo)(nil), []string{}
	for step := range strings.SplitSeq(place, ".") {
		step, _, _ = strings.Cut(step, ":")
		for i := range paths {
			paths[i] += "." + step
		}
		if info == nil {
			info = r4().types[step]
		} else {
			info = r4().types[info.element(step).types[0]]
		}
		if info != nil {
			paths = append(paths, info.name)
		}
	}
	for _, context := range p.contexts {
		for _, path := range paths {
			if path == context {
				return true
			}
		}
	}
	return false
}

// TestStandard holds what each part of a standard asks, and that nothing is said twice.
func TestStandard(t *testing.T) {
	claimed := fmt.Sprintf(`{"resourceType":"CareTeam","meta":{"profile":["%sEngland-CareTeam-Flag"]},"name":"x","extension":[{"url":"%sExtension-UKCore-BirthSex","valueCode":"x"}]}`, england, ukCore)
	team := BuiltinProfiles().Find(england + "England-CareTeam-Flag")
	invariant := func(d *Document) Faults { return Faults{{Path: d.Type(), Rule: RuleInvariant, Text: "x", Line: 1}} }
	const telecom, stands, kind = "telecom stands here", "stands on Patient alone", "is here a CodeableConcept"
	for _, tt := range []struct {
		name     string
		standard Standard
		want     []string
	}{
		{"nothing", Standard{}, nil},
		{"claims", Standard{Claimed: true}, []string{telecom, stands, kind}},
		{"a profile", Standard{Hold: []*Profile{team}}, []string{telecom, stands, kind}},
		{"both", Standard{Hold: []*Profile{team}, Claimed: true}, []string{telecom, stands, kind}},
		{"a profile of another type", Standard{Hold: []*Profile{BuiltinProfiles().Find(ukCore + "UKCore-Patient")}}, []string{stands, kind}},
		{"invariants", Standard{Invariants: invariant}, []string{"x"}},
		{"a set of its own", Standard{Profiles: &Profiles{}, Claimed: true}, nil},
	} {
		faults := tt.standard.Check(examined(t, claimed))
		require.Len(t, faults, len(tt.want), "%s: %v", tt.name, faults)
		for i, f := range faults {
			assert.Contains(t, f.Text, tt.want[i], tt.name)
		}
	}
	modified := examined(t, `{"resourceType":"Patient","modifierExtension":[{"url":"urn:x","valueString":"x"}]}`)
	assert.Len(t, Standard{}.Check(modified), 1, "unknown modifiers are refused whatever else is asked")
}
