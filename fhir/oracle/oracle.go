package oracle

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"
	"github.com/google/fhir/go/jsonformat/errorreporter"

	"signalbox/fhir"
)

// Validator checks documents with google/fhir v0.7.4. It is safe for concurrent use.
//
// It knows less than fhir.Document.Check in some places (it takes a null status for an absent one and mends capitals in codes) and more in
// others (the form of dates, the targets of references), which is why both are asked.
type Validator struct {
	reader *jsonformat.Unmarshaller
}

// maxFaults is how many faults are kept of one document.
const maxFaults = 100

// maxNesting bounds google/fhir's own recursion; fhir.Read has refused deeper documents before.
const maxNesting = 64

// New returns a Validator for R4. Dates without a zone are read as UTC, which does not matter because nothing is converted.
func New() (*Validator, error) {
	r, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		return nil, fmt.Errorf("fhir oracle: %w", err)
	}
	r.MaxNestingDepth = maxNesting
	return &Validator{reader: r}, nil
}

// Check returns what google/fhir refuses. Its messages may quote the document, so that only the path and the class of each error are kept.
// google/fhir checks required elements and references only once every element could be read, so that a sender can see faults in two rounds.
func (v *Validator) Check(data []byte) []*fhir.Fault {
	collect := &collector{}
	if _, err := v.reader.UnmarshalWithErrorReporter(data, collect); err != nil {
		collect.add("", err)
	}
	return collect.faults
}

var _ fhir.SecondOpinion = (*Validator)(nil)
var _ errorreporter.ErrorReporter = (*collector)(nil)

// collector turns errors into faults as they are reported.
type collector struct {
	faults []*fhir.Fault
}

// ReportValidationError keeps path and class of a validation error.
func (c *collector) ReportValidationError(path string, err error) error {
	c.add(path, err)
	return nil
}

// ReportValidationWarning drops warnings: google/fhir has none for JSON.
func (c *collector) ReportValidationWarning(string, error) error { return nil }

func (c *collector) add(path string, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if len(c.faults) >= maxFaults {
			return
		}
		f := read(line)
		if f.Path == "" {
			f.Path = safePath(path)
		}
		c.faults = append(c.faults, f)
	}
}

// class says what an error of google/fhir becomes. Its own words are matched and never passed on, but for names that R4 itself gives.
type class struct {
	words *regexp.Regexp
	rule  string
	text  string
}

// classes lists what google/fhir v0.7.4 says (jsonformat/unmarshaller.go, fhirvalidate.go, jsonpbhelper/fhirutil.go).
var classes = sync.OnceValue(func() []class {
	return []class{
		{regexp.MustCompile(`^missing required field "resourceType"`), fhir.RuleResourceType, "resourceType is missing"},
		{regexp.MustCompile(`^missing required field "([A-Za-z0-9]+)"`), fhir.RuleRequired, "$1 is mandatory"},
		{regexp.MustCompile(`^unknown field`), fhir.RuleElement, "R4 has no such element here"},
		{regexp.MustCompile(`^(unknown|invalid) resource type`), fhir.RuleResourceType, "resourceType is not the name of an R4 resource"},
		{regexp.MustCompile(`^invalid reference to an? ([A-Za-z]+) resource, want ([A-Za-z, ]+)$`), fhir.RuleReference, "the reference leads to $1; R4 allows $2"},
		{regexp.MustCompile(`^invalid reference`), fhir.RuleReference, "the reference is not well-formed"},
		{regexp.MustCompile(`^cannot accept multiple values for`), fhir.RuleChoice, "a choice element stands here with two types"},
		{regexp.MustCompile(`^expected UTF-8`), fhir.RuleUTF8, "the bytes are not valid UTF-8"},
		{regexp.MustCompile(`^expected array|^array length mismatch|^invalid field|^invalid extension field|^invalid JSON`), fhir.RuleShape, "the JSON has another shape than R4 wants here"},
		{regexp.MustCompile(`^field exceeded the maximum nesting depth`), fhir.RuleDepth, "the document nests too deep"},
		{regexp.MustCompile(`^string exceeds`), fhir.RuleString, "a string is over 1 MB"},
		{regexp.MustCompile(`^expected (binary data|boolean|code|date|datetime|decimal|ID|instant|integer|OID|positive integer|string|UUID)\b`), fhir.RuleValue, "the value does not have R4's form of $1"},
		{regexp.MustCompile(`^(invalid|code type mismatch|non-negative|string contains)`), fhir.RuleValue, "the value breaks the rules of its type"},
	}
})

// read turns one line of google/fhir's error text into a fault.
func read(line string) *fhir.Fault {
	path, words := "", line
	if rest, ok := strings.CutPrefix(line, `error at "`); ok {
		path, words, _ = strings.Cut(rest, `": `)
	}
	f := &fhir.Fault{Path: safePath(path), Rule: fhir.RuleOther, Text: "google/fhir refuses this, in words that are kept back"}
	for _, c := range classes() {
		if m := c.words.FindStringSubmatchIndex(words); m != nil {
			f.Rule, f.Text = c.rule, string(c.words.ExpandString(nil, c.text, words, m))
			break
		}
	}
	return f
}

// safePath gives a path the one style of package fhir: google/fhir puts the resource's type behind "resource", as Encounter while parsing
// and as encounter while validating. A step that R4 does not know stands as "?", because it comes from the document.
func safePath(path string) string {
	if path == "" {
		return ""
	}
	var out []string
	last := ""
	for i, step := range strings.Split(path, ".") {
		name, index, _ := strings.Cut(step, "[")
		if i > 0 && (fhir.IsResourceType(name) || last == "resource" && name != "" && fhir.IsResourceType(strings.ToUpper(name[:1])+name[1:])) {
			last = name
			continue
		}
		last = name
		if !fhir.IsElement(name) && !fhir.IsResourceType(name) {
			name = "?"
		}
		if index != "" {
			name += "[" + index
		}
		out = append(out, name)
	}
	return strings.Join(out, ".")
}
