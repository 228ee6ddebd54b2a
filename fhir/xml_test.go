package fhir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const patientXML = `<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment is no content -->
<Patient xmlns="http://hl7.org/fhir">
  <id value="p"/>
  <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>Robin &amp; <b>co</b></p></div></text>
  <contained><Organization><id value="o"/><name value="Testshire &quot;one&quot;&#10;two"/></Organization></contained>
  <extension url="http://x/a"><valueDecimal value="1.50"/></extension>
  <identifier id="i1"><system value="s1"/><value value="1"/></identifier>
  <identifier><value value="2"/></identifier>
  <active value="true"/>
  <name><family value="Sample"/><given value="Robin"/><given id="g"><extension url="http://x/why"><valueCode value="unknown"/></extension></given></name>
  <birthDate value="2019-06-03"><extension url="http://x/time"><valueDateTime value="2019-06-03T04:12:00+01:00"/></extension></birthDate>
  <multipleBirthInteger value="2"/>
  <managingOrganization><reference value="#o"/></managingOrganization>
</Patient>
`

const patientJSON = `{"resourceType":"Patient","id":"p",` +
	`"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Robin &amp; <b>co</b></p></div>"},` +
	`"contained":[{"resourceType":"Organization","id":"o","name":"Testshire \"one\"\ntwo"}],` +
	`"extension":[{"url":"http://x/a","valueDecimal":1.50}],"identifier":[{"id":"i1","system":"s1","value":"1"},{"value":"2"}],"active":true,` +
	`"name":[{"family":"Sample","given":["Robin",null],"_given":[null,{"id":"g","extension":[{"url":"http://x/why","valueCode":"unknown"}]}]}],` +
	`"birthDate":"2019-06-03","_birthDate":{"extension":[{"url":"http://x/time","valueDateTime":"2019-06-03T04:12:00+01:00"}]},` +
	`"multipleBirthInteger":2,"managingOrganization":{"reference":"#o"}}`

func TestReadXMLMakesTheTreeOfJSON(t *testing.T) {
	doc, faults := ExamineXML([]byte(patientXML), Limits{}, nil)
	require.Empty(t, faults)
	assert.Equal(t, patientJSON, string(AppendJSON(nil, doc)))
	birth := doc.At("Patient.birthDate")
	start, end := birth.Range()
	assert.True(t, strings.HasPrefix(patientXML[start:end], "<birthDate ") && strings.HasSuffix(patientXML[start:end], "</birthDate>"))
	line, _ := doc.Position(start)
	assert.Equal(t, 12, line)
	assert.Equal(t, "Patient.name[0].given[0]", doc.At("Patient.name[0].given[0]").Path())
}

func TestAppendXMLKeepsTheTree(t *testing.T) {
	doc, faults := Examine([]byte(patientJSON), Limits{}, nil)
	require.Empty(t, faults)
	out, err := AppendXML([]byte("x"), doc)
	require.NoError(t, err)
	again, faults := ExamineXML(out[1:], Limits{}, nil)
	require.Empty(t, faults, "%s", out)
	assert.Equal(t, patientJSON, string(AppendJSON(nil, again)))
}

func TestReadXMLRefuses(t *testing.T) {
	in := func(body string) string { return "<Patient xmlns=\"http://hl7.org/fhir\">\n" + body + "</Patient>" }
	small := Limits{MaxBytes: 2000, MaxDepth: 6, MaxNodes: 40, MaxString: 100}
	tests := []struct {
		name, in, rule, path string
		line                 int
	}{
		{"empty", "", RuleTruncated, "", 1},
		{"truncated", `<Patient xmlns="http://hl7.org/fhir"><id`, RuleTruncated, "Patient", 1},
		{"byte order mark", "\xef\xbb\xbf" + in(""), RuleBOM, "", 1},
		{"not UTF-8", in("<id value=\"a\xff\"/>"), RuleUTF8, "", 2},
		{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?>` + in(""), RuleUTF8, "", 1},
		{"document type", `<!DOCTYPE Patient [<!ENTITY a "b">]>` + in(`<id value="&a;"/>`), RuleDoctype, "", 1},
		{"an entity", in(`<id value="&a;"/>`), RuleSyntax, "Patient", 2},
		{"trailing element", in(`<id value="a"/>`) + "<x/>", RuleTrailing, "", 2},
		{"trailing text", in(`<id value="a"/>`) + "x", RuleTrailing, "", 2},
		{"an end that does not fit", in(`<id value="a"></x>`), RuleSyntax, "Patient", 2},
		{"no namespace", `<Patient><id value="a"/></Patient>`, RuleNamespace, "Patient", 1},
		{"another namespace within", in(`<id xmlns="http://x" value="a"/>`), RuleNamespace, "Patient", 2},
		{"no resource", `<HumanName xmlns="http://hl7.org/fhir"/>`, RuleResourceType, "", 1},
		{"misspelt resource", `<Patien xmlns="http://hl7.org/fhir"/>`, RuleResourceType, "", 1},
		{"unknown element", in(`<nmae><family value="x"/></nmae>`), RuleElement, "Patient", 2},
		{"wrong case", in(`<Gender value="male"/>`), RuleElement, "Patient", 2},
		{"unknown attribute", in(`<id values="a" value="b"/>`), RuleElement, "Patient", 2},
		{"an attribute twice", in(`<id value="a" value="b"/>`), RuleElement, "Patient", 2},
		{"a value on an object", in(`<name value="a"><family value="x"/></name>`), RuleElement, "Patient.name[0]", 2},
		{"text", in(`<id value="a">a</id>`), RuleShape, "Patient", 2},
		{"order", in("<gender value=\"male\"/>\n<id value=\"a\"/>"), RuleOrder, "Patient", 3},
		{"a list apart", in(`<name><family value="x"/></name><gender value="male"/>` + "\n" + `<name><family value="y"/></name>`), RuleOrder, "Patient", 3},
		{"once only", in(`<gender value="male"/>` + "\n" + `<gender value="female"/>`), RuleDuplicate, "Patient", 3},
		{"once only, by extension", in(`<gender id="a"/>` + "\n" + `<gender value="female"/>`), RuleDuplicate, "Patient", 3},
		{"empty value", in(`<gender value=""/>`), RuleEmpty, "Patient", 2},
		{"no value", in(`<gender/>`), RuleEmpty, "Patient", 2},
		{"empty element", in(`<name/>`), RuleEmpty, "Patient.name[0]", 2},
		{"empty contained", in(`<contained/>`), RuleEmpty, "Patient.contained[0]", 2},
		{"two contained in one", in(`<contained><Organization><id value="a"/></Organization><Flag/></contained>`), RuleShape, "Patient.contained[0]", 2},
		{"contained type", in(`<contained><HumanName/></contained>`), RuleResourceType, "Patient.contained[0]", 2},
		{"a value in a primitive", in(`<birthDate value="2020"><value value="x"/></birthDate>`), RuleElement, "Patient", 2},
		{"too deep", in(strings.Repeat(`<contact><organization><identifier><assigner><identifier><assigner>`, 1)), RuleDepth, "Patient.contact[0].organization.identifier.assigner.identifier.assigner", 2},
		{"too long", in(`<id value="` + strings.Repeat("a", 101) + `"/>`), RuleString, "Patient", 2},
		{"too many", in(strings.Repeat(`<name><family value="x"/></name>`, 30)), RuleNodes, "Patient.name[18]", 2},
		{"too large", in(strings.Repeat(" ", 2000)), RuleSize, "", 2},
		{"a boolean", in(`<active value="yes"/>`), RuleValue, "Patient.active", 2},
		{"a day that is none", in(`<birthDate value="2019-02-30"/>`), RuleValue, "Patient.birthDate", 2},
		{"a script", in(`<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div></text>`), RuleValue, "Patient.text.div", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, faults := ExamineXML([]byte(tt.in), small, nil)
			require.NotEmpty(t, faults)
			assert.Equal(t, tt.rule, faults[0].Rule, "%v", faults)
			assert.Equal(t, tt.path, faults[0].Path)
			assert.Equal(t, tt.line, faults[0].Line)
			for _, f := range faults {
				assert.Equal(t, f.Rule == RuleElement && tt.name == "unknown element" || tt.name == "misspelt resource" || tt.name == "wrong case", f.Suggest != "", "%v", f)
			}
		})
	}
}

// TestReadXMLReportsAllThatItCan puts one fault of each kind into one document.
func TestReadXMLReportsAllThatItCan(t *testing.T) {
	_, faults := ExamineXML([]byte(`<Patient xmlns="http://hl7.org/fhir">
<nmae/>
<gender value="Male"/>
<active value="yes"/>
<birthDate value="2019-02-30"/>
<managingOrganization><reference value="Patient/1"/></managingOrganization>
</Patient>`), Limits{}, nil)
	var got []string
	for _, f := range faults {
		got = append(got, f.Rule+" "+f.Path)
	}
	assert.Equal(t, []string{
		"unknown-element Patient", "code Patient.gender", "order Patient", "value Patient.active", "value Patient.birthDate",
		"reference Patient.managingOrganization.reference",
	}, got)
}

// TestSharedXML reads the published examples, where they are at hand, and takes each through JSON and back.
func TestSharedXML(t *testing.T) {
	files, err := filepath.Glob("../../shared/schemas/fhir-*/*/*.xml")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("DID NOT RUN: the shared examples in XML are not at hand")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		doc, faults := ExamineXML(raw, Limits{}, nil)
		for _, f := range faults {
			t.Log(filepath.Base(file), f)
		}
		if len(faults) > 0 {
			continue
		}
		out := AppendJSON(nil, doc)
		inJSON, faults := Examine(out, Limits{}, nil)
		require.Empty(t, faults, file)
		back, err := AppendXML(nil, inJSON)
		require.NoError(t, err)
		again, faults := ExamineXML(back, Limits{}, nil)
		require.Empty(t, faults, file)
		assert.Equal(t, string(out), string(AppendJSON(nil, again)), file)
	}
}

func FuzzReadXML(f *testing.F) {
	f.Add([]byte(patientXML))
	f.Add([]byte(`<Patient xmlns="http://hl7.org/fhir"><name><given id="a"/><given value="b"/></name></Patient>`))
	limits := Limits{MaxBytes: 1 << 16, MaxNodes: 4000}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, faults := ExamineXML(raw, limits, nil)
		for _, fault := range faults {
			require.LessOrEqual(t, fault.Offset, int64(len(raw)))
		}
		if len(faults) > 0 {
			return
		}
		out := AppendJSON(nil, doc)
		inJSON, faults := Examine(out, Limits{}, nil)
		require.Empty(t, faults, "%s", out)
		back, err := AppendXML(nil, inJSON)
		require.NoError(t, err)
		again, faults := ExamineXML(back, Limits{}, nil)
		require.Empty(t, faults, "%s", back)
		require.Equal(t, string(out), string(AppendJSON(nil, again)))
	})
}
