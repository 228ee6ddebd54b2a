package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/fhir"
	"signalbox/fhir/fhirpath"
)

// exitPathRefused is the exit code when the expression or a document is refused.
const exitPathRefused = 3

// maxPathFile bounds what is read of one file; the reader's own limits are the product's.
const maxPathFile = 64 << 20

func fhirPathCommand() *cobra.Command {
	p := &fhirPath{}
	c := &cobra.Command{
		Use:   "path EXPR [FILE]...",
		Short: "Evaluate a FHIRPath expression on FHIR documents, and say where each result stands",
		Long: `Check EXPR against R4's elements, then evaluate it on each FILE (FHIR JSON or XML; - is the standard input). Every result is printed with file, line,
column, byte range, type and path; a value that the expression made says what it was made of. Without FILE the expression is only checked: its
types, its cardinality, the elements that it reads, and what is probably not meant. fhir/README.md lists what FHIRPath can do here.

The values of the document are printed: mind where the output goes.

Exits with 0 when all is well (also when nothing was found), 3 when the expression or a document is refused, 1 when a file could not be read,
2 when the command line is wrong.`,
		Example: `  signalbox fhir path "Bundle.entry.resource.ofType(Patient).birthDate" message.json
  signalbox fhir path --context Patient "name.where(use = 'official').family"
  signalbox fhir path --now 2026-01-01T00:00:00Z "birthDate > today() - 18 years" patient.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.run(c, args[0], args[1:]) },
	}
	c.Flags().StringVar(&p.context, "context", "", "`TYPE` of the resource that the expression starts from; otherwise each file's own")
	c.Flags().StringVar(&p.at, "now", "", "`TIME` (RFC 3339) that today(), now() and timeOfDay() stand for; without it they are refused")
	c.Flags().BoolVar(&p.json, "json", false, "print one JSON object a line")
	return c
}

// fhirPath is one run of the command.
type fhirPath struct {
	context, at string
	json        bool

	now    time.Time
	failed bool // a file could not be read
}

// pathResult is one result, as --json prints it.
type pathResult struct {
	File   string       `json:"file"`
	Type   string       `json:"type,omitempty"`
	Value  string       `json:"value,omitempty"`
	At     *pathPlace   `json:"at,omitempty"`
	MadeOf []*pathPlace `json:"madeOf,omitempty"`
}

// pathPlace is where a node stands: 1-based line and column in bytes, and the byte range [start, end).
type pathPlace struct {
	Path   string `json:"path"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Start  int64  `json:"start"`
	End    int64  `json:"end"`
}

// pathFault is what is wrong with the expression, or with a document.
type pathFault struct {
	File     string `json:"file,omitempty"`
	Severity string `json:"severity"` // error or warning
	Kind     string `json:"kind"`
	Path     string `json:"path,omitempty"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Length   int    `json:"length,omitempty"`
	Text     string `json:"text"`
	Suggest  string `json:"suggest,omitempty"`
}

// pathReport is what is known of an expression, as --json prints it when there is no file.
type pathReport struct {
	Types       []string `json:"types"`
	Cardinality string   `json:"cardinality"`
	Elements    []string `json:"elements"`
}

func (p *fhirPath) run(c *cobra.Command, expr string, files []string) error {
	if p.at != "" {
		var err error
		if p.now, err = time.Parse(time.RFC3339, p.at); err != nil {
			return &exitError{exitUsage, errors.New("--now is a time such as 2026-01-01T00:00:00Z")}
		}
	}
	if p.context != "" && !fhir.IsResourceType(p.context) {
		return &exitError{exitUsage, errors.New("--context is the name of an R4 resource")}
	}
	if len(files) == 0 {
		return p.check(c, expr)
	}
	refused := false
	for _, file := range files {
		ok, err := p.file(c, expr, file)
		if err != nil {
			return err
		}
		refused = refused || !ok
	}
	switch {
	case p.failed:
		return errFailed
	case refused:
		return &exitError{exitPathRefused, errFailed}
	}
	return nil
}

func (p *fhirPath) options(context string) fhirpath.Options {
	return fhirpath.Options{Context: context, Clock: !p.now.IsZero()}
}

// check prints what is known of the expression without a document.
func (p *fhirPath) check(c *cobra.Command, expr string) error {
	r := fhirpath.Check(expr, p.options(p.context))
	p.complain(c, expr, r.Errors, "error")
	p.complain(c, expr, r.Warnings, "warning")
	if len(r.Errors) > 0 {
		return &exitError{exitPathRefused, errFailed}
	}
	if p.json {
		return p.print(c, pathReport{append([]string{}, r.Types...), r.Cardinality(), append([]string{}, r.Elements()...)})
	}
	types := strings.Join(r.Types, " | ")
	if types == "" {
		types = "not known before it runs"
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "type         %s\ncardinality  %s\nreads        %s\n", types, r.Cardinality(), strings.Join(r.Elements(), "\n             "))
	return err
}

// file evaluates the expression on one file. It returns false when the expression or the document is refused. A document with faults that
// can be read is evaluated all the same.
func (p *fhirPath) file(c *cobra.Command, expr, file string) (bool, error) {
	body, err := readPathFile(c, file)
	if err != nil {
		p.failed = true
		fmt.Fprintf(c.ErrOrStderr(), "signalbox: %v\n", err)
		return true, nil
	}
	doc, faults := fhir.ExamineEither(body, fhir.Limits{}, nil)
	for _, f := range faults {
		p.fault(c, pathFault{File: file, Severity: "error", Kind: f.Rule, Path: f.Path, Line: f.Line, Column: f.Column, Text: f.Text, Suggest: f.Suggest})
	}
	if doc == nil {
		return false, nil
	}
	context := p.context
	if context == "" {
		context = doc.Type()
	}
	path, err := fhirpath.Compile(expr, p.options(context))
	var found []fhirpath.Result
	if err == nil {
		p.complain(c, expr, path.Report().Warnings, "warning")
		found, err = path.EvalAt(doc.Root(), p.now, nil)
	}
	if fault, ok := errors.AsType[*fhirpath.Error](err); ok {
		p.complain(c, expr, []*fhirpath.Error{fault}, "error")
		return false, nil
	}
	for _, r := range found {
		if err := p.result(c, doc, file, r); err != nil {
			return false, err
		}
	}
	return len(faults) == 0, nil
}

func readPathFile(c *cobra.Command, file string) ([]byte, error) {
	in := c.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, maxPathFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return body, nil
}

// result prints one result.
func (p *fhirPath) result(c *cobra.Command, doc *fhir.Document, file string, r fhirpath.Result) error {
	out := pathResult{File: file, Type: r.Type, Value: r.Text}
	if r.Node != nil {
		out.At = placeOf(doc, r.Node)
	}
	for _, n := range r.From {
		out.MadeOf = append(out.MadeOf, placeOf(doc, n))
	}
	if p.json {
		return p.print(c, out)
	}
	w := c.OutOrStdout()
	value := r.Text
	if r.Node != nil && r.Node.Kind() == fhir.Object {
		value = "{ }"
	}
	if out.At != nil {
		_, err := fmt.Fprintf(w, "%s:%d:%d  bytes %d-%d  %s  %s  %s\n", file, out.At.Line, out.At.Column, out.At.Start, out.At.End, r.Type, out.At.Path, value)
		return err
	}
	_, err := fmt.Fprintf(w, "%s  made  %s  %s\n", file, r.Type, value)
	for _, at := range out.MadeOf {
		fmt.Fprintf(w, "  of %s:%d:%d  bytes %d-%d  %s\n", file, at.Line, at.Column, at.Start, at.End, at.Path)
	}
	return err
}

func placeOf(doc *fhir.Document, n *fhir.Node) *pathPlace {
	start, end := n.Range()
	line, column := doc.Position(start)
	return &pathPlace{Path: n.Path(), Line: line, Column: column, Start: start, End: end}
}

// complain prints what is wrong with the expression, with a caret under it.
func (p *fhirPath) complain(c *cobra.Command, expr string, faults []*fhirpath.Error, severity string) {
	for _, f := range faults {
		if p.json {
			p.fault(c, pathFault{Severity: severity, Kind: string(f.Kind), Line: f.Line, Column: f.Column, Length: f.Length, Text: f.Text, Suggest: f.Suggest})
			continue
		}
		w := c.ErrOrStderr()
		fmt.Fprintf(w, "%s: expression, line %d, column %d: %s\n", severity, f.Line, f.Column, f.Text)
		line := strings.Split(expr, "\n")[f.Line-1]
		before := line[:min(f.Column-1, len(line))]
		under := line[len(before):min(len(before)+f.Length, len(line))]
		hint := ""
		if f.Suggest != "" {
			hint = fmt.Sprintf(" did you mean %q?", f.Suggest)
		}
		fmt.Fprintf(w, "  %s\n  %s%s%s\n", line, padding(before), strings.Repeat("^", max(1, len([]rune(under)))), hint)
	}
}

// padding is white space as wide as a text, tabs kept.
func padding(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, s)
}

func (p *fhirPath) fault(c *cobra.Command, f pathFault) {
	if p.json {
		_ = p.print(c, f)
		return
	}
	hint := ""
	if f.Suggest != "" {
		hint = fmt.Sprintf(", did you mean %q?", f.Suggest)
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s:%d:%d: %s: %s: %s%s\n", f.File, f.Line, f.Column, f.Path, f.Kind, f.Text, hint)
}

func (p *fhirPath) print(c *cobra.Command, v any) error {
	return json.NewEncoder(c.OutOrStdout()).Encode(v)
}
