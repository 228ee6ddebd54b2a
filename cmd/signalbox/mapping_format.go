package main

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/mappings"
)

// reportForm is the form in which lint and test tell problems.
type reportForm mappings.ReportFormat

const human = reportForm(mappings.FormatHuman)

// String is the form's name.
func (r *reportForm) String() string { return string(*r) }

// Type names the flag's value in help.
func (r *reportForm) Type() string { return "form" }

// Set takes one of the known forms.
func (r *reportForm) Set(s string) error {
	if !slices.Contains(mappings.ReportFormats(), s) {
		return fmt.Errorf("it is one of %s", strings.Join(mappings.ReportFormats(), ", "))
	}
	*r = reportForm(s)
	return nil
}

func (r *reportForm) register(c *cobra.Command) {
	c.Flags().Var(r, "format", "form of problems: "+strings.Join(mappings.ReportFormats(), ", "))
}

// collect goes through the folders. In the forms for programs everything that was found is written once, at the end.
func (r *reportForm) collect(c *cobra.Command, dirs []string, do func(folder, *mappings.Problems) error) error {
	var found mappings.Problems
	err := eachFolder(dirs, func(f folder) error { return do(f, &found) })
	if *r == human || err != nil && !errors.Is(err, errFailed) {
		return err
	}
	if writeErr := found.Write(c.OutOrStdout(), mappings.ReportFormat(*r), nil); writeErr != nil {
		return writeErr
	}
	return err
}

// onDisk writes the problems' files as they are reached from the working directory, where an annotation looks for them.
func (f folder) onDisk(problems mappings.Problems) mappings.Problems {
	if f.root == "" {
		return problems
	}
	out := slices.Clone(problems)
	for i := range out {
		if rest, ok := strings.CutPrefix(out[i].File, f.name+"/"); ok {
			out[i].File = path.Join(filepath.ToSlash(filepath.Clean(f.shown)), rest)
		}
	}
	return out
}
