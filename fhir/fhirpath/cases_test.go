package fhirpath

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/fhir"
)

func patient(t testing.TB) *fhir.Document {
	t.Helper()
	raw, err := os.ReadFile("testdata/patient.json")
	require.NoError(t, err)
	doc, faults := fhir.Examine(raw, fhir.Limits{}, nil)
	require.Empty(t, faults)
	return doc
}

func instant() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) }

type pathCase struct {
	line       int
	expr, want string
}

// cases reads testdata/cases.txt. A line without => goes on with the outcome of the line before.
func cases(t testing.TB) []pathCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.txt")
	require.NoError(t, err)
	var out []pathCase
	line := 0
	for text := range strings.Lines(string(raw)) {
		line++
		text = strings.TrimSuffix(text, "\n")
		if strings.HasPrefix(text, "#") || text == "" {
			continue
		}
		expr, want, found := strings.Cut(text, " => ")
		if !found {
			out[len(out)-1].want += "\n" + text
			continue
		}
		out = append(out, pathCase{line, expr, want})
	}
	return out
}

// outcome runs an expression and writes what it gives in the form of the case file.
func outcomeOf(doc *fhir.Document, expr string) (string, *Error) {
	p, err := Compile(expr, Options{Context: doc.Type(), Clock: true})
	var fault *Error
	if errors.As(err, &fault) {
		return "refused " + string(fault.Kind) + ": " + fault.Text + " (" + fault.Suggest + ")", fault
	}
	found, err := p.EvalAt(doc.Root(), instant(), nil)
	if errors.As(err, &fault) {
		return "fails " + string(fault.Kind) + ": " + fault.Text, fault
	}
	if len(found) == 0 {
		return "{}", nil
	}
	return strings.Join(textsOf(found), " ; "), nil
}

func TestCases(t *testing.T) {
	doc := patient(t)
	for _, c := range cases(t) {
		got, fault := outcomeOf(doc, c.expr)
		if fault == nil {
			assert.Equal(t, c.want, got, "cases.txt:%d: %s", c.line, c.expr)
			continue
		}
		kind, text, _ := strings.Cut(c.want, ": ")
		assert.True(t, strings.HasPrefix(got, kind+": ") && strings.Contains(got, text), "cases.txt:%d: %s\n got %s\nwant %s", c.line, c.expr, got, c.want)
		assert.GreaterOrEqual(t, fault.Offset, 0)
		assert.LessOrEqual(t, fault.Offset, len(c.expr), c.expr)
		assert.Positive(t, fault.Column)
		assert.Contains(t, fault.Error(), "fhirpath: at ")
	}
}

// TestCasesCoverTheLanguage holds that every function and operator has a case that gives something, and one that gives nothing or is refused.
func TestCasesCoverTheLanguage(t *testing.T) {
	all := cases(t)
	patterns := map[string]*regexp.Regexp{}
	for _, name := range Functions() {
		patterns[name+"()"] = regexp.MustCompile(`\b` + name + `\(`)
	}
	for _, op := range []string{"+", "-", "*", "/", "div", "mod", "&", "|", "<", "<=", ">", ">=", "=", "!=", "~", "!~", "in", "contains", "and", "or", "xor", "implies", "is", "as"} {
		patterns[op] = regexp.MustCompile(`(^| )` + regexp.QuoteMeta(op) + ` `)
	}
	for what, pattern := range patterns {
		good, bad := 0, 0
		for _, c := range all {
			if !pattern.MatchString(c.expr) {
				continue
			}
			if c.want == "{}" || c.want == "false" || strings.HasPrefix(c.want, "refused ") || strings.HasPrefix(c.want, "fails ") {
				bad++
			} else {
				good++
			}
		}
		assert.Positive(t, good, "%s has no case that gives something", what)
		assert.Positive(t, bad, "%s has no case that gives nothing, no, or a fault", what)
	}
}

// TestRefusedFunctionsAreNamed holds that what is left out is refused by name, and that nothing stands in both lists.
func TestRefusedFunctionsAreNamed(t *testing.T) {
	for name, why := range Refused() {
		r := Check("name."+name+"()", Options{Context: "Patient"})
		require.Len(t, r.Errors, 1, name)
		assert.Equal(t, Unsupported, r.Errors[0].Kind)
		assert.Equal(t, name+"()", r.Errors[0].Name)
		assert.Contains(t, r.Errors[0].Text, why)
		assert.NotContains(t, Functions(), name)
	}
	for _, name := range []string{"today()", "now()", "timeOfDay()"} {
		_, err := Compile(name, Options{})
		assert.ErrorContains(t, err, name+" is not supported here")
	}
}
