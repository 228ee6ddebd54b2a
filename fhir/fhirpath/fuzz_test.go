package fhirpath

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

// FuzzPath holds that no expression panics, that a refusal lies within the expression, that what compiles runs within its steps, and that
// what runs keeps to what Check said: its types and whether it is single.
func FuzzPath(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c.expr)
	}
	doc := patient(f)
	f.Fuzz(func(t *testing.T, expr string) { holdPath(t, doc, expr) })
}

func holdPath(t *testing.T, doc *fhir.Document, expr string) {
	p, err := Compile(expr, Options{Context: doc.Type(), Clock: true, Steps: 100_000})
	var fault *Error
	if errors.As(err, &fault) {
		require.GreaterOrEqual(t, fault.Offset, 0)
		require.LessOrEqual(t, fault.Offset, len(expr))
		require.LessOrEqual(t, fault.Offset+fault.Length, len(expr)+1)
		return
	}
	require.NoError(t, err)
	found, err := p.EvalAt(doc.Root(), instant(), nil)
	if err != nil {
		require.ErrorAs(t, err, &fault)
		require.LessOrEqual(t, fault.Offset+fault.Length, len(expr)+1)
		return
	}
	again, err := p.EvalAt(doc.Root(), instant(), nil)
	require.NoError(t, err)
	require.Equal(t, found, again, "the same document gives the same")
	r := p.Report()
	if !r.Many {
		require.LessOrEqual(t, len(found), 1, expr)
	}
	require.GreaterOrEqual(t, len(found), r.Min, expr)
	for _, one := range found {
		if r.Types != nil {
			require.Condition(t, func() bool { return promised(r.Types, one) }, "%s: a %s was not promised: %v", expr, one.Type, r.Types)
		}
		for _, n := range one.Sources() {
			start, end := n.Range()
			require.Less(t, start, end)
		}
	}
}

func promised(types []string, r Result) bool {
	for _, t := range types {
		if isA(r.Type, t) || r.Type == "" {
			return true
		}
	}
	return false
}

// FuzzDocument runs the cases on documents that the fuzzer makes: the reader's verdict is not asked, only that nothing panics.
func FuzzDocument(f *testing.F) {
	all := cases(f)
	var paths []*Path
	for _, c := range all {
		if p, err := Compile(c.expr, Options{Context: "Patient", Clock: true, Steps: 20_000}); err == nil {
			paths = append(paths, p)
		}
	}
	raw, err := os.ReadFile("testdata/patient.json")
	require.NoError(f, err)
	f.Add(raw)
	for _, s := range []string{`{"resourceType":"Patient","name":{"use":["official"]},"birthDate":{"a":1},"_birthDate":[{}]}`,
		`{"resourceType":"Patient","multipleBirthInteger":1e999,"name":[[{"given":"x"}]],"active":"yes"}`,
		`{"resourceType":"Patient","managingOrganization":{"reference":["#"]},"contained":{"id":5}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := fhir.Read(body, fhir.Limits{MaxBytes: 1 << 14})
		if err != nil {
			return
		}
		for _, p := range paths {
			_, err := p.EvalAt(doc.Root(), instant(), nil)
			var fault *Error
			if err != nil {
				require.ErrorAs(t, err, &fault)
			}
		}
	})
}
