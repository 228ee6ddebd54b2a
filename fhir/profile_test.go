package fhir

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	england = "https://fhir.nhs.uk/England/StructureDefinition/"
	ukCore  = "https://fhir.hl7.org.uk/StructureDefinition/"
)

func TestValidateBuiltin(t *testing.T) {
	const plan = `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"x"},`
	const team = `{"resourceType":"CareTeam","name":"Northshire",`
	const flag = `{"resourceType":"Flag","status":"active","code":{"text":"x"},"subject":{"display":"x"},`
	const provenance = `{"resourceType":"Provenance","id":"%s","target":[{"reference":"#"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":%s}]}`
	who := func(id, ref string) string { return fmt.Sprintf(provenance, id, ref) }
	patient := func(members string) string { return `{"resourceType":"Patient",` + members + `}` }
	const nhs = `{"system":"https://fhir.nhs.uk/Id/nhs-number"%s}`
	number := fmt.Sprintf(nhs, `,"value":"9990000018"`)
	tests := []struct {
		name, profile, in string
		want              []string
	}{
		{"a plan", england + "England-CarePlan-Flag", plan + `"category":[{"text":"x"}],"period":{"start":"2026"},"careTeam":[{"display":"x"}]}`, nil},
		{"a plan without anything", england + "England-CarePlan-Flag|0.1.0", plan + `"id":"a"}`,
			[]string{"CarePlan: category stands here at least 1 times (England-CarePlan-Flag)", "CarePlan: period stands here", "CarePlan: careTeam stands here"}},
		{"a team", england + "England-CareTeam-Flag", team + `"telecom":[{"value":"01632960001"}]}`, nil},
		{"a team without telephones", england + "England-CareTeam-Flag", team + `"status":"active"}`, []string{"CareTeam: telecom stands here at least 1"}},
		{"a name that is only an extension", england + "England-CareTeam-Flag",
			`{"resourceType":"CareTeam","_name":{"id":"x"},"telecom":[{"value":"01632960001"}]}`, nil},
		{"another resource", england + "England-CareTeam-Flag", flag + `"id":"a"}`, []string{"Flag: no CareTeam is here"}},
		{"a flag", england + "England-Flag-PatientFlag", flag + `"contained":[` + who("a", `{"type":"Practitioner","display":"x"}`) + `]}`, nil},
		{"two provenances", england + "England-Flag-PatientFlag", flag + `"contained":[` + who("a", `{"display":"x"}`) + `,` + who("b", `{"display":"x"}`) + `]}`,
			[]string{"Flag.contained[1]: contained of the slice provenance stands here at most 1"}},
		{"a provenance of a device", england + "England-Flag-PatientFlag", flag + `"contained":[` + who("a", `{"reference":"Device/1"}`) + `]}`,
			[]string{"Flag.contained[0].agent[0].who: who leads to Device; the profile allows Practitioner (England-Provenance-Flag)"}},
		{"an NHS number", ukCore + "UKCore-Patient", patient(`"identifier":[{"system":"http://x"},` + number + `]`), nil},
		{"two NHS numbers", ukCore + "UKCore-Patient", patient(`"identifier":[` + number + `,` + number + `]`),
			[]string{"Patient.identifier[1]: identifier of the slice nhsNumber stands here at most 1"}},
		{"an NHS number without value", ukCore + "UKCore-Patient", patient(`"identifier":[` + fmt.Sprintf(nhs, "") + `]`),
			[]string{"Patient.identifier[0]: value stands here at least 1"}},
		{"a language", ukCore + "UKCore-Patient", patient(`"communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en"}]}}]`), nil},
		{"a language in words", ukCore + "UKCore-Patient", patient(`"communication":[{"language":{"text":"English"}}]`),
			[]string{"Patient.communication[0].language: language has no code of the value set"}},
		{"two ethnic categories", ukCore + "UKCore-Patient",
			patient(`"extension":[` + strings.Repeat(`{"url":"`+ukCore+`Extension-UKCore-EthnicCategory","valueString":"x"},`, 2) + `{"url":"x","valueString":"x"}]`),
			[]string{"Patient.extension[1]: extension of the slice ethnicCategory"}},
		{"an organisation in a Bundle", ukCore + "UKCore-Organization",
			`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Organization","identifier":[{"system":"` + SystemODS + `"}]}}]}`,
			[]string{"Bundle.entry[0].resource.identifier[0]: value stands here"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, faults := Examine([]byte(tt.in), Limits{}, nil)
			require.Empty(t, faults)
			p := BuiltinProfiles().Find(tt.profile)
			require.NotNil(t, p)
			expect(t, tt.want, Validate(doc, p))
		})
	}
}

func expect(t *testing.T, want []string, faults Faults) {
	t.Helper()
	require.Len(t, faults, len(want), "%v", faults)
	for i, f := range faults {
		assert.Contains(t, f.Path+": "+f.Text, want[i])
		assert.Equal(t, RuleProfile, f.Rule)
		assert.Positive(t, f.Line)
		assert.NotContains(t, f.Error(), "9990000018")
	}
}

// TestProfileLanguage holds every kind of constraint against documents that keep to it and that do not.
func TestProfileLanguage(t *testing.T) {
	const head = "# a comment\n\nprofile https://x.example/P|1 Observation\n"
	observation := func(members string) string {
		return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"s","code":"c"},{"system":"s","code":"d"}]},` + members + `}`
	}
	tests := []struct{ line, good, bad string }{
		{`status fixed="final"`, observation(`"id":"a"`), `{"resourceType":"Observation","status":"amended","code":{"text":"x"}}`},
		{`code pattern={"coding":[{"code":"d","system":"s"}]}`, observation(`"id":"a"`), `{"resourceType":"Observation","status":"final","code":{"text":"x y"}}`},
		{`code pattern={"text":"x y"}`, `{"resourceType":"Observation","status":"final","code":{"text":"x y"}}`, observation(`"id":"a"`)},
		{`code codes=s|c,e`, observation(`"id":"a"`), `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"t","code":"c"}]}}`},
		{`status codes=final,amended`, observation(`"id":"a"`), `{"resourceType":"Observation","status":"registered","code":{"text":"x"}}`},
		{`value 1..1`, observation(`"valueString":"x"`), observation(`"id":"a"`)},
		{`value ..0`, observation(`"id":"a"`), observation(`"valueBoolean":true`)},
		{`category:lab 1.. slice=coding.code:"lab"`, observation(`"category":[{"coding":[{"code":"lab"}]}]`), observation(`"category":[{"coding":[{"code":"x"}]}]`)},
		{`subject targets=Patient`, observation(`"subject":{"reference":"Patient/1"}`), observation(`"subject":{"reference":"Group/1"}`)},
		{`component.code.text 1..`, observation(`"component":[{"code":{"text":"x"},"valueString":"x"}]`), observation(`"component":[{"code":{"id":"a"},"valueString":"x"}]`)},
		{`value pattern={"value":1.50}`, observation(`"valueQuantity":{"value":1.50}`), observation(`"valueQuantity":{"value":1.5}`)},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			set, err := (&Profiles{}).Load(head + tt.line)
			require.NoError(t, err)
			p := set.Find("https://x.example/P|1")
			require.NotNil(t, p)
			for _, in := range []string{tt.good, tt.bad} {
				doc, faults := Examine([]byte(in), Limits{}, nil)
				require.Empty(t, faults)
				assert.Equal(t, in == tt.bad, len(Validate(doc, p)) > 0, in)
			}
		})
	}
}

func TestProfileLoadRefuses(t *testing.T) {
	const head = "profile https://x.example/P|1 Observation\n"
	for in, want := range map[string]string{
		"status 1..":                                 "line 1: a constraint stands before",
		"profile x Observation":                      "needs a version",
		"profile x|1":                                "needs its canonical URL",
		"profile x|1 Observaton":                     "did you mean Observation?",
		head + head:                                  "line 2: the profile is there already",
		head + "staus 1..":                           `line 2: staus: Observation has no element "staus", did you mean status?`,
		head + "component.cod 1..":                   "did you mean code?",
		head + "status.id.x 1..":                     "stands within a primitive",
		head + "value.code 1..":                      "stands within a primitive",
		head + "status one":                          "neither MIN..MAX",
		head + "status 2..1":                         "the maximum",
		head + "status -1..":                         "the minimum",
		head + "status fixed=final":                  "fixed is written",
		head + `code fixed="final"`:                  "fixed is for primitives",
		head + `code pattern={"a"`:                   "pattern is one JSON",
		head + `code pattern={"a":"b}`:               "not closed",
		head + "code targets=Patient":                "targets names",
		head + "subject targets=Pat":                 "targets names",
		head + "status colour=red":                   "a key that is none of",
		head + "category:lab 1..":                    "a slice says first",
		head + "category:lab.text 1..":               "a line before this one",
		head + `category:lab slice=coding.cod:"lab"`: `no element "cod"`,
		head + `category:lab slice=coding.code:lab`:  "slice is written",
		head + `contained profile=https://nowhere`:   "not among those",
	} {
		_, err := (&Profiles{}).Load(in)
		require.Error(t, err, in)
		assert.Contains(t, err.Error(), want, in)
	}
	_, err := BuiltinProfiles().Load("profile " + ukCore + "UKCore-Patient|3 Patient")
	assert.ErrorContains(t, err, "there already")
	larger, err := BuiltinProfiles().Load(head + "contained:who slice=$type:\"Provenance\" profile=" + england + "England-Provenance-Flag")
	require.NoError(t, err)
	assert.Len(t, larger.URLs(), len(BuiltinProfiles().URLs())+1)
	assert.Nil(t, larger.Find("https://x.example/P|2"))
	assert.Equal(t, "P", larger.Find("https://x.example/P").Name())
}

func TestValidateClaims(t *testing.T) {
	doc, faults := Examine([]byte(`{"resourceType":"Bundle","type":"collection","entry":[
 {"resource":{"resourceType":"CareTeam","meta":{"profile":["`+england+`England-CareTeam-Flag"]}}},
 {"resource":{"resourceType":"CareTeam","meta":{"profile":["http://other.example/P","`+ukCore+`UKCore-Patient|2.6.1"]}}}]}`), Limits{}, nil)
	require.Empty(t, faults)
	expect(t, []string{
		"Bundle.entry[0].resource: name stands", "Bundle.entry[0].resource: telecom stands",
		"Bundle.entry[1].resource.meta.profile[1]: the profile is one of Patient",
	}, BuiltinProfiles().ValidateClaims(doc))
}

// definition is what a StructureDefinition in XML says that a profile can hold.
type definition struct {
	URL      value `xml:"url"`
	Version  value `xml:"version"`
	Type     value `xml:"type"`
	Base     value `xml:"baseDefinition"`
	Elements []struct {
		ID    string `xml:"id,attr"`
		Min   value  `xml:"min"`
		Max   value  `xml:"max"`
		Slice value  `xml:"sliceName"`
		Types []struct {
			Profiles []value `xml:"profile"`
			Targets  []value `xml:"targetProfile"`
		} `xml:"type"`
		Slicing struct {
			Discriminators []struct {
				Type value `xml:"type"`
				Path value `xml:"path"`
			} `xml:"discriminator"`
			Rules value `xml:"rules"`
		} `xml:"slicing"`
		Binding struct {
			Strength value `xml:"strength"`
			ValueSet value `xml:"valueSet"`
		} `xml:"binding"`
		Any []struct {
			XMLName xml.Name
			Value   string `xml:"value,attr"`
		} `xml:",any"`
	} `xml:"differential>element"`
}

type value struct {
	Text string `xml:"value,attr"`
}

func last(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// facts lists what the definition constrains, one line each, in the words of ruleFacts. Slices of extensions without a maximum ask nothing.
func (d definition) facts(t *testing.T) []string {
	var facts []string
	for _, e := range d.Elements {
		_, path, _ := strings.Cut(e.ID, ".")
		add := func(format string, args ...any) { facts = append(facts, path+" "+fmt.Sprintf(format, args...)) }
		if e.Min.Text != "" && e.Min.Text != "0" {
			add("min %s", e.Min.Text)
		}
		if e.Max.Text != "" && e.Max.Text != "*" {
			add("max %s", e.Max.Text)
		}
		if e.Binding.Strength.Text == "required" {
			add("binding %s", e.Binding.ValueSet.Text)
		}
		for _, a := range e.Any {
			if name := a.XMLName.Local; strings.HasPrefix(name, "fixed") || strings.HasPrefix(name, "pattern") {
				add("fixed %s", a.Value)
			}
		}
		for _, typ := range e.Types {
			for _, target := range typ.Targets {
				add("target %s", last(target.Text))
			}
			for _, profile := range typ.Profiles {
				if e.Max.Text == "" || e.Max.Text == "*" {
					continue
				}
				add("profile %s", profile.Text)
			}
		}
		for _, by := range e.Slicing.Discriminators {
			if e.Slicing.Rules.Text == "closed" {
				add("closed")
			}
			assert.Contains(t, []string{"value system", "type $this"}, by.Type.Text+" "+by.Path.Text, e.ID)
		}
	}
	return facts
}

// ruleFacts says the same of our data. The value that tells a slice is a fixed value with a minimum of one, or the profile of an extension.
func ruleFacts(path string, rules []*rule) []string {
	var facts []string
	for _, r := range rules {
		at := path + r.name
		if r.slice != "" {
			at += ":" + r.slice
		}
		add := func(format string, args ...any) { facts = append(facts, at+" "+fmt.Sprintf(format, args...)) }
		if r.min > 0 {
			add("min %d", r.min)
		}
		if r.max >= 0 {
			add("max %d", r.max)
		}
		if r.closed {
			add("closed")
		}
		if r.fixed != "" {
			add("fixed %s", r.fixed)
		}
		if r.codes != nil {
			add("binding %s", map[bool]string{true: "http://hl7.org/fhir/ValueSet/all-languages"}[r.system == "urn:ietf:bcp:47" && r.codes[0] == "*"])
		}
		for _, target := range r.targets {
			add("target %s", target)
		}
		switch {
		case len(r.by) == 0:
		case r.by[0] == "url":
			add("profile %s", r.value)
		case r.by[0] == discriminateType:
			add("profile %s", r.profile)
		default:
			facts = append(facts, at+"."+r.by[0]+" min 1", at+"."+r.by[0]+" fixed "+r.value)
		}
		facts = append(facts, ruleFacts(at+".", r.rules)...)
	}
	return facts
}

// TestProfilesAreThePublishedOnes compares our data with the StructureDefinitions, element by element, where they are at hand.
func TestProfilesAreThePublishedOnes(t *testing.T) {
	files, err := filepath.Glob("../../shared/schemas/fhir-*/profiles/*.xml")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("DID NOT RUN: the published StructureDefinitions are not at hand")
	}
	unseen := maps.Clone(builtinProfiles().byURL)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var d definition
		require.NoError(t, xml.Unmarshal(raw, &d), file)
		p := BuiltinProfiles().Find(d.URL.Text + "|" + d.Version.Text)
		require.NotNil(t, p, "%s|%s is not among the profiles", d.URL.Text, d.Version.Text)
		delete(unseen, p.URL)
		assert.Equal(t, d.Type.Text, p.Type)
		assert.Equal(t, structureDefinition+p.Type, d.Base.Text, "the base is R4's own")
		want, got := d.facts(t), ruleFacts("", p.rules)
		slices.Sort(want)
		slices.Sort(got)
		assert.Equal(t, want, got, p.Name())
	}
	assert.Empty(t, unseen, "profiles without a published definition")
}

func FuzzLoadProfiles(f *testing.F) {
	for _, name := range []string{"england", "extensions", "ukcore"} {
		raw, err := profileFiles.ReadFile("profiles/" + name + ".txt")
		require.NoError(f, err)
		f.Add(string(raw))
	}
	f.Add("profile https://x.example/P|1 Observation\ncategory:lab 1..2 slice=coding.code:\"lab\" pattern={\"a\":[1]} codes=s|c")
	doc, err := Read(sampleBundle(f), Limits{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		set, err := (&Profiles{}).Load(text)
		if err != nil {
			return
		}
		for _, url := range set.URLs() {
			for _, fault := range Validate(doc, set.Find(url)) {
				require.Equal(t, RuleProfile, fault.Rule)
			}
		}
		set.Extensions(doc)
		set.Modifiers(doc)
	})
}
