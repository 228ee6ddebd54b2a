package fhir

import (
	"html"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const eitherXML = `<?xml version="1.0"?>
<Patient xmlns="http://hl7.org/fhir">
  <id id='i' value="a"/>
  <text id="t"><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">x</div></text>
  <extension url="http://testshire.example/a"><valueString value = 'a &gt; &quot;b' /></extension>
  <active value="true"/>
  <name><family value="O&#39;Testshire"><extension url="http://testshire.example/b"><valueCode value="c"/></extension></family><given value="Robin"/><given
    value="Alex"/></name>
  <birthDate value="2019-06-03"></birthDate>
</Patient>`

func TestValueRange(t *testing.T) {
	doc, err := ReadEither([]byte(eitherXML), Limits{})
	require.NoError(t, err)
	assert.True(t, doc.XML())
	for path, want := range map[string]string{
		"Patient.resourceType": "Patient", "Patient.id": "a", "Patient._id.id": "i", "Patient.text.id": "t",
		"Patient.text.div":         `<div xmlns="http://www.w3.org/1999/xhtml">x</div>`,
		"Patient.extension[0].url": "http://testshire.example/a", "Patient.extension[0].valueString": "a &gt; &quot;b", "Patient.active": "true",
		"Patient.name[0].family": "O&#39;Testshire", "Patient.name[0]._family.extension[0].url": "http://testshire.example/b",
		"Patient.name[0]._family.extension[0].valueCode": "c", "Patient.name[0].given[0]": "Robin", "Patient.name[0].given[1]": "Alex",
		"Patient.birthDate": "2019-06-03",
	} {
		n := doc.At(path)
		require.NotNil(t, n, path)
		start, end := n.ValueRange()
		assert.Equal(t, want, eitherXML[start:end], path)
		if path != "Patient.text.div" {
			assert.Equal(t, n.Text(), html.UnescapeString(eitherXML[start:end]), path)
		}
	}
	start, end := doc.At("Patient.name[0]").ValueRange()
	from, to := doc.At("Patient.name[0]").Range()
	assert.Equal(t, [2]int64{from, to}, [2]int64{start, end}, "an object stands where it stands")

	const json = `{"resourceType":"Patient","active":true,"birthDate":"2019-06-03"}`
	doc, err = ReadEither([]byte(json), Limits{})
	require.NoError(t, err)
	assert.False(t, doc.XML())
	for path, want := range map[string]string{"Patient.active": "true", "Patient.birthDate": "2019-06-03"} {
		start, end := doc.At(path).ValueRange()
		assert.Equal(t, want, json[start:end])
	}
}

// asked remembers what a second opinion was given.
type asked struct{ json, xml []byte }

func (a *asked) Check(data []byte) []*Fault    { a.json = data; return nil }
func (a *asked) CheckXML(data []byte) []*Fault { a.xml = data; return nil }

type onlyJSON struct{ *asked }

func (o onlyJSON) CheckXML() {}

func TestEitherAsksTheSecondOpinionInItsOwnForm(t *testing.T) {
	both := &asked{}
	_, faults := ExamineEither([]byte(eitherXML), Limits{}, both)
	require.Empty(t, faults)
	assert.Equal(t, eitherXML, string(both.xml))
	assert.Nil(t, both.json)

	_, faults = ExamineEither([]byte(eitherXML), Limits{}, onlyJSON{both})
	require.Empty(t, faults)
	assert.Contains(t, string(both.json), `{"resourceType":"Patient"`)
	_, faults = ExamineEither([]byte(" \n{\"resourceType\":\"Patient\",\"activ\":true}"), Limits{}, nil)
	require.Len(t, faults, 1)
	assert.Equal(t, "active", faults[0].Suggest)
}
