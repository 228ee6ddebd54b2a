package fhirpath

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

// corpus is HL7's own FHIRPath tests for R4.
type corpus struct {
	Tests []corpusTest `xml:"group>test"`
}

type corpusTest struct {
	Name       string `xml:"name,attr"`
	Predicate  bool   `xml:"predicate,attr"` // the outcome is whether anything was found
	Unordered  string `xml:"ordered,attr"`
	Input      string `xml:"inputfile,attr"`
	Expression struct {
		Text    string `xml:",chardata"`
		Invalid string `xml:"invalid,attr"`
	} `xml:"expression"`
	Outputs []struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	} `xml:"output"`
}

const corpusDir = "../../../shared/corpora/fhirpath"

// TestCorpus runs HL7's tests. Each must pass or be refused for a reason that the golden list counts; a wrong result fails.
func TestCorpus(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(corpusDir, "tests-fhir-r4.xml"))
	if err != nil {
		t.Skip("DID NOT RUN: HL7's FHIRPath tests for R4 are not at hand. Nothing was checked against them.")
	}
	var c corpus
	require.NoError(t, xml.Unmarshal(raw, &c))
	docs := map[string]*fhir.Document{"": emptyDocument(t)}
	counts := map[string]int{}
	var refusals []string
	for _, one := range c.Tests {
		if docs[one.Input] == nil {
			docs[one.Input] = corpusDocument(t, one.Input)
		}
		verdict := one.run(t, docs[one.Input])
		counts[verdict]++
		if verdict != "pass" {
			refusals = append(refusals, verdict+"\t"+one.Name)
		}
	}
	var lines []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%4d %s", counts[reason], reason))
	}
	slices.Sort(refusals)
	got := fmt.Sprintf("%4d tests of HL7's FHIRPath suite for R4\n%s\n\n%s\n", len(c.Tests), strings.Join(lines, "\n"), strings.Join(refusals, "\n"))
	t.Logf("\n%s", strings.Join(lines, "\n"))
	golden(t, "testdata/corpus.golden", got)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "run with UPDATE_GOLDEN=1 and read the difference")
}

func emptyDocument(t *testing.T) *fhir.Document {
	doc, err := fhir.Read([]byte(`{"resourceType":"Basic","id":"none","code":{"text":"none"}}`), fhir.Limits{})
	require.NoError(t, err)
	return doc
}

// run returns "pass", or why the test is refused; it reports what is wrong.
func (one corpusTest) run(t *testing.T, doc *fhir.Document) string {
	t.Helper()
	p, err := Compile(one.Expression.Text, Options{Context: doc.Type(), Clock: true})
	var found []Result
	if err == nil {
		found, err = p.EvalAt(doc.Root(), time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), nil)
	}
	var fault *Error
	switch invalid := one.Expression.Invalid; {
	case errors.As(err, &fault):
		if invalid != "" && fault.Kind != Unsupported && fault.Kind != Units {
			return "pass"
		}
		return "refused: " + reason(fault)
	case invalid != "" && invalid != "true":
		t.Errorf("%s: %q is invalid (%s) and was not refused: %v", one.Name, one.Expression.Text, invalid, textsOf(found))
		return "WRONG"
	}
	var want []string
	for _, o := range one.Outputs {
		want = append(want, strings.TrimPrefix(strings.TrimPrefix(o.Text, "@"), "T"))
	}
	got := textsOf(found)
	if one.Predicate {
		got = []string{strconv.FormatBool(len(found) > 0)}
	}
	if one.Unordered == "false" {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(want, got) {
		t.Errorf("%s: %q gives %q, not %q", one.Name, one.Expression.Text, got, want)
		return "WRONG"
	}
	for i, o := range one.Outputs {
		if local := strings.TrimPrefix(found[min(i, len(found)-1)].Type, "System."); o.Type != "" && !one.Predicate && !strings.EqualFold(local, o.Type) {
			t.Errorf("%s: %q gives a %s, not a %s", one.Name, one.Expression.Text, local, o.Type)
		}
	}
	return "pass"
}

func reason(e *Error) string {
	if e.Name != "" {
		return e.Name
	}
	if e.Kind == Units {
		return "UCUM conversion"
	}
	return string(e.Kind) + ": " + e.Text
}

func textsOf(found []Result) []string {
	var out []string
	for _, r := range found {
		out = append(out, r.Text)
	}
	return out
}

// corpusDocument reads a resource of the corpus: in JSON or XML.
func corpusDocument(t *testing.T, name string) *fhir.Document {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(corpusDir, name))
	require.NoError(t, err)
	doc, faults := fhir.ExamineEither(raw, fhir.Limits{}, nil)
	require.NotNil(t, doc, "%s: %v", name, faults)
	for _, f := range faults { // some of HL7's examples are not sound R4: they are there for paths
		t.Logf("%s: %v", name, f)
	}
	return doc
}
