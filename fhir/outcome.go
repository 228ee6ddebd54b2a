package fhir

import "encoding/json"

// Severity is how bad an issue is (value set issue-severity).
type Severity string

// The severities that Signalbox uses.
const (
	SeverityError       Severity = "error"
	SeverityWarning     Severity = "warning"
	SeverityInformation Severity = "information"
)

// Issue is one issue of an OperationOutcome. None of its fields may hold a datum.
type Issue struct {
	Severity    Severity
	Type        string // value set issue-type, for example "invalid"
	Code        string // Spine's error code, for example "INVALID_SEARCH_DATA"; empty for none
	Display     string // what the code says in words; shown as details
	Diagnostics string
	Expression  string // FHIRPath of the element; empty for none
}

type outcomeCoding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

type outcomeDetails struct {
	Coding []outcomeCoding `json:"coding,omitempty"`
	Text   string          `json:"text,omitempty"`
}

type outcomeIssue struct {
	Severity    Severity        `json:"severity"`
	Code        string          `json:"code"`
	Details     *outcomeDetails `json:"details,omitempty"`
	Diagnostics string          `json:"diagnostics,omitempty"`
	Expression  []string        `json:"expression,omitempty"`
}

type outcome struct {
	ResourceType string         `json:"resourceType"`
	Issue        []outcomeIssue `json:"issue"`
}

// Outcome returns an OperationOutcome as JSON. It needs at least one issue; without any it says that all is well.
func Outcome(issues ...Issue) []byte {
	if len(issues) == 0 {
		issues = []Issue{{Severity: SeverityInformation, Type: "informational", Display: "All OK"}}
	}
	o := outcome{ResourceType: "OperationOutcome"}
	for _, i := range issues {
		wire := outcomeIssue{Severity: i.Severity, Code: i.Type, Diagnostics: i.Diagnostics}
		if i.Code != "" {
			wire.Details = &outcomeDetails{Coding: []outcomeCoding{{System: SystemSpineError, Code: i.Code, Display: i.Display}}}
		} else if i.Display != "" {
			wire.Details = &outcomeDetails{Text: i.Display}
		}
		if i.Expression != "" {
			wire.Expression = []string{i.Expression}
		}
		o.Issue = append(o.Issue, wire)
	}
	raw, err := json.Marshal(o)
	if err != nil { // strings cannot fail to encode
		return []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}`)
	}
	return raw
}

// Issues returns faults as issues: the type that fits the rule, the place in FHIRPath, line and column in the diagnostics.
func (f Faults) Issues() []Issue {
	issues := make([]Issue, len(f))
	for i, one := range f {
		at := *one
		at.Path = ""
		issues[i] = Issue{Severity: SeverityError, Type: issueType(one.Rule), Expression: one.Path, Diagnostics: at.Error()}
	}
	return issues
}

func issueType(rule string) string {
	switch rule {
	case RuleRequired:
		return "required"
	case RuleCode:
		return "code-invalid"
	case RuleSize, RuleDepth, RuleNodes, RuleString:
		return "too-long"
	case RuleElement, RuleShape, RuleNull, RuleEmpty, RuleChoice, RuleResourceType:
		return "structure"
	case RuleInvariant:
		return "invariant"
	case RuleModifier: // R4, "issue-type": "a modifierExtension was not recognized"
		return "extension"
	case RuleValue, RuleReference:
		return "value"
	}
	return "invalid"
}
