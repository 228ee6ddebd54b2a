package fhir

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// corpus is HL7's own FHIRPath tests for R4.
type corpus struct {
	Tests []struct {
		Name       string `xml:"name,attr"`
		Predicate  bool   `xml:"predicate,attr"` // the outcome is whether anything was found
		Input      string `xml:"inputfile,attr"`
		Expression struct {
			Text    string `xml:",chardata"`
			Invalid string `xml:"invalid,attr"`
		} `xml:"expression"`
		Outputs []struct {
			Type string `xml:"type,attr"`
			Text string `xml:",chardata"`
		} `xml:"output"`
	} `xml:"group>test"`
}

// TestSharedCorpus runs those of HL7's tests that the subset can compile. What it cannot compile it must refuse, never misread.
func TestSharedCorpus(t *testing.T) {
	const dir = "../../shared/corpora/fhirpath"
	raw, err := os.ReadFile(filepath.Join(dir, "tests-fhir-r4.xml"))
	if err != nil {
		t.Skip("DID NOT RUN: HL7's FHIRPath tests are not at hand")
	}
	var c corpus
	require.NoError(t, xml.Unmarshal(raw, &c))
	docs := map[string]*Document{}
	for _, name := range []string{"patient-example", "observation-example"} {
		raw, err := os.ReadFile(filepath.Join(dir, name+".json"))
		require.NoError(t, err)
		docs[name+".xml"], err = Read(raw, Limits{})
		require.NoError(t, err, name)
	}
	ran := 0
	for _, one := range c.Tests {
		doc := docs[one.Input]
		p, err := CompileFor(docType(doc), one.Expression.Text)
		if doc == nil || err != nil {
			continue
		}
		ran++
		var got, want []string
		for _, r := range p.Eval(doc.Root(), nil) {
			got = append(got, r.Text)
		}
		if one.Predicate {
			got = []string{strconv.FormatBool(len(got) > 0)}
		}
		for _, o := range one.Outputs {
			want = append(want, strings.TrimPrefix(o.Text, "@"))
		}
		assert.Equal(t, want, got, "%s: %s (invalid: %s)", one.Name, one.Expression.Text, one.Expression.Invalid)
	}
	t.Logf("%d of HL7's %d tests are within the subset", ran, len(c.Tests))
	assert.Greater(t, ran, 30)
}

func docType(d *Document) string {
	if d == nil {
		return typeResource
	}
	return d.Type()
}
