package mappings

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// ReportFormat is a form in which problems are told.
type ReportFormat string

// The forms: for people, for programs, for code-scanning services (SARIF 2.1.0), and for GitHub's annotations of a pull request.
const (
	FormatHuman  ReportFormat = "human"
	FormatJSON   ReportFormat = "json"
	FormatSARIF  ReportFormat = "sarif"
	FormatGitHub ReportFormat = "github"
)

// ReportFormats lists the forms.
func ReportFormats() []string {
	return []string{string(FormatHuman), string(FormatJSON), string(FormatSARIF), string(FormatGitHub)}
}

// report is a problem as programs read it. Columns count characters from 1; endColumn is the one after the last.
type report struct {
	File       string `json:"file"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	EndColumn  int    `json:"endColumn,omitempty"`
	Code       Code   `json:"code"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
	Why        string `json:"why,omitempty"`

	Declared *declaredAt `json:"declared,omitempty"`
}

// declaredAt is a Spot as programs read it.
type declaredAt struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndColumn int    `json:"endColumn"`
	Note      string `json:"note"`
}

// Write tells the problems in a form. source is the file system that was loaded, for the source lines of the human one. No problems are an
// empty list in the forms that have one.
func (ps Problems) Write(w io.Writer, format ReportFormat, source fs.FS) error {
	switch format {
	case FormatHuman, "":
		return ps.Render(w, source)
	case FormatJSON:
		return ps.writeJSON(w)
	case FormatSARIF:
		return ps.writeSARIF(w)
	case FormatGitHub:
		return ps.writeGitHub(w)
	}
	return fmt.Errorf("no report format %q: it is one of %s", format, strings.Join(ReportFormats(), ", "))
}

func (ps Problems) writeJSON(w io.Writer) error {
	list := make([]report, 0, len(ps))
	for _, p := range ps {
		r := report{File: p.File, Line: p.Line, Column: p.Column, Code: p.Code, Message: p.Text, Suggestion: p.Suggest, Why: p.Why}
		if p.Line > 0 {
			r.EndColumn = p.Column + max(p.Length, 1)
		}
		if d := p.Declared; d.Line > 0 {
			r.Declared = &declaredAt{d.File, d.Line, d.Column, d.Column + max(d.Length, 1), d.Note}
		}
		list = append(list, r)
	}
	return encodeJSON(w, list)
}

func encodeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// said is the message with its suggestion, for forms that have one text.
func (p Problem) said() string {
	if p.Suggest == "" {
		return p.Text
	}
	return fmt.Sprintf("%s, did you mean %q?", p.Text, p.Suggest)
}

func (ps Problems) writeSARIF(w io.Writer) error {
	var codes []Code
	results := make([]any, 0, len(ps))
	for _, p := range ps {
		if !slices.Contains(codes, p.Code) {
			codes = append(codes, p.Code)
		}
		result := map[string]any{"ruleId": p.Code, "level": "error", "message": map[string]any{"text": p.said()},
			"locations": []any{sarifLocation(p.File, p.Line, p.Column, p.Length)}}
		if d := p.Declared; d.Line > 0 {
			related := sarifLocation(d.File, d.Line, d.Column, d.Length)
			related["message"] = map[string]any{"text": d.Note}
			result["relatedLocations"] = []any{related}
		}
		results = append(results, result)
	}
	slices.Sort(codes)
	rules := make([]any, 0, len(codes))
	for _, code := range codes {
		title, page, _ := ErrorPage(code)
		rules = append(rules, map[string]any{"id": code, "shortDescription": map[string]any{"text": title}, "help": map[string]any{"text": page, "markdown": page}})
	}
	return encodeJSON(w, map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []any{map[string]any{"columnKind": "unicodeCodePoints", "results": results,
			"tool": map[string]any{"driver": map[string]any{"name": "signalbox", "rules": rules}}}},
	})
}

func sarifLocation(file string, line, column, length int) map[string]any {
	location := map[string]any{"artifactLocation": map[string]any{"uri": file}}
	if line > 0 {
		location["region"] = map[string]any{"startLine": line, "startColumn": column, "endColumn": column + max(length, 1)}
	}
	return map[string]any{"physicalLocation": location}
}

// writeGitHub writes workflow commands: "::error file=...". Percent signs and line breaks are escaped as GitHub asks, and in properties
// colons and commas too.
func (ps Problems) writeGitHub(w io.Writer) error {
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, p := range ps {
		at := "file=" + property.Replace(p.File)
		if p.Line > 0 {
			at += fmt.Sprintf(",line=%d,col=%d,endColumn=%d", p.Line, p.Column, p.Column+max(p.Length, 1))
		}
		if _, err := fmt.Fprintf(w, "::error %s,title=%s::%s\n", at, p.Code, text.Replace(p.said())); err != nil {
			return err
		}
		if d := p.Declared; d.Line > 0 {
			if _, err := fmt.Fprintf(w, "::notice file=%s,line=%d,col=%d,endColumn=%d,title=%s::%s: %s\n", property.Replace(d.File), d.Line, d.Column,
				d.Column+max(d.Length, 1), p.Code, text.Replace(d.Note), text.Replace(p.Text)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Problems lists the tests that did not pass, in the form of lint's problems.
func (r TestReport) Problems() Problems {
	var out Problems
	for _, result := range r.Results {
		switch {
		case result.Fault != "":
			out = append(out, Problem{File: result.Path, Line: 1, Column: 1, Code: CodeTest, Text: result.Fault})
		case !result.Passed:
			out = append(out, Problem{File: result.Path, Line: 1, Column: 1, Code: CodeTest, Text: "the test does not pass (- want, + got):\n" + result.Diff})
		}
	}
	return out
}
